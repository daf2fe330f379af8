// gradient_elements: the formulas of gradient_plan.hpp in packets, and the elements of a tile as they come to them: converted,
// and 0 where a mask leaves them out.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The formulas of a rule.
template <rule Rule, class T>
class derivative {
    using P = packet<T>;

public:
    explicit derivative(double scale) noexcept
        : scale_(P::set(static_cast<T>(scale))),
          asked_(request<T>::of(1, -std::numeric_limits<double>::infinity())),
          at_(pivot<T>::of(T(0), asked_)),
          plain_(scaling<T>::of(asked_)) {}

    /// s and the term of one element. That of y = g = 0 is 0.
    EIGEN_ALWAYS_INLINE P add(P s, P y, P g) const noexcept {
        if constexpr (Rule == rule::softmax || Rule == rule::dot) return madd(y, g, s);
        if constexpr (Rule == rule::log_softmax_jvp) return madd(exp(y), g, s);
        return s + g;
    }

    EIGEN_ALWAYS_INLINE P result(P y, P g, P s) const noexcept {
        if constexpr (Rule == rule::softmax) return (y * scale_) * (g - s);
        if constexpr (Rule == rule::log_softmax_vjp) return scale_ * (g - exp(y) * s);
        if constexpr (Rule == rule::log_softmax_jvp) return scale_ * (g - s);
        return madd(y, s, P::set(T(0)));  // never -0
    }

private:
    EIGEN_ALWAYS_INLINE P exp(P y) const noexcept {
        constexpr int bias = exp_constants<T>::bias;
        constexpr T unbiased = sizeof(T) == 4 ? T(0x1p-64) : T(0x1p-200);
        static_assert(bias == (sizeof(T) == 4 ? 64 : 200));
        return reduced_exp<T>::template of<way::plain>(y, at_, plain_).value() * P::set(unbiased);
    }

    P scale_;
    request<T> asked_;
    pivot<T> at_;
    scaling<T> plain_;
};

/// Whether a mask says which elements take part.
enum class weights { none, given };

/// Groups in memory: element i of group j lies at [i * row + j * column]; what the mask says of it, where there is one, likewise.
template <class Y, class G, class Out, class T>
struct gradient_tile {
    Y const* y;
    G const* g;
    Out* out;
    bool const* where;
    T* sums;
    index_t n, groups, row, column, where_row, where_column;
    index_t out_row;  // that of out
    index_t turned;   // groups that are neighbours here but not in sums; all where the order is the same
    index_t ahead;    // how far ahead memory is asked for, if it is

    /// The sum of group j.
    T& sum(index_t j) const noexcept {
        return sums[turned == groups ? j : j % turned * (groups / turned) + j / turned];
    }
};

/// The terms and results of a tile, a packet at a time. Kernels work on a copy of their own: what they store could be anything
/// to a compiler, but for a local object that nothing points at.
template <rule Rule, weights Weights, class Y, class G, class Out>
class gradient_elements {
    using T = compute_type<Y>;
    using P = packet<T>;

public:
    derivative<Rule, T> formula;
    gradient_tile<Y, G, Out, T> tile;

    /// The n <= P::lanes elements from at on.
    EIGEN_ALWAYS_INLINE void take(P& y, P& g, index_t at, index_t n) const noexcept {
        y = fetch<T>(tile.y + at, n);
        g = y;
        if constexpr (has_sum(Rule)) g = fetch<T>(tile.g + at, n);
    }

    /// s and the terms of n elements of which the mask speaks from w on.
    EIGEN_ALWAYS_INLINE P add(P s, P y, P g, index_t w, index_t n) const noexcept {
        return weighed(formula.add(s, y, g), w, n, s);
    }
    EIGEN_ALWAYS_INLINE P result(P y, P g, P s, index_t w, index_t n) const noexcept {
        return weighed(formula.result(y, g, s), w, n, P::set(T(0)));
    }

    /// Asks for what N elements need for their results, or for a sum, and what the mask says of them; not for what they do not:
    /// log_softmax_vjp takes 1.4 times an unmasked call then rather than 1.2.
    template <index_t N, bool IsResult>
    EIGEN_ALWAYS_INLINE void ask_for(index_t at, index_t w) const noexcept {
        if constexpr (IsResult || Rule != rule::log_softmax_vjp) prefetch_run<N>(tile.y + at);
        if constexpr (has_sum(Rule)) prefetch_run<N>(tile.g + at);
        if constexpr (Weights == weights::given) prefetch(tile.where + w);
    }

    EIGEN_ALWAYS_INLINE P add(P s, index_t at, index_t w, index_t n) const noexcept {
        P y, g;
        take(y, g, at, n);
        return add(s, y, g, w, n);
    }

    EIGEN_ALWAYS_INLINE void finish(index_t at, index_t to, index_t w, index_t n, P s) const noexcept {
        P y, g;
        take(y, g, at, n);
        put(result(y, g, s, w, n), tile.out + to, n);
    }

private:
    /// x where the mask says so, else other, whatever x holds.
    EIGEN_ALWAYS_INLINE P weighed(P x, index_t w, index_t n, P other) const noexcept {
        if constexpr (Weights == weights::none) return x;
        return chosen(tile.where + w, n, x, other);
    }
};

/// Whether some of the probabilities x[0, n) are NaN: where their sum is.
template <class T>
bool run_nan_search(T const* x, index_t n) noexcept {
    door const held;
    using P = packet<T>;
    P sum[] = {P::set(T(0)), P::set(T(0)), P::set(T(0)), P::set(T(0))};
    index_t i = 0;
    for (; i + 4 * P::lanes <= n; i += 4 * P::lanes) {
        SOFTAX_UNROLLED
        for (index_t p = 0; p < 4; ++p) sum[p] = sum[p] + P::load(x + i + p * P::lanes);
    }
    for (; i < n; i += P::lanes) sum[0] = sum[0] + fetch<T>(x + i, std::min(n - i, P::lanes));
    return is_nan(sum_lane((sum[0] + sum[1]) + (sum[2] + sum[3])));
}

SOFTAX_KERNELS_END
#endif
