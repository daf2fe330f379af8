// operator<<: an array or a view as text, laid out as NumPy's print does.
//
// Apart because most programs print no array, and because streams cost more to include than all of array.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <ios>
#include <locale>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "array.hpp"

namespace softax {

namespace detail {

/// Which elements of an array are printed: all, or of more than 1000 only the first and last three along every axis.
struct printed_part {
    static constexpr index_t edge = 3;
    index_list const& shape;
    bool is_summary = size_of(shape) > 1000;

    bool is_cut(index_t axis) const { return is_summary && shape[axis] > 2 * edge; }
};

/// Calls visit(element) for every element that is printed, in row-major order.
template <class T, class Visit>
void for_each_printed(view<T const> const& v, printed_part const& part, Visit& visit, index_t offset = 0,
                      index_t axis = 0) {
    if (axis == v.rank()) return visit(v.data()[offset]);
    index_t const extent = v.shape()[axis], stride = v.strides()[axis];
    for (index_t i = 0; i < extent; ++i) {
        if (i == part.edge && part.is_cut(axis)) i = extent - part.edge;
        for_each_printed(v, part, visit, offset + i * stride, axis + 1);
    }
}

/// What a number takes in scientific notation, rounded to a precision: its digits, zeros at the end aside, its exponent.
struct decimal {
    decimal(double x, std::streamsize precision) {
        std::ostringstream stream;
        stream.imbue(std::locale::classic());
        stream.precision(precision - 1);
        stream << std::scientific << x;
        std::string const text = stream.str();  // "-1.2500e-03"
        std::size_t const e = text.find('e'), sign = text[0] == '-';
        digits = std::max<index_t>(1, static_cast<index_t>(text.find_last_not_of('0', e - 1) - sign));
        exponent = std::stoi(text.substr(e + 1));
    }

    index_t digits, exponent;
};

/// Sets one notation for all the numbers, unless the stream has one already: fixed, with the places that they need and the
/// precision leaves beside the largest. Scientific if places are cut and magnitudes lie more than a factor of 1000 apart
/// (NumPy's rule), or if one of the numbers is so large or small that a stream prints it so by itself.
inline void set_notation(std::ostringstream& stream, std::vector<double> const& numbers) {
    if ((stream.flags() & std::ios::floatfield) != std::ios::fmtflags()) return;
    index_t const precision = std::max<index_t>(1, stream.precision());
    index_t places = 0, digits = 1, lowest = 0, highest = -400;  // no exponent of a double is below
    double least = HUGE_VAL, largest = 0;
    for (double const x : numbers) {
        if (x == 0 || !std::isfinite(x)) continue;
        decimal const d(x, precision);
        digits = std::max(digits, d.digits);
        places = std::max(places, d.digits - 1 - d.exponent);
        lowest = std::min(lowest, d.exponent);
        highest = std::max(highest, d.exponent);
        least = std::min(least, std::abs(x));
        largest = std::max(largest, std::abs(x));
    }
    index_t const room = precision - 1 - highest;
    bool const is_wide = largest > 1000 * least;
    bool const is_scientific = highest >= precision || lowest < -4 || (places > room && is_wide);
    stream.setf(is_scientific ? std::ios::scientific : std::ios::fixed, std::ios::floatfield);
    stream.precision(is_scientific ? digits - 1 : std::min(places, room));
}

/// The texts of numbers as a stream formatted like this one prints them.
template <class Number>
std::vector<std::string> texts_of(std::vector<Number> const& numbers, std::ios const& like) {
    std::ostringstream stream;
    stream.copyfmt(like);
    if constexpr (std::same_as<Number, double>) set_notation(stream, numbers);
    std::vector<std::string> texts;
    for (Number const x : numbers) {
        stream.str("");
        if (x != x) {
            stream << "nan";  // of either sign
        } else {
            stream << x;
        }
        texts.push_back(stream.str());
    }
    return texts;
}

/// The texts of the elements that are printed: floating types as double, integers as numbers, bool as true and false.
template <class T>
std::vector<std::string> texts_of(view<T const> const& v, printed_part const& part, std::ios const& like) {
    if constexpr (std::same_as<T, bool>) {
        std::vector<std::string> texts;
        auto visit = [&](bool x) { texts.push_back(x ? "true" : "false"); };
        for_each_printed(v, part, visit);
        return texts;
    } else {
        using number = std::conditional_t<std::integral<T>, decltype(T() + T()), double>;
        std::vector<number> numbers;
        auto visit = [&](T x) { numbers.push_back(static_cast<number>(x)); };
        for_each_printed(v, part, visit);
        return texts_of(numbers, like);
    }
}

/// Brackets, spaces and lines around the texts of elements, all of one width.
struct printed_page {
    static constexpr std::size_t line_length = 75;  // NumPy's
    printed_part const& part;
    std::vector<std::string> const& elements;
    std::size_t width;
    std::size_t next = 0;        // element
    std::size_t line_begin = 0;  // in text
    std::string text = {};

    /// Prints the elements of one index of the axes before this one.
    void print(index_t axis) {
        if (axis == part.shape.size()) {
            std::string const& element = elements[next++];
            text.append(width - element.size(), ' ') += element;
            return;
        }
        text += '[';
        index_t const count = part.is_cut(axis) ? 2 * part.edge : part.shape[axis];
        for (index_t i = 0; i < count; ++i) {
            if (i > 0) separate(axis);
            if (i == part.edge && part.is_cut(axis)) {
                text += "...";
                separate(axis);
            }
            print(axis + 1);
        }
        text += ']';
    }

    /// A space along the last axis, or a new line where the next element would not fit; lines between rows, one more for
    /// every axis further out.
    void separate(index_t axis) {
        index_t const inner = part.shape.size() - 1 - axis;
        std::size_t const closing = static_cast<std::size_t>(part.shape.size());
        if (inner == 0 && text.size() - line_begin + 1 + width + closing <= line_length) {
            text += ' ';
            return;
        }
        text.append(static_cast<std::size_t>(std::max<index_t>(1, inner)), '\n');
        line_begin = text.size();
        text.append(static_cast<std::size_t>(axis + 1), ' ');
    }
};

}  // namespace detail

/// Prints an array as NumPy does, without commas: rows in brackets, columns aligned, lines of at most 75 characters, of
/// more than 1000 elements only the first and last three along every axis. Numbers follow the stream: its precision counts
/// significant digits of the largest, std::fixed and std::scientific are obeyed, and its width is that of each element.
template <class T>
std::ostream& operator<<(std::ostream& stream, view<T> const& v) {
    std::size_t width = static_cast<std::size_t>(std::max<std::streamsize>(0, stream.width(0)));
    if (v.empty()) return stream << "[]";
    detail::printed_part const part{v.shape()};
    auto const elements = detail::texts_of(view<typename view<T>::value_type const>(v), part, stream);
    for (auto const& element : elements) width = std::max(width, element.size());
    detail::printed_page page{part, elements, width};
    page.print(0);
    return stream << page.text;
}

template <class T>
std::ostream& operator<<(std::ostream& stream, array<T> const& a) {
    return stream << view<T const>(a);
}

}  // namespace softax
