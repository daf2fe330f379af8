// The three functions of the family behind one name, for the tests that put the same case through all of them.
#pragma once

#include <softax/softmax.hpp>

#include "once/kernels.hpp"
#include "reference.hpp"

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <string>
#include <type_traits>

namespace family {

using softax::detail::instruction_set;

/// The instruction set in use: the widest, or a narrower one that SOFTAX_TEST_INSTRUCTION_SET names.
inline instruction_set const in_use = [] {
    char const* const name = std::getenv("SOFTAX_TEST_INSTRUCTION_SET");
    auto const wanted = name == nullptr ? "" : std::string(name);
    auto& chosen = softax::detail::chosen_instruction_set();
    if (wanted == "flags") chosen = instruction_set::flags;
    if (wanted == "avx2" && chosen == instruction_set::avx512) chosen = instruction_set::avx2;
    return chosen;
}();

using reference::form;
using reference::forms;

/// Whether the build is too slow for the largest cases: not optimised, or watched by a sanitizer.
#if defined(__SANITIZE_ADDRESS__) || (!defined(__OPTIMIZE__) && !defined(_MSC_VER))
inline constexpr bool is_slow_build = true;
#elif defined(__has_feature)
inline constexpr bool is_slow_build = __has_feature(address_sanitizer) != 0;
#else
inline constexpr bool is_slow_build = false;
#endif

inline char const* name_of(form f) {
    return f == form::softmax ? "softmax" : f == form::log_softmax ? "log_softmax" : "logsumexp";
}

template <class T>
char const* name_of_type() {
    if constexpr (std::is_same_v<T, softax::half>)
        return "half";
    else if constexpr (std::is_same_v<T, softax::bfloat16>)
        return "bfloat16";
    else if constexpr (std::is_same_v<T, double>)
        return "double";
    else if constexpr (std::is_same_v<T, float>)
        return "float";
    else
        return "integer";
}

template <class T>
softax::array<softax::result_type<T>> run(form f, softax::view<T const> const& a, softax::axes const& over) {
    if (f == form::softmax) return softax::softmax(a, over);
    if (f == form::log_softmax) return softax::log_softmax(a, over);
    return softax::logsumexp(a, over);
}

template <class T>
void run_into(form f, softax::view<softax::result_type<T>> const& out, softax::view<T const> const& a,
              softax::axes const& over) {
    if (f == form::softmax) softax::softmax_into(out, a, over);
    if (f == form::log_softmax) softax::log_softmax_into(out, a, over);
    if (f == form::logsumexp) softax::logsumexp_into(out, a, over);
}

/// The same with options, or on a stream.
template <class T, class Options>
softax::array<softax::result_type<T>> run(form f, softax::view<T const> const& a, softax::axes const& over,
                                          Options const& o) {
    if (f == form::softmax) return softax::softmax(a, over, o);
    if (f == form::log_softmax) return softax::log_softmax(a, over, o);
    return softax::logsumexp(a, over, o);
}

template <class T, class Options>
void run_into(form f, softax::view<softax::result_type<T>> const& out, softax::view<T const> const& a,
              softax::axes const& over, Options const& o) {
    if (f == form::softmax) softax::softmax_into(out, a, over, o);
    if (f == form::log_softmax) softax::log_softmax_into(out, a, over, o);
    if (f == form::logsumexp) softax::logsumexp_into(out, a, over, o);
}

/// The bits of an element, all NaNs alike.
template <class T>
std::uint64_t bits_of(T x) {
    if (std::isnan(static_cast<double>(x))) return ~std::uint64_t{0};
    if constexpr (sizeof(T) == 8)
        return std::bit_cast<std::uint64_t>(x);
    else if constexpr (sizeof(T) == 4)
        return std::bit_cast<std::uint32_t>(x);
    else if constexpr (sizeof(T) == 2)
        return std::bit_cast<std::uint16_t>(x);
    else
        return std::bit_cast<std::uint8_t>(x);
}

/// Leaves numbers on the stack that no operation takes quietly: signaling NaNs in float, in double what overflows.
inline void soil_stack() {
    std::uint16_t volatile soil[1 << 15];
    for (auto& word : soil) word = 0x7fa0;
}

/// Whether f() raises one of those exceptions, else what a program may have trapped.
template <class F>
bool is_raising(F f, int exceptions = FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW) {
    soil_stack();
    std::feclearexcept(FE_ALL_EXCEPT);
    f();
    return std::fetestexcept(exceptions) != 0;
}

}  // namespace family
