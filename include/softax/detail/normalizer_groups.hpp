// normalizer_groups: normalizers and arrays: elements of a view pushed to those of their groups, or finished with them.
#pragma once

#include <span>
#include <vector>

#include "../softmax.hpp"
#include "normalizer_pieces.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// out[0, n) of x[0, n), the sizes and the memory being checked.
template <form Form, class T>
void finish_into(normalizer_state<T> const& s, std::span<T> out, std::span<T const> x, double scale) {
    check_out(view<T>(out), index_list(x.size()), view<T const>(x));
    finish<Form>(x.data(), out.data(), nullptr, static_cast<index_t>(x.size()), s, scale);
}

/// Throws unless T computes In, and the kept axes have that shape.
template <class T, class In>
void check_groups(index_list const& shape, view<In const> const& a, index_list const& reduced) {
    static_assert(std::same_as<normalizer_type<In>, T>,
                  "softax: a normalizer<float> takes float, half, bfloat16, bool and integers of 8 and 16 bits, a "
                  "normalizer<double> takes double and longer integers");
    index_list const found = reduced_shape(a.shape(), reduced, false);
    if (found != shape) fail_shapes_differ("a without the reduced axes", found, shape);
}

/// Throws unless out can take what has the shape of a, and is not in the mask.
template <class In, class Out>
void check_out_and_mask(view<Out> const& out, view<In const> const& a, options const& o) {
    check_out(out, a.shape(), a);
    if (o.where && shares_memory(*o.where, out)) fail_mask_overlap();
}

/// The states of the groups of a, which is not empty, in row-major order: what logsumexp finds on its way to the results.
template <class T, class In>
std::vector<normalizer_state<T>> states_of(view<In const> const& a, index_list const& reduced, index_list const& shape,
                                           checked_options o, team* on) {
    auto results = array<T>::uninitialized(shape);
    std::vector<normalizer_state<T>> states(static_cast<std::size_t>(results.size()));
    o.said.extra = -std::numeric_limits<double>::infinity();
    o.said.results = results.data(), o.said.states = states.data();
    apply<form::logsumexp>(view(results), a, reduced, o, on);
    bool const* const where = o.where ? o.where->data() : nullptr;
    auto const axes = group_axes::of(a.shape(), reduced,
                                     {a.strides(), spread_strides(results.strides(), reduced, a.rank()),
                                      where != nullptr ? &o.where->strides() : nullptr});
    for_each_place(axes.kept, [&](walked_axis const& at) {
        T const result = results.data()[at.y];
        auto& own = states[static_cast<std::size_t>(at.y)];
        if (result == -std::numeric_limits<T>::infinity()) own = {};
        if (is_nan(result))
            own = state_without_sum<T>(a.data() + at.x, where != nullptr ? where + at.where : nullptr, axes.reduced,
                                       scale_of<In>(o.said.scale));
    });
    return states;
}

/// The same piece by piece. Pieces of one group may be on several threads; they are merged in their order, so that no bit shows which.
template <class T, class In>
std::vector<normalizer_state<T>> states_of_pieces(view<In const> const& a, index_list const& reduced,
                                                  index_list const& shape, checked_options const& o, team* on) {
    auto const* const where = o.where ? &*o.where : nullptr;
    group_walk<piece_element<In>, T, In, T> const walk(
        group_axes::of(a.shape(), reduced, {a.strides(), a.strides(), where ? &where->strides() : nullptr}), a.data(),
        nullptr, where ? where->data() : nullptr);
    auto const size = static_cast<std::size_t>(size_of(shape)), pieces = static_cast<std::size_t>(walk.pieces());
    std::vector<normalizer_state<T>> states(size * pieces);
    in_parts(walk.visits(), a.size(), on, [&](index_t first, index_t end, team*) {
        walk(first, end, [&](auto const& p) {
            states[static_cast<std::size_t>(p.group) * pieces + static_cast<std::size_t>(p.number)] =
                state_of(p, scale_of<In>(o.said.scale));
        });
    });
    for (std::size_t i = 0; i < size; ++i) {
        auto own = states[i * pieces];
        for (std::size_t k = 1; k < pieces; ++k) own = merged(own, states[i * pieces + k]);
        states[i] = own;
    }
    return states;
}

