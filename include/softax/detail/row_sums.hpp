// row_sums: the passes over a row, and what they visit beside it.
//
// The tail takes the packet path of the body, so a result never depends on its place.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The rows that are visited while one is added up. The maximum of the next is taken, and the results of the last are
/// written: memory then comes and goes while there is much to compute, and no row waits for the sum of another. The next may
/// be masked too, or converted, on its way to where it waits. Or a later row is asked for. Or the row is masked as it is read, by
/// itself or with the next.
enum class beside {
    nothing,
    next,
    next_masked,
    next_moved,
    both,
    both_masked,
    both_moved,
    later,
    own_masked,
    own_and_next_masked
};

constexpr bool masks_next(beside b) noexcept { return b == beside::next_masked || b == beside::both_masked; }
constexpr bool moves_next(beside b) noexcept {
    return masks_next(b) || b == beside::next_moved || b == beside::both_moved;
}
constexpr bool reads_masked(beside b) noexcept { return b == beside::own_masked || b == beside::own_and_next_masked; }
constexpr bool finishes_last(beside b) noexcept {
    return b == beside::both || b == beside::both_masked || b == beside::both_moved;
}

template <form Form, class E>
struct rows_beside {
    using T = compute_type<E>;

    E const* next;
    T* next_moved;
    mask<T> which;  // of the next, or of the row itself and those that follow
    T const* last;  // what its results are made from
    E* last_y;
    E* room;  // memory that is asked for: where results will be, or wait for that; or none
    outcome<Form, T> result;
    bool is_streamed, is_long;  // results are written past the caches; no second-level cache keeps a row
};

/// The running sums of one row: of all exponentials for softmax; else of those below the maximum, and how many are equal.
template <form Form, way Way, beside Beside, class E>
class row_sums {
    using T = compute_type<E>;
    using P = packet<T>;
    static constexpr index_t lanes = P::lanes, packets = sum_lanes / lanes;
    static constexpr bool is_finishing = finishes_last(Beside);
    static constexpr bool is_alone = Beside == beside::nothing || Beside == beside::own_masked;
    static constexpr bool takes_next = !is_alone && Beside != beside::later;

public:
    /// Where a lane starts.
    static constexpr T start = Form == form::softmax ? lane_sum<T>::above : T(0);

    wide sum = {0, 0};
    double count = 0;
    P next_m = P::set(-std::numeric_limits<T>::infinity());

    row_sums(T m, request<T> const& asked, rows_beside<Form, E> const& others) noexcept
        : row_sums(P::set(m), pivot<T>::template of<Way>(m, asked), scaling<T>::of(asked), others) {}
    EIGEN_ALWAYS_INLINE row_sums(P m, pivot<T> const& at, scaling<T> const& by,
                                 rows_beside<Form, E> const& others) noexcept
        : m_(m), at_(at), scale_(by), others_(others) {}

    /// Adds x[i, i + n), n <= chunk, and stores the exponentials to e where the form wants them.
    EIGEN_ALWAYS_INLINE void add(T const* x, T* e, index_t i, index_t n) noexcept {
        alignas(64) T hi[sum_lanes], lo[sum_lanes];
        add_lanes(x, e, i, n, hi, lo);
        add_total<T>(sum, chunk_total(hi, lo, static_cast<double>(start)));
    }

    /// The same, but the sums of the lanes are left in hi and lo.
    EIGEN_ALWAYS_INLINE void add_lanes(T const* x, T* e, index_t i, index_t n, T* hi, T* lo) noexcept {
        running r;
        for (lane_sum<T>& l : r.lane) l = {P::set(start), P::set(T(0))};
        r.equal = P::set(T(0)), r.next_m[0] = r.next_m[1] = next_m;
        index_t const end = i + n;
        for (; i + step <= end; i += step) {
            if constexpr (Beside == beside::later) {
                prefetch_run<step>(others_.next + i);
                if constexpr (Form != form::logsumexp) ask_for_room(others_.last_y + i);
            } else if constexpr (!is_alone) {
                // What will be written: exponentials, or where these wait in a scratch, or are not kept, room.
                constexpr bool is_stored = Form == form::softmax && !moves_next(Beside);
                prefetch_run<step>(others_.next + i + distance);
                if constexpr (is_stored) ask_for_room(e + i + distance);
                if (!is_stored && is_finishing && others_.room != nullptr) ask_for_room(others_.room + i + distance);
                if (masks_next(Beside)) prefetch(others_.which.where.data + i + distance);
                if (reads_masked(Beside)) prefetch(of_next() + i + distance);
            }
            if (Beside != beside::later && others_.is_long) {
                prefetch_run<step>(x + i + distance);
                if constexpr (reads_masked(Beside)) prefetch(others_.which.where.data + i + distance);
                if constexpr (is_finishing) prefetch_run<step>(others_.last + i + distance);
            }
            add_packets<abreast>(x, e, i, step / lanes, r);
        }
        for (; i + sum_lanes <= end; i += sum_lanes) add_packets<1>(x, e, i, packets, r);
        next_m = max(r.next_m[0], r.next_m[1]);
        if (i < end) add_last_packets(x, e, i, end - i, r);
        for (index_t p = 0; p < packets; ++p) {
            r.lane[p].hi.store(hi + p * lanes);
            r.lane[p].lo.store(lo + p * lanes);
        }
        if constexpr (Form != form::softmax) count += static_cast<double>(sum_lane(r.equal));
    }

