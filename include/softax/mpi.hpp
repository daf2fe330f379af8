// mpi: softmax, log_softmax, logsumexp and cross entropy of an array whose reduced axis is spread over the ranks of a
// communicator. Each rank holds a slice, which may be empty, and gets what belongs to it.
//
// Every rank sums up its slice, one MPI_Allreduce merges the sums group by group, and every rank finishes its slice. Before it
// a small one sees to it that no rank has failed and that all have the same groups.
//
// A namespace of its own, because MPI_Comm is an int in some MPIs: softax::softmax(a, -1, comm) could mean anything.
#pragma once

#include "detail/mpi_messages.hpp"

namespace softax {

namespace mpi {

/// Where the classes of a cross entropy lie: along one axis of the logits of each rank, whose are those numbered
/// [first, first + extent of the axis).
struct classes {
    index_t axis = -1, first = 0;
};

}  // namespace mpi

namespace detail {

[[noreturn]] inline void fail_target(index_t group, double owners) {
    throw std::out_of_range("softax: the target of group " + std::to_string(group) + " is a class that " +
                            (owners > 1 ? "several ranks hold" : "no rank holds"));
}

inline namespace SOFTAX_ISA {

/// The normalizers of the slice of this rank; the extra logit is pushed on rank 0 alone.
template <class In>
auto normalizers_of_slice(view<In const> const& a, axes const& over, MPI_Comm comm, options o) {
    int rank = 0;
    check_mpi("MPI_Comm_rank", MPI_Comm_rank(comm, &rank));
    if (rank != 0) o.extra = options().extra;
    return normalizers(a, over, o);
}

/// The normalizers of all ranks. prepare() is done in agreement: it checks and allocates what is needed afterwards.
template <class In, class Prepare>
auto normalizers_of_all(view<In const> const& a, axes const& over, MPI_Comm comm, options const& o, Prepare prepare) {
    using T = normalizer_type<In>;
    message_type<normalizer<T>> type;
    normalizer_array<T> n(0);
    in_agreement(comm, sizeof(T), [&] {
        prepare();
        n = normalizers_of_slice(a, over, comm, o);
        type.create();
        return n.shape();
    });
    type.all_reduce(n.data(), n.size(), comm);
    return n;
}

/// What this rank says of its slice in a cross entropy. A target that the mask leaves out is NaN.
template <class In, class Target>
std::vector<group_message<compute_type<In>>> messages_of_slice(view<In const> const& a,
                                                               view<Target const> const& targets,
                                                               mpi::classes const& where,
                                                               normalizer_array<compute_type<In>> const& n,
                                                               options const& o) {
    static_assert(integer<Target>, "softax: targets must be integers");
    index_t const axis = canonical_axis(where.axis, a.rank()), extent = a.shape()[axis];
    if (targets.shape() != n.shape()) fail_shapes_differ("targets", targets.shape(), n.shape());
    checked_options const checked(o, a.shape());
    index_list const ys = spread_strides(targets.strides(), {axis}, a.rank());
    index_list const none = index_list::filled(a.rank(), 0);
    index_list const& wheres = checked.where ? checked.where->strides() : none;
    std::vector<group_message<compute_type<In>>> messages;
    messages.reserve(static_cast<std::size_t>(n.size()));
    if (n.size() == 0) return messages;
    for_each_place(group_axes::of(a.shape(), {axis}, {a.strides(), ys, &wheres}).kept, [&](walked_axis const& at) {
        index_t const i = any_integer(targets.data()[at.y]).value - where.first;
        bool const is_here = i >= 0 && i < extent;
        double target = 0;
        if (is_here) {
            bool const is_live = !checked.where || checked.where->data()[at.where + i * wheres[axis]];
            auto const x = static_cast<double>(a.data()[at.x + i * a.strides()[axis]]);
            if (x == x) target = x;  // NaN is known of its group
            if (!is_live) target = std::numeric_limits<double>::quiet_NaN();
        }
        messages.push_back({n.data()[messages.size()], target, is_here ? 1.0 : 0.0});
    });
    return messages;
}

/// The losses of groups of which the messages of all ranks are merged.
template <class T, class Out>
void write_losses(view<Out> const& losses, std::vector<group_message<T>> const& messages, double scale) {
    for (index_t first = 0, n = 0; first < losses.size(); first += n) {
        n = std::min(losses.size() - first, finished_at_once);
        normalizer_state<T> states[finished_at_once];
        T x[finished_at_once];
        group_message<T> const* const m = messages.data() + first;
        for (index_t i = 0; i < n; ++i) {
            if (m[i].owners != 1) fail_target(first + i, m[i].owners);
            states[i] = m[i].state(), x[i] = static_cast<T>(m[i].target);
        }
        finish_block<T, T> const targets = {x, x, nullptr, {n, 1, 1, 0}, {}, false, states, scale};
        finish<form::log_softmax>(targets);
        for (index_t i = 0; i < n; ++i) {
            T const log = std::isnan(m[i].target) ? -std::numeric_limits<T>::infinity() : x[i];
            losses.data()[first + i] = static_cast<Out>(T(0) - log);
        }
    }
}

}  // namespace SOFTAX_ISA
}  // namespace detail

namespace mpi {
inline namespace SOFTAX_ISA {

/// This rank's slice of the softmax over axes of the array that the slices of all ranks make up, side by side along the
/// reduced axes. Collective: every rank of comm calls it, with the same axes and options and with kept axes of one shape; a
/// rank without elements gives a reduced axis the extent 0.
///
/// a       as for softax::softmax(), of the same element type on all ranks.
/// options as softax::softmax(). The mask is that of the slice; a group may be left out here and not elsewhere. The extra logit
///         counts once, not once a rank. on shares out the work of this rank.
/// throws  as softax::softmax(), on all ranks if on any: the error itself where it arose, std::runtime_error that names the
///         rank on the others; std::invalid_argument on all where kept shapes or types differ. Where memory ends after the
///         exchange only that rank throws. With MPI_ERRORS_RETURN the failure of a call to MPI throws std::runtime_error.
/// bits    The exchange gives every rank the same bits, and elements their results by these alone. Another number of ranks
///         may change the last bit, within the bounds of softax::softmax(), which hold.
/// cost    two passes over the slice; one MPI_Allreduce of 37 integers, and one of 24 bytes a group (40 for double and
///         integers of more than 16 bits).
/// needs   machines of one byte order, between MPI_Init and MPI_Finalize.
template <viewable A>
array<result_type<element_of<A const>>> softmax(A const& a, axes const& over, MPI_Comm comm,
                                                options const& o = detail::no_options) {
    auto const from = detail::reading(a);
    array<result_type<element_of<A const>>> result;
    auto const prepare = [&] { result = array<result_type<element_of<A const>>>::uninitialized(from.shape()); };
    detail::normalizers_of_all(from, over, comm, o, prepare).softmax_into(result, from, over, o);
    return result;
}

/// log_softmax as softmax().
template <viewable A>
array<result_type<element_of<A const>>> log_softmax(A const& a, axes const& over, MPI_Comm comm,
                                                    options const& o = detail::no_options) {
    auto const from = detail::reading(a);
    array<result_type<element_of<A const>>> result;
    auto const prepare = [&] { result = array<result_type<element_of<A const>>>::uninitialized(from.shape()); };
    detail::normalizers_of_all(from, over, comm, o, prepare).log_softmax_into(result, from, over, o);
    return result;
}

/// logsumexp of the whole array, the same on every rank; as softmax(). One pass over the slice.
template <viewable A>
array<result_type<element_of<A const>>> logsumexp(A const& a, axes const& over, MPI_Comm comm,
                                                  options const& o = detail::no_options) {
    auto const from = detail::reading(a);
    array<result_type<element_of<A const>>> result;
    auto const prepare = [&] {
        index_list const shape = detail::reduced_shape(from.shape(), over.canonical(from.rank()), o.keepdims);
        result = array<result_type<element_of<A const>>>::uninitialized(shape);
    };
    auto const n = detail::normalizers_of_all(from, over, comm, o, prepare);
    for (index_t i = 0; i < n.size(); ++i) {
        result.data()[i] = static_cast<result_type<element_of<A const>>>(n.data()[i].logsumexp());
    }
    return result;
}

/// softmax() into out, which may be a itself; as softax::softmax_into(), on all ranks.
template <detail::writable Out, viewable A>
void softmax_into(Out&& out, A const& a, axes const& over, MPI_Comm comm, options const& o = detail::no_options) {
    auto const from = detail::reading(a);
    auto const prepare = [&] { detail::check_out_and_mask(detail::writing(out), from, o); };
    detail::normalizers_of_all(from, over, comm, o, prepare).softmax_into(out, from, over, o);
}

/// log_softmax() into out; as softmax_into().
template <detail::writable Out, viewable A>
void log_softmax_into(Out&& out, A const& a, axes const& over, MPI_Comm comm, options const& o = detail::no_options) {
    auto const from = detail::reading(a);
    auto const prepare = [&] { detail::check_out_and_mask(detail::writing(out), from, o); };
    detail::normalizers_of_all(from, over, comm, o, prepare).log_softmax_into(out, from, over, o);
}

/// -log(softmax at the target) of every group, the same on every rank: the loss of classes that are spread over the ranks.
///
/// logits  the classes of this rank along where.axis, which number where.first onwards; the other axes are kept. Of element type
///         float, double, half or bfloat16.
/// targets integers of the kept shape, the same on all ranks: the number of the right class among those of all ranks.
/// throws  as softmax(), and std::out_of_range on all ranks where a target is a class of no rank or of several.
/// special A target at -inf has the loss +inf, and so has one that the mask leaves out.
/// error   at most 2.5 ULP, the confident class included.
/// cost    one pass over the slice; one MPI_Allreduce of 37 integers, and one of 40 bytes a group (56 for double).
template <viewable A, viewable Targets>
array<result_type<element_of<A const>>> cross_entropy(A const& logits, Targets const& targets, classes const& where,
                                                      MPI_Comm comm, options const& o = detail::no_options) {
    using T = compute_type<element_of<A const>>;
    static_assert(!std::integral<element_of<A const>>, "softax: logits must be float, double, half or bfloat16");
    auto const from = detail::reading(logits);
    detail::message_type<detail::group_message<T>> type;
    std::vector<detail::group_message<T>> messages;
    array<result_type<element_of<A const>>> result;
    detail::in_agreement(comm, sizeof(T) + 100, [&] {
        auto const n = detail::normalizers_of_slice(from, where.axis, comm, o);
        messages = detail::messages_of_slice(from, detail::reading(targets), where, n, o);
        result = array<result_type<element_of<A const>>>::uninitialized(n.shape());
        type.create();
        return n.shape();
    });
    type.all_reduce(messages.data(), result.size(), comm);
    detail::write_losses(view(result), messages, o.scale);
    return result;
}

}  // namespace SOFTAX_ISA
}  // namespace mpi
}  // namespace softax
