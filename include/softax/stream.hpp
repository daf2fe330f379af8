// device, stream: where work runs, on how many threads, and in which order.
//
// A stream is a handle of a line (detail/turns.hpp) with a crew of threads (detail/crew.hpp).
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "detail/turns.hpp"

namespace softax {

/// Where work runs. There is no backend for gpu yet: streams on it throw.
enum class device { cpu, gpu };

namespace detail {

[[noreturn]] inline void fail_gpu() {
    throw std::runtime_error(
        "softax: device::gpu needs a GPU backend (CUDA, HIP, SYCL or Metal), and softax has none; use device::cpu");
}

[[noreturn]] inline void fail_threads(index_t threads) {
    throw std::invalid_argument("softax: a stream of " + std::to_string(threads) +
                                " threads is asked for, it needs at least 1");
}

/// f(t) if f takes a team, else f().
template <class F>
decltype(auto) call_with(F&& f, team& t) {
    if constexpr (std::invocable<F&, team&>) {
        return f(t);
    } else {
        return f();
    }
}

template <class F>
using answer_of = decltype(call_with(std::declval<F&>(), std::declval<team&>()));

/// A job that keeps its answer for a future.
template <class F>
class answering_job final : public job {
public:
    explicit answering_job(F f) : work_(std::move(f)) {}

    std::future<answer_of<F>> answer() { return answer_.get_future(); }

    void run(team& t) noexcept override try {
        if constexpr (std::is_void_v<answer_of<F>>) {
            call_with(work_, t);
            answer_.set_value();
        } else {
            answer_.set_value(call_with(work_, t));
        }
    } catch (...) {
        answer_.set_exception(std::current_exception());
    }

private:
    F work_;
    std::promise<answer_of<F>> answer_;
};

}  // namespace detail

/// Work in order, on at most threads() threads at a time. A handle: copies are the same stream, and so they compare.
///
/// order    What is given to one stream runs one after another, in the order in which it was given, whichever threads gave it.
///          Two streams know nothing of each other. Work given to a stream from within its own work belongs to that
///          work and runs at once, in place. (Two streams whose works wait for each other wait for ever.)
/// threads  run() works on the calling thread, submit() on a thread of the stream's own; for the parts of large arrays
///          threads() - 1 more lend a hand. Each is made when it is first needed, and sleeps when it is not.
/// end      The end of the last handle waits for what was given. Within the stream's own work it cannot: there it
///          returns at once, and the stream ends after its last work.
/// fork     The child of a fork may use a stream that was idle (synchronize() first); it makes threads of its own.
/// cost     run() on an idle stream: two pairs of mutex operations, no allocation.
class stream {
public:
    /// A new stream. throws std::invalid_argument unless threads >= 1; std::runtime_error for device::gpu. Where the system
    /// refuses threads, fewer do the work.
    stream(device where, index_t threads) : where_(where) {
        if (where == device::gpu) detail::fail_gpu();
        if (threads < 1) detail::fail_threads(threads);
        turns_ = std::shared_ptr<detail::turns>(new detail::turns(threads), detail::turns::let_go);
    }

    /// The default stream of the device: the same each time, with as many threads as the machine has. It has no end: what it
    /// has not done when the program ends is not done; synchronize() first. throws std::runtime_error for device::gpu.
    stream(device where) : stream(default_of(where)) {}

    // No moves: what has been moved from would be no stream.
    stream(stream const&) = default;
    stream& operator=(stream const&) = default;
    ~stream() = default;

    device where() const noexcept { return where_; }
    index_t threads() const noexcept { return turns_->workers().threads(); }

    /// Whether both are the same stream.
    friend bool operator==(stream const& a, stream const& b) noexcept { return a.turns_ == b.turns_; }

    /// f(), on the calling thread, in its turn; returns what f returns, throws what f throws.
    template <class F>
    decltype(auto) run(F&& f) const {
        detail::crew& c = turns_->workers();
        if (!detail::is_at_work_for(c)) {
            return detail::take_turn(*turns_, [&]() -> decltype(auto) { return detail::call_with(f, c); });
        }
        detail::solo alone;
        return detail::call_with(f, detail::is_in_part_of(c) ? static_cast<detail::team&>(alone) : c);
    }

    /// f(), on a thread of the stream, in its turn; returns a future of what f returns or throws. f may be movable only; it is
    /// destroyed after its run. Nobody needs to wait for the future, and its end does not wait.
    /// throws  std::system_error if the thread cannot be made, std::bad_alloc; then f does not run.
    template <class F>
        requires std::move_constructible<F>
    std::future<detail::answer_of<F>> submit(F f) const {
        auto work = std::make_unique<detail::answering_job<F>>(std::move(f));
        auto answer = work->answer();
        if (detail::is_at_work_for(turns_->workers())) {
            run([&](detail::team& t) { work->run(t); });
        } else {
            turns_->submit(std::move(work));
        }
        return answer;
    }

    /// Returns when everything given before has been done. Within work of the stream, at once.
    void synchronize() const {
        run([] {});
    }

private:
    static stream const& default_of(device where) {
        if (where == device::gpu) detail::fail_gpu();
        // Never destroyed: at the end of a program its threads may be gone already, and who waits for them waits for ever.
        static stream const& cpu =
            *new stream(device::cpu, std::max(index_t{1}, index_t{std::thread::hardware_concurrency()}));
        return cpu;
    }

    std::shared_ptr<detail::turns> turns_;
    device where_;
};

}  // namespace softax
