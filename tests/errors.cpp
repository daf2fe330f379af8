// Every exception of detail/error.hpp that geometry and storage can throw: its type, and its text with the numbers.
#include <softax/array.hpp>

#include "catch.hpp"

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

using softax::array;
using softax::axes;
using softax::index_list;
using softax::index_t;
using softax::view;

namespace {

/// The text of what a call throws, if that is exactly an Exception.
template <class Exception, class Call>
std::string text_of(Call call) {
    try {
        call();
    } catch (std::exception const& e) {
        return (typeid(e) == typeid(Exception) ? "" : std::string("another type: ") + typeid(e).name() + ": ") +
               e.what();
    }
    return "nothing is thrown";
}

/// The whole text, after "softax: ".
#define REQUIRE_TEXT(expression, exception, text) \
    REQUIRE(text_of<exception>([&] { static_cast<void>(expression); }) == std::string("softax: ") + (text))

index_t const most = std::numeric_limits<index_t>::max();

}  // namespace

TEST_CASE("more than 16 integers", "[errors]") {
    auto const text = "17 integers are given, at most 16 are supported";
    std::vector<int> const ones(17, 1);
    REQUIRE_TEXT(index_list(ones), std::length_error, text);
    REQUIRE_TEXT(array<float>(ones, 0.0f), std::length_error, text);
    REQUIRE_TEXT(array<float>(index_list::filled(16, 1), 0.0f).reshaped(ones), std::length_error, text);
    REQUIRE_TEXT(index_list(std::vector<int>(300)), std::length_error,
                 "300 integers are given, at most 16 are supported");
}

TEST_CASE("an axis out of range", "[errors]") {
    array<float> a({2, 3, 4}, 0);
    REQUIRE_TEXT(axes(3).canonical(3), std::out_of_range, "axis 3 is out of range for an array of rank 3");
    REQUIRE_TEXT(axes({0, -4}).canonical(3), std::out_of_range, "axis -4 is out of range for an array of rank 3");
    REQUIRE_TEXT(axes(16).canonical(16), std::out_of_range, "axis 16 is out of range for an array of rank 16");
    REQUIRE_TEXT(view(a).slice(3, {}), std::out_of_range, "axis 3 is out of range for an array of rank 3");
    REQUIRE_TEXT(view(a).moveaxis(0, -4), std::out_of_range, "axis -4 is out of range for an array of rank 3");
    REQUIRE_TEXT(view(a).permute({0, 1, 5}), std::out_of_range, "axis 5 is out of range for an array of rank 3");
}

TEST_CASE("an axis of rank 0", "[errors]") {
    auto a = array<float>::scalar(1);
    auto const text = "axis -1 is given for an array of rank 0, which has none";
    REQUIRE_TEXT(axes(-1).canonical(0), std::invalid_argument, text);
    REQUIRE_TEXT(view(a).slice(-1, {}), std::invalid_argument, text);
    REQUIRE_TEXT(view(a).moveaxis(-1, 0), std::invalid_argument, text);
}

TEST_CASE("an axis given twice", "[errors]") {
    array<float> a({2, 3, 4}, 0);
    REQUIRE_TEXT(axes({1, 1}).canonical(3), std::invalid_argument, "axis 1 is given twice for an array of rank 3");
    REQUIRE_TEXT(axes({0, 1, -2}).canonical(3), std::invalid_argument, "axis -2 is given twice for an array of rank 3");
    REQUIRE_TEXT(view(a).permute({0, 1, 1}), std::invalid_argument, "axis 1 is given twice for an array of rank 3");
}

TEST_CASE("a negative extent", "[errors]") {
    float x = 0;
    REQUIRE_TEXT(array<float>({2, -3}, 0.0f), std::invalid_argument, "shape (2, -3) has a negative extent");
    REQUIRE_TEXT(array<float>::uninitialized(-1), std::invalid_argument, "shape (-1,) has a negative extent");
    REQUIRE_TEXT(view<float>(&x, {0, -1}), std::invalid_argument, "shape (0, -1) has a negative extent");
    REQUIRE_TEXT(view<float>(&x, {-1}, {1}), std::invalid_argument, "shape (-1,) has a negative extent");
    REQUIRE_TEXT(view<float>(&x, 1).broadcast_to({-5}), std::invalid_argument, "shape (-5,) has a negative extent");
    REQUIRE_TEXT(view<float>(&x, 1).reshape({-1, -7}), std::invalid_argument, "shape (-1, -7) has a negative extent");
}

