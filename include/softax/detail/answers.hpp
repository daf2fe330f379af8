// answers: whether a mask leaves elements of a group, and how many, in words.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "partition.hpp"

namespace softax::detail {

/// Eight answers, a byte each.
inline std::uint64_t eight_answers(bool const* w) noexcept {
    std::uint64_t bytes;
    std::memcpy(&bytes, w, 8);
    return bytes;
}

/// Whether one of n, a stride apart, is true.
inline bool has_left(bool const* w, index_t stride, index_t n) noexcept {
    if (stride == 1 && n >= 8) {
        std::uint64_t any = eight_answers(w + n - 8);
        for (index_t i = 0; i + 8 < n; i += 8) any |= eight_answers(w + i);
        return any != 0;
    }
    bool any = false;
    for (index_t i = 0; i < n; ++i) any |= w[i * stride];
    return any;
}

/// How many of w[0, n) are true: eight bytes at a time, each of which counts to 255.
inline index_t count_run(bool const* w, index_t n) noexcept {
    constexpr std::uint64_t every_other = 0x00ff00ff00ff00ff, to_the_top = 0x0001000100010001;
    index_t count = 0, i = 0;
    while (i + 8 <= n) {
        std::uint64_t bytes = 0;
        for (index_t const end = std::min(n - 7, i + 8 * 255); i < end; i += 8) bytes += eight_answers(w + i);
        std::uint64_t const pairs = (bytes & every_other) + (bytes >> 8 & every_other);
        count += static_cast<index_t>(pairs * to_the_top >> 48);
    }
    for (; i < n; ++i) count += w[i];
    return count;
}

/// The same in each of 8 columns of n rows, or of so many times 8.
template <std::size_t... K>
void count_words(index_t* counts, bool const* w, index_t row, index_t n, std::index_sequence<K...>) noexcept {
    constexpr index_t most = 255;  // as far as a byte counts
    constexpr std::size_t columns = 8 * sizeof...(K);
    std::fill_n(counts, columns, index_t{0});
    for (index_t i = 0; i < n;) {
        std::uint64_t bytes[] = {0 * K...};
        for (index_t const end = std::min(n, i + most); i < end; ++i, w += row) {
            ((bytes[K] += eight_answers(w + 8 * K)), ...);
        }
        unsigned char each[columns];
        std::memcpy(each, bytes, columns);
        for (std::size_t l = 0; l < columns; ++l) counts[l] += each[l];
    }
}

/// The same in each of 8 * words columns of n rows: some words of a row together, since rows may be pages apart.
inline void count_columns(index_t* counts, bool const* w, index_t row, index_t n, index_t words) noexcept {
    index_t k = 0;
    for (; k + 8 <= words; k += 8) count_words(counts + 8 * k, w + 8 * k, row, n, std::make_index_sequence<8>());
    for (; k + 4 <= words; k += 4) count_words(counts + 8 * k, w + 8 * k, row, n, std::make_index_sequence<4>());
    for (; k < words; ++k) count_words(counts + 8 * k, w + 8 * k, row, n, std::make_index_sequence<1>());
}

/// The least rows of so many bytes that are whole words, in bytes.
inline index_t width_in_words(index_t groups) noexcept {
    return groups << (3 - std::min(3, std::countr_zero(static_cast<std::uint64_t>(groups))));
}

/// left[k] += that of group k, for rows of a few groups that follow one another: as many as are whole words are one row.
inline void count_dense(index_t* left, bool const* w, index_t n, index_t groups) noexcept {
    index_t const width = width_in_words(groups), rows = n * groups / width;
    index_t counts[64];
    count_columns(counts, w, width, rows, width / 8);
    for (index_t l = 0; l < width; l += groups) {
        for (index_t k = 0; k < groups; ++k) left[k] += counts[l + k];
    }
    for (index_t l = rows * width; l < n * groups; l += groups) {
        for (index_t k = 0; k < groups; ++k) left[k] += w[l + k];
    }
}

/// The same for any strides.
inline void count_left(index_t* left, bool const* w, walked_axis const& elements, walked_axis const& groups) noexcept {
    index_t const next = elements.where, group = groups.where;
    if (next == groups.extent && group == 1 && width_in_words(next) <= 64) {
        return count_dense(left, w, elements.extent, groups.extent);
    }
    for (index_t k = 0; k < groups.extent; ++k) {
        bool const* const first = w + k * group;
        index_t const words = group == 1 ? std::min((groups.extent - k) / 8, index_t{8}) : 0;
        if (words > 0 && next > 1) {
            index_t counts[64];
            count_columns(counts, first, next, elements.extent, words);
            for (index_t l = 0; l < 8 * words; ++l) left[k + l] += counts[l];
            k += 8 * words - 1;
            continue;
        }
        index_t count = 0;
        if (next == 0) {
            count = *first ? elements.extent : 0;
        } else if (next == 1) {
            count = count_run(first, elements.extent);
        } else {
            for (index_t i = 0; i < elements.extent; ++i) count += first[i * next];
        }
        // One answer for all groups.
        if (group == 0) return void(std::for_each_n(left, groups.extent, [count](index_t& own) { own += count; }));
        left[k] += count;
    }
}

}  // namespace softax::detail
