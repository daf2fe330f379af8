// normalizer_pieces: a piece of a group as the kernels take it: what the mask leaves of it, and 64-bit integers less one of
// them, since no floating type of the kernels holds them.
#pragma once

#include "normalizer_finish.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// The type of the normalizers of In: double for integers that float does not hold.
template <class In>
using normalizer_type = std::conditional_t<is_wide_integer<In>, double, compute_type<In>>;

template <class In>
inline constexpr bool is_long_integer = std::integral<In> && sizeof(In) > 4;

/// How elements come in pieces.
template <class In>
using piece_element = std::conditional_t<is_long_integer<In>, In, normalizer_type<In>>;

/// The scale as elements are multiplied by it.
template <class In>
double scale_of(double scale) noexcept {
    return static_cast<double>(static_cast<compute_type<In>>(scale));
}

/// x - origin, rounded once.
template <std::integral X>
double difference(X x, X origin) noexcept {
    using magnitude = std::make_unsigned_t<X>;
    auto const ux = static_cast<magnitude>(x), u_origin = static_cast<magnitude>(origin);
    return x < origin ? -static_cast<double>(static_cast<magnitude>(u_origin - ux))
                      : static_cast<double>(static_cast<magnitude>(ux - u_origin));
}

/// scale x, not rounded, the scale being a float.
template <std::integral X>
wide scaled_integer(X x, double scale) noexcept {
    double const upper = static_cast<double>(x >> 32) * 0x1p32, lower = static_cast<double>(x & X{0xffffffff});
    return two_product(upper, scale) + two_product(lower, scale);
}

/// The largest of the elements that take part, the least for a negative scale; 0 without any.
template <std::integral X, class T>
X extreme_of(group_piece<X, T> const& p, double scale) noexcept {
    auto const is_live = [&](index_t i) { return p.where == nullptr || p.where[i]; };
    index_t i = 0;
    while (i < p.n && !is_live(i)) ++i;
    if (i == p.n) return 0;
    X extreme = p.x[i];
    for (; i < p.n; ++i) {
        X const x = is_live(i) ? p.x[i] : extreme;  // no jump that depends on the mask
        extreme = scale < 0 ? std::min(extreme, x) : std::max(extreme, x);
    }
    return extreme;
}

/// The state of the elements of a piece that take part, as scale * x.
template <class X, class T>
normalizer_state<T> state_of(group_piece<X, T> const& p, double scale) noexcept {
    if constexpr (std::integral<X>) {
        X const origin = extreme_of(p, scale);
        for (index_t i = 0; i < p.n; ++i) p.y[i] = difference(p.x[i], origin);
        auto s = state_of_run<T>(p.y, p.where, p.n, scale);
        if (s.count > 0) s.max = rounded<T>(wide::of(s.max) + scaled_integer(origin, scale));
        return s;
    } else {
        return state_of_run<T>(p.x, p.where, p.n, scale);
    }
}

/// What normalizers make of the pieces of their groups.
template <class X, class T, class Groups>
class group_finishing {
public:
    group_finishing(Groups const& groups, double scale) noexcept : groups_(groups), scale_(scale) {}

    /// The results of a piece.
    template <form Form>
    void operator()(group_piece<X, T> const& p) const noexcept {
        auto s = groups_.data()[p.group].state();
        T const* x = nullptr;
        if constexpr (std::integral<X>) {
            X const origin = nearest(scale_ == 0 ? 0 : wide::of(s.max).hi / scale_);
            s.max = rounded<T>(wide::of(s.max) - scaled_integer(origin, scale_));
            for (index_t i = 0; i < p.n; ++i) p.y[i] = difference(p.x[i], origin);
            x = p.y;
        } else {
            x = p.x;
        }
        finish<Form>(x, p.y, p.where, p.n, s, scale_);
    }

private:
    /// An integer not far from x where there is one.
    static X nearest(double x) noexcept {
        using limits = std::numeric_limits<X>;
        if (!(x > static_cast<double>(limits::lowest()))) return limits::lowest();
        return x < static_cast<double>(limits::max()) ? static_cast<X>(x) : limits::max();
    }

    Groups const& groups_;
    double scale_;
};

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
