// gradient_class_runs: the maximum of a run of classes and the sums beside it.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class L>
class class_runs {
    using T = compute_type<L>;
    using P = packet<T>;

public:
    explicit class_runs(class_block<L>& b) noexcept : b_(b), n_(b.c.classes), which_(mask<T>::of({}, b.factor)) {
        next_.x = next_.where = ahead_of(n_ * b.c.groups.outer.count() * b.c.groups.inner.extent);
    }

    /// Those of group j, to whose maximum it goes, where the run has been brought to x.
    template <smoothing Smoothing>
    class_sums<T> staged(T const* x, index_t j) const noexcept {
        return run_sums<Smoothing>(x, j, everything<T>(), nullptr);
    }

    /// The same where the run lies, and the mask, if any, in which it is a run too.
    template <smoothing Smoothing>
    class_sums<T> as_read(index_t j) const noexcept {
        if (!b_.c.where) return run_sums<Smoothing>(b_.row(j), j, everything<T>(), nullptr);
        b_.left[j] = 0;
        auto sums = run_sums<Smoothing>(b_.row(j), j, which_, b_.where(j));
        if constexpr (Smoothing == smoothing::left) {
            b_.are_counted = true;
            sums.take_left(b_.left[j]);
        }
        return sums;
    }

private:
    template <smoothing Smoothing, class E, class Mask>
    class_sums<T> run_sums(E const* x, index_t j, Mask const& which, bool const* where) const noexcept {
        T const m = b_.ends.m[j] = run_max(x, which, where);
        return b_.asked.is_plain(m) ? add_many<Smoothing, way::plain>(x, j, which, where)
                                    : add_many<Smoothing, way::general>(x, j, which, where);
    }

    template <class E>
    T run_max(E const* x, everything<T> const&, bool const*) const noexcept {
        return row_max<way::general>(x, n_, b_.scale);
    }
    template <class E>
    T run_max(E const* x, mask<T> const& which, bool const* where) const noexcept {
        return masked_max(x, n_, which, where, next_);
    }

    template <smoothing Smoothing, way Way, class E, class Mask>
    class_sums<T> add_many(E const* x, index_t j, Mask const& which, bool const* where) const noexcept {
        constexpr index_t most = 512 * P::lanes;  // more would let the errors of a lane add up
        constexpr bool is_filled = Smoothing == smoothing::left && std::same_as<Mask, mask<T>>;
        auto total = class_sums<T>::zero();
        for (index_t i = 0; i < n_; i += most) {
            index_t const n = std::min(most, n_ - i);
            if constexpr (is_filled) {
                // As the maximum, what is left out adds nothing but to the count: how far it lies below need not be cleared.
                auto const filled = mask<T>::of({}, b_.factor, b_.ends.m[j]);
                auto sums = add_chunk<smoothing::all, Way>(x + i, n, j, filled, where + i);
                index_t const left = count_run(where + i, n);
                sums.count_less(n - left);
                b_.left[j] += left;
                total.template add<Smoothing>(sums);
            } else {
                total.template add<Smoothing>(add_chunk<Smoothing, Way>(x + i, n, j, which, which.answers(where, i)));
            }
        }
        return total;
    }

    template <smoothing Smoothing, way Way, class E, class Mask>
    class_sums<T> add_chunk(E const* x, index_t n, index_t j, Mask const& which, bool const* where) const noexcept {
        P const m = P::set(b_.ends.m[j]), one = P::set(T(1));
        auto const at = pivot<T>::of(m, b_.asked);
        auto const scale = b_.scale;
        class_sums<T> lane[] = {class_sums<T>::zero(), class_sums<T>::zero()};
        index_t i = 0;
        for (; i + 2 * P::lanes <= n; i += 2 * P::lanes) {
            SOFTAX_UNROLLED
            for (index_t p = 0; p < 2; ++p) {
                index_t const k = i + p * P::lanes;
                P const own = which(P::load(x + k), which.answers(where, k), P::lanes);
                P const y = scale.template factored<Way>(own);
                lane[p].template add<Smoothing>(reduced_exp<T>::template of<Way>(y, at, scale), y, m);
            }
        }
        for (index_t p = 0; i < n; ++p, i += P::lanes) {
            // Lanes beyond the end are m, which adds nothing but to their count.
            index_t const live = std::min(n - i, P::lanes);
            P const on = P::ones(live), dead = one - on;
            P const own = which(fetch<T>(x + i, live), which.answers(where, i), live);
            P const y = zero_where_equal(scale.template factored<Way>(own), dead, one);
            P const filled = y + zero_where_equal(m, on, one);
            lane[p].template add<Smoothing>(reduced_exp<T>::template of<Way>(filled, at, scale), filled, m);
            lane[p].equal = lane[p].equal - dead;
            if constexpr (Smoothing == smoothing::left) {
                P const low = P::set(-std::numeric_limits<T>::infinity());
                lane[p].finite = lane[p].finite - zero_where_equal(dead, filled, low);
            }
        }
        lane[0].template add<Smoothing>(lane[1]);
        return lane[0];
    }

    class_block<L>& b_;
    index_t n_;
    mask<T> which_;
    reach next_;  // to what of both is read next
};

SOFTAX_KERNELS_END
#endif
