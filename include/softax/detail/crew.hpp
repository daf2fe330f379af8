// crew: the threads of one stream, and what each thread is doing for which crew.
//
// A worker is an Eigen thread pool of one. Workers are made one by one when parts first ask for them: a budget that is never
// used starts no thread, and a thread that the system refuses is one helper fewer. (A pool of many whose n-th thread cannot
// be started fails an assertion, or waits for the others for ever.) Parts are handed out by a counter, so that nothing is
// left to steal.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#if __has_include(<Eigen/ThreadPool>)
#include <Eigen/ThreadPool>
#else
#include <unsupported/Eigen/CXX11/ThreadPool>
#endif

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "team.hpp"

namespace softax::detail {

/// The number of this process; another one in the child of a fork, which has none of its parent's threads.
inline long process() noexcept {
#if __has_include(<unistd.h>)
    return static_cast<long>(::getpid());
#else
    return 0;
#endif
}

/// A thread that sleeps until it is given something, and does what it is given one after another.
class worker {
public:
    worker() = default;
    worker(worker const&) = delete;
    worker& operator=(worker const&) = delete;

    /// Finishes what was given. A thread of the parent of this process is not there to be waited for.
    ~worker() {
        if (process_ != process()) static_cast<void>(pool_.release());
    }

    void give(std::function<void()> work) {
        if (process_ != process()) {
            static_cast<void>(pool_.release());
            pool_ = one_thread();
            process_ = process();
        }
        pool_->Schedule(std::move(work));
    }

private:
    // Looks about for some 25 us before it falls asleep. Two parts of 50 us, call after call: 51 us so, 100 us if it sleeps
    // at once, because to be woken takes as long as the part.
    static std::unique_ptr<Eigen::ThreadPool> one_thread() {
        bool const may_spin = true;
        return std::make_unique<Eigen::ThreadPool>(1, may_spin);
    }

    std::unique_ptr<Eigen::ThreadPool> pool_ = one_thread();
    long process_ = process();
};

/// One thing that the current thread does: the work of a team, or a part of it, within another.
struct activity {
    team const* whose;
    bool is_part;
    activity const* around;
};

/// The innermost activity of this thread; null outside of all streams.
inline constinit thread_local activity const* current_activity = nullptr;

/// Whether this thread works for that team.
inline bool is_at_work_for(team const& t) noexcept {
    activity const* a = current_activity;
    while (a && a->whose != &t) a = a->around;
    return a != nullptr;
}

/// Whether this thread does so within a part, beside which other threads do other parts.
inline bool is_in_part_of(team const& t) noexcept {
    for (activity const* a = current_activity; a; a = a->around) {
        if (a->is_part) return true;
        if (a->whose == &t) return false;
    }
    return false;
}

/// Makes an activity the current one for as long as it lives.
class doing {
public:
    explicit doing(activity const& a) noexcept : before_(std::exchange(current_activity, &a)) {}
    doing(doing const&) = delete;
    doing& operator=(doing const&) = delete;
    ~doing() { current_activity = before_; }

private:
    activity const* before_;
};

/// The team of whoever has none: the calling thread.
class solo final : public team {
public:
    solo() noexcept : team(1) {}

    void run(index_t parts, std::function<void(index_t)> const& work) override {
        for (index_t part = 0; part < parts; ++part) work(part);
    }
};

/// The parts of one call of crew::run, shared by those who do them. A helper that comes late finds none left; it keeps the
/// batch alive, and touches nothing else of the call.
class batch {
public:
    batch(index_t parts, std::function<void(index_t)> const& work, team const& whose) noexcept
        : left_(parts), parts_(parts), work_(&work), part_of_whose_{&whose, true, current_activity} {}

    bool has_parts() const noexcept { return next_.load(std::memory_order_relaxed) < parts_; }

    /// Does parts until none is left. After an exception the parts that have not begun are passed over.
    void work_off() noexcept {
        doing const here(part_of_whose_);
        for (index_t part; (part = next_.fetch_add(1, std::memory_order_relaxed)) < parts_;) {
            try {
                if (!has_failed_.load(std::memory_order_relaxed)) (*work_)(part);
            } catch (...) {
                if (!has_failed_.exchange(true)) error_ = std::current_exception();
            }
            if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
        }
    }

    /// Returns when every part has ended; throws what the first of them to fail threw.
    void finish() {
        // Some 50 us, what to be woken takes: parts of 50 and 70 us take 73 us so, 124 us if this thread sleeps at once.
        for (int i = 0; i < 100 && left_.load(std::memory_order_acquire) > 0; ++i) std::this_thread::yield();
        for (index_t left; (left = left_.load(std::memory_order_acquire)) > 0;) left_.wait(left);
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

private:
    std::atomic<index_t> next_ = 0;
    std::atomic<index_t> left_;
    std::atomic<bool> has_failed_ = false;
    std::exception_ptr error_;
    index_t parts_;
    std::function<void(index_t)> const* work_;
    activity part_of_whose_;
};

/// The calling thread and up to threads - 1 workers. One thread at a time uses it, the one whose turn it is in the stream.
class crew final : public team {
public:
    using team::team;

    /// As team::run; throws what a part throws, after all have ended. Within a part the current thread does it alone.
    void run(index_t parts, std::function<void(index_t)> const& work) override {
        index_t const wanted = std::min(parts, threads()) - 1;
        if (wanted < 1 || is_in_part_of(*this)) return solo().run(parts, work);
        auto const shared = std::make_shared<batch>(parts, work, *this);
        call_helpers(wanted, shared);
        shared->work_off();
        shared->finish();
    }

private:
    /// Up to that many. Once the parts run, nothing may leave run() before they end: what fails here is a helper fewer.
    void call_helpers(index_t wanted, std::shared_ptr<batch> const& shared) noexcept try {
        for (std::size_t i = 0; i < static_cast<std::size_t>(wanted) && shared->has_parts(); ++i) {
            if (i == helpers_.size()) helpers_.push_back(std::make_unique<worker>());
            helpers_[i]->give([shared] { shared->work_off(); });
        }
    } catch (std::exception const&) {
    }

    std::vector<std::unique_ptr<worker>> helpers_;
};

}  // namespace softax::detail
