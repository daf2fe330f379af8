// turns: the order of work in one stream.
//
// Whoever has the turn works; all others stand in line, each woken when its turn has come. A caller that waits for its result
// works itself; a job, for which nobody waits, is done by one worker more, the driver, which is made with the first job.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "crew.hpp"

namespace softax::detail {

/// A place in the line.
struct place {
    bool has_turn = false;
    std::condition_variable turn_came;
    place* behind = nullptr;
};

/// Work that nobody waits for in place.
struct job : place {
    virtual ~job() = default;
    virtual void run(team& t) noexcept = 0;
};

/// The line of one stream, with its crew. Lives as long as a handle does, and longer where work is left: see let_go().
class turns {
public:
    explicit turns(index_t threads) : crew_(threads) {}
    turns(turns const&) = delete;
    turns& operator=(turns const&) = delete;

    crew& workers() noexcept { return crew_; }

    /// Returns when it is the turn of the calling thread.
    void enter() {
        std::unique_lock lock(mutex_);
        if (!std::exchange(is_taken_, true)) return;
        place mine;
        stand_in_line(mine);
        mine.turn_came.wait(lock, [&] { return mine.has_turn; });
    }

    /// Passes the turn on. Returns whether the last handle died in this turn; let_go() is the caller's then.
    bool leave() noexcept {
        std::lock_guard const lock(mutex_);
        return pass_on();
    }

    /// Puts a job in line. If it throws, nothing has changed.
    void submit(std::unique_ptr<job> work) {
        std::lock_guard const lock(mutex_);
        if (!driver_) driver_ = std::make_unique<worker>();
        if (!is_driven_) driver_->give([this] { drive(); });  // which begins by waiting for the mutex
        is_driven_ = true;
        jobs_.push_back(std::move(work));
        job& last = *jobs_.back();
        if (std::exchange(is_taken_, true)) {
            stand_in_line(last);
        } else {
            last.has_turn = true;
        }
    }

    /// The end of the last handle: finishes what is in line and destroys t. Within work of the stream itself, which cannot
    /// wait for its own end, that falls to whoever has the turn.
    static void let_go(turns* t) noexcept {
        if (is_at_work_for(t->crew_)) {
            std::lock_guard const lock(t->mutex_);
            t->is_let_go_ = true;
            return;
        }
        delete t;  // and with it the driver, which ends when no job is left
    }

private:
    void stand_in_line(place& p) noexcept {
        (last_ ? last_->behind : first_) = &p;
        last_ = &p;
    }

    /// With the mutex held, so that the place is there until it has been told.
    bool pass_on() noexcept {
        bool const was_let_go = std::exchange(is_let_go_, false);
        if (!first_) {
            is_taken_ = false;
            return was_let_go;
        }
        place& next = *std::exchange(first_, first_->behind);
        if (!first_) last_ = nullptr;
        next.has_turn = true;
        next.turn_came.notify_one();
        return was_let_go;
    }

    /// What the driver does: jobs, until there are none.
    void drive() noexcept {
        bool was_let_go = false;
        std::unique_lock lock(mutex_);
        while (!jobs_.empty()) {
            std::unique_ptr<job> work = std::move(jobs_.front());
            jobs_.pop_front();
            work->turn_came.wait(lock, [&] { return work->has_turn; });
            lock.unlock();
            {
                activity const mine{&crew_, false, nullptr};
                doing const here(mine);
                work->run(crew_);
                work.reset();  // what it held may be the last handle
            }
            lock.lock();
            was_let_go = pass_on() || was_let_go;
        }
        is_driven_ = false;
        lock.unlock();
        if (was_let_go) bury(this);
    }

    /// Destroys t from another thread, since the driver cannot wait for its own end. Without one t stays, asleep.
    static void bury(turns* t) noexcept try {
        std::thread([t] { delete t; }).detach();
    } catch (std::system_error const&) {
    }

    std::mutex mutex_;
    bool is_taken_ = false;
    bool is_driven_ = false;
    bool is_let_go_ = false;
    place* first_ = nullptr;
    place* last_ = nullptr;
    std::deque<std::unique_ptr<job>> jobs_;
    crew crew_;
    std::unique_ptr<worker> driver_;  // the first to be destroyed: its thread uses the rest
};

/// f() in its turn, on the calling thread.
template <class F>
decltype(auto) take_turn(turns& t, F&& f) {
    struct end {
        turns& of;
        ~end() {
            if (of.leave()) turns::let_go(&of);
        }
    };
    t.enter();
    end const at_exit{t};
    activity const mine{&t.workers(), false, current_activity};
    doing const here(mine);
    return f();
}

}  // namespace softax::detail
