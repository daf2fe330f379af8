// gradient_few_classes: cross entropy of groups of few classes, side by side in a scratch that stays in a first-level cache.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class L>
class few_classes {
    using T = compute_type<L>;
    using P = packet<T>;
    using piece = typename class_block<L>::piece;
    static constexpr index_t padded = class_ends<T>::padded;

public:
    /// Takes the place of the exponential of a class at -inf, which is 0, as that of others far below the maximum may be.
    static constexpr T mark = -1;

    explicit few_classes(class_block<L>& b) noexcept : b_(b), n_(b.c.classes), e_{}, small_{} {}

    /// The groups of the block.
    template <smoothing Smoothing>
    void run() {
        load();
        for (index_t j = 0; j < b_.live; ++j) b_.ends.right[j] = e_[std::max(b_.target(j), index_t{0})][j];
        for (index_t j = 0; j < b_.live; j += P::lanes) {
            P m = P::load(e_[0] + j);
            for (index_t i = 1; i < n_; ++i) m = max(m, P::load(e_[i] + j));
            m.store(b_.ends.m + j);
            b_.ends.finish(is_plain(m) ? add_few<Smoothing, way::plain>(m, j) : add_few<Smoothing, way::general>(m, j),
                           j);
        }
        b_.take_losses();
        if (b_.c.gradient == nullptr) return;
        constexpr bool is_left = Smoothing == smoothing::left;
        P const marked = P::set(mark), dead = b_.dead(mark);
        for (index_t j = 0; j < b_.live; j += P::lanes) {
            P const by = P::load(b_.ends.quotient + j), minus = P::load(b_.minus + j), w = P::load(b_.weight + j);
            for (index_t i = 0; i < n_; ++i) {
                P const e = P::load(e_[i] + j);
                P const own = madd(is_left ? zero_where_equal(e, e, marked) : e, by, minus) * w;
                (is_left ? zero_where_equal(own, e, dead) : own).store(e_[i] + j);
            }
        }
        for (piece at = b_.piece_at(0); b_.c.where && at.groups > 0; at = b_.after(at)) {
            b_.clear_left_out(&e_[0][at.j], at, padded, 1);
        }
        for (index_t j = 0; j < b_.live; ++j) b_.mend(&e_[0][j], padded, j);
        b_.are_runs() ? store_rows() : store_columns();
    }

private:
    void load() noexcept {
        index_t const next = b_.places.classes.where, group = b_.places.along.where;
        bool const is_square = 2 * n_ >= P::lanes;
        if (b_.are_runs() && (!b_.c.where || (next == 1 && (is_square || group == n_)))) {
            return is_square ? load_rows() : load_small_rows();
        }
        if (!b_.c.where) return load_columns();
        b_.are_counted = b_.c.shares.smoothing > 0;
        for (piece at = b_.piece_at(0); at.groups > 0; at = b_.after(at)) b_.bring(e_[0] + at.j, at, padded, 1);
    }

    /// Whether all these maxima are small, and there is no scale.
    bool is_plain(P const& m) const noexcept {
        P const shift = pivot<T>::of(m, b_.asked).shift;
        return !b_.asked.is_scaled() && !has_positive(shift * shift);
    }

    template <smoothing Smoothing, way Way>
    class_sums<T> add_few(P const& m, index_t j) noexcept {
        auto const at = pivot<T>::of(m, b_.asked);
        auto sums = class_sums<T>::zero();
        bool const is_kept = b_.c.gradient != nullptr;
        for (index_t i = 0; i < n_; ++i) {
            P const x = P::load(e_[i] + j);
            auto const e = reduced_exp<T>::template of<Way>(x, at, b_.scale);
            sums.template add<Smoothing>(e, x, m);
            if (!is_kept) continue;
            P value = e.value();
            if constexpr (Smoothing == smoothing::left) {
                P const low = P::set(-std::numeric_limits<T>::infinity());
                value = value + (P::set(mark) - zero_where_equal(P::set(mark), x, low));
            }
            value.store(e_[i] + j);
        }
        return sums;
    }

