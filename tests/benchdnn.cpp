// oneDNN's shapes (data/benchdnn_softmax.txt): its fill rule, its thresholds, softmax and log_softmax, into other memory and
// in place, in every dense layout that the file names.
//
// Left out, and counted below: blocked layouts (aBx16b, nChw8c, ...), which no strides can say; backward lines, of gradients,
// which this library does not have; u8 and s8 results, as a result keeps the type of its input; the error lines about an
// element type, a layout or an algorithm that cannot even be written here. The strict thresholds of half types (bit equal to
// a rounded float result) are those of one accumulation order, not of the mathematics; the plain ones are held.
#include "catch.hpp"
#include "family.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using softax::array;
using softax::index_t;
using softax::view;
using namespace family;
using reference::wide;

namespace {

using shape_t = std::vector<index_t>;
using order_t = std::vector<std::size_t>;

/// Larger shapes shrink along the axes that are not reduced, so that the whole file takes seconds.
constexpr index_t most_elements = is_slow_build ? 1 << 12 : 1 << 21;

std::vector<std::string> split(std::string const& text, char at) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, at);) parts.push_back(part);
    return parts;
}

shape_t shape_of(std::string const& text) {
    shape_t shape;
    for (auto const& extent : split(text, 'x')) shape.push_back(std::stol(extent));
    return shape;
}

index_t size_of(shape_t const& shape) {
    return std::accumulate(shape.begin(), shape.end(), index_t{1}, std::multiplies<>());
}

/// Axes from the outermost in memory to the innermost: abx, axb, acdb, nhwc, any. Empty if the layout is blocked.
order_t order_of(std::string const& tag, std::size_t rank) {
    order_t order(rank);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (tag.find_first_of("0123456789") != std::string::npos) return {};
    if (tag == "axb") std::rotate(order.begin() + 1, order.begin() + 2, order.end());
    if (tag == "abx" || tag == "axb" || tag == "any") return order;
    bool const is_named = tag[0] == 'n' || tag == "cn";
    std::string const names = !is_named ? "abcdef" : rank == 5 ? "ncdhw" : rank == 4 ? "nchw" : "ncw";
    REQUIRE(tag.size() == rank);
    for (std::size_t k = 0; k < rank; ++k) order[k] = names.find(tag[k]);
    return order;
}

shape_t strides_of(shape_t const& shape, order_t const& order) {
    shape_t strides(shape.size());
    index_t stride = 1;
    for (std::size_t k = order.size(); k-- > 0;) {
        strides[order[k]] = stride;
        stride *= std::max(shape[order[k]], index_t{1});
    }
    return strides;
}

/// Where the lines along one axis begin, in row-major order of the other axes.
std::vector<index_t> lines_of(shape_t const& shape, shape_t const& strides, std::size_t axis) {
    std::vector<index_t> all = {0};
    for (std::size_t k = 0; k < shape.size(); ++k) {
        if (k == axis) continue;
        std::vector<index_t> longer;
        longer.reserve(all.size() * static_cast<std::size_t>(shape[k]));
        for (index_t const offset : all) {
            for (index_t i = 0; i < shape[k]; ++i) longer.push_back(offset + i * strides[k]);
        }
        all = std::move(longer);
    }
    return all;
}

/// The fill rule for one line of n elements: from start on, and around the end, 1 or 2 elements are base + 2, then 2 to 5
/// base + 1, then 5 to 8 base; all others are the lowest number. base is 88, just below where exp of a float overflows, or
/// -88, alternating every 64 lines.
struct line_rule {
    index_t n, start, until[3];
    float base;

    line_rule(index_t line, index_t extent) : n(extent), start(0), until{}, base(line / 64 % 2 == 0 ? 88.0f : -88.0f) {
        std::minstd_rand random(static_cast<unsigned>(line) + 1);
        random.discard(1);
        auto const drawn = [&](index_t low, index_t high) {
            return low + static_cast<index_t>(random() % static_cast<unsigned>(high - low + 1));
        };
        until[0] = std::min(drawn(1, 2), n);
        until[1] = std::min(until[0] + drawn(2, 5), n);
        until[2] = std::min(until[1] + drawn(5, 8), n);
        start = drawn(0, n - 1);
    }

    /// 0 to 2: base + 2 to base; 3: the lowest.
    int kind(index_t i) const {
        index_t const place = i >= start ? i - start : i - start + n;
        return place < until[0] ? 0 : place < until[1] ? 1 : place < until[2] ? 2 : 3;
    }
};

template <class T>
T value_of(line_rule const& line, int kind) {
    return kind == 3 ? std::numeric_limits<T>::lowest() : static_cast<T>(line.base + 2.0f - static_cast<float>(kind));
}

/// What oneDNN accepts: within so many epsilon of the right result, or within the epsilon of float.
template <class T>
struct accepted {
    double low, high;

