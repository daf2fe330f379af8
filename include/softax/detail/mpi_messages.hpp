// mpi_messages: how the ranks of a communicator agree that all are well, and merge normalizers.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>

#include "../normalizer.hpp"

namespace softax {

namespace detail {

[[noreturn]] inline void fail_mpi(char const* function, int error) {
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    bool const is_known = MPI_Error_string(error, text, &length) == MPI_SUCCESS;
    throw std::runtime_error(std::string("softax: ") + function + " failed" +
                             (is_known ? ": " + std::string(text, static_cast<std::size_t>(length)) : ""));
}

[[noreturn]] inline void fail_rank_failed(index_t rank) {
    throw std::runtime_error("softax: rank " + std::to_string(rank) +
                             " of the communicator has failed; the error is thrown there");
}

[[noreturn]] inline void fail_ranks_differ(index_list const& here) {
    throw std::invalid_argument("softax: the ranks have different kept axes or element types; here they have shape " +
                                text_of(here));
}

/// A call to MPI that throws where the communicator's error handler returns.
inline void check_mpi(char const* function, int error) {
    if (error != MPI_SUCCESS) fail_mpi(function, error);
}

/// Throws std::runtime_error unless MPI is at work.
inline void check_mpi_is_running() {
    int is_running = 0, is_over = 0;
    if (MPI_Initialized(&is_running) == MPI_SUCCESS && MPI_Finalized(&is_over) == MPI_SUCCESS && is_running && !is_over)
        return;
    throw std::runtime_error("softax: MPI is not running; call MPI_Init before and MPI_Finalize after softax::mpi");
}

/// Returns where all ranks are well and have the same kind of call and shape of groups. The error of a rank is thrown there, and
/// says on all others which rank it was. Its message is 18 numbers and their negatives, whose maxima agree if all do.
inline void agree(MPI_Comm comm, std::exception_ptr const& error, index_list const& shape, index_t kind) {
    int rank = 0, ranks = 0;
    check_mpi("MPI_Comm_rank", MPI_Comm_rank(comm, &rank));
    check_mpi("MPI_Comm_size", MPI_Comm_size(comm, &ranks));
    constexpr int numbers = index_list::max_size + 2;
    long long said[2 * numbers + 1] = {};
    if (!error) {
        said[0] = kind;
        said[1] = shape.size();
        for (index_t axis = 0; axis < shape.size(); ++axis) said[2 + axis] = shape[axis];
        for (int i = 0; i < numbers; ++i) said[numbers + i] = -said[i];
    }
    long long& failed = said[2 * numbers];  // the lowest rank that has, counted down from the number of ranks
    failed = error ? ranks - rank : 0;
    check_mpi("MPI_Allreduce", MPI_Allreduce(MPI_IN_PLACE, said, 2 * numbers + 1, MPI_LONG_LONG, MPI_MAX, comm));
    if (error) std::rethrow_exception(error);
    if (failed > 0) fail_rank_failed(ranks - failed);
    for (int i = 0; i < numbers; ++i) {
        if (said[i] != -said[numbers + i]) fail_ranks_differ(shape);
    }
}

/// What is sent of a group for a cross entropy. At most one rank holds the target; the others add 0.
template <class T>
struct group_message {
    normalizer<T> n;
    double target, owners;

    auto& state() noexcept { return n.state(); }
    auto const& state() const noexcept { return n.state(); }
};

inline namespace SOFTAX_ISA {

/// MPI's view of Message: so many bytes, and how two of them become one.
template <class Message>
class message_type {
public:
    message_type() = default;
    message_type(message_type const&) = delete;
    message_type& operator=(message_type const&) = delete;

    void create() {
        check_mpi("MPI_Type_contiguous", MPI_Type_contiguous(static_cast<int>(sizeof(Message)), MPI_BYTE, &type_));
        check_mpi("MPI_Type_commit", MPI_Type_commit(&type_));
        check_mpi("MPI_Op_create", MPI_Op_create(&merge, 1, &op_));
    }
    ~message_type() {
        if (op_ != MPI_OP_NULL) MPI_Op_free(&op_);
        if (type_ != MPI_DATATYPE_NULL) MPI_Type_free(&type_);
    }

    /// Every message becomes that of all ranks. MPI gives all of them the same bits (MPI 4.1, 6.9.6).
    void all_reduce(Message* messages, index_t count, MPI_Comm comm) const {
        // MPI counts in int, and needs as much memory again.
        constexpr index_t most = index_t{1} << 20;
        for (index_t i = 0; i < count; i += most) {
            check_mpi("MPI_Allreduce", MPI_Allreduce(MPI_IN_PLACE, messages + i,
                                                     static_cast<int>(std::min(most, count - i)), type_, op_, comm));
        }
    }

private:
    static void merge(void* from, void* to, int* count, MPI_Datatype*) {
        auto* const own = static_cast<Message*>(to);
        auto const* const more = static_cast<Message const*>(from);
        merge_groups(own, 0, *count, [more](index_t i) { return more[i].state(); });
        if constexpr (requires { own->target; }) {
            for (int i = 0; i < *count; ++i) own[i].target += more[i].target, own[i].owners += more[i].owners;
        }
    }

    MPI_Datatype type_ = MPI_DATATYPE_NULL;
    MPI_Op op_ = MPI_OP_NULL;
};

/// f(), which returns the shape of the groups, on every rank, and then agreement: the error of a rank becomes one on all.
template <class F>
void in_agreement(MPI_Comm comm, index_t kind, F f) {
    check_mpi_is_running();
    std::exception_ptr error;
    index_list shape;
    try {
        shape = f();
    } catch (...) {
        error = std::current_exception();
    }
    agree(comm, error, shape, kind);
}

}  // namespace SOFTAX_ISA
}  // namespace detail
}  // namespace softax