/// groups[first, end), which have states, and what from(i) says of each.
template <class Group, class From>
void merge_groups(Group* groups, index_t first, index_t end, From const& from) {
    decltype(from(first)) own[merged_at_once], more[merged_at_once];
    for (; first < end; first += merged_at_once) {
        index_t const n = std::min(end - first, merged_at_once);
        for (index_t j = 0; j < n; ++j) own[j] = groups[first + j].state(), more[j] = from(first + j);
        merge_into(own, more, n);
        for (index_t j = 0; j < n; ++j) groups[first + j].state() = own[j];
    }
}

/// Groups is a normalizer_array<T>.
template <class T, template <class> class Groups, class In>
void push_groups(Groups<T>& groups, view<In const> const& a, axes const& over, options const& o) {
    index_list const reduced = over.canonical(a.rank());
    check_groups<T>(groups.shape(), a, reduced);
    checked_options const checked(o, a.shape());
    auto const extra = state_of<T>({static_cast<double>(static_cast<compute_type<In>>(o.extra)), 0}, 1);
    run_on(o.on, [&](team* on) {
        std::vector<normalizer_state<T>> states;
        if (!a.empty()) {
            // The kernels compute wide integers in float, and of other types than theirs a long row is one thread's. Threads do not
            // decide, since the last bit may show which it is.
            bool const are_long = groups.size() < 16 && a.size() / groups.size() >= index_t{1} << 16;
            bool const are_in_pieces = is_wide_integer<In> || (!std::same_as<In, T> && are_long);
            if (are_in_pieces) states = states_of_pieces<T>(a, reduced, groups.shape(), checked, on);
            if constexpr (!is_wide_integer<In>) {
                if (!are_in_pieces) states = states_of<T>(a, reduced, groups.shape(), checked, on);
            }
        }
        bool const has_extra = o.extra != -std::numeric_limits<double>::infinity();
        in_parts(groups.size(), a.size(), on, [&](index_t first, index_t end, team*) {
            if (!a.empty())
                merge_groups(groups.data(), first, end, [&](index_t i) { return states[static_cast<std::size_t>(i)]; });
            if (has_extra) merge_groups(groups.data(), first, end, [&](index_t) { return extra; });
        });
    });
}

template <form Form, class T, template <class> class Groups, class In, class Out>
void finish_groups(Groups<T> const& groups, view<Out> const& out, view<In const> const& a, axes const& over,
                   options const& o) {
    static_assert(std::same_as<Out, result_type<In>>,
                  "softax: out must hold the result type: that of the input if it is floating or half, else float");
    index_list const reduced = over.canonical(a.rank());
    check_groups<T>(groups.shape(), a, reduced);
    check_out_and_mask(out, a, o);
    checked_options const checked(o, a.shape());
    auto const* const where = checked.where ? &*checked.where : nullptr;
    group_walk<piece_element<In>, T, In, Out> const walk(
        group_axes::of(a.shape(), reduced, {a.strides(), out.strides(), where ? &where->strides() : nullptr}), a.data(),
        out.data(), where ? where->data() : nullptr);
    run_on(o.on, [&](team* on) {
        in_parts(walk.visits(), a.size(), on, [&](index_t first, index_t end, team*) {
            if constexpr (std::same_as<In, Out> && !std::integral<In>) {
                if (walk.lie_in_blocks()) {
                    using block = finish_block<In, T>;
                    walk.template for_each_block<block>(first, end, [&](block b, index_t group) {
                        normalizer_state<T> states[finished_at_once];
                        for (index_t j = 0; j < b.group.extent; ++j) states[j] = groups.data()[group + j].state();
                        b.states = states, b.scale = o.scale;
                        finish<Form>(b);
                    });
                    return;
                }
            }
            group_finishing<piece_element<In>, T, Groups<T>> finishing(groups, scale_of<In>(o.scale));
            walk(first, end, [&](auto const& p) { finishing.template operator()<Form>(p); });
        });
    });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
