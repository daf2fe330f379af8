// A plain reference for the softmax family: one group at a time, by index arithmetic, in long double. It shares nothing with
// the library but the names of the element types, so no mistake is made in both. The rules are those of the design's table.
#pragma once

#include <softax/dtype.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace reference {

/// 64 bits of mantissa on x86, 113 on most other machines. Where it is double itself, results in double cannot be judged.
using wide = long double;
inline constexpr bool judges_double = std::numeric_limits<wide>::digits >= 64;

inline constexpr wide infinity = std::numeric_limits<wide>::infinity();
inline constexpr wide nan = std::numeric_limits<wide>::quiet_NaN();

/// The three functions that are tested.
enum class form { softmax, log_softmax, logsumexp };
inline constexpr form forms[] = {form::softmax, form::log_softmax, form::logsumexp};

/// sign, exponent and fraction of 16 bits, taken apart by hand.
inline wide value_of_bits(std::uint16_t bits, int fraction_bits, int bias) {
    int const fraction = bits & ((1 << fraction_bits) - 1);
    int const exponent_bits = 15 - fraction_bits;
    int const exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    wide magnitude = std::ldexp(static_cast<wide>(fraction + (1 << fraction_bits)), exponent - bias - fraction_bits);
    if (exponent == 0) magnitude = std::ldexp(static_cast<wide>(fraction), 1 - bias - fraction_bits);
    if (exponent == (1 << exponent_bits) - 1) magnitude = fraction != 0 ? nan : infinity;
    return bits >> 15 ? -magnitude : magnitude;
}

/// An element as it is, without rounding.
inline wide exact(softax::half h) { return value_of_bits(h.bits, 10, 15); }
inline wide exact(softax::bfloat16 h) { return value_of_bits(h.bits, 7, 127); }
template <class T>
    requires std::is_arithmetic_v<T>
wide exact(T x) {
    return static_cast<wide>(x);
}

template <class T>
bool is_less(T a, T b) {
    if constexpr (std::is_arithmetic_v<T>)
        return a < b;
    else
        return exact(a) < exact(b);
}

/// A number and what rounding it left over.
struct sum {
    wide total = 0, rest = 0;

    /// Knuth's TwoSum: total + rest grows by exactly y, but for the rounding of rest.
    void add(wide y) {
        wide const t = total + y, part = t - total;
        rest += (total - (t - part)) + (y - part);
        total = t;
    }
    wide value() const { return total + rest; }
};

/// x - m for x <= m. Integers are subtracted as integers, modulo 2^64, which their difference never reaches.
template <class T>
sum difference(T x, T m) {
    if constexpr (std::integral<T>)
        return {-exact(static_cast<std::uint64_t>(m) - static_cast<std::uint64_t>(x)), 0};
    else {
        sum d;
        d.add(exact(x));
        d.add(-exact(m));
        return d;
    }
}

inline wide exp_of(sum const& d) {
    wide const e = std::exp(d.total);
    return e == 0 ? 0 : e + e * d.rest;
}

/// One group: elements that are normalized together. get(i) is element i of n.
template <class T>
class group {
public:
    template <class Get>
    group(std::ptrdiff_t n, Get get) : n_(n) {
        std::ptrdiff_t at = 0;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            T const x = get(i);
            if (std::isnan(exact(x)) || exact(x) == infinity) is_poisoned_ = true;
            if (i == 0 || is_less(m_, x)) m_ = x, at = i;
        }
        if (!has_answer()) return;
        sum others;
        T last = m_;
        wide e = 1;  // of last: long rows of equal elements need it once
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            if (i == at) continue;
            T const x = get(i);
            if (is_less(x, last) || is_less(last, x)) e = exp_of(difference(x, m_)), last = x;
            others.add(e);
        }
        others_ = others.value();
    }

    wide softmax(T x) const { return has_answer() ? exp_of(difference(x, m_)) / (1 + others_) : nan; }

    /// (x - m) - log(1 + others): both terms are at most 0, so nothing cancels.
    wide log_softmax(T x) const {
        if (!has_answer()) return nan;
        sum const d = difference(x, m_);
        return std::isinf(d.total) ? d.total : d.total + (d.rest - std::log1p(others_));
    }

    wide logsumexp() const {
        if (is_poisoned_) return nan;
        if (n_ == 0) return -infinity;
        return has_answer() ? exact(m_) + std::log1p(others_) : nan;
    }

    wide maximum() const { return n_ == 0 ? 0 : exact(m_); }

