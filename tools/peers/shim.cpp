// What is C++ in the comparison, behind a C interface that tools/peers/libraries.py loads: softax, three lines of Eigen,
// memcpy as the floor, and, each in a library of its own, oneDNN (PEERS_ONEDNN) and PyTorch called from C++ (PEERS_TORCH).
//
// A task is one call made ready: pointers, shapes and descriptors exist, nothing is left but the work. peers_run() repeats
// it and returns nanoseconds, so that no cost of Python enters. The file is compiled once for each set of flags.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// As libraries.py numbers the element types.
enum class type : std::int32_t { float32, float64, float16, bfloat16 };

/// What is to be computed, as libraries.py fills it in; strides count elements, y is row-major.
struct job {
    type element;
    std::int32_t threads;
    void const* x;
    void* y;
    std::int64_t rank, axis_count;
    std::int64_t const *shape, *strides, *axes;
    std::int64_t size;
};

using task = std::function<void()>;

[[noreturn]] void refuse(char const* why) { throw std::runtime_error(why); }

}  // namespace

#if defined(PEERS_ONEDNN)

#include <oneapi/dnnl/dnnl.hpp>

namespace {

dnnl::memory::data_type data_type_of(type t) {
    switch (t) {
        case type::float32:
            return dnnl::memory::data_type::f32;
        case type::bfloat16:
            return dnnl::memory::data_type::bf16;
        default:
            refuse("oneDNN 2.6 has no softmax of this type on a CPU");
    }
}

task make_onednn(job const& j) {
    if (j.axis_count != 1) refuse("oneDNN takes one axis");
    if (j.rank > DNNL_MAX_NDIMS) refuse("too many axes");
    dnnl::memory::dims const shape(j.shape, j.shape + j.rank), strides(j.strides, j.strides + j.rank);
    dnnl::memory::dims row_major(shape.size(), 1);
    for (auto k = shape.size(); k-- > 1;) row_major[k - 1] = row_major[k] * shape[k];
    dnnl::memory::desc const from(shape, data_type_of(j.element), strides),
        to(shape, data_type_of(j.element), row_major);
    dnnl::engine const engine(dnnl::engine::kind::cpu, 0);
    dnnl::softmax_v2_forward::desc const what(dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_accurate,
                                              from, to, static_cast<int>(j.axes[0]));
    dnnl::softmax_v2_forward primitive(dnnl::softmax_v2_forward::primitive_desc(what, engine));
    dnnl::memory const source(from, engine, const_cast<void*>(j.x)), destination(to, engine, j.y);
    dnnl::stream stream(engine);
    return [=]() mutable {
        primitive.execute(stream, {{DNNL_ARG_SRC, source}, {DNNL_ARG_DST, destination}});
        stream.wait();
    };
}

task make(std::string const& library, job const& j) {
    if (library == "onednn") return make_onednn(j);
    refuse("no such library in this shim");
}

}  // namespace

#elif defined(PEERS_TORCH)

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

namespace {

at::ScalarType scalar_type_of(type t) {
    switch (t) {
        case type::float32:
            return at::kFloat;
        case type::float64:
            return at::kDouble;
        case type::float16:
            return at::kHalf;
        default:
            return at::kBFloat16;
    }
}

task make(std::string const&, job const& j) {
    if (j.axis_count != 1) refuse("PyTorch takes one axis");
    at::IntArrayRef const shape(j.shape, static_cast<std::size_t>(j.rank)),
        strides(j.strides, static_cast<std::size_t>(j.rank));
    auto const options = at::TensorOptions().dtype(scalar_type_of(j.element));
    at::Tensor x = at::from_blob(const_cast<void*>(j.x), shape, strides, options),
               y = at::from_blob(j.y, shape, options);
    return [=, axis = j.axes[0]]() mutable {
        at::NoGradGuard const guard;
        at::softmax_out(y, x, axis);
    };
}

}  // namespace

#else

#include <Eigen/Core>
#include <softax/softax.hpp>
#if __has_include(<softax/stream.hpp>)
#include <softax/stream.hpp>
#endif

