// shared_groups: all groups of a call on the threads of a team, some to each, or a row or a panel on all of them.
#pragma once

#include <algorithm>
#include <concepts>
#include <limits>

#include "kernels.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// Whether what a mask says of a row is moved as a whole: neighbours in the mask are so far apart that no piece holds enough of them.
inline bool moves_whole_mask(walked_axes const& row) noexcept {
    constexpr index_t enough = 64;
    index_t inside = 1;
    for (index_t k = row.size - 1; k > 0; --k) {
        inside *= row.at[k].extent;
        walked_axis const& a = row.at[k - 1];
        if (a.where == 1 && inside * std::min(a.extent, enough) > mask_piece) return true;
    }
    return false;
}

/// The groups of a partition one after another, each on all threads of a team, or on the calling one.
template <form Form, class T>
void apply_long_rows(memories<T, T> const& m, partition const& p, call const& c, team* on) {
    index_t const parts = on == nullptr ? 1 : on->threads(), segment = segment_of(p.count, parts, chunk);
    bool const is_moved = c.is_masked && moves_whole_mask(p.reduce);
    long_row<T> shared = {m.x, m.y, m.where, {}, p.count, segment, c, {}, {}, buffer<bool>(is_moved ? p.count : 0)};
    shared.sums.resize(static_cast<std::size_t>((p.count + chunk - 1) / chunk));
    auto const run = [&](shared_step step) {
        auto const work = [&](index_t part) { apply_shared_step<Form>(shared, step, part); };
        on == nullptr ? work(0) : on->run(parts, work);
    };
    for_each_place(p.outer, [&](walked_axis const& at) {
        shared.x = m.x + at.x;
        shared.y = m.y + at.y;
        shared.axes = p.reduce;
        if (m.where != nullptr) shared.where = m.where + at.where;
        if (is_moved) {
            run(shared_step::mask);
            shared.where = shared.answers.data();
            shared.axes = {};
            shared.axes.push_back({p.count, 1, 1, 1});
        }
        shared.maxima.assign(static_cast<std::size_t>(parts), -std::numeric_limits<T>::infinity());
        for (shared_step const step : {shared_step::maximum, shared_step::sums, shared_step::results}) run(step);
    });
}

/// Whether rows are too few and too long for each to have a thread of its own. One whose mask lies in runs goes this way on one
/// thread too, since it need not be moved.
template <form Form>
bool are_long_rows(partition const& p, call const& c, index_t threads) noexcept {
    constexpr index_t least = index_t{1} << 16;
    if (p.count < least || p.inner.extent > 1) return false;
    bool const stays = c.is_masked && p.reduce.size > 1 && lies_in_runs(p.reduce);
    if (p.outer.count() >= std::max(threads, index_t{stays ? 2 : 1})) return false;
    walked_axes const row = p.reduce.bare();
    return row.size == 1 && row.at[0].x == 1 && (Form == form::logsumexp || row.at[0].y == 1);
}

/// Columns of a panel that are as many as can be, in halves whole packets in the last too.
template <class E>
constexpr index_t panel_columns(index_t columns) noexcept {
    constexpr index_t line = 64 / static_cast<index_t>(sizeof(compute_type<E>));
    return filled_block(columns, std::min(columns, panel_width<compute_type<E>>), line, line);
}

/// Whether kernels read what a mask says of a panel where it lies.
inline bool is_panel_mask(partition const& p) noexcept {
    index_t const row = p.reduce.at[0].where;
    return p.reduce.size == 1 && p.inner.where == 1 && (p.inner.extent >= 16 || row == p.inner.extent || row == 0);
}