private:
    bool has_answer() const { return n_ > 0 && !is_poisoned_ && exact(m_) != -infinity; }

    std::ptrdiff_t n_;
    T m_{};
    wide others_ = 0;  // the sum of exp(x - m) without one of the maxima
    bool is_poisoned_ = false;
};

/// What is right, and the magnitude whose ULP an error is counted in.
struct expected {
    wide value, unit;
};

template <class T>
expected expected_of(form f, group<T> const& g, T x) {
    if (f == form::logsumexp) {
        wide const value = g.logsumexp();
        return {value, std::max({std::abs(g.maximum()), std::abs(value), wide{1}})};
    }
    wide const value = f == form::softmax ? g.softmax(x) : g.log_softmax(x);
    return {value, value};
}

/// What options say of a group: exp is taken of scale * x, and extra is one more logit, which is not scaled.
struct said {
    wide scale = 1, extra = -infinity;
};

/// a * b, to about 128 bits: what rounding left over by Veltkamp's and Dekker's products of halves, which are exact. The C
/// library's fma of long double takes ten times as long.
inline sum product(wide a, wide b) {
    constexpr wide split = static_cast<wide>(std::uint64_t{1} << (std::numeric_limits<wide>::digits + 1) / 2) + 1;
    wide const p = a * b;
    if (!std::isfinite(p)) return {p, 0};
    auto const upper = [](wide x) { return split * x - (split * x - x); };
    wide const ah = upper(a), al = a - ah, bh = upper(b), bl = b - bh;
    return {p, ah * bh - p + ah * bl + al * bh + al * bl};
}

/// One group with options. get(i) is element i of n, is_live(i) whether it takes part.
template <class T>
class said_group {
public:
    template <class Get, class IsLive>
    said_group(std::ptrdiff_t n, Get get, IsLive is_live, said const& o) : o_(o) {
        std::ptrdiff_t at = -1;
        is_poisoned_ = std::isnan(o.extra) || o.extra == infinity;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            if (!is_live(i)) continue;
            T const x = get(i);
            wide const y = o.scale * exact(x);
            if (std::isnan(y) || y == infinity) is_poisoned_ = true;
            if (at < 0 || (o.scale < 0 ? is_less(x, m_) : is_less(m_, x))) m_ = x, at = i;
        }
        is_empty_ = at < 0;
        bool const has_elements = !is_empty_ && o.scale * exact(m_) != -infinity;
        if (is_poisoned_ || (!has_elements && o.extra == -infinity)) return;
        has_answer_ = true;
        top_ = {o.extra, 0};
        if (!has_elements) return;
        sum const top = product(o.scale, exact(m_));
        bool const is_extra_top = o.extra > top.total || (o.extra == top.total && top.rest < 0);
        sum below = {is_extra_top ? top.total : o.extra,
                     is_extra_top ? top.rest : 0};  // the lower one less the upper one
        below.add(is_extra_top ? -o.extra : -top.total);
        if (!is_extra_top) below.rest -= top.rest;
        sum others;
        if (is_extra_top) {
            shift_ = below;
        } else {
            top_ = top;
            others.add(o.extra == -infinity ? 0 : exp_of(below));
        }
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            if (is_live(i) && (is_extra_top || i != at)) others.add(exp_of(distance(get(i))));
        }
        others_ = others.value();
    }

    wide softmax(T x) const { return has_answer_ ? exp_of(distance(x)) / (1 + others_) : nan; }

    wide log_softmax(T x) const {
        if (!has_answer_) return nan;
        sum const d = distance(x);
        return std::isinf(d.total) ? d.total : d.total + (d.rest - std::log1p(others_));
    }

    wide logsumexp() const {
        if (has_answer_) return top_.total + (top_.rest + std::log1p(others_));
        return is_empty_ && !is_poisoned_ ? -infinity : nan;
    }

    /// The greatest of the scaled elements and the extra logit.
    wide maximum() const { return has_answer_ ? top_.total : 0; }

