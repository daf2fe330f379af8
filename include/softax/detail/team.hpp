// team: how the kernels ask for threads, without knowing whose they are.
#pragma once

#include <algorithm>
#include <functional>

#include "error.hpp"

namespace softax::detail {

/// The threads that share one call, the calling one among them.
class team {
public:
    explicit team(index_t threads) noexcept : threads_(threads) {}

    index_t threads() const noexcept { return threads_; }

    /// work(part) once for each part of [0, parts), in any order, on up to threads() threads; returns when all are done.
    virtual void run(index_t parts, std::function<void(index_t)> const& work) = 0;

protected:
    ~team() = default;

private:
    index_t threads_;
};

/// Of n elements those of each part but the last: whole steps.
constexpr index_t segment_of(index_t n, index_t parts, index_t step) noexcept {
    return (n + parts * step - 1) / (parts * step) * step;
}

/// work(first, last, team) over [0, count) in parts: on the threads of a team where there are several and enough to do; the
/// team of the only one is passed on.
template <class Work>
void in_parts(index_t count, index_t size, team* on, Work const& work) {
    constexpr index_t enough = index_t{1} << 15;  // below, waking a thread costs more than it brings
    index_t const parts = on == nullptr ? 1 : std::min({4 * on->threads(), size / enough, count});
    if (parts <= 1 || on->threads() == 1) return work(0, count, count == 1 ? on : nullptr);
    on->run(parts, [&](index_t part) { work(count * part / parts, count * (part + 1) / parts, nullptr); });
}

}  // namespace softax::detail
