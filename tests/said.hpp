// The plain reference of whole arrays with options: what a mask leaves out, a scale, an extra logit. For tests of functions that
// get their elements in pieces, which are compared with the whole.
#pragma once

#include <softax/array.hpp>

#include "reference.hpp"

#include <limits>
#include <random>
#include <vector>

namespace said {

using softax::array;
using softax::index_list;
using softax::index_t;

/// The axes whose bits are set.
inline std::vector<index_t> axes_of(unsigned reduced) {
    std::vector<index_t> axes;
    for (index_t axis = 0; axis < 16; ++axis) {
        if (reduced >> axis & 1u) axes.push_back(axis);
    }
    return axes;
}

/// scale and extra as they are rounded for elements T.
template <class T>
reference::said rounded(double scale, double extra) {
    using compute = std::conditional_t<std::is_same_v<T, double>, double, float>;
    return {static_cast<compute>(scale), static_cast<compute>(extra)};
}

/// Of row-major arrays of one shape: the results of the elements x that are live. As reference::family.
template <class T>
std::vector<reference::expected> family(reference::form f, array<T> const& x, array<bool> const& live, unsigned reduced,
                                        reference::said const& o) {
    std::vector<index_t> group_of(static_cast<std::size_t>(x.size()));
    index_t groups = 1;
    for (index_t axis = 0; axis < x.rank(); ++axis) groups *= reduced >> axis & 1u ? 1 : x.shape()[axis];
    std::vector<std::vector<index_t>> members(static_cast<std::size_t>(groups));
    for (index_t k = 0; k < x.size(); ++k) {
        index_t rest = k, group = 0, weight = 1;
        for (index_t axis = x.rank() - 1; axis >= 0; --axis) {
            index_t const index = rest % x.shape()[axis];
            rest /= x.shape()[axis];
            if (reduced >> axis & 1u) continue;
            group += index * weight;
            weight *= x.shape()[axis];
        }
        group_of[static_cast<std::size_t>(k)] = group;
        members[static_cast<std::size_t>(group)].push_back(k);
    }
    std::vector<reference::said_group<T>> all;
    std::vector<reference::expected> results;
    for (auto const& of : members) {
        auto const place = [&](index_t i) { return of[static_cast<std::size_t>(i)]; };
        all.emplace_back(
            static_cast<index_t>(of.size()), [&](index_t i) { return x.data()[place(i)]; },
            [&](index_t i) { return live.data()[place(i)]; }, o);
        if (f == reference::form::logsumexp) results.push_back(reference::expected_of(f, all.back(), T{}, true));
    }
    for (index_t k = 0; k < x.size() && f != reference::form::logsumexp; ++k) {
        auto const& g = all[static_cast<std::size_t>(group_of[static_cast<std::size_t>(k)])];
        results.push_back(reference::expected_of(f, g, x.data()[k], live.data()[k]));
    }
    return results;
}

/// Numbers that make pieces of groups hard to put together: for integers the ends of their range and neighbours far from 0.
template <class T>
T number(std::mt19937_64& random) {
    if constexpr (std::integral<T>) {
        using limits = std::numeric_limits<T>;
        if constexpr (limits::digits < 8) {
            return static_cast<T>(random() % 2 == 0 ? random() % (limits::digits == 1 ? 2 : 100) : random());
        } else {
            T const near[] = {T(0), limits::max(), limits::lowest(), static_cast<T>(limits::max() / 2 + 1)};
            auto const step = static_cast<T>(random() % 6);
            T const from = near[random() % 4];
            return from > limits::max() / 2 ? static_cast<T>(from - step) : static_cast<T>(from + step);
        }
    } else {
        return static_cast<T>(std::normal_distribution<double>(0, 4)(random));
    }
}

/// Which elements of a shape take part: some, or none of a group now and then.
inline array<bool> mask(index_list const& shape, std::mt19937_64& random) {
    array<bool> live(shape, false);
    index_t const row = shape.size() == 0 ? 1 : shape[shape.size() - 1];
    for (index_t i = 0; i < live.size(); i += row) {
        std::uint64_t const out_of = random() % 3;  // 0: none of this row
        for (index_t j = 0; j < row; ++j) live.data()[i + j] = out_of > 0 && random() % (out_of + 1) > 0;
    }
    return live;
}

}  // namespace said