    void load_columns() noexcept {
        for (piece at = b_.piece_at(0); at.groups > 0; at = b_.after(at)) {
            for (index_t i = 0; i < n_; ++i) {
                for (index_t p = 0; p < at.groups; p += P::lanes) {
                    index_t const live = std::min(at.groups - p, P::lanes),
                                  place = at.at.x + i * b_.places.classes.x + p;
                    (fetch<T>(b_.c.x + place, live) * b_.scale.factor).store(e_[i] + at.j + p);
                }
            }
        }
    }

    void store_columns() noexcept {
        for (piece at = b_.piece_at(0); at.groups > 0; at = b_.after(at)) {
            for (index_t i = 0; i < n_; ++i) {
                for (index_t p = 0; p < at.groups; p += P::lanes) {
                    index_t const live = std::min(at.groups - p, P::lanes),
                                  place = at.at.x + i * b_.places.classes.x + p;
                    put(P::load(e_[i] + at.j + p), b_.c.gradient + place, live);
                }
            }
        }
    }

    /// Runs of a few classes, one after another, are converted and masked as they lie.
    void load_small_rows() noexcept {
        P const factor = P::set(b_.factor), low = P::set(-std::numeric_limits<T>::infinity());
        for (piece at = b_.piece_at(0); at.groups > 0; at = b_.after(at)) {
            index_t const size = at.groups * n_;
            for (index_t k = 0; k < size; k += P::lanes) {
                index_t const live = std::min(size - k, P::lanes);
                P own = fetch<T>(b_.row(at.j) + k, live) * factor;
                if (b_.c.where) own = chosen(b_.c.where + at.at.where + k, live, own, low);
                own.store(small_ + k);
            }
            for (index_t k = 0; k < at.groups; ++k) {
                for (index_t i = 0; i < n_; ++i) e_[i][at.j + k] = small_[k * n_ + i];
            }
        }
    }

    void store_small_rows(L* out) noexcept {
        for (index_t j = 0; j < b_.live; ++j) {
            for (index_t i = 0; i < n_; ++i) small_[j * n_ + i] = e_[i][j];
        }
        for (index_t k = 0, size = b_.live * n_; k < size; k += P::lanes) {
            put(P::load(small_ + k), out + k, std::min(size - k, P::lanes));
        }
    }

    /// Squares go through registers, the last of which may overlap the one before.
    void load_rows() noexcept {
        index_t const some = std::min(n_, P::lanes);
        P const factor = P::set(b_.factor), low = P::set(-std::numeric_limits<T>::infinity());
        for (index_t j = 0; j < b_.live; j += P::lanes) {
            for (index_t i = 0; i < n_; i += P::lanes) {
                index_t const first = std::max(index_t{0}, std::min(i, n_ - P::lanes));
                P square[P::lanes];
                SOFTAX_UNROLLED
                for (index_t k = 0; k < P::lanes; ++k) {
                    index_t const of = std::min(j + k, b_.live - 1);
                    square[k] = fetch<T>(b_.row(of) + first, some) * factor;
                    if (b_.c.where) square[k] = chosen(b_.where(of) + first, some, square[k], low);
                }
                transpose(square);
                for (index_t k = 0; k < some; ++k) square[k].store(e_[first + k] + j);
            }
        }
    }

    void store_rows() noexcept {
        L* const out = b_.c.gradient + b_.first * n_;
        if (2 * n_ < P::lanes) return store_small_rows(out);
        index_t const some = std::min(n_, P::lanes);
        for (index_t j = 0; j < b_.live; j += P::lanes) {
            for (index_t i = 0; i < n_; i += P::lanes) {
                index_t const first = std::max(index_t{0}, std::min(i, n_ - P::lanes));
                P square[P::lanes];
                SOFTAX_UNROLLED
                for (index_t k = 0; k < P::lanes; ++k) square[k] = P::load(e_[std::min(first + k, n_ - 1)] + j);
                transpose(square);
                for (index_t k = 0; k < P::lanes && j + k < b_.live; ++k)
                    put(square[k], out + (j + k) * n_ + first, some);
            }
        }
    }

    class_block<L>& b_;
    index_t n_;
    alignas(64) T e_[class_block<L>::few][padded];
    alignas(64) T small_[padded * P::lanes / 2];  // as many runs of fewer than P::lanes / 2 classes
};

SOFTAX_KERNELS_END
#endif
