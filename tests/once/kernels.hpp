// The kernels that a dozen tests would each compile for themselves, which takes longer than all the rest of them. Tests that are
// linked to softax_kernels_once, which says so by SOFTAX_KERNELS_ONCE, find them there.
#pragma once

#include <softax/softmax.hpp>

#define SOFTAX_KERNELS_TO(word, Form, In, Out)                                                                   \
    word template void softax::detail::apply_share<softax::detail::form::Form>(                                  \
        softax::detail::memories<In, Out> const&, softax::detail::partition const&, softax::detail::call const&, \
        softax::detail::share const&);

#define SOFTAX_KERNELS_OF_FORM(word, Form, In) SOFTAX_KERNELS_TO(word, Form, In, softax::result_type<In>)

#define SOFTAX_KERNELS_OF(word, In)               \
    SOFTAX_KERNELS_OF_FORM(word, softmax, In)     \
    SOFTAX_KERNELS_OF_FORM(word, log_softmax, In) \
    SOFTAX_KERNELS_OF_FORM(word, logsumexp, In)

#define SOFTAX_STEPS_OF_FORM(word, Form, Shared)                                      \
    word template void softax::detail::apply_shared_step<softax::detail::form::Form>( \
        softax::detail::Shared&, softax::detail::shared_step, softax::index_t);

#define SOFTAX_STEPS_OF(word, Shared)               \
    SOFTAX_STEPS_OF_FORM(word, softmax, Shared)     \
    SOFTAX_STEPS_OF_FORM(word, log_softmax, Shared) \
    SOFTAX_STEPS_OF_FORM(word, logsumexp, Shared)

// All that is computed in float, and all that is in double.
#define SOFTAX_KERNELS_IN_FLOAT(word)                           \
    SOFTAX_KERNELS_OF(word, float)                              \
    SOFTAX_STEPS_OF(word, long_row<float>)                      \
    SOFTAX_STEPS_OF(word, long_panel<float>)                    \
    SOFTAX_STEPS_OF(word, long_panel<softax::half>)             \
    SOFTAX_STEPS_OF(word, long_panel<softax::bfloat16>)         \
    SOFTAX_KERNELS_OF(word, softax::half)                       \
    SOFTAX_KERNELS_OF(word, softax::bfloat16)                   \
    SOFTAX_KERNELS_TO(word, logsumexp, softax::half, float)     \
    SOFTAX_KERNELS_TO(word, logsumexp, softax::bfloat16, float) \
    SOFTAX_KERNELS_OF(word, std::int8_t)                        \
    SOFTAX_KERNELS_OF(word, std::uint8_t)                       \
    SOFTAX_KERNELS_OF(word, std::int16_t)                       \
    SOFTAX_KERNELS_OF(word, std::uint16_t)                      \
    SOFTAX_KERNELS_OF(word, std::int32_t)                       \
    SOFTAX_KERNELS_OF(word, std::uint32_t)                      \
    SOFTAX_KERNELS_OF(word, std::int64_t)                       \
    SOFTAX_KERNELS_OF(word, std::uint64_t)

#define SOFTAX_KERNELS_IN_DOUBLE(word)      \
    SOFTAX_KERNELS_OF(word, double)         \
    SOFTAX_STEPS_OF(word, long_row<double>) \
    SOFTAX_STEPS_OF(word, long_panel<double>)

#ifdef SOFTAX_KERNELS_ONCE
SOFTAX_KERNELS_IN_FLOAT(extern)
SOFTAX_KERNELS_IN_DOUBLE(extern)
#endif
