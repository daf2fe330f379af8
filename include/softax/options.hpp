// options: what may be said of a softmax beside its axes, by name.
#pragma once

#include <limits>
#include <optional>

#include "stream.hpp"
#include "view.hpp"

namespace softax {

/// softmax(a, -1, {.scale = 0.125, .where = mask, .on = s}). What is not named changes nothing.
struct options {
    /// exp is taken of scale * a: 1 / temperature; -1 gives softmin. Rounded to the type in which a is computed. (Integers
    /// farther than 2^24 from the largest of their group are rounded to float before they are scaled.)
    double scale = 1;

    /// Which elements take part, broadcast against a. The others are left out whatever they hold: exactly 0 in softmax, -inf in
    /// log_softmax. A group with nothing left is all 0 (-inf), its logsumexp -inf. Not copied.
    std::optional<view<bool const>> where = std::nullopt;

    /// One more logit in the denominator of every group, not scaled: 0 for exp(a) / (1 + sum(exp(a))), a value for an attention
    /// sink. It takes part in the maximum. -inf is none.
    double extra = -std::numeric_limits<double>::infinity();

    /// Where it runs: a stream, or a device for its default stream. Without, on the calling thread and no other.
    std::optional<stream> on = std::nullopt;

    /// Reduced axes stay, with extent 1. Only for results that lose them.
    bool keepdims = false;
};

namespace detail {

/// What is said where nothing is, made once.
inline constinit options const no_options = {};

/// f(team) on the stream of the options; a null pointer without one.
template <class F>
void run_on(std::optional<stream> const& on, F f) {
    if (!on) return f(static_cast<team*>(nullptr));
    on->run([&](team& t) { f(&t); });
}

}  // namespace detail
}  // namespace softax
