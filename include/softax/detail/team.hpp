// team: how the kernels ask for threads, without knowing whose they are.
#pragma once

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

}  // namespace softax::detail