    accepted(wide right, form f) {
        constexpr bool is_full = std::is_arithmetic_v<T>;
        wide const epsilon = reference::exact(std::numeric_limits<T>::epsilon());
        wide const most = reference::exact(std::numeric_limits<T>::max());
        wide const relative = epsilon * (is_full ? 10 : 1) * (f == form::log_softmax ? 5 : 1);
        wide const room =
            std::max(std::abs(right) * relative, static_cast<wide>(std::numeric_limits<float>::epsilon()));
        low = static_cast<double>(right - room), high = static_cast<double>(right + room);
        if (-right >= most * (1 + epsilon / 4))
            low = high = -std::numeric_limits<double>::infinity();  // rounds to that
    }
};

/// The four right results of a line. All but its 15 largest elements have exp(x - m) = 0 in any precision, so the sum is known
/// from the counts, and no result needs more than these.
template <class T>
std::vector<accepted<T>> const& results_of(line_rule const& line, form f) {
    static std::map<index_t, std::vector<accepted<T>>> known;
    index_t const counts = line.until[0] + 16 * (line.until[1] + 16 * line.until[2]);
    std::vector<accepted<T>>& results = known[counts + 4096 * (2 * (line.base > 0) + (f == form::softmax))];
    if (!results.empty()) return results;
    wide const e1 = std::exp(wide{-1}), e2 = std::exp(wide{-2});
    auto const count = [&](int k) { return static_cast<wide>(line.until[k] - line.until[k - 1]); };
    wide const others = static_cast<wide>(line.until[0] - 1) + count(1) * e1 + count(2) * e2, log = std::log1p(others);
    wide const lowest = reference::exact(value_of<T>(line, 3)) - reference::exact(value_of<T>(line, 0));
    if (f == form::softmax) {
        for (wide const e : {wide{1}, e1, e2, wide{0}}) results.emplace_back(e / (1 + others), f);
    } else {
        for (wide const d : {wide{0}, wide{-1}, wide{-2}, lowest}) results.emplace_back(d - log, f);
    }
    return results;
}

/// One shape, axis, element type and pair of layouts.
template <class T>
void run_case(shape_t const& shape, std::size_t axis, order_t const& from, order_t const& to,
              std::vector<form> const& which) {
    index_t const n = shape[axis], size = size_of(shape);
    auto const from_strides = strides_of(shape, from), to_strides = strides_of(shape, to);
    auto source = array<T>::uninitialized({size}), target = array<T>::uninitialized({size});
    view<T> const x(source.data(), shape, from_strides), y(target.data(), shape, to_strides);
    if (size == 0) {
        softax::softmax_into(y, x, static_cast<index_t>(axis));
        return;
    }
    auto const from_lines = lines_of(shape, from_strides, axis), to_lines = lines_of(shape, to_strides, axis);
    std::vector<line_rule> rules;
    rules.reserve(from_lines.size());
    for (std::size_t l = 0; l < from_lines.size(); ++l) {
        line_rule const& rule = rules.emplace_back(static_cast<index_t>(l), n);
        T const values[] = {value_of<T>(rule, 0), value_of<T>(rule, 1), value_of<T>(rule, 2), value_of<T>(rule, 3)};
        T* const first = source.data() + from_lines[l];
        for (index_t i = 0; i < n; ++i) first[i * from_strides[axis]] = values[rule.kind(i)];
    }
    auto const check = [&](form f, T const* results, std::vector<index_t> const& lines, index_t stride,
                           char const* how) {
        for (std::size_t l = 0; l < lines.size(); ++l) {
            auto const& right = results_of<T>(rules[l], f);
            T const* const line = results + lines[l];
            for (index_t i = 0; i < n; ++i) {
                auto const& a = right[static_cast<std::size_t>(rules[l].kind(i))];
                double const found = static_cast<double>(line[i * stride]);
                if (found >= a.low && found <= a.high) continue;
                FAIL(name_of(f) << " " << how << ", line " << l << ", element " << i << " of " << n << " is " << found
                                << ", accepted: " << a.low << " to " << a.high);
            }
        }
    };
    array<T> const before = source;
    for (form const f : which) {
        run_into<T>(f, y, x, static_cast<index_t>(axis));
        check(f, target.data(), to_lines, to_strides[axis], "into other memory");
        bool const is_untouched = source == before;
        REQUIRE(is_untouched);
        if (from != to) continue;
        run_into<T>(f, x, x, static_cast<index_t>(axis));
        check(f, source.data(), from_lines, from_strides[axis], "in place");
        std::copy(before.begin(), before.end(), source.begin());  // the memory stays, x looks at it
    }
}

struct counts {
    int runs = 0, shrunk = 0, blocked = 0, backward = 0, other_results = 0, errors = 0, unsayable = 0;
};

