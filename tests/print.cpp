// print.hpp: the text of arrays and views. What integers and bools look like is what NumPy prints for the same array; where
// floating types differ from it, the text is worked out by hand.
#include <softax/print.hpp>

#include "catch.hpp"

#include <cstdint>
#include <iomanip>
#include <limits>
#include <sstream>
#include <string>

using softax::array;
using softax::index_list;
using softax::view;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class A>
std::string text_of(A const& a) {
    std::ostringstream stream;
    stream << a;
    return stream.str();
}

/// 0, 1, 2, ... in that shape.
array<int> counted(index_list const& shape) {
    auto a = array<int>::uninitialized(shape);
    int next = 0;
    for (int& element : a) element = next++;
    return a;
}

}  // namespace

TEST_CASE("integers: rows in brackets, columns aligned, no commas") {
    REQUIRE(text_of(array<int>{1, 2, 3}) == "[1 2 3]");
    REQUIRE(text_of(array<int>{{1, -20}, {300, 4}}) ==
            "[[  1 -20]\n"
            " [300   4]]");
}

TEST_CASE("an empty line more for every axis further out") {
    REQUIRE(text_of(counted({2, 2, 2, 2})) ==
            "[[[[ 0  1]\n"
            "   [ 2  3]]\n"
            "\n"
            "  [[ 4  5]\n"
            "   [ 6  7]]]\n"
            "\n"
            "\n"
            " [[[ 8  9]\n"
            "   [10 11]]\n"
            "\n"
            "  [[12 13]\n"
            "   [14 15]]]]");
}

TEST_CASE("rank 0 is the number, size 0 an empty pair of brackets") {
    REQUIRE(text_of(array<int>::scalar(-7)) == "-7");
    REQUIRE(text_of(array<float>::scalar(3.5f)) == "3.5");
    REQUIRE(text_of(array<float>()) == "[]");
    REQUIRE(text_of(array<float>({3, 0, 2}, 0.0f)) == "[]");
    REQUIRE(text_of(array<int>({1, 1, 1}, 5)) == "[[[5]]]");
}

TEST_CASE("bytes are numbers, not characters") {
    REQUIRE(text_of(array<std::int8_t>{65, -128, 0}) == "[  65 -128    0]");
    REQUIRE(text_of(array<std::uint8_t>{10, 255}) == "[ 10 255]");
    REQUIRE(text_of(array<char>{'a'}) == "[97]");
    REQUIRE(text_of(array<std::uint64_t>{std::numeric_limits<std::uint64_t>::max()}) == "[18446744073709551615]");
    REQUIRE(text_of(array<std::int64_t>{std::numeric_limits<std::int64_t>::min()}) == "[-9223372036854775808]");
}

TEST_CASE("bool is true or false") {
    REQUIRE(text_of(array<bool>{{true, false}, {false, false}}) ==
            "[[ true false]\n"
            " [false false]]");
}

TEST_CASE("floating numbers share their decimals, as many as the largest has digits of the precision left for") {
    REQUIRE(text_of(array<float>{1, 2, 3}) == "[1 2 3]");
    REQUIRE(text_of(array<double>{0.5, 0.25, -1}) == "[ 0.50  0.25 -1.00]");
    REQUIRE(text_of(array<double>{0.0900305732, 0.2447284711, 0.6652409558}) == "[0.090031 0.244728 0.665241]");
    REQUIRE(text_of(array<double>{123.456789, 0.5}) == "[123.457   0.500]");
    REQUIRE(text_of(array<float>{0.1f}) == "[0.1]");
    REQUIRE(text_of(array<double>{0, 0}) == "[0 0]");
    REQUIRE(text_of(array<double>{-0.0, 0.5}) == "[-0.0  0.5]");
    REQUIRE(text_of(array<double>{0.0001, 0.0002}) == "[0.0001 0.0002]");
    REQUIRE(text_of(array<double>{1, 5000}) == "[   1 5000]");
    REQUIRE(text_of(array<double>{999999, 0}) == "[999999      0]");
}

TEST_CASE("numbers that fixed notation would cut or stretch are printed in scientific notation, all of them") {
    REQUIRE(text_of(array<double>{0.00001, 0.5}) == "[1e-05 5e-01]");
    REQUIRE(text_of(array<double>{1000000, -25}) == "[ 1.0e+06 -2.5e+01]");
    REQUIRE(text_of(array<double>{1000000, 2000000}) == "[1e+06 2e+06]");
    REQUIRE(text_of(array<double>{0.00123456, 5.5}) == "[1.23456e-03 5.50000e+00]");
    REQUIRE(text_of(array<double>{5e-324, 1.7976931348623157e308}) == "[4.94066e-324 1.79769e+308]");
    REQUIRE(text_of(array<double>{999999.5, 1}) == "[1e+06 1e+00]");  // rounds to seven digits
}

TEST_CASE("NaN and infinities stand among the numbers and decide nothing") {
    REQUIRE(text_of(array<double>{not_a_number, infinity, -infinity, 0.25}) == "[ nan  inf -inf 0.25]");
    REQUIRE(text_of(array<double>{not_a_number, -not_a_number}) == "[nan nan]");
    REQUIRE(text_of(array<double>{1.5, -infinity}) == "[ 1.5 -inf]");
}

TEST_CASE("half types are printed as floats") {
    REQUIRE(text_of(array<softax::half>{softax::half(1.5f), softax::half(-2.0f)}) == "[ 1.5 -2.0]");
    REQUIRE(text_of(array<softax::bfloat16>{softax::bfloat16(0.25f)}) == "[0.25]");
}

