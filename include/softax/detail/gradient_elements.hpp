// gradient_elements: the formulas of gradient_plan.hpp in packets, and the elements of a tile as they come to them: converted,
// and 0 where a mask leaves them out.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The formulas of a rule.
template <rule Rule, class T>
class derivative {
    using P = packet<T>;

public:
    derivative(double scale, double shift) noexcept
        : scale_(P::set(static_cast<T>(scale))),
          shift_(P::set(static_cast<T>(shift))),
          asked_(request<T>::of(1, -std::numeric_limits<double>::infinity())),
          at_(pivot<T>::of(T(0), asked_)),
          plain_(scaling<T>::of(asked_)) {}

    /// s and the term of one element. That of y = g = 0 is 0.
    EIGEN_STRONG_INLINE P add(P s, P y, P g) const noexcept {
        if constexpr (Rule == rule::softmax || Rule == rule::dot) return madd(y, g, s);
        if constexpr (Rule == rule::log_softmax_jvp) return madd(exp(y), g, s);
        return s + (Rule == rule::total ? y : g);
    }

    EIGEN_STRONG_INLINE P result(P y, P g, P s) const noexcept {
        if constexpr (Rule == rule::softmax) return (y * scale_) * (g - s);
        if constexpr (Rule == rule::log_softmax_vjp) return scale_ * (g - exp(y) * s);
        if constexpr (Rule == rule::log_softmax_jvp) return scale_ * (g - s);
        if constexpr (Rule == rule::cross_entropy) return (exp(y) - shift_) * s;
        return y * s;
    }

private:
    EIGEN_STRONG_INLINE P exp(P y) const noexcept {
        constexpr int bias = exp_constants<T>::bias;
        constexpr T unbiased = sizeof(T) == 4 ? T(0x1p-64) : T(0x1p-200);
        static_assert(bias == (sizeof(T) == 4 ? 64 : 200));
        return reduced_exp<T>::template of<way::plain>(y, at_, plain_).value() * P::set(unbiased);
    }

    P scale_, shift_;
    request<T> asked_;
    pivot<T> at_;
    scaling<T> plain_;
};

/// Whether weights, 1 or 0, say which elements take part.
enum class weights { none, given };

/// Groups in memory: element i of group j lies at [i * row + j * column]; its weight, where there are weights, likewise.
template <class Y, class G, class Out, class T>
struct gradient_tile {
    Y const* y;
    G const* g;
    Out* out;
    T const* weight;
    T* sums;
    index_t n, groups, row, column, weight_row, weight_column;
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

    /// s and the terms of the n <= P::lanes elements from at on, whose weights are from w on.
    EIGEN_STRONG_INLINE P add(P s, index_t at, index_t w, index_t n) const noexcept {
        P const y = weighed(fetch(tile.y + at, n), w, n);
        P g = y;
        if constexpr (reads_g(Rule)) g = weighed(fetch(tile.g + at, n), w, n);
        return formula.add(s, y, g);
    }

    EIGEN_STRONG_INLINE void finish(index_t at, index_t w, index_t n, P s) const noexcept {
        P const y = fetch(tile.y + at, n);
        P g = y;
        if constexpr (reads_g(Rule)) g = fetch(tile.g + at, n);
        put(weighed(formula.result(y, g, s), w, n), tile.out + at, n);
    }

private:
    /// The first n lanes from memory, converted; the others are 0.
    template <class E>
    EIGEN_STRONG_INLINE static P fetch(E const* p, index_t n) noexcept {
        if constexpr (std::same_as<E, T>) {
            return P::load(p, n, T(0));
        } else {
            if (n == P::lanes) return P::load(p);
            alignas(64) E some[P::lanes] = {};
            for (index_t l = 0; l < n; ++l) some[l] = p[l];
            return P::load(some);
        }
    }

    EIGEN_STRONG_INLINE static void put(P x, Out* p, index_t n) noexcept {
        if constexpr (std::same_as<Out, T>) {
            x.store(p, n);
        } else {
            if (n == P::lanes) return x.store(p);
            alignas(64) Out some[P::lanes];
            x.store(some);
            for (index_t l = 0; l < n; ++l) p[l] = some[l];
        }
    }

    /// x where the weight is not 0, else 0, whatever x holds.
    EIGEN_STRONG_INLINE P weighed(P x, index_t w, index_t n) const noexcept {
        if constexpr (Weights == weights::none) return x;
        return zero_where_equal(x, P::load(tile.weight + w, n, T(0)), P::set(T(0)));
    }
};

SOFTAX_KERNELS_END
#endif
