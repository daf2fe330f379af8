// gradient_left_classes: how many classes a mask leaves of a group.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "partition.hpp"

namespace softax::detail {

/// Eight answers, a byte each.
inline std::uint64_t eight_answers(bool const* w) noexcept {
    std::uint64_t bytes;
    std::memcpy(&bytes, w, 8);
    return bytes;
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

/// The same in each of 8 * words columns of n rows, words <= 8: whole cache lines of them, since rows may be pages apart.
inline void count_columns(index_t* counts, bool const* w, index_t row, index_t n, index_t words) noexcept {
    std::fill_n(counts, 8 * words, index_t{0});
    for (index_t i = 0; i < n;) {
        std::uint64_t bytes[8] = {};
        for (index_t const end = std::min(n, i + 255); i < end; ++i) {
            for (index_t k = 0; k < words; ++k) bytes[k] += eight_answers(w + i * row + 8 * k);
        }
        unsigned char each[64];
        std::memcpy(each, bytes, sizeof each);
        for (index_t l = 0; l < 8 * words; ++l) counts[l] += each[l];
    }
}

/// The same in each group.
inline void count_left(index_t* left, bool const* w, walked_axis const& classes, walked_axis const& groups) noexcept {
    index_t const next = classes.where, group = groups.where;
    for (index_t k = 0; k < groups.extent; ++k) {
        if (k > 0 && group == 0) {
            left[k] = left[0];
        } else if (next == 0) {
            left[k] = w[k * group] ? classes.extent : 0;
        } else if (next == 1) {
            left[k] = count_run(w + k * group, classes.extent);
        } else if (group == 1 && k + 8 <= groups.extent) {
            index_t const words = std::min((groups.extent - k) / 8, index_t{8});
            count_columns(left + k, w + k, next, classes.extent, words);
            k += 8 * words - 1;
        } else {
            left[k] = 0;
            for (index_t i = 0; i < classes.extent; ++i) left[k] += w[k * group + i * next];
        }
    }
}

}  // namespace softax::detail
