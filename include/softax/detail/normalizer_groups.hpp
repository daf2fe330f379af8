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
    finish<Form>(x.data(), out.data(), nullptr, static_cast<index_t>(x.size()), finishing_of(s, scale));
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

/// Groups is a normalizer_array<T>.
template <class T, template <class> class Groups, class In>
void push_groups(Groups<T>& groups, view<In const> const& a, axes const& over, options const& o) {
    index_list const reduced = over.canonical(a.rank());
    check_groups<T>(groups.shape(), a, reduced);
    checked_options const checked(o, a.shape());
    auto const* const where = checked.where ? &*checked.where : nullptr;
    group_walk<piece_element<In>, T, In, T> const walk(
        group_axes::of(a.shape(), reduced, {a.strides(), a.strides(), where ? &where->strides() : nullptr}), a.data(),
        nullptr, where ? where->data() : nullptr);
    double const scale = scale_of<In>(o.scale);
    auto const extra = state_of<T>({static_cast<double>(static_cast<compute_type<In>>(o.extra)), 0}, 1);
    bool const has_extra = o.extra != -std::numeric_limits<double>::infinity();
    // Pieces of one group may be on several threads; they are merged in their order, so that no bit shows which.
    index_t const pieces = walk.pieces(), apart = pieces > 1 ? pieces : 0;
    std::vector<normalizer_state<T>> states(static_cast<std::size_t>(groups.size() * apart));
    run_on(o.on, [&](team* on) {
        in_parts(walk.visits(), a.size(), on, [&](index_t first, index_t end, team*) {
            walk(first, end, [&](auto const& p) {
                auto const s = state_of(p, scale);
                auto& own = groups.data()[p.group].state();
                if (apart == 0) own = merged(own, s);
                if (apart > 0) states[static_cast<std::size_t>(p.group * apart + p.number)] = s;
            });
        });
        if (apart == 0 && !has_extra) return;
        in_parts(groups.size(), a.size(), on, [&](index_t first, index_t end, team*) {
            for (index_t i = first; i < end; ++i) {
                auto& own = groups.data()[i].state();
                for (index_t k = 0; k < apart; ++k) own = merged(own, states[static_cast<std::size_t>(i * apart + k)]);
                if (has_extra) own = merged(own, extra);
            }
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
            group_finishing<piece_element<In>, T, Groups<T>> finishing(groups, scale_of<In>(o.scale));
            walk(first, end, [&](auto const& p) { finishing.template operator()<Form>(p); });
        });
    });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
