// gradient_door: what the functions of gradients check, and how their operands come to row-major memory.
#pragma once

#include "../softmax.hpp"
#include "gradients.hpp"

namespace softax::detail {

template <class T>
concept differentiable = std::floating_point<T> || is_half_type<T>;

/// The elements of a view in row-major order: its own, or else a copy.
template <class T>
class row_major_elements {
public:
    explicit row_major_elements(view<T const> const& v) : data_(v.data()) {
        if (v.is_row_major()) return;
        copy_ = array<T>(v);
        data_ = copy_.data();
    }

    T const* data() const noexcept { return data_; }

private:
    array<T> copy_;
    T const* data_;
};

/// work(pointer to row-major elements) for an out of any strides.
template <class T, class Work>
void write_row_major(view<T> const& out, Work work) {
    if (out.is_row_major()) return work(out.data());
    auto result = array<T>::uninitialized(out.shape());
    work(result.data());
    copy(out.data(), result.data(), tandem{out.shape(), out.strides(), result.strides()});
}

template <class T>
void check_same_shape(char const* what, view<T const> const& v, index_list const& shape) {
    if (v.shape() != shape) fail_shapes_differ(what, v.shape(), shape);
}

template <class T, class Options>
void check_mask_apart(view<T> const& out, Options const& o) {
    if (o.where && shares_memory(*o.where, out)) fail_mask_overlap();
}

/// What a call of logsumexp's derivatives has checked, and where it runs.
template <class T>
struct gradient_setting {
    checked_options const& options;
    team* on;
    T* place;                   // for probabilities, or null
    bool cuts_columns = false;  // whether slabs may be some columns of the last axis, where there is no place
};

/// out if it can hold intermediate results of a: it must have their type and not be a itself.
template <class T, class Out, class In>
T* place_in(Out* out, In const* a) noexcept {
    if constexpr (std::same_as<Out, T>) return static_cast<void const*>(out) == a ? nullptr : out;
    return nullptr;
}

inline namespace SOFTAX_ISA {

/// A rule with elements y and g into out, all of one shape.
template <rule Rule, differentiable T>
void derive_into(view<T> const& out, view<T const> const& y, view<T const> const& g, axes const& over,
                 options const& o) {
    index_list const reduced = over.canonical(y.rank());
    check_same_shape(Rule == rule::softmax || Rule == rule::log_softmax_vjp ? "g" : "t", g, y.shape());
    checked_options const checked(o, y.shape());
    check_out(out, y.shape(), y);
    check_out(out, y.shape(), g);
    check_mask_apart(out, o);
    run_on(o.on, [&](team* on) {
        row_major_elements<T> const ys(y), gs(g);
        write_row_major(out, [&](T* results) {
            gradient_call<T, T, T> const c = {ys.data(), gs.data(), results, nullptr, checked.said.scale};
            apply_rule<Rule>(c, y.shape(), reduced, checked.where, on);
        });
    });
}

template <rule Rule, class T>
array<T> derived(view<T const> const& y, view<T const> const& g, axes const& over, options const& o) {
    // A bad call must be told of its own fault, not of the shape of a result that it never had.
    over.canonical(y.rank());
    auto result = array<T>::uninitialized(y.shape());
    derive_into<Rule>(view(result), y, g, over, o);
    return result;
}

/// p = 0 in every group of which the mask leaves only -inf, or nothing.
template <class T, class In>
void clear_empty_groups(T* p, view<In const> const& a, index_list const& reduced, checked_options const& o) {
    if (!has_nan(p, a.size())) return;
    bool const* const where = o.where ? o.where->data() : nullptr;
    partition const groups = partition_of(
        a.shape(), reduced, {a.strides(), row_major_strides(a.shape()), where ? &o.where->strides() : nullptr});
    walked_axes kept = groups.outer;
    kept.push_back(groups.inner);
    auto visit = [&](walked_axis const& at) {
        bool is_nan = false, is_empty = true;
        auto look_at_p = [&](walked_axis const& i) { is_nan = is_nan || detail::is_nan(p[at.y + i.y]); };
        auto look_at_a = [&](walked_axis const& i) {
            bool const is_live = where == nullptr || where[at.where + i.where];
            is_empty = is_empty && !(is_live && a.data()[at.x + i.x] != -std::numeric_limits<In>::infinity());
        };
        auto clear = [&](walked_axis const& i) { p[at.y + i.y] = T(0); };
        // Without a mask a group that is NaN is so throughout.
        where ? for_each_place(groups.reduce, look_at_p) : look_at_p({1, 0, 0, 0});
        if (is_nan) for_each_place(groups.reduce, look_at_a);
        if (is_nan && is_empty) for_each_place(groups.reduce, clear);
    };
    for_each_place(kept, visit);
}

/// softmax of a into row-major p, but 0 where a group is only -inf: there the derivative of logsumexp is 0.
template <class In, class T>
void probabilities_into(T* p, view<In const> const& a, index_list const& reduced, checked_options const& o, team* on) {
    apply<form::softmax>(view<T>(p, a.shape()), a, reduced, o, on);
    if constexpr (differentiable<In>) clear_empty_groups(p, a, reduced, o);
}

/// work(slab, probabilities of the slab, options of the slab, team) for every slab of a. The probabilities go to where they
/// have a place of their own in row-major memory of the shape of a, else to a scratch.
template <class In, class Work>
void for_probabilities(view<In const> const& a, index_list const& reduced, gradient_setting<compute_type<In>> const& by,
                       Work const& work) {
    if (a.empty()) return;
    constexpr auto element_bytes = static_cast<index_t>(sizeof(compute_type<In>));
    slabs const all(a.shape(), reduced, by.cuts_columns && by.place == nullptr, element_bytes);
    checked_options const& o = by.options;
    in_parts(all.count(), a.size(), by.on, [&](index_t first, index_t last, team* helpers) {
        buffer<compute_type<In>> scratch(by.place ? 0 : all.largest());
        for (index_t k = first; k < last; ++k) {
            slab const s = all[k];
            auto* const p = by.place ? by.place + s.first_element : scratch.data();
            auto const part = s.of(a.data(), a.strides());
            checked_options own = o;
            if (o.where) {
                auto const mask = s.of(o.where->data(), o.where->strides());
                own.where.emplace(mask.data(), mask.layout(), mask.shape());
            }
            probabilities_into(p, part, s.reduced, own, helpers);
            work(s, p, own, helpers);
        }
    });
}

template <differentiable Out, class In>
void logsumexp_vjp_into(view<Out> const& out, view<In const> const& a, view<Out const> const& g, axes const& over,
                        options const& o) {
    using T = compute_type<In>;
    index_list const reduced = over.canonical(a.rank());
    check_same_shape("g", g, reduced_shape(a.shape(), reduced, o.keepdims));
    checked_options const checked(o, a.shape());
    check_out(out, a.shape(), a);
    if (shares_memory(g, out)) fail_overlap();
    check_mask_apart(out, o);
    auto factors = array<T>::uninitialized(g.shape());
    copy(factors.data(), g.data(), tandem{g.shape(), factors.strides(), g.strides()});
    for (T& f : factors) f *= static_cast<T>(o.scale);
    // What a mask leaves out has the probability 0, of which only a g that is not finite makes something else.
    bool const is_masked = !std::all_of(factors.begin(), factors.end(), [](T f) { return is_finite(f); });
    run_on(o.on, [&](team* on) {
        write_row_major(out, [&](Out* results) {
            // Short groups are written in squares, for which a scratch in cache is the better place.
            bool const is_short = results == nullptr || out.size() < 48 * factors.size();
            gradient_setting<T> const by = {checked, on, is_short ? nullptr : place_in<T>(results, a.data()), true};
            for_probabilities(a, reduced, by, [&](slab const& s, T* p, checked_options const& own, team* help) {
                gradient_call<T, T, Out> c = {p, p, results + s.first_element, factors.data() + s.first_group};
                c.out_row = s.row;
                apply_rule<rule::product>(c, s.shape, s.reduced, is_masked ? own.where : std::nullopt, help);
            });
        });
    });
}

template <differentiable Out, class In>
void logsumexp_jvp_into(view<Out> const& out, view<In const> const& a, view<Out const> const& t, axes const& over,
                        options const& o) {
    using T = compute_type<In>;
    index_list const reduced = over.canonical(a.rank());
    check_same_shape("t", t, a.shape());
    checked_options const checked(o, a.shape());
    index_list const shape = reduced_shape(a.shape(), reduced, o.keepdims);
    check_out(out, shape, a);
    check_out(out, shape, t);
    check_mask_apart(out, o);
    array<T> sums(shape, T(0));
    run_on(o.on, [&](team* on) {
        row_major_elements<Out> const ts(t);
        gradient_setting<T> const by = {checked, on, nullptr};
        for_probabilities(a, reduced, by, [&](slab const& s, T* p, checked_options const& own, team* help) {
            gradient_call<T, Out, T> const c = {p, ts.data() + s.first_element, nullptr, sums.data() + s.first_group};
            apply_rule<rule::dot>(c, s.shape, s.reduced, std::nullopt, help);
            // What a mask leaves out has the probability 0, and adds something only where its t is not finite.
            if (own.where && has_nan(c.sums, size_of(reduced_shape(s.shape, s.reduced, false)))) {
                apply_rule<rule::dot>(c, s.shape, s.reduced, own.where, help);
            }
        });
    });
    for (T& s : sums) s *= static_cast<T>(o.scale);
    copy(out.data(), sums.data(), tandem{shape, out.strides(), sums.strides()});
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