TEST_CASE("a size that overflows", "[errors]") {
    float x = 0;
    auto const text = "the size of shape (9223372036854775807, 2) does not fit in 63 bits of bytes";
    REQUIRE_TEXT(array<float>({most, 2}, 0.0f), std::length_error, text);
    REQUIRE_TEXT(array<bool>::uninitialized({most, 2}), std::length_error, text);
    REQUIRE_TEXT(array<float>({most, 2}, std::vector<float>{}), std::length_error, text);
    REQUIRE_TEXT(view<float>(&x, {most, 2}), std::length_error, text);
    REQUIRE_TEXT(view<float>(&x, {most, 2}, {0, 0}), std::length_error, text);
    REQUIRE_TEXT(view<float>(&x, 1).broadcast_to({most, 2}), std::length_error, text);
    REQUIRE_TEXT(view<float>(&x, 1).reshape({most, 2}), std::length_error, text);
    REQUIRE_TEXT(array<float>({0, most}, 0.0f), std::length_error,
                 "the size of shape (0, 9223372036854775807) does not fit in 63 bits of bytes");
}

TEST_CASE("strides that do not go with the shape", "[errors]") {
    float x = 0;
    REQUIRE_TEXT(view<float>(&x, {1, 1}, {1}), std::invalid_argument,
                 "strides (1,) do not have one entry for each axis of shape (1, 1)");
    REQUIRE_TEXT(view<float>(&x, {}, {1, 2}), std::invalid_argument,
                 "strides (1, 2) do not have one entry for each axis of shape ()");
}

TEST_CASE("a vector of another size", "[errors]") {
    REQUIRE_TEXT(array<float>({2, 3}, std::vector<float>(5)), std::invalid_argument,
                 "shape (2, 3) does not hold 5 values");
    REQUIRE_TEXT(array<float>({}, std::vector<float>()), std::invalid_argument, "shape () does not hold 0 values");
}

TEST_CASE("ragged braces", "[errors]") {
    using a = array<float>;
    std::string const ragged = "nested braces are ragged, ",
                      end = " is expected (a shape and a fill value go in parentheses)";
    REQUIRE_TEXT((a{{1, 2}, {3}}), std::invalid_argument, ragged + "a list of 1 stands where a list of 2" + end);
    REQUIRE_TEXT((a{{1, 2}, {3, 4, 5}}), std::invalid_argument, ragged + "a list of 3 stands where a list of 2" + end);
    REQUIRE_TEXT((a{{1, 2}, {}}), std::invalid_argument, ragged + "a list of 0 stands where a list of 2" + end);
    REQUIRE_TEXT((a{{1, 2}, 3}), std::invalid_argument, ragged + "a value stands where a list of 2" + end);
    REQUIRE_TEXT((a{1, {2, 3}}), std::invalid_argument, ragged + "a list of 2 stands where a value" + end);
    REQUIRE_TEXT((a{{{1}}, {{{2}}}}), std::invalid_argument, ragged + "a list of 1 stands where a value" + end);
}

TEST_CASE("a wrong number of indices", "[errors]") {
    array<float> a({2, 3}, 0);
    auto const text = "3 indices are given for an array of rank 2";
    REQUIRE_TEXT(a.at(0, 0, 0), std::invalid_argument, text);
    REQUIRE_TEXT(std::as_const(a).at(0, 0, 0), std::invalid_argument, text);
    REQUIRE_TEXT(view(a).at(0, 0, 0), std::invalid_argument, text);
    REQUIRE_TEXT(a.at(), std::invalid_argument, "0 indices are given for an array of rank 2");
}