TEST_CASE("precision and notation are the stream's, and the stream is left as it was") {
    array<double> const a = {{0.125, 2}, {33.3333333, not_a_number}};
    std::ostringstream stream;
    stream << std::setprecision(3) << a;
    REQUIRE(stream.str() ==
            "[[ 0.1  2.0]\n"
            " [33.3  nan]]");
    REQUIRE(stream.precision() == 3);
    REQUIRE((stream.flags() & std::ios::floatfield) == std::ios::fmtflags());
    stream.str("");
    stream << std::fixed << std::setprecision(2) << a;
    REQUIRE(stream.str() ==
            "[[ 0.12  2.00]\n"
            " [33.33   nan]]");
    stream.str("");
    stream << std::scientific << std::setprecision(1) << a;
    REQUIRE(stream.str() ==
            "[[1.2e-01 2.0e+00]\n"
            " [3.3e+01     nan]]");
    stream.str("");
    stream << std::hexfloat << array<double>{1, 0.5};
    REQUIRE(stream.str() == "[0x1p+0 0x1p-1]");
    stream.str("");
    stream << std::hex << std::showbase << array<int>{10, 255};
    REQUIRE(stream.str() == "[ 0xa 0xff]");
    stream << 16;
    REQUIRE(stream.str() == "[ 0xa 0xff]0x10");
    stream.str("");
    stream << std::defaultfloat << std::setprecision(0) << array<double>{0.26, 0.3};
    REQUIRE(stream.str() == "[0.3 0.3]");  // 0 counts as 1, as for a single number
}

TEST_CASE("a width is the least of each element and holds for one array") {
    std::ostringstream stream;
    stream << std::setw(4) << array<int>{1, 20000} << array<int>{1} << std::setw(3) << array<int>{} << std::setw(3)
           << array<int>::scalar(2);
    REQUIRE(stream.str() == "[    1 20000][1][]  2");
    stream.str("");
    stream << std::setw(4) << array<int>{1, 2};
    REQUIRE(stream.str() == "[   1    2]");
    REQUIRE(stream.width() == 0);
    stream.str("");
    stream << std::setw(4) << std::setfill('*') << array<int>{1, 2} << std::setw(4) << array<int>{} << std::setw(3)
           << 3;
    REQUIRE(stream.str() == "[   1    2][]**3");  // fills elements with blanks, and only the next number with stars
}

TEST_CASE("a view is printed as it is seen") {
    auto const a = counted({2, 3});
    REQUIRE(text_of(view(a).transpose()) ==
            "[[0 3]\n"
            " [1 4]\n"
            " [2 5]]");
    REQUIRE(text_of(view(a).slice(1, {.step = -1})) ==
            "[[2 1 0]\n"
            " [5 4 3]]");
    REQUIRE(text_of(view(a).slice(0, {.start = 1}).broadcast_to({2, 3})) ==
            "[[3 4 5]\n"
            " [3 4 5]]");
    auto b = counted({2});
    REQUIRE(text_of(view(b)) == "[0 1]");
}

TEST_CASE("1000 elements are printed whole, on lines of at most 75 characters") {
    std::string const text = text_of(counted({1000}));
    REQUIRE(text.find("...") == std::string::npos);
    REQUIRE(text.ends_with(" 997 998 999]"));
    std::string const hundred = text_of(counted({100}));
    REQUIRE(hundred ==
            "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
            " 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47\n"
            " 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71\n"
            " 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95\n"
            " 96 97 98 99]");
}

TEST_CASE("more than 1000 elements are cut to three at either end of every axis") {
    REQUIRE(text_of(counted({1001})) == "[   0    1    2 ...  998  999 1000]");
    REQUIRE(text_of(counted({40, 30})) ==
            "[[   0    1    2 ...   27   28   29]\n"
            " [  30   31   32 ...   57   58   59]\n"
            " [  60   61   62 ...   87   88   89]\n"
            " ...\n"
            " [1110 1111 1112 ... 1137 1138 1139]\n"
            " [1140 1141 1142 ... 1167 1168 1169]\n"
            " [1170 1171 1172 ... 1197 1198 1199]]");
    // Six or fewer stay as they are.
    REQUIRE(text_of(counted({2, 600})) ==
            "[[   0    1    2 ...  597  598  599]\n"
            " [ 600  601  602 ... 1197 1198 1199]]");
    REQUIRE(text_of(counted({300, 1, 6})).starts_with("[[[   0    1    2    3    4    5]]\n\n"));
}

TEST_CASE("a summary of more axes has empty lines around its dots") {
    std::string const text = text_of(counted({9, 2, 100}));
    REQUIRE(
        text.starts_with("[[[   0    1    2 ...   97   98   99]\n"
                         "  [ 100  101  102 ...  197  198  199]]\n"
                         "\n"
                         " [[ 200  201"));
    REQUIRE(text.find("]]\n\n ...\n\n [[1200 ") != std::string::npos);
    REQUIRE(text.ends_with(" 1798 1799]]]"));
}

// What is left out must not be read either: this view has more elements than memory has bytes.
TEST_CASE("a huge broadcast view is printed at once") {
    array<float> const one = {0.5f};
    REQUIRE(text_of(view(one).broadcast_to({softax::index_t{1} << 55})) == "[0.5 0.5 0.5 ... 0.5 0.5 0.5]");
}

TEST_CASE("only what is printed decides the notation") {
    array<double> a({2000}, 1.5);
    a(1000) = 1e300;
    REQUIRE(text_of(a) == "[1.5 1.5 1.5 ... 1.5 1.5 1.5]");
}

TEST_CASE("a stream that throws on failure is not disturbed by its copy inside") {
    std::ostringstream stream;
    stream.exceptions(std::ios::failbit | std::ios::badbit);
    stream << array<double>{1, 2.5};
    REQUIRE(stream.str() == "[1.0 2.5]");
}