    log_terms<T> terms() const noexcept { return {m_.first(), at_.shift.first(), at_.magic.first(), count, sum}; }

private:
    // Packets abreast: the results of the last row need registers too.
    static constexpr index_t abreast = sizeof(P) < 64 ? 1 : takes_next || sizeof(T) == 8 ? 2 : 4;
    static constexpr index_t step = std::max(2 * sum_lanes, abreast* lanes);

    struct running {
        lane_sum<T> lane[packets];
        P equal, next_m[2];
    };

    // What comes after the next row is often another one, and in memory; so is where its exponentials will be written.
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(E)), distance = 96 * line;

    EIGEN_ALWAYS_INLINE static void ask_for_room(auto* y) noexcept {
        for (index_t l = 0; l < step; l += line) prefetch_to(y + l);
    }

    /// The next elements of every lane, in so many packets.
    template <index_t Abreast>
    EIGEN_ALWAYS_INLINE void add_packets(T const* x, T* e, index_t i, index_t all, running& r) noexcept {
        SOFTAX_UNROLLED
        for (index_t p = 0; p < all; p += Abreast) {
            add_pack<Abreast>(x, e, i + p * lanes, p, r);
        }
    }

    /// The packets from p on.
    template <index_t Abreast>
    EIGEN_ALWAYS_INLINE void add_pack(T const* x, T* e, index_t i, index_t p, running& r) noexcept {
        P own[Abreast], last[Abreast];
        SOFTAX_UNROLLED
        for (index_t k = 0; k < Abreast; ++k) {
            own[k] = own_packet(x + i + k * lanes, i + k * lanes, lanes);
            P& m = r.next_m[(p + k) % 2];
            if constexpr (takes_next) m = max(m, next_packet(i + k * lanes, lanes));
            if constexpr (is_finishing) last[k] = P::load(others_.last + i + k * lanes);
        }
        reduced_exp<T> terms[Abreast];
        reduced_exp<T>::template of<Way>(terms, own, at_, scale_);
        SOFTAX_UNROLLED
        for (index_t k = 0; k < Abreast && is_finishing; ++k) {
            P const y = others_.result(last[k]);
            E* const to = others_.last_y + i + k * lanes;
            others_.is_streamed ? store_past_caches(to, y) : y.store(to);
        }
        SOFTAX_UNROLLED
        for (index_t k = 0; k < Abreast; ++k) {
            add_terms(terms[k], own[k], e + i + k * lanes, lanes, r.lane[(p + k) % packets], r.equal);
        }
    }

    /// The next element of the first n lanes only, at the end of a row.
    EIGEN_ALWAYS_INLINE void add_last_packets(T const* x, T* e, index_t i, index_t n, running& r) noexcept {
        for (index_t p = 0; p < packets && p * lanes < n; ++p, i += lanes) {
            index_t const live = std::min(n - p * lanes, lanes);
            // Lanes beyond the end repeat an element, so that nothing new comes in, and count nothing.
            P const own = own_packet(x + i, i, live);
            add_terms(reduced_exp<T>::template of<Way>(own, at_, scale_), own, e + i, live, r.lane[p], r.equal);
            if constexpr (takes_next) next_m = max(next_m, next_packet(i, live));
            if constexpr (is_finishing) {
                auto const [at, some] = some_of_row<E>::of(i, live);
                P const last = P::load(others_.last + at, some, T(0));
                some_of_row<E>::store(others_.last_y + at, others_.result(last), some);
            }
        }
    }

    /// What the mask says of the row that follows one masked as it is read.
    EIGEN_ALWAYS_INLINE bool const* of_next() const noexcept { return &others_.which.where(0, 1); }

    /// The first live lanes of this row from element i on, which lies at x, and one of them or -inf in the others.
    EIGEN_ALWAYS_INLINE P own_packet(T const* x, [[maybe_unused]] index_t i, index_t live) const noexcept {
        P const own = P::load(x, live, *x);
        if constexpr (reads_masked(Beside)) return others_.which(own, others_.which.where.data + i, live);
        return scale_.template factored<Way>(own);
    }

    /// The first live lanes of the next row, and one of them or -inf in the others.
    EIGEN_ALWAYS_INLINE P next_packet(index_t i, index_t live_lanes) noexcept {
        auto const [at, live] = some_of_row<E>::of(i, live_lanes);
        P const x = some_of_row<E>::load(others_.next + at, live);
        if constexpr (masks_next(Beside)) {
            P const masked = others_.which(x, others_.which.where.data + at, live);
            masked.store(others_.next_moved + at, live);
            return masked;
        }
        if constexpr (reads_masked(Beside)) return others_.which(x, of_next() + at, live);
        if constexpr (moves_next(Beside)) x.store(others_.next_moved + at, live);
        return scale_.template factored<Way>(x);
    }

    EIGEN_ALWAYS_INLINE void add_terms(reduced_exp<T> e, P x, T* y, index_t live, lane_sum<T>& lane,
                                       P& equal) noexcept {
        P const one = live < lanes ? P::ones(live) : P::set(T(1));
        if constexpr (Form == form::softmax) {
            P const value = e.value();
            value.store(y, live);
            lane.add_below(live < lanes ? value * one : value);
        } else {
            if (live < lanes) e.power = e.power * one;
            lane.add_unless_equal(e, x, m_);
            equal = equal + (one - zero_where_equal(one, x, m_));
        }
    }

    P m_;
    pivot<T> at_;
    scaling<T> scale_;
    rows_beside<Form, E> const& others_;
};

SOFTAX_KERNELS_END
#endif