/// Runs a case in one element type, by its name there.
void run_case(std::string const& type, shape_t shape, std::size_t axis, order_t const& from, order_t const& to,
              std::vector<form> const& which, counts& c) {
    bool is_shrunk = false;
    while (size_of(shape) > most_elements) {
        std::size_t largest = axis == 0 ? 1 : 0;
        for (std::size_t k = 0; k < shape.size(); ++k) {
            if (k != axis && shape[k] > shape[largest]) largest = k;
        }
        if (shape.size() == 1 || shape[largest] == 1) break;
        shape[largest] = (shape[largest] + 1) / 2;
        is_shrunk = true;
    }
    ++c.runs;
    if (is_shrunk) ++c.shrunk;
    if (type == "f32") return run_case<float>(shape, axis, from, to, which);
    if (type == "f64") return run_case<double>(shape, axis, from, to, which);
    if (type == "f16") return run_case<softax::half>(shape, axis, from, to, which);
    if (type == "bf16") return run_case<softax::bfloat16>(shape, axis, from, to, which);
    FAIL("unknown element type " << type);
}

/// A line of oneDNN's own unit tests: one type and layout to another, one function.
void run_unit_line(std::vector<std::string> const& part, counts& c) {
    std::string const types = part[3], layouts = part[4], note = part[5];
    bool const is_backward = note.find("backward") != std::string::npos;
    if (note.find("EXPECT") != std::string::npos) {
        shape_t const shape = shape_of(part[1]);
        bool const is_other = note.find("eltwise") != std::string::npos || is_backward;
        if (is_other || types.starts_with("undef") || layouts.starts_with("any")) {
            ++c.unsayable;
            return;
        }
        ++c.errors;
        array<float> const a({16}, 1.0f);  // enough for a view that is refused before it is read
        if (*std::min_element(shape.begin(), shape.end()) < 0) {
            REQUIRE_FAILS(view<float const>(a.data(), shape), std::invalid_argument,
                          "(2, -2, 128, 256) has a negative extent");
        } else {
            view<float const> const v(a.data(), shape);
            REQUIRE_FAILS(softax::softmax(v, std::stol(part[2])), std::out_of_range,
                          "axis 10 is out of range for an array of rank 4");
        }
        return;
    }
    if (is_backward) {
        ++c.backward;
        return;
    }
    std::string const type = types.substr(0, types.find("->")), result = types.substr(types.find("->") + 2);
    if (type != result) {
        ++c.other_results;
        return;
    }
    shape_t const shape = shape_of(part[1]);
    std::string const source = layouts.substr(0, layouts.find("->")), target = layouts.substr(layouts.find("->") + 2);
    order_t const from = order_of(source, shape.size()), to = target == "any" ? from : order_of(target, shape.size());
    if (from.empty() || to.empty()) {
        ++c.blocked;
        return;
    }
    form const f = note.find("alg_logsoftmax") != std::string::npos ? form::log_softmax : form::softmax;
    run_case(type, shape, static_cast<std::size_t>(std::stol(part[2])), from, to, {f}, c);
}

/// A line of benchdnn: every axis x every type x every layout x both functions.
void run_benchdnn_line(std::vector<std::string> const& part, counts& c) {
    shape_t const shape = shape_of(part[1]);
    std::string types = part[3];
    std::erase_if(types, [](char letter) { return letter == '(' || letter == ')'; });
    for (auto const& axis : split(part[2], ',')) {
        for (auto const& type : split(types, ',')) {
            for (auto const& layout : split(part[4], ',')) {
                order_t const order = order_of(layout, shape.size());
                if (type == "u8")
                    ++c.other_results;
                else if (order.empty())
                    ++c.blocked;
                else
                    run_case(type, shape, static_cast<std::size_t>(std::stol(axis)), order, order,
                             {form::softmax, form::log_softmax}, c);
            }
        }
    }
}

TEST_CASE("the shapes of oneDNN", "[benchdnn]") {
    std::ifstream in(SOFTAX_TEST_DATA "/benchdnn_softmax.txt");
    REQUIRE(in);
    counts c;
    int lines = 0;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') continue;
        ++lines;
        INFO(line);
        auto part = split(line, '|');
        part.resize(6);
        if (part[0].starts_with("gtest:"))
            run_unit_line(part, c);
        else
            run_benchdnn_line(part, c);
    }
    std::printf(
        "oneDNN's shapes: %d cases run, %d of them shrunk to %ld elements; left out: %d blocked, %d backward, %d with "
        "integer results, %d that cannot be said; %d errors as expected\n",
        c.runs, c.shrunk, static_cast<long>(most_elements), c.blocked, c.backward, c.other_results, c.unsayable,
        c.errors);
    // So that a line which is no longer understood does not pass unseen.
    CHECK(lines == 183);
    CHECK(c.runs == 792);
    CHECK(c.blocked == 477);
    CHECK(c.backward == 22);
    CHECK(c.other_results == 24);
    CHECK(c.unsayable == 4);
    CHECK(c.errors == 2);
}

}  // namespace
