// normalizer_groups: normalizers and arrays: elements of a view pushed to those of their groups, or finished with them.
#pragma once

#include <span>
#include <vector>

#include "../softmax.hpp"
#include "normalizer_finish.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// out[0, n) of x[0, n), the sizes and the memory being checked.
template <form Form, class T>
void finish_into(normalizer_state<T> const& s, std::span<T> out, std::span<T const> x, double scale) {
    check_out(view<T>(out), index_list(x.size()), view<T const>(x));
    finish<Form>(x.data(), out.data(), static_cast<index_t>(x.size()), finishing_of(s, scale));
}

/// Throws unless T computes In, and the kept axes have that shape.
template <class T, class In>
void check_groups(index_list const& shape, view<In const> const& a, index_list const& reduced) {
    static_assert(!std::integral<In> && std::same_as<compute_type<In>, T>,
                  "softax: a normalizer<float> takes float, half and bfloat16, a normalizer<double> takes double");
    index_list const found = reduced_shape(a.shape(), reduced, false);
    if (found != shape) fail_shapes_differ("a without the reduced axes", found, shape);
}

/// Groups is a normalizer_array<T>.
template <class T, template <class> class Groups, class In>
void push_groups(Groups<T>& groups, view<In const> const& a, axes const& over, double scale) {
    index_list const reduced = over.canonical(a.rank());
    check_groups<T>(groups.shape(), a, reduced);
    if (!std::isfinite(scale)) fail_scale(scale);
    group_walk<T, In const, In> walk(group_axes::of(a.shape(), reduced, a.strides(), a.strides()), a.data(), a.data());
    walk([&](index_t group, T const* x, T const*, index_t n) {
        auto& s = groups.data()[group].state();
        s = with_row(s, x, n, scale);
    });
}

/// Where the groups of a call lie, and the scale of their elements.
struct axes_and_scale {
    axes const& over;
    double scale;
};

template <form Form, class T, template <class> class Groups, class In, class Out>
void finish_groups(Groups<T> const& groups, view<Out> const& out, view<In const> const& a, axes_and_scale const& how) {
    static_assert(std::same_as<Out, In>, "softax: out must hold the element type of a");
    index_list const reduced = how.over.canonical(a.rank());
    check_groups<T>(groups.shape(), a, reduced);
    check_out(out, a.shape(), a);
    if (!std::isfinite(how.scale)) fail_scale(how.scale);
    std::vector<finishing<T>> finished;
    finished.reserve(static_cast<std::size_t>(groups.size()));
    for (auto const& n : groups) finished.push_back(finishing_of(n.state(), how.scale));
    group_walk<T, Out, In> walk(group_axes::of(a.shape(), reduced, out.strides(), a.strides()), out.data(), a.data());
    walk([&](index_t group, T const* x, T* y, index_t n) {
        finish<Form>(x, y, n, finished[static_cast<std::size_t>(group)]);
    });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