/// The panels of a partition one after another, each on all threads of a team.
template <form Form, class E>
void apply_long_panels(memories<E, E> const& m, partition const& p, call const& c, team& on) {
    using T = compute_type<E>;
    index_t const parts = on.threads();
    walked_axes const column = p.reduce.bare();
    long_panel<E> shared = {};
    shared.masked = p.reduce, shared.element = column.at[0], shared.group = p.inner, shared.said = c;
    shared.segment = segment_of(p.count, parts, chunk);
    shared.is_large = p.count * p.inner.extent * static_cast<index_t>(sizeof(T)) >= index_t{1} << 20;
    index_t const width = panel_columns<E>(p.inner.extent), panels = (p.inner.extent + width - 1) / width;
    shared.maxima.resize(static_cast<std::size_t>(2 * panel_width<T> * parts));
    shared.sums.resize(static_cast<std::size_t>((p.count + chunk - 1) / chunk * panel_width<T>));
    bool const is_moved = c.is_masked && !is_panel_mask(p);
    bool const waits = !std::same_as<E, T> || (c.is_masked && Form == form::logsumexp);
    shared.answers = buffer<bool>(is_moved ? p.count * width : 0);
    shared.scratch = buffer<T>(waits ? p.count * width : 0);
    auto const run = [&](shared_step step) {
        on.run(parts, [&](index_t part) { apply_shared_step<Form>(shared, step, part); });
    };
    for_each_place(p.outer, [&](walked_axis const& at) {
        for (index_t k = 0; k < panels; ++k) {
            index_t const j = k * width;
            shared.columns = std::min(width, p.inner.extent - j);
            shared.x = m.x + at.x + j;
            shared.y = m.y + at.y + j;
            if (m.where != nullptr) {
                shared.where = shared.masked_at = m.where + at.where + j * p.inner.where;
                shared.element.where = p.reduce.at[0].where;
            }
            if (is_moved) {
                run(shared_step::mask);
                shared.where = shared.answers.data();
                shared.element.where = shared.columns;
            }
            for (shared_step const step : {shared_step::maximum, shared_step::sums, shared_step::results}) run(step);
        }
    });
}

/// Whether panels are too few and too long for each to have a thread of its own.
template <form Form, class E>
bool are_long_panels(partition const& p, index_t threads) noexcept {
    constexpr index_t line = 64 / static_cast<index_t>(sizeof(compute_type<E>)), least = index_t{1} << 16;
    index_t const columns = p.inner.extent,
                  panels = p.outer.count() * ((columns - 1) / panel_width<compute_type<E>> + 1);
    if (columns == 1 || p.outer.count() >= threads || panels > std::min(p.count / chunk, threads)) return false;
    walked_axes const column = p.reduce.bare();
    if (p.count * columns < least || column.size != 1 || p.inner.x != 1 || p.inner.y != 1) return false;
    bool const is_dense = column.at[0].x == columns && (Form == form::logsumexp || column.at[0].y == columns);
    return columns >= line || (is_dense && std::floating_point<E>);
}

/// Parts of the groups for so many threads.
template <class T>
index_t parts_of(partition const& p, call const& c, index_t threads) noexcept {
    // Below, waking a thread costs more than it brings.
    constexpr index_t enough = index_t{1} << 15, width = panel_width<T>;
    index_t const groups = p.outer.count();
    index_t const least = std::clamp(groups * p.inner.extent * 8 / width, index_t{1}, threads);
    index_t most = 4 * threads;
    // Threads that are at neighbours at once wait for cache lines that these share: (256,1000) over axis 0 takes 1.2 times as long on two
    // threads as on one in parts of one panel.
    if (p.inner.extent > 1 && groups < most)
        most = std::clamp(groups * p.inner.extent / width / threads * threads, least, most);
    for (index_t k = 0; k < p.outer.size && c.is_masked; ++k) {
        // So do groups of a mask: (30,2,65536) over {1,2} takes .7 of the time.
        index_t const lines = p.outer.at[k].extent / 64;
        if (p.outer.at[k].where == 1) most = std::clamp(lines, std::min(threads, most), most);
    }
    return std::min(most, p.count * groups * p.inner.extent / enough);
}

/// All groups, on the threads of a team if there is one and enough to do.
template <form Form, class In, class Out>
void apply_groups(memories<In, Out> const& m, partition const& p, call const& c, team* on) {
    index_t const threads = on == nullptr ? 1 : on->threads();
    if constexpr (std::same_as<In, Out> && std::floating_point<In>) {
        if (are_long_rows<Form>(p, c, threads)) return apply_long_rows<Form>(m, p, c, on);
    }
    if constexpr (std::same_as<In, Out> && !std::integral<In>) {
        if (are_long_panels<Form, In>(p, threads)) return apply_long_panels<Form>(m, p, c, *on);
    }
    index_t const parts = threads == 1 ? 1 : parts_of<compute_type<In>>(p, c, threads);
    if (parts <= 1) return apply_share<Form>(m, p, c, {});
    on->run(parts, [&](index_t part) { apply_share<Form>(m, p, c, {part, parts}); });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
