// .npy files, in which NumPy keeps one array: an array from a file, a file from an array.
//
// Apart because it reads what others wrote: what a file says of itself is held against the file before it is believed.
// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <concepts>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "array.hpp"

namespace softax {

/// What a .npy file says of its array; descr is NumPy's name of the element type, "<f4" for float.
struct npy_header {
    std::string descr;
    bool is_fortran_order = false;
    index_list shape;
};

namespace detail {

[[noreturn]] inline void fail_npy(std::string const& path, std::string const& what) {
    throw std::runtime_error("softax: " + path + ": " + what);
}

/// The text of a header, a Python dict as NumPy writes it. Functions read what is next, white space aside, and move on.
struct npy_text {
    std::string const& path;
    std::string_view rest;
    bool has_long;  // Python 2 wrote integers with an L behind, which NumPy reads in versions 1.0 and 2.0

    [[noreturn]] void fail(std::string const& what) const {
        fail_npy(path, "the header " + what + ", at \"" + std::string(rest.substr(0, 20)) + "\"");
    }

    bool is_next(std::string_view token) {
        rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n\f"), rest.size()));
        return rest.starts_with(token);
    }

    bool accept(std::string_view token) {
        bool const is_there = is_next(token);
        if (is_there) rest.remove_prefix(token.size());
        return is_there;
    }

    void expect(std::string_view token) {
        if (!accept(token)) fail("lacks " + std::string(token));
    }

    std::string string() {
        if (is_next("[") || is_next("(")) fail("describes a structured dtype, softax has only plain ones");
        if (!is_next("'") && !is_next("\"")) fail("lacks a string");
        std::size_t const end = rest.find(rest[0], 1);
        std::string_view const found = rest.substr(1, end - 1);
        if (end == rest.npos || found.find_first_of("\\\r\n") != rest.npos) fail("has a string that does not end");
        rest.remove_prefix(end + 1);
        return std::string(found);
    }

    index_t extent() {
        index_t value = 0;
        bool const is_negative = is_next("-"), has_zero = is_next("0");
        auto const [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
        auto const digits = static_cast<std::size_t>(end - rest.data());
        if (is_negative || error != std::errc() || (has_zero && digits > 1)) fail("has an extent not in [0, 2^63)");
        rest.remove_prefix(digits);
        if (has_long && rest.starts_with("L")) rest.remove_prefix(1);
        return value;
    }

    index_list shape() {
        index_list extents;
        expect("(");
        while (!accept(")")) {
            if (extents.size() == index_list::max_size) fail("has more than 16 extents");
            extents.push_back(extent());
            if (!accept(",") && (!is_next(")") || extents.size() == 1)) fail("has a shape that is no tuple");
        }
        return extents;
    }

    npy_header header() {
        npy_header h;
        bool has_descr = false, has_order = false, has_shape = false;
        expect("{");
        while (!accept("}")) {
            std::string const key = string();
            expect(":");
            if (key == "descr" && !std::exchange(has_descr, true)) {
                h.descr = string();
            } else if (key == "fortran_order" && !std::exchange(has_order, true)) {
                h.is_fortran_order = accept("True");
                if (!h.is_fortran_order) expect("False");
            } else if (key == "shape" && !std::exchange(has_shape, true)) {
                h.shape = shape();
            } else {
                fail("has an unknown key or one twice");
            }
            if (!accept(",") && !is_next("}")) fail("lacks , or }");
        }
        if (!has_descr || !has_order || !has_shape) fail("lacks one of the keys descr, fortran_order, shape");
        if (is_next(""), !rest.empty()) fail("goes on after its dict");
        return h;
    }
};

/// A file that is read from its beginning to its end.
struct npy_file {
    explicit npy_file(std::string const& where)
        : path(where), stream(where, std::ios::binary | std::ios::ate), left(static_cast<index_t>(stream.tellg())) {
        if (!stream.seekg(0)) fail_npy(path, "cannot be opened");
    }

    /// Throws unless the file has that many bytes left.
    void read(void* to, index_t count) {
        if (count > left) fail_npy(path, "is cut short");
        if (count > 0) stream.read(static_cast<char*>(to), count);
        if (!stream) fail_npy(path, "cannot be read");
        left -= count;
    }

