// What a cross entropy over classes that are spread over the ranks costs to exchange: messages, bytes and time, beside the three
// all-reduces of Megatron's vocabulary-parallel cross entropy (maximum, predicted logit, sum of exponentials).
//
// Calls and bytes are counted where they enter MPI. The time is that of the slowest rank, the best of many rounds. With the
// classes and tokens of one rank as arguments: mpi_scaling 32000 64
#include <softax/mpi.hpp>

#include "once/kernels.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

using softax::array;
using softax::index_t;

namespace {

long calls = 0, bytes = 0;

}  // namespace

// MPI offers every function under a second name, so that programs like this one may count.
int MPI_Allreduce(void const* from, void* to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    int size = 0;
    PMPI_Type_size(type, &size);
    ++calls;
    bytes += static_cast<long>(count) * size;
    return PMPI_Allreduce(from, to, count, type, op, comm);
}

namespace {

/// The losses as Megatron computes them, in float with plain loops; its exponentials are no subject here.
void three_all_reduces(array<float> const& a, array<int> const& targets, index_t first, array<float>& loss) {
    index_t const tokens = a.shape()[0], classes = a.shape()[1];
    auto const all = static_cast<int>(tokens);
    std::vector<float> m(static_cast<std::size_t>(tokens)), predicted(m.size()), sum(m.size());
    for (index_t i = 0; i < tokens; ++i) {
        auto const at = static_cast<std::size_t>(i);
        m[at] = *std::max_element(a.data() + i * classes, a.data() + (i + 1) * classes);
    }
    MPI_Allreduce(MPI_IN_PLACE, m.data(), all, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD);
    for (index_t i = 0; i < tokens; ++i) {
        auto const at = static_cast<std::size_t>(i);
        index_t const target = targets(i) - first;
        if (target >= 0 && target < classes) predicted[at] = a(i, target) - m[at];
        for (index_t j = 0; j < classes; ++j) sum[at] += std::exp(a(i, j) - m[at]);
    }
    MPI_Allreduce(MPI_IN_PLACE, predicted.data(), all, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Allreduce(MPI_IN_PLACE, sum.data(), all, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    for (index_t i = 0; i < tokens; ++i) {
        loss(i) = std::log(sum[static_cast<std::size_t>(i)]) - predicted[static_cast<std::size_t>(i)];
    }
}

/// Microseconds of the slowest rank, in the best of the rounds.
template <class Work>
double time_of(int rounds, Work work) {
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < rounds; ++round) {
        MPI_Barrier(MPI_COMM_WORLD);
        auto const start = std::chrono::steady_clock::now();
        work();
        double time = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
        PMPI_Allreduce(MPI_IN_PLACE, &time, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        best = std::min(best, time);
    }
    return best;
}

void report(char const* name, index_t tokens, int rounds, double time) {
    std::printf("%-24s %6td %10.1f %10.1f %10.1f\n", name, tokens, static_cast<double>(calls) / rounds,
                static_cast<double>(bytes) / rounds, time);
    calls = bytes = 0;
}

}  // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0, ranks = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    index_t const classes = argc > 1 ? std::atol(argv[1]) : 100, most = argc > 2 ? std::atol(argv[2]) : 64;
    if (rank == 0) {
        std::printf("%d ranks of %td classes\n%-24s %6s %10s %10s %10s\n", ranks, classes, "cross entropy", "tokens",
                    "messages", "bytes", "us");
    }
    bool is_right = true;
    for (index_t tokens = 1; tokens <= most; tokens *= 8) {
        auto a = array<float>::uninitialized({tokens, classes});
        std::mt19937 random(static_cast<unsigned>(rank));
        std::normal_distribution<float> draw;
        for (float& x : a) x = draw(random);
        array<int> targets({tokens}, 0);
        for (index_t i = 0; i < tokens; ++i) targets(i) = static_cast<int>(i * 37 % (classes * ranks));
        index_t const first = classes * rank;
        int const rounds = 200;
        array<float> ours, theirs({tokens}, 0.0f);
        double time = time_of(rounds, [&] {
            ours = softax::mpi::cross_entropy(a, targets, {.axis = -1, .first = first}, MPI_COMM_WORLD);
        });
        if (rank == 0) report("softax::mpi", tokens, rounds, time);
        time = time_of(rounds, [&] { three_all_reduces(a, targets, first, theirs); });
        if (rank == 0) report("three all-reduces", tokens, rounds, time);
        is_right = is_right && softax::allclose(ours, theirs, 1e-4, 1e-4);
    }
    if (rank == 0 && !is_right) std::printf("the two differ\n");
    MPI_Finalize();
    return is_right ? 0 : 1;
}
