// strip: the kernel for many short groups, a few cache lines of columns at a time with their elements kept in L1.
//
// Asked for by 16 rows of 65,536 columns, which take 0.52 of the panel kernel's time here, and by 65,536 rows of 10 and of 3
// elements, 0.44 and 0.27 of its time behind a transposed scratch (AVX2, benchmarks/shapes.cpp).
// Groups of fewer than short_group elements are always summed here, in order in one lane.
#ifdef SOFTAX_KERNELS_BEGIN  // kernels.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Groups side by side: element i of group j lies at i * row + j * column.
struct lattice {
    index_t row, column;
};

template <class T>
class strip {
    using P = packet<T>;

public:
    /// Columns of one strip: four cache lines, which the prefetchers follow better than one.
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(T)), width = 4 * line;

    /// softmax or log_softmax of groups of n < short_group elements at x into y, or the logsumexp of group j into y[j].
    /// y may be x if both lattices are one.
    template <form Form>
    static void kernel(T const* x, lattice x_at, T* y, lattice y_at, index_t n, index_t groups) noexcept {
        strip s;
        for (index_t j = 0; j < groups; j += width) {
            index_t const live = std::min(width, groups - j);
            s.load(x + j * x_at.column, x_at, n, live);
            s.template finish<Form>(n);
            if constexpr (Form == form::logsumexp) {
                std::copy_n(s.e_[0], live, y + j);
            } else {
                s.store(y + j * y_at.column, y_at, n, live);
            }
        }
    }

private:
    void load(T const* x, lattice at, index_t n, index_t live) noexcept {
        if (at.column == 1 && live == width) {
            for (index_t i = 0; i < n; ++i) {
                for (index_t p = 0; p < width; p += P::lanes) P::load(x + i * at.row + p).store(e_[i] + p);
                for (index_t p = 0; p < width; p += line) prefetch(x + i * at.row + width + p);
            }
        } else if (live == width) {
            for (index_t i = 0; i < n; ++i) {
                for (index_t j = 0; j < width; ++j) e_[i][j] = x[i * at.row + j * at.column];
            }
        } else {
            for (index_t i = 0; i < n; ++i) {
                for (index_t j = 0; j < width; ++j) e_[i][j] = j < live ? x[i * at.row + j * at.column] : T(0);
            }
        }
    }

    void store(T* y, lattice at, index_t n, index_t live) const noexcept {
        if (at.column == 1 && live == width) {
            for (index_t i = 0; i < n; ++i) {
                for (index_t p = 0; p < width; p += P::lanes) P::load(e_[i] + p).store(y + i * at.row + p);
            }
        } else {
            for (index_t j = 0; j < live; ++j) {
                for (index_t i = 0; i < n; ++i) y[i * at.row + j * at.column] = e_[i][j];
            }
        }
    }

    /// Replaces the elements by the results.
    template <form Form>
    EIGEN_STRONG_INLINE void finish(index_t n) noexcept {
        for (index_t p = 0; p < width; p += P::lanes) {
            P m = P::load(e_[0] + p);
            for (index_t i = 1; i < n; ++i) m = max(m, P::load(e_[i] + p));
            if constexpr (Form == form::softmax) {
                divide(n, p, pivot<T>::of(m));
            } else {
                take_logs<Form>(n, p, m, pivot<T>::of(m));
            }
        }
    }

    EIGEN_STRONG_INLINE void divide(index_t n, index_t p, pivot<T> const& at) noexcept {
        P const start = P::set(lane_sum<T>::above);
        lane_sum<T> sum = {start, P::set(T(0))};
        for (index_t i = 0; i < n; ++i) {
            P const e = exp_scaled(P::load(e_[i] + p), at);
            e.store(e_[i] + p);
            sum.add_below(e);
        }
        // hi - start is exact and not less than lo, which is what rounding left of it.
        P const large = sum.hi - start, total = opaque(large + sum.lo);
        auto const by = quotient<T>::by(total, sum.lo - opaque(total - large));
        for (index_t i = 0; i < n; ++i) by(P::load(e_[i] + p)).store(e_[i] + p);
    }

    template <form Form>
    void take_logs(index_t n, index_t p, P m, pivot<T> const& at) noexcept {
        lane_sum<T> others = {P::set(T(0)), P::set(T(0))};
        P equal = P::set(T(0)), one = P::set(T(1));
        for (index_t i = 0; i < n; ++i) {
            P const x = P::load(e_[i] + p);
            others.add_unless_equal(reduced_exp<T>::of(x, at), x, m);
            equal = equal + (one - zero_where_equal(one, x, m));
        }
        alignas(64) T of[6][P::lanes], result[P::lanes];
        m.store(of[0]);
        at.shift.store(of[1]);
        at.magic.store(of[2]);
        equal.store(of[3]);
        others.hi.store(of[4]);
        others.lo.store(of[5]);
        for (index_t k = 0; k < P::lanes; ++k) {
            log_terms<T> const terms = {of[0][k], of[1][k], of[2][k], static_cast<double>(of[3][k]),
                                        lane_total<T>(of[4][k], of[5][k], 0)};
            result[k] = Form == form::logsumexp ? log_sum_of(terms) : log_as(terms);
        }
        P const log = P::load(result);
        if constexpr (Form == form::logsumexp) {
            log.store(e_[0] + p);
        } else {
            for (index_t i = 0; i < n; ++i) ((P::load(e_[i] + p) - m) - log).store(e_[i] + p);
        }
    }

    alignas(64) T e_[short_group][width];
};

SOFTAX_KERNELS_END
#endif
