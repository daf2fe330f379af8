// A vocabulary that is spread over the ranks of MPI: the loss and the probabilities of a few tokens, though no rank has more
// than its own slice of the logits. On four ranks: mpirun -n 4 mpi_vocabulary. Alone it is the only rank.
#include <softax/mpi.hpp>

#include <cmath>
#include <cstdio>
#include <exception>

using softax::index_t;

constexpr index_t tokens = 4, vocabulary = 100000;

/// The logit of a word, as if a model had computed it: far above the others at the right one.
float logit(index_t token, index_t word) {
    float const noise = std::sin(static_cast<float>(word * 7919 % 10007 + token));
    return word == (token * 31337 + 5) % vocabulary ? 14.0f : noise;
}

void show(int rank, int ranks) {
    // This rank has the words [first, last).
    index_t const first = vocabulary * rank / ranks, last = vocabulary * (rank + 1) / ranks;
    auto logits = softax::array<float>::uninitialized({tokens, last - first});
    softax::array<index_t> targets({tokens}, 0);
    for (index_t t = 0; t < tokens; ++t) {
        targets(t) = (t * 31337 + 5) % vocabulary;
        for (index_t word = first; word < last; ++word) logits(t, word - first) = logit(t, word);
    }

    auto const loss = softax::mpi::cross_entropy(logits, targets, {.axis = -1, .first = first}, MPI_COMM_WORLD);
    auto const p = softax::mpi::softmax(logits, -1, MPI_COMM_WORLD);

    // What the slices add up to, and the probability of the target, which one of them holds.
    double sums[2 * tokens] = {};
    for (index_t t = 0; t < tokens; ++t) {
        for (index_t word = first; word < last; ++word) sums[t] += static_cast<double>(p(t, word - first));
        bool const is_here = targets(t) >= first && targets(t) < last;
        if (is_here) sums[tokens + t] = static_cast<double>(p(t, targets(t) - first));
    }
    MPI_Allreduce(MPI_IN_PLACE, sums, 2 * tokens, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (rank != 0) return;
    std::printf("%td words on %d ranks\n", vocabulary, ranks);
    for (index_t t = 0; t < tokens; ++t) {
        std::printf("token %td: word %5td has probability %.6f, loss %.6f; all add up to %.6f\n", t, targets(t),
                    sums[tokens + t], static_cast<double>(loss(t)), sums[t]);
    }
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0, ranks = 0, result = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    try {
        show(rank, ranks);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s\n", e.what());
        result = 1;
    }
    MPI_Finalize();
    return result;
}