TEST_CASE("an index out of range", "[errors]") {
    array<float> a({2, 3}, 0);
    REQUIRE_TEXT(a.at(0, 3), std::out_of_range, "index 3 is out of range for axis 1 of extent 3");
    REQUIRE_TEXT(std::as_const(a).at(-3, 0), std::out_of_range, "index -3 is out of range for axis 0 of extent 2");
    REQUIRE_TEXT(view(a).at(2, 7), std::out_of_range, "index 2 is out of range for axis 0 of extent 2");
    REQUIRE_TEXT(array<float>().at(0), std::out_of_range, "index 0 is out of range for axis 0 of extent 0");
}

TEST_CASE("an order that does not name every axis", "[errors]") {
    array<float> a({2, 3, 4}, 0);
    REQUIRE_TEXT(view(a).permute({1, 0}), std::invalid_argument,
                 "(1, 0) does not name each axis of an array of rank 3 once");
    REQUIRE_TEXT(view(a).permute({}), std::invalid_argument, "() does not name each axis of an array of rank 3 once");
    REQUIRE_TEXT(view(a).permute({2, 1, 0, 0}), std::invalid_argument,
                 "(2, 1, 0, 0) does not name each axis of an array of rank 3 once");
}

TEST_CASE("a step of 0", "[errors]") {
    array<float> a({2, 3}, 0);
    REQUIRE_TEXT(view(a).slice(1, {.step = 0}), std::invalid_argument, "the step of a slice is 0");
}

TEST_CASE("a reshape to another size", "[errors]") {
    array<float> a({2, 3}, 0);
    auto const text = "shape (2, 3) cannot be reshaped to (4, 2), the sizes differ";
    REQUIRE_TEXT(a.reshaped({4, 2}), std::invalid_argument, text);
    REQUIRE_TEXT(std::move(a).reshaped({4, 2}), std::invalid_argument, text);
    REQUIRE_TEXT(view(a).reshape({4, 2}), std::invalid_argument, text);
    REQUIRE_TEXT(view(a).reshape({-1, 5}), std::invalid_argument,
                 "shape (2, 3) cannot be reshaped to (-1, 5), the sizes differ");
    REQUIRE_TEXT(view(a).reshape({}), std::invalid_argument, "shape (2, 3) cannot be reshaped to (), the sizes differ");
}

TEST_CASE("a reshape whose -1 can stand for anything", "[errors]") {
    array<float> a({2, 3}, 0), none({0, 3}, 0);
    REQUIRE_TEXT(a.reshaped({-1, -1}), std::invalid_argument,
                 "shape (2, 3) cannot be reshaped to (-1, -1), -1 can stand for more than one number");
    REQUIRE_TEXT(view(none).reshape({0, -1}), std::invalid_argument,
                 "shape (0, 3) cannot be reshaped to (0, -1), -1 can stand for more than one number");
}

TEST_CASE("a reshape that needs a copy", "[errors]") {
    array<float> a({2, 3}, 0);
    REQUIRE_TEXT(view(a).transpose().reshape({-1}), std::invalid_argument,
                 "a view of shape (3, 2) and strides (1, 3) cannot be reshaped to (6,) without a copy; make an array "
                 "of it first");
}

TEST_CASE("a broadcast that does not fit", "[errors]") {
    array<float> a({2, 3}, 0);
    REQUIRE_TEXT(view(a).broadcast_to({2, 4}), std::invalid_argument, "shape (2, 3) cannot be broadcast to (2, 4)");
    REQUIRE_TEXT(view(a).broadcast_to(3), std::invalid_argument, "shape (2, 3) cannot be broadcast to (3,)");
    REQUIRE_TEXT(view(a).broadcast_to({2, 1}), std::invalid_argument, "shape (2, 3) cannot be broadcast to (2, 1)");
}

TEST_CASE("integers are listed as a tuple is", "[errors]") {
    using softax::detail::text_of;
    CHECK(text_of(index_list{}) == "()");
    CHECK(text_of(index_list{5}) == "(5,)");
    CHECK(text_of(index_list{-1, 0, 2}) == "(-1, 0, 2)");
    CHECK(text_of(std::vector<index_t>(40, 1)).size() == 120);
}