private:
    /// scale * x less the maximum, for an x that takes part: integers are subtracted as integers.
    sum distance(T x) const {
        if (std::isinf(exact(x))) return {-infinity, 0};
        sum const d = o_.scale < 0 ? difference(m_, x) : difference(x, m_);
        sum y = product(std::abs(o_.scale), d.total);
        y.rest += std::abs(o_.scale) * d.rest + shift_.rest;
        y.add(shift_.total);
        return y;
    }

    said o_;
    T m_{};
    sum top_, shift_;  // shift_ is that of the elements below top_
    wide others_ = 0;  // the sum of exp(y - top) without one of the maxima
    bool is_poisoned_ = false, is_empty_ = false, has_answer_ = false;
};

template <class T>
expected expected_of(form f, said_group<T> const& g, T x, bool is_live) {
    if (f == form::logsumexp) {
        wide const value = g.logsumexp();
        return {value, std::max({std::abs(g.maximum()), std::abs(value), wide{1}})};
    }
    if (!is_live) return {f == form::softmax ? 0 : -infinity, 0};
    wide const value = f == form::softmax ? g.softmax(x) : g.log_softmax(x);
    return {value, value};
}

/// The family over the axes whose bits are set in reduced, of elements in any strides; results in row-major order, those of
/// logsumexp without the reduced axes.
template <class T>
std::vector<expected> family(form f, T const* first, std::vector<std::ptrdiff_t> const& shape,
                             std::vector<std::ptrdiff_t> const& strides, unsigned reduced) {
    std::size_t size = 1, count = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        size *= static_cast<std::size_t>(shape[axis]);
        if (!(reduced >> axis & 1u)) count *= static_cast<std::size_t>(shape[axis]);
    }
    struct element {
        T x;
        std::size_t group;
    };
    std::vector<element> elements;
    std::vector<std::vector<element>> members(count);
    for (std::size_t k = 0; k < size; ++k) {
        auto rest = static_cast<std::ptrdiff_t>(k);
        std::ptrdiff_t offset = 0, number = 0, weight = 1;
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            std::ptrdiff_t const index = rest % shape[axis];
            rest /= shape[axis];
            offset += index * strides[axis];
            if (reduced >> axis & 1u) continue;
            number += index * weight;
            weight *= shape[axis];
        }
        elements.push_back({first[offset], static_cast<std::size_t>(number)});
        members[elements.back().group].push_back(elements.back());
    }
    std::vector<group<T>> groups;
    for (auto const& list : members) {
        groups.emplace_back(static_cast<std::ptrdiff_t>(list.size()),
                            [&](std::ptrdiff_t i) { return list[static_cast<std::size_t>(i)].x; });
    }
    std::vector<expected> results;
    if (f == form::logsumexp) {
        for (auto const& g : groups) results.push_back(expected_of(f, g, T{}));
    } else {
        for (auto const& e : elements) results.push_back(expected_of(f, groups[e.group], e.x));
    }
    return results;
}

/// How far a result is from the right one, in units of the last place of e.unit in its type; among subnormals that is
/// the least of them. Infinite where one is NaN or infinite and the other is not, but for what rounds to infinity.
template <class R>
wide ulp_error(R result, expected const& e) {
    using limits = std::numeric_limits<R>;
    wide const got = exact(result);
    if (std::isnan(e.value)) return std::isnan(got) ? 0 : infinity;
    if (got == e.value) return 0;
    if (std::isnan(got) || std::isinf(e.value)) return infinity;
    auto const ulp = [](wide x) {
        int const exponent = x == 0 ? limits::min_exponent - 1 : std::max(std::ilogb(x), limits::min_exponent - 1);
        return std::ldexp(wide{1}, exponent - (limits::digits - 1));
    };
    if (std::isinf(got)) {
        wide const largest = exact(limits::max());
        return std::abs(e.value) >= largest + ulp(largest) / 2 && (got < 0) == (e.value < 0) ? 0 : infinity;
    }
    return std::abs(got - e.value) / ulp(e.unit);
}

/// The error that the design's table allows in a result of type R: rounding once, where float32 work is rounded to a half type.
template <class R>
constexpr wide bound(form f) {
    if constexpr (!std::is_arithmetic_v<R>)
        return 0.51L;
    else
        return f == form::softmax ? 4 : f == form::log_softmax ? 2.5L : 1;
}

}  // namespace reference
