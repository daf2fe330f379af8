// device and stream: order, identity, threads, exceptions, ends. Each test is one sentence of stream.hpp.
#include <softax/stream.hpp>

#include "catch.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#if __has_include(<sys/wait.h>)
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#endif
#endif

namespace {

using softax::index_t;
using softax::stream;
using softax::detail::team;
using namespace std::chrono_literals;

/// Waits for something that another thread makes true, at most 20 seconds; whether it is true.
template <class Condition>
bool comes_true(Condition is_true) {
    auto const end = std::chrono::steady_clock::now() + 20s;
    while (!is_true() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(100us);
    return is_true();
}

/// How many threads this process has; 0 where the system does not say.
long thread_count() {
    std::error_code none;
    long count = 0;
    for (auto const& entry : std::filesystem::directory_iterator("/proc/self/task", none)) {
        static_cast<void>(entry);
        ++count;
    }
    return count;
}

/// The same, once the threads of other tests are gone, which takes a little longer than to join them.
long settled_thread_count() {
    long count = thread_count();
    for (int unchanged = 0; unchanged < 20; ++unchanged) {
        std::this_thread::sleep_for(1ms);
        long const now = thread_count();
        if (std::exchange(count, now) != now) unchanged = 0;
    }
    return count;
}

/// Work of that many parts, each of which waits until all have begun: it takes as many threads.
auto meeting(index_t parts) {
    return [parts](team& t) {
        std::atomic<index_t> begun = 0;
        std::atomic<bool> is_met = true;
        t.run(parts, [&](index_t) {
            ++begun;
            if (!comes_true([&] { return begun == parts; })) is_met = false;
        });
        return is_met.load();
    };
}

/// The answer, once the stream has let go of it. Without that ThreadSanitizer, which cannot see the count of references to an
/// exception in the compiled part of libstdc++, takes the end of the exception for a race.
template <class T>
T answer_of(std::future<T> answer, stream const& s) {
    s.synchronize();
    return answer.get();
}

/// A number that goes up and down and remembers its largest value.
class gauge {
public:
    void up() {
        int const now = ++value_;
        for (int top = top_; top < now && !top_.compare_exchange_weak(top, now);) {
        }
    }
    void down() { --value_; }
    int top() const { return top_; }

private:
    std::atomic<int> value_ = 0;
    std::atomic<int> top_ = 0;
};

TEST_CASE("a stream says what it was made with", "[stream]") {
    stream const s(softax::device::cpu, 4);
    CHECK(s.where() == softax::device::cpu);
    CHECK(s.threads() == 4);
    STATIC_REQUIRE_FALSE(std::is_default_constructible_v<stream>);
    STATIC_REQUIRE(std::is_convertible_v<softax::device, stream>);
}

TEST_CASE("a thread count below 1 is refused with the number", "[stream]") {
    REQUIRE_FAILS(stream(softax::device::cpu, 0), std::invalid_argument, "a stream of 0 threads");
    REQUIRE_FAILS(stream(softax::device::cpu, -3), std::invalid_argument, "a stream of -3 threads");
}

TEST_CASE("device::gpu says what is missing", "[stream]") {
    REQUIRE_FAILS(stream(softax::device::gpu, 4), std::runtime_error, "device::gpu needs a GPU backend");
    REQUIRE_FAILS(stream(softax::device::gpu), std::runtime_error, "softax has none; use device::cpu");
    // The device is judged before the number of threads.
    REQUIRE_FAILS(stream(softax::device::gpu, 0), std::runtime_error, "device::gpu");
}

TEST_CASE("copies are the same stream, others are not", "[stream]") {
    stream const a(softax::device::cpu, 2);
    stream const b(softax::device::cpu, 2);
    stream const copy = a;
    stream assigned = b;
    CHECK(copy == a);
    CHECK(a != b);
    CHECK(assigned != a);
    assigned = a;
    CHECK(assigned == a);
    CHECK(assigned.threads() == 2);
    stream const taken = std::move(assigned);
    CHECK(taken == a);
    CHECK(assigned == a);  // NOLINT(bugprone-use-after-move): there are no moves
}

TEST_CASE("a device stands for its one default stream", "[stream]") {
    stream const a = softax::device::cpu;
    stream const b = softax::device::cpu;
    CHECK(a == b);
    CHECK(a != stream(softax::device::cpu, a.threads()));
    unsigned const machine = std::thread::hardware_concurrency();
    CHECK(a.threads() == (machine ? index_t{machine} : 1));
}

TEST_CASE("run returns what the work returns, references included", "[stream]") {
    stream const s(softax::device::cpu, 2);
    int x = 5;
    STATIC_REQUIRE(std::is_same_v<decltype(s.run([&]() -> int& { return x; })), int&>);
    s.run([&]() -> int& { return x; }) = 6;
    CHECK(x == 6);
    CHECK(s.run([](team& t) { return t.threads(); }) == 2);
    CHECK(*s.run([p = std::make_unique<int>(7)]() mutable { return std::move(p); }) == 7);
}

TEST_CASE("run works on the calling thread", "[stream]") {
    stream const s(softax::device::cpu, 3);
    CHECK(s.run([] { return std::this_thread::get_id(); }) == std::this_thread::get_id());
    s.submit([] { std::this_thread::sleep_for(1ms); });  // also when it has to wait
    CHECK(s.run([] { return std::this_thread::get_id(); }) == std::this_thread::get_id());
}

TEST_CASE("submit works on a thread of the stream", "[stream]") {
    stream const s(softax::device::cpu, 1);
    auto const a = s.submit([] { return std::this_thread::get_id(); }).get();
    auto const b = s.submit([] { return std::this_thread::get_id(); }).get();
    CHECK(a != std::this_thread::get_id());
    CHECK(a == b);
}

TEST_CASE("submit returns a value, a reference, nothing, or what can only move", "[stream]") {
    stream const s(softax::device::cpu, 2);
    int x = 1;
    CHECK(s.submit([] { return 42; }).get() == 42);
    CHECK(&s.submit([&]() -> int& { return x; }).get() == &x);
    s.submit([&] { x = 2; }).get();
    CHECK(x == 2);
    CHECK(*s.submit([p = std::make_unique<int>(7)]() mutable { return std::move(p); }).get() == 7);
    CHECK(s.submit([](team& t) { return t.threads(); }).get() == 2);
}

TEST_CASE("work of one stream runs in the order in which it was given", "[stream]") {
    index_t const threads = GENERATE(1, 2, 3);
    stream const s(softax::device::cpu, threads);
    std::vector<int> seen;  // unguarded on purpose: the order is its guard
    std::vector<int> expected;
    for (int i = 0; i < 2000; ++i) {  // more than a queue of Eigen holds
        expected.push_back(i);
        if (i % 97 == 0) {
            s.run([&, i] { seen.push_back(i); });
        } else {
            s.submit([&, i] { seen.push_back(i); });
        }
    }
    s.synchronize();
    CHECK(seen == expected);
}

TEST_CASE("many threads may give work to one stream at a time; each finds its own in order", "[stream]") {
    stream const s(softax::device::cpu, 2);
    constexpr int givers = 6, rounds = 200;
    std::vector<std::pair<int, int>> seen;
    std::latch start(givers);
    std::vector<std::thread> threads;
    for (int giver = 0; giver < givers; ++giver) {
        threads.emplace_back([&, giver, copy = s] {
            start.arrive_and_wait();
            for (int i = 0; i < rounds; ++i) {
                auto const note = [&seen, giver, i] { seen.emplace_back(giver, i); };
                if (i % 3 == 0) {
                    copy.submit(note);
                } else {
                    copy.run(note);
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    s.synchronize();
    REQUIRE(seen.size() == std::size_t{givers * rounds});
    std::array<int, givers> next{};
    for (auto const& [giver, i] : seen) {
        REQUIRE(next[static_cast<std::size_t>(giver)]++ == i);
    }
}

TEST_CASE("one thing at a time runs in one stream", "[stream]") {
    stream const s(softax::device::cpu, 2);
    gauge inside;
    auto const work = [&] {
        inside.up();
        std::this_thread::yield();
        inside.down();
    };
    std::vector<std::thread> threads;
    for (int giver = 0; giver < 4; ++giver) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) s.run(work);
            for (int i = 0; i < 100; ++i) s.submit(work);
        });
    }
    for (auto& thread : threads) thread.join();
    s.synchronize();
    CHECK(inside.top() == 1);
}

TEST_CASE("two streams run side by side", "[stream]") {
    stream const a(softax::device::cpu, 1);
    stream const b(softax::device::cpu, 1);
    // Each waits for the other to have begun: one after another they would never end.
    std::latch both(2);
    auto of_a = a.submit([&] { both.arrive_and_wait(); });
    auto of_b = b.submit([&] { both.arrive_and_wait(); });
    CHECK(of_a.wait_for(20s) == std::future_status::ready);
    CHECK(of_b.wait_for(20s) == std::future_status::ready);
    // The same for callers.
    std::latch again(2);
    std::thread other([&] { a.run([&] { again.arrive_and_wait(); }); });
    b.run([&] { again.arrive_and_wait(); });
    other.join();
}

TEST_CASE("synchronize waits for everything given before", "[stream]") {
    stream const s(softax::device::cpu, 2);
    s.synchronize();
    std::vector<std::future<void>> answers;
    auto const token = std::make_shared<int>(0);
    for (int i = 0; i < 20; ++i) {
        answers.push_back(s.submit([token] { std::this_thread::sleep_for(100us); }));
    }
    s.synchronize();
    for (auto& answer : answers) CHECK(answer.wait_for(0s) == std::future_status::ready);
    CHECK(token.use_count() == 1);  // the work itself is gone, too
}

TEST_CASE("an exception in the work reaches the caller, and the stream goes on", "[stream]") {
    stream const s(softax::device::cpu, 3);
    REQUIRE_FAILS(s.run([]() -> int { throw std::domain_error("run 1"); }), std::domain_error, "run 1");
    auto answer = s.submit([]() -> int { throw std::domain_error("submit 2"); });
    auto nothing = s.submit([] { throw std::domain_error("submit 3"); });
    CHECK(s.run([] { return 4; }) == 4);
    REQUIRE_FAILS(answer_of(std::move(answer), s), std::domain_error, "submit 2");
    REQUIRE_FAILS(answer_of(std::move(nothing), s), std::domain_error, "submit 3");
    CHECK(s.submit([] { return 5; }).get() == 5);
}

TEST_CASE("an exception in a part reaches the caller after all parts have ended", "[stream]") {
    stream const s(softax::device::cpu, 3);
    for (index_t bad : {0, 1, 17, 39}) {
        std::atomic<int> running = 0;
        auto const parts = [&](team& t) {
            t.run(40, [&](index_t part) {
                ++running;
                std::this_thread::yield();
                --running;
                if (part == bad) throw std::domain_error("part " + std::to_string(part));
            });
        };
        auto const words = "part " + std::to_string(bad);
        REQUIRE_FAILS(s.run(parts), std::domain_error, words);
        CHECK(running == 0);
        REQUIRE_FAILS(answer_of(s.submit(parts), s), std::domain_error, words);
        CHECK(running == 0);
    }
    // The parts that have not begun by then are passed over.
    std::atomic<int> begun = 0;
    auto const first_fails = [&](team& t) {
        t.run(1000, [&](index_t part) {
            ++begun;
            if (part == 0) throw std::domain_error("first");
            std::this_thread::sleep_for(1ms);
        });
    };
    REQUIRE_FAILS(s.run(first_fails), std::domain_error, "first");
    CHECK(begun < 1000);
    // Every part fails: one of them is heard of.
    REQUIRE_FAILS(s.run([](team& t) { t.run(40, [](index_t) { throw std::domain_error("all"); }); }), std::domain_error,
                  "all");
}

TEST_CASE("each part is done exactly once, whatever the counts", "[stream]") {
    index_t const threads = GENERATE(1, 2, 3, 4, 7);
    stream const s(softax::device::cpu, threads);
    for (index_t parts : {0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 1000}) {
        std::vector<int> done(static_cast<std::size_t>(parts), 0);  // a part has its element to itself
        auto const work = [&](team& t) { t.run(parts, [&](index_t part) { ++done[static_cast<std::size_t>(part)]; }); };
        std::vector<int> const once(done.size(), 1);
        s.run(work);
        REQUIRE(done == once);
        done.assign(done.size(), 0);
        s.submit(work).get();
        REQUIRE(done == once);
    }
}

TEST_CASE("what parts have written is there when run returns", "[stream]") {
    stream const s(softax::device::cpu, 4);
    for (int round = 0; round < 500; ++round) {
        std::array<int, 8> values{};
        int const sum = s.run([&](team& t) {
            t.run(8, [&](index_t part) { values[static_cast<std::size_t>(part)] = round; });
            return std::accumulate(values.begin(), values.end(), 0);
        });
        REQUIRE(sum == 8 * round);
    }
}

TEST_CASE("the thread budget is used and never exceeded", "[stream]") {
    index_t const threads = GENERATE(1, 2, 4);
    stream const s(softax::device::cpu, threads);
    CHECK(s.run(meeting(threads)));
    CHECK(s.submit(meeting(threads)).get());

    std::set<std::thread::id> ids;
    std::mutex guard;
    gauge inside;
    auto const work = [&](team& t) {
        t.run(200, [&](index_t) {
            inside.up();
            {
                std::lock_guard const lock(guard);
                ids.insert(std::this_thread::get_id());
            }
            std::this_thread::sleep_for(50us);
            inside.down();
        });
    };
    auto const most = static_cast<std::size_t>(threads);
    s.run(work);
    CHECK(ids.size() <= most);
    CHECK(ids.count(std::this_thread::get_id()) == 1);
    ids.clear();
    s.submit(work).get();
    CHECK(ids.size() <= most);
    CHECK(ids.count(std::this_thread::get_id()) == 0);
    CHECK(inside.top() <= threads);
}

TEST_CASE("uneven parts balance", "[stream]") {
    stream const s(softax::device::cpu, 2);
    // One part waits until the 30 others are done, which only another thread can do.
    std::latch others(30);
    s.run([&](team& t) {
        t.run(31, [&](index_t part) {
            if (part == 0) {
                others.wait();
            } else {
                others.count_down();
            }
        });
    });
    CHECK(others.try_wait());
}

TEST_CASE("threads are made when they are first needed", "[stream]") {
    long const before = settled_thread_count();
    if (before == 0) return;  // the system does not say
    auto const parts = [](index_t count) { return [count](team& t) { t.run(count, [](index_t) {}); }; };
    stream const lone(softax::device::cpu, 1);
    stream const s(softax::device::cpu, 4);
    lone.run(parts(16));
    lone.synchronize();
    s.run([] {});
    s.run(parts(0));
    s.run(parts(1));
    s.synchronize();
    CHECK(thread_count() == before);  // neither for a budget of one, nor for one part
    CHECK(s.run(meeting(2)));
    CHECK(thread_count() == before + 1);
    CHECK(s.run(meeting(4)));
    CHECK(thread_count() == before + 3);
    s.run(parts(16));
    CHECK(thread_count() == before + 3);
    s.submit([] {}).get();
    CHECK(thread_count() == before + 4);
    lone.submit(parts(16)).get();
    CHECK(thread_count() == before + 5);
}

TEST_CASE("the end of a stream ends its threads", "[stream]") {
    long const before = settled_thread_count();
    {
        stream const s(softax::device::cpu, 3);
        CHECK(s.run(meeting(3)));
        s.submit([] {});
    }
    CHECK(comes_true([&] { return thread_count() == before; }));
    {
        stream const s(softax::device::cpu, 3);
        s.submit([held = s](team& t) { t.run(3, [](index_t) {}); });  // whose end is the end of the stream
    }
    CHECK(comes_true([&] { return thread_count() == before; }));
    {
        auto s = std::make_unique<stream>(softax::device::cpu, 3);
        CHECK(s->run([&](team& t) {
            s.reset();
            return meeting(3)(t);
        }));
    }
    CHECK(comes_true([&] { return thread_count() == before; }));
}

TEST_CASE("the end of the last handle finishes what was given", "[stream]") {
    std::atomic<int> done = 0;
    std::optional<stream> copy;
    {
        stream const s(softax::device::cpu, 2);
        for (int i = 0; i < 50; ++i) {
            s.submit([&] {
                std::this_thread::sleep_for(100us);
                ++done;
            });
        }
        copy = s;
    }
    copy.reset();
    CHECK(done == 50);
}

TEST_CASE("the last handle may die within the stream's own work", "[stream]") {
    SECTION("on the driver, by the work") {
        auto s = std::make_unique<stream>(softax::device::cpu, 2);
        std::latch given(1);
        std::vector<int> seen;
        s->submit([&] {
            given.wait();
            s.reset();
            seen.push_back(1);
        });
        std::future<void> second = s->submit([&] { seen.push_back(2); });
        given.count_down();
        second.get();
        CHECK(seen == std::vector{1, 2});
        CHECK(s == nullptr);
    }
    SECTION("on the driver, with what the work holds") {
        std::latch let_go(1);
        std::future<int> answer;
        {
            stream const s(softax::device::cpu, 2);
            answer = s.submit([&let_go, s] {
                let_go.wait();
                return 1;
            });
        }
        let_go.count_down();
        CHECK(answer.get() == 1);
    }
    SECTION("on the calling thread") {
        auto s = std::make_unique<stream>(softax::device::cpu, 2);
        std::atomic<int> seen = 0;
        s->run([&] {
            s.reset();
            ++seen;
        });
        CHECK(seen == 1);
    }
    SECTION("on a helper") {
        auto s = std::make_unique<stream>(softax::device::cpu, 2);
        auto const caller = std::this_thread::get_id();
        std::atomic<bool> is_dead = false;
        s->run([&](team& t) {
            t.run(2, [&](index_t) {
                if (std::this_thread::get_id() == caller) {
                    while (!is_dead) std::this_thread::yield();
                } else {
                    s.reset();
                    is_dead = true;
                }
            });
        });
        CHECK(is_dead);
    }
    SECTION("within the work of another stream") {
        auto s = std::make_unique<stream>(softax::device::cpu, 2);
        std::atomic<int> done = 0;
        s->submit([&] {
            std::this_thread::sleep_for(1ms);
            ++done;
        });
        stream const other(softax::device::cpu, 2);
        other.submit([&] { s.reset(); }).get();
        CHECK(done == 1);
    }
}

TEST_CASE("work given from within runs at once, in place", "[stream]") {
    index_t const threads = GENERATE(1, 3);
    stream const s(softax::device::cpu, threads);
    auto const nested = [&] {
        auto const here = std::this_thread::get_id();
        bool const same = s.run([&] { return std::this_thread::get_id() == here; });
        s.synchronize();
        REQUIRE_FAILS(s.run([]() -> int { throw std::domain_error("deep run"); }), std::domain_error, "deep run");
        REQUIRE_FAILS(s.submit([]() -> int { throw std::domain_error("deep submit"); }).get(), std::domain_error,
                      "deep submit");
        return same && s.submit([&] { return std::this_thread::get_id() == here; }).get();
    };
    CHECK(s.run(nested));
    CHECK(s.submit(nested).get());
    CHECK(s.run([&] { return s.run(nested); }));
}

TEST_CASE("within a part all is done by the thread of the part", "[stream]") {
    stream const s(softax::device::cpu, 3);
    std::atomic<int> done = 0;
    std::atomic<int> strangers = 0;
    auto const count = [&](team& t) {
        auto const here = std::this_thread::get_id();
        t.run(5, [&, here](index_t) {
            ++done;
            strangers += std::this_thread::get_id() != here;
        });
        return t.threads();
    };
    auto const work = [&](team& t) {
        t.run(20, [&](index_t) {
            count(t);
            done += s.run(count) == 1 ? 0 : 1000;  // a team of one
            done += s.submit(count).get() == 1 ? 0 : 1000;
        });
    };
    s.run(work);
    s.submit(work).get();
    CHECK(done == 2 * 20 * 15);
    CHECK(strangers == 0);
}

TEST_CASE("work given from within work, not within a part, has the whole team", "[stream]") {
    stream const s(softax::device::cpu, 2);
    std::latch both(2);  // passed by two threads or never
    s.submit([&] { s.run([&](team& t) { t.run(2, [&](index_t) { both.arrive_and_wait(); }); }); }).get();
    CHECK(both.try_wait());
}

TEST_CASE("work of one stream may use another", "[stream]") {
    stream const a(softax::device::cpu, 2);
    stream const b(softax::device::cpu, 2);
    std::atomic<int> done = 0;
    a.run([&](team& t) {
        t.run(8, [&](index_t) {
            b.run([&](team& u) {
                u.run(8, [&](index_t) {
                    ++done;
                    a.run([&] { ++done; });  // a part of a, seen through b
                });
            });
        });
    });
    CHECK(done == 128);
}

TEST_CASE("far more streams and callers than cores are safe", "[stream]") {
    std::vector<stream> streams;
    for (int i = 0; i < 6; ++i) streams.emplace_back(softax::device::cpu, 4);
    std::atomic<int> done = 0;
    std::vector<std::thread> callers;
    for (std::size_t caller = 0; caller < 8; ++caller) {
        callers.emplace_back([&, caller] {
            for (std::size_t i = 0; i < 60; ++i) {
                auto const work = [&](team& t) { t.run(9, [&](index_t) { ++done; }); };
                stream const& s = streams[(caller + i) % streams.size()];
                if (i % 2) {
                    s.run(work);
                } else {
                    s.submit(work);
                }
            }
        });
    }
    for (auto& caller : callers) caller.join();
    streams.clear();
    CHECK(done == 8 * 60 * 9);
}

TEST_CASE("streams are made and ended in quick succession", "[stream]") {
    std::atomic<int> done = 0;
    auto const work = [&](team& t) { t.run(3, [&](index_t) { ++done; }); };
    for (int i = 0; i < 100; ++i) {
        stream const s(softax::device::cpu, 3);
        s.run(work);
        s.submit(work);
    }
    CHECK(done == 600);
    std::vector<std::future<void>> last;
    for (int i = 0; i < 100; ++i) {
        stream const s(softax::device::cpu, 2);
        s.submit([held = s] {});  // the last handle, or not
        last.push_back(s.submit(work));
    }
    for (auto& answer : last) answer.get();
    stream(softax::device::cpu, 1).submit([&] { ++done; });
    CHECK(done == 901);
}

#if __has_include(<sys/wait.h>) && !defined(HAS_THREAD_SANITIZER)  // which forbids threads in a child

TEST_CASE("the child of a fork uses a stream that was idle", "[stream]") {
    auto const sum = [](stream const& s) {
        std::atomic<index_t> total = 0;
        auto const work = [&](team& t) { t.run(10, [&](index_t part) { total += part; }); };
        s.run(work);
        s.submit(work).get();
        return total.load();
    };
    stream const fallback = softax::device::cpu;
    auto s = std::make_unique<stream>(softax::device::cpu, 3);
    auto unused_there = std::make_unique<stream>(softax::device::cpu, 3);
    REQUIRE(sum(*s) + sum(fallback) + sum(*unused_there) == 270);
    REQUIRE(s->run(meeting(3)));
    REQUIRE(unused_there->run(meeting(3)));
    s->synchronize();
    unused_there->synchronize();
    fallback.synchronize();
    pid_t const child = fork();
    if (child == 0) {
        alarm(20);  // a hang is a failure
        bool const is_right = sum(*s) + sum(fallback) == 180;
        s.reset();
        unused_there.reset();
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(sum(*s) + sum(fallback) == 180);
}

TEST_CASE("where the system refuses threads, fewer do the work", "[stream]") {
    pid_t const child = fork();
    if (child == 0) {
        alarm(20);
        stream const s(softax::device::cpu, 3);
        // The limit counts this process itself, and root is above it.
        rlimit const no_more_threads{1, 1};
        if (setrlimit(RLIMIT_NPROC, &no_more_threads) != 0 || (geteuid() == 0 && setuid(65534) != 0)) _exit(0);
        bool is_right = true;
        index_t total = 0;  // unguarded: one thread does it all
        s.run([&](team& t) { t.run(10, [&](index_t part) { total += part; }); });
        bool is_refused = false;
        try {
            s.submit([&] { total = 0; });
        } catch (std::system_error const&) {
            is_refused = true;
        }
        s.run([&] { is_right = is_right && total == 45 && is_refused; });
        _exit(is_right ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the program ends while the default stream is at work", "[stream]") {
    pid_t const child = fork();
    if (child == 0) {
        alarm(20);
        stream(softax::device::cpu).submit([] { std::this_thread::sleep_for(1h); });
        stream(softax::device::cpu).submit([] {});
        if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(1);
        std::exit(0);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

#endif

}  // namespace
