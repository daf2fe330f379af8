// The family in the background: futures of results that a stream computes in its order.
#pragma once

#include <future>

#include "softmax.hpp"

namespace softax {

namespace detail {

/// What an asynchronous call keeps: an array that is given away, else a view of what must outlive the work.
template <class A>
auto kept(A&& a) {
    if constexpr (std::is_rvalue_reference_v<A&&> && std::same_as<A, array<element_of<A>>>) {
        return std::move(a);
    } else {
        return reading(a);
    }
}

/// The future of f(a) on the stream of the options, or the default stream.
template <class F, class A>
auto submitted(F f, A&& a, axes const& over, options o) {
    stream const s = o.on ? *o.on : stream(device::cpu);
    o.on = s;
    return s.submit([f, a = kept(std::forward<A>(a)), over, o] { return f(a, over, o); });
}

}  // namespace detail

inline namespace SOFTAX_ISA {

/// A future of softmax(a, axes, options), computed in the order of its stream (.on, else the default stream of the CPU). An
/// array that is moved in is kept; other elements, and a mask, must live until the future is ready. Exceptions come through it.
template <class A>
    requires viewable<std::remove_reference_t<A>>
auto softmax_async(A&& a, axes const& over = all_axes, options const& o = detail::no_options) {
    auto const call = [](auto const& x, axes const& along, options const& said) { return softmax(x, along, said); };
    return detail::submitted(call, std::forward<A>(a), over, o);
}

/// A future of log_softmax(a, axes, options); as softmax_async().
template <class A>
    requires viewable<std::remove_reference_t<A>>
auto log_softmax_async(A&& a, axes const& over = all_axes, options const& o = detail::no_options) {
    auto const call = [](auto const& x, axes const& along, options const& said) { return log_softmax(x, along, said); };
    return detail::submitted(call, std::forward<A>(a), over, o);
}

/// A future of logsumexp(a, axes, options); as softmax_async().
template <class A>
    requires viewable<std::remove_reference_t<A>>
auto logsumexp_async(A&& a, axes const& over = all_axes, options const& o = detail::no_options) {
    auto const call = [](auto const& x, axes const& along, options const& said) { return logsumexp(x, along, said); };
    return detail::submitted(call, std::forward<A>(a), over, o);
}

template <class A>
    requires viewable<std::remove_reference_t<A>>
auto softmax_async(A&& a, axes const& over, stream const& on) {
    return softmax_async(std::forward<A>(a), over, options{.on = on});
}

template <class A>
    requires viewable<std::remove_reference_t<A>>
auto log_softmax_async(A&& a, axes const& over, stream const& on) {
    return log_softmax_async(std::forward<A>(a), over, options{.on = on});
}

template <class A>
    requires viewable<std::remove_reference_t<A>>
auto logsumexp_async(A&& a, axes const& over, stream const& on) {
    return logsumexp_async(std::forward<A>(a), over, options{.on = on});
}

}  // namespace SOFTAX_ISA
}  // namespace softax