namespace {

/// The calling thread does all the work, or shares it with the other threads of a stream.
template <class T>
task call_softax(softax::view<T> y, softax::view<T const> x, softax::axes over, std::int32_t threads) {
#if __has_include(<softax/stream.hpp>)
    if constexpr (requires(softax::stream const& s) { softax::softmax_into(y, x, over, s); }) {
        if (threads > 1) {
            softax::stream const s(softax::device::cpu, threads);
            return [=] { softax::softmax_into(y, x, over, s); };
        }
    }
#endif
    static_cast<void>(threads);
    return [=] { softax::softmax_into(y, x, over); };
}

template <class T>
task make_softax(job const& j) {
    softax::index_list const shape(std::vector<std::int64_t>(j.shape, j.shape + j.rank));
    softax::index_list const strides(std::vector<std::int64_t>(j.strides, j.strides + j.rank));
    softax::axes const over(std::vector<std::int64_t>(j.axes, j.axes + j.axis_count));
    softax::view<T const> const x(static_cast<T const*>(j.x), shape, strides);
    softax::view<T> const y(static_cast<T*>(j.y), shape);
    return call_softax<T>(y, x, over, j.threads);
}

task make_softax(job const& j) {
    switch (j.element) {
        case type::float32:
            return make_softax<float>(j);
        case type::float64:
            return make_softax<double>(j);
        case type::float16:
            return make_softax<softax::half>(j);
        case type::bfloat16:
            return make_softax<softax::bfloat16>(j);
    }
    refuse("no such type");
}

/// What one writes who has Eigen and rows, and takes the vectors that the flags give.
template <class T>
task make_eigen(job const& j) {
    if (j.threads > 1) refuse("plain expressions use one thread");
    if (j.axis_count != 1 || j.axes[0] != j.rank - 1 || j.strides[j.rank - 1] != 1) refuse("rows only");
    Eigen::Index const columns = j.shape[j.rank - 1], rows = j.size / columns;
    for (std::int64_t axis = j.rank - 1, expected = columns; axis-- > 0; expected *= j.shape[axis]) {
        if (j.strides[axis] != expected) refuse("rows only");
    }
    using vector = Eigen::Array<T, Eigen::Dynamic, 1>;
    return [=, x = static_cast<T const*>(j.x), y = static_cast<T*>(j.y)] {
        for (Eigen::Index row = 0; row < rows; ++row) {
            Eigen::Map<vector const> const in(x + row * columns, columns);
            Eigen::Map<vector> out(y + row * columns, columns);
            out = (in - in.maxCoeff()).exp();
            out /= out.sum();
        }
    };
}

task make(std::string const& library, job const& j) {
    if (library == "softax") return make_softax(j);
    if (library == "eigen" && j.element == type::float32) return make_eigen<float>(j);
    if (library == "eigen" && j.element == type::float64) return make_eigen<double>(j);
    if (library == "memcpy") {
        std::size_t const element_bytes = j.element == type::float32 ? 4 : j.element == type::float64 ? 8 : 2;
        return
            [bytes = static_cast<std::size_t>(j.size) * element_bytes, x = j.x, y = j.y] { std::memcpy(y, x, bytes); };
    }
    refuse("no such library, or not of this type");
}

}  // namespace

#endif

extern "C" {

#define PEERS_EXPORT __attribute__((visibility("default")))

/// A task, or null and why not.
PEERS_EXPORT void* peers_prepare(char const* library, job const* j, char* why, std::size_t room) {
    try {
        return new task(make(library, *j));
    } catch (std::exception const& e) {
        std::strncpy(why, e.what(), room - 1);
        why[room - 1] = '\0';
        return nullptr;
    }
}

/// Nanoseconds of that many calls, one after the other.
PEERS_EXPORT std::int64_t peers_run(void* prepared, std::int64_t calls) {
    task& call = *static_cast<task*>(prepared);
    auto const start = std::chrono::steady_clock::now();
    for (std::int64_t k = 0; k < calls; ++k) call();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
}

PEERS_EXPORT void peers_release(void* prepared) { delete static_cast<task*>(prepared); }

}  // extern "C"