    std::string const& path;
    std::ifstream stream;
    index_t left;  // bytes
};

/// Leaves the file at the first element.
inline npy_header read_npy_header(npy_file& file) {
    unsigned char start[12] = {};  // magic, version, and the length of the header's text in 2 bytes or 4
    file.read(start, std::min<index_t>(file.left, 8));
    if (std::string_view(reinterpret_cast<char*>(start), 6) != "\x93NUMPY") fail_npy(file.path, "is no .npy file");
    std::string const version = std::to_string(start[6]) + "." + std::to_string(start[7]);
    if (version != "1.0" && version != "2.0" && version != "3.0") {
        fail_npy(file.path, "has version " + version + " of the format, 1.0, 2.0 and 3.0 are known");
    }
    file.read(start + 8, start[6] == 1 ? 2 : 4);
    index_t length = 0;
    for (index_t i = 11; i >= 8; --i) length = length * 256 + start[i];
    if (length > file.left) fail_npy(file.path, "is cut short in its header of " + std::to_string(length) + " bytes");
    std::string text(static_cast<std::size_t>(length), '\0');
    file.read(text.data(), length);
    return npy_text{file.path, text, start[6] < 3}.header();
}

/// "<f4" for float: byte order ('|' where there is none), kind of number, bytes. bfloat16 is "<V2", two bytes without a
/// meaning, as the package ml_dtypes writes it; NumPy has no such type.
template <element T>
std::string npy_descr_of() {
    std::string descr = sizeof(T) == 1 ? "|" : std::endian::native == std::endian::little ? "<" : ">";
    char const of_integer = std::same_as<T, bool> ? 'b' : std::signed_integral<T> ? 'i' : 'u';
    char const of_other = std::same_as<T, bfloat16> ? 'V' : 'f';
    return (descr += std::integral<T> ? of_integer : of_other) += std::to_string(sizeof(T));
}

/// Whether the bytes of each element must be turned. Throws unless the descr is that of T in some byte order. '|' is one
/// for single bytes, and for V2, which NumPy writes so once it has read it.
template <element T>
bool is_npy_swapped(std::string const& path, std::string const& descr) {
    std::string const expected = npy_descr_of<T>();
    char const* const orders = sizeof(T) == 1 || std::same_as<T, bfloat16> ? "<>=|" : "<>=";
    if (descr.find_first_of(orders) != 0 || descr.substr(1) != expected.substr(1)) {
        fail_npy(path, "holds dtype '" + descr.substr(0, 20) + "', the array asked for is of dtype '" + expected + "'");
    }
    return sizeof(T) > 1 && descr[0] == (expected[0] == '<' ? '>' : '<');
}

/// Throws unless the elements of the shape are what the file has left, no less and no more.
inline void check_npy_size(npy_file const& file, index_list const& shape, index_t element_size) {
    index_t needed = 0;
    try {
        needed = size_of(shape) * element_size;
    } catch (std::logic_error const& overflow) {
        fail_npy(file.path, overflow.what());
    }
    if (needed == file.left) return;
    fail_npy(file.path, "has " + std::to_string(file.left) + " bytes of elements, shape " + text_of(shape) + " takes " +
                            std::to_string(needed));
}

/// Elements as the file has them become elements as the processor has them.
template <element T>
void make_npy_native(array<T>& a, bool is_swapped) {
    auto* byte = reinterpret_cast<unsigned char*>(a.data());
    for (index_t i = 0; i < a.size(); ++i, byte += sizeof(T)) {
        if constexpr (std::same_as<T, bool>) *byte = *byte != 0;  // a bool of any other value is none in C++
        if (is_swapped) std::reverse(byte, byte + sizeof(T));
    }
}

/// All that stands before the elements. Like NumPy's: room for the first extent to grow, padded to 64 bytes.
template <element T>
std::string npy_start_of(index_list const& shape) {
    auto text = "{'descr': '" + npy_descr_of<T>() + "', 'fortran_order': False, 'shape': " + text_of(shape) + ", }";
    if (!shape.empty()) text.append(21 - std::to_string(shape[0]).size(), ' ');
    text.append(64 - (text.size() + 11) % 64, ' ') += '\n';
    char const length[] = {static_cast<char>(text.size() % 256), static_cast<char>(text.size() / 256)};
    return std::string("\x93NUMPY\1\0", 8).append(length, 2) + text;
}

}  // namespace detail

/// What a .npy file says of its array, to choose the element type by. Throws std::runtime_error for a malformed header.
inline npy_header npy_header_of(std::string const& path) {
    detail::npy_file file(path);
    return detail::read_npy_header(file);
}

/// The array in a .npy file: versions 1.0, 2.0 and 3.0, either byte order, either storage order (the array is row-major).
/// T must be the type in the file; bfloat16 reads the V2 that ml_dtypes writes. Throws std::runtime_error if the file cannot
/// be read, holds another type, or is malformed, be it by one byte missing or left over. Allocates nothing larger than it.
template <element T>
array<T> load_npy(std::string const& path) {
    constexpr auto element_size = static_cast<index_t>(sizeof(T));
    detail::npy_file file(path);
    npy_header const header = detail::read_npy_header(file);
    bool const is_swapped = detail::is_npy_swapped<T>(path, header.descr);
    index_list shape = header.shape;
    detail::check_npy_size(file, shape, element_size);
    if (header.is_fortran_order) std::reverse(shape.begin(), shape.end());
    auto a = array<T>::uninitialized(shape);
    file.read(a.data(), a.size() * element_size);
    detail::make_npy_native(a, is_swapped);
    return header.is_fortran_order ? array<T>(view<T const>(a).transpose()) : std::move(a);
}

/// Writes an array, a view of any strides or a contiguous range as version 1.0, row-major, in this machine's byte order: the
/// bytes that numpy.save writes. Throws std::runtime_error if the file cannot be written.
template <viewable A>
void save_npy(std::string const& path, A const& a) {
    using T = element_of<A const>;
    view<T const> const v = view(a);
    if (!v.is_row_major()) return save_npy(path, array<T>(v));
    std::string const start = detail::npy_start_of<T>(v.shape());
    std::ofstream stream(path, std::ios::binary);
    stream.write(start.data(), static_cast<std::streamsize>(start.size()));
    if (!v.empty()) stream.write(reinterpret_cast<char const*>(v.data()), v.size() * static_cast<index_t>(sizeof(T)));
    stream.close();
    if (!stream) detail::fail_npy(path, "cannot be written");
}

}  // namespace softax
