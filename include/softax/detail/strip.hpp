// strip: the kernel for many short groups, a few cache lines of columns at a time with their elements kept in L1.
//
// Asked for by 16 rows of 65,536 columns, which take 0.52 of the panel kernel's time here, and by 65,536 rows of 10 and of 3
// elements, 0.44 and 0.27 of its time behind a transposed scratch (AVX2, benchmarks/shapes.cpp).
// Groups of fewer than short_group elements are always summed here, in order in one lane.
// Halves side by side are converted on their way to L1 and back: .82 of the time that a scratch of floats takes (16 rows of 65,536
// halves, AVX-512; AVX2 .83).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
class strip {
    using P = packet<T>;

public:
    /// Columns of one strip.
    static constexpr index_t width = strip_elements<T>::width;

    /// softmax or log_softmax of groups of n < short_group elements of x into y, or the logsumexp of group j into y.data[j].
    /// y may be x if both lattices are one. Halves lie side by side, packets of them, and so does what masks say of them.
    /// Whether some group was NaN, and what the mask leaves out of it is too.
    template <form Form, class E>
    static bool kernel(lattice<E const> x, lattice<E> y, extents const& size, request<T> const& asked,
                       mask<T> const& which) noexcept {
        return which ? work<Form>(x, y, size, asked, which) : work<Form>(x, y, size, asked, everything<T>{});
    }

private:
    template <form Form, class E, class Mask>
    EIGEN_DONT_INLINE static bool work(lattice<E const> x, lattice<E> y, extents const& size, request<T> const& asked,
                                       Mask const& which) noexcept {
        strip s(asked, size);
        // Many groups of few elements, of which many may be left nothing of: to mask all results again takes less.
        bool const are_few = size.n >= width / 4 || size.groups <= width;
        s.spares_ = Form == form::logsumexp || which.column() == 1 || are_few;
        for (index_t j = 0, live = 0; j < size.groups; j += live) {
            live = strip_elements<T>::template next_of<E>(size.groups - j);
            s.e_.load(x.from(j), size.n, live, which.from(j));
            s.template finish<Form>(size.n, live, which.from(j));
            if constexpr (Form == form::logsumexp) {
                std::copy_n(s.e_[0], live, y.data + j);
                for (index_t p = 0; p < live && asked.states != nullptr; p += P::lanes)
                    s.logs_[p / P::lanes].keep_states(y.data + j + p, 1, std::min(live - p, P::lanes), asked);
            } else {
                s.e_.store(y.from(j), size.n, live);
            }
        }
        if (size.are_streamed) end_streaming();
        return s.has_nan();
    }

    strip(request<T> const& asked, extents const& size) noexcept
        : asked_(asked), scale_(scaling<T>::of(asked)), e_(size) {}

    /// Replaces the elements of the live columns by the results.
    template <form Form, class Mask>
    EIGEN_ALWAYS_INLINE void finish(index_t n, index_t live, Mask const& which) noexcept {
        constexpr bool is_masked = !std::same_as<Mask, everything<T>>;
        bool const is_scaled = asked_.is_scaled();
        P const lowest = opaque(P::set(-std::numeric_limits<T>::infinity())), one = P::set(T(1));
        bool const are_empty = is_masked && e_.are_above_lowest();
        for (index_t p = 0; p < live; p += P::lanes) {
            P const largest_of = is_scaled || asked_.has_extra() ? prepared(n, p) : largest(n, p);
            // Groups that hold nothing above -inf end as NaN, but those of which the mask leaves nothing get 1 for their sum.
            P const m = is_masked ? zero_where_equal(largest_of, largest_of, lowest) : largest_of;
            auto at = pivot<T>::of(m, asked_);
            if constexpr (is_masked) {
                P is_lowest = one - zero_where_equal(one, largest_of, lowest);
                spare_ = P::set(T(0));
                if (are_empty) {
                    spare_ = std::exchange(is_lowest, spare_);
                } else if (spares_ && has_positive(is_lowest)) {
                    P left = is_lowest;
                    index_t const some = std::min(live - p, P::lanes);
                    which.column() == 1 ? take_left(left, which, n, p, some) : keep_left(left, which, n, p, some);
                    spare_ = is_lowest - left, is_lowest = left;
                }
                P const nan = zero_where_equal(P::set(std::numeric_limits<T>::quiet_NaN()), is_lowest, P::set(T(0)));
                at.floor = at.floor + nan, at.magic = at.magic + nan;
            }
            if (!is_scaled && !has_positive(at.shift * at.shift)) {
                finish_packet<Form, way::plain>(n, p, m, at);
            } else {
                finish_packet<Form, way::general>(n, p, m, at);
            }
        }
        if constexpr (Form == form::softmax) return;
        // Each takes long to come, so all are waited for at once.
        for (index_t p = 0; p < live; p += P::lanes) logs_[p / P::lanes].take(P::lanes, asked_);
        for (index_t p = 0; p < live; p += P::lanes) put_logs<Form>(n, p);
    }

    /// From 1 for some groups from p on, of the lowest maximum, to 1 for those of which the mask leaves something; of groups side by
    /// side. In line: emptied groups of three take .88 of the time.
    EIGEN_ALWAYS_INLINE static void take_left(P& is_lowest, mask<T> const& which, index_t n, index_t p,
                                              index_t some) noexcept {
        P left = P::set(T(0));
        for (index_t i = 0; i < n; ++i) left = chosen(&which.where(i, p), some, is_lowest, left);
        is_lowest = left;
    }

    /// The same of any. Apart, since the registers it needs are not there: masked groups of two and three would take 1.15 times as
    /// long (AVX-512).
    EIGEN_DONT_INLINE static void keep_left(P& is_lowest, mask<T> const& which, index_t n, index_t p,
                                            index_t some) noexcept {
        alignas(64) T lowest[P::lanes];
        is_lowest.store(lowest);
        // A packet that is read right after lanes of it are written waits for them, so they are added.
        is_lowest = P::set(T(0));
        for (index_t k = 0; k < some; ++k) {
            if (lowest[k] > 0 && has_left(&which.where(0, p + k), which.row(), n))
                is_lowest = is_lowest + (P::ones(k + 1) - P::ones(k));
        }
    }

    EIGEN_ALWAYS_INLINE P largest(index_t n, index_t p) const noexcept {
        P m = P::load(e_[0] + p);
        for (index_t i = 1; i < n; ++i) m = max(m, P::load(e_[i] + p));
        return m;
    }

    /// Multiplies the elements by the factor; what to take for their maximum.
    P prepared(index_t n, index_t p) noexcept {
        for (index_t i = 0; i < n; ++i) (P::load(e_[i] + p) * scale_.factor).store(e_[i] + p);
        return max(largest(n, p), P::set(asked_.extra_over_mantissa));
    }

    template <form Form, way Way>
    EIGEN_ALWAYS_INLINE void finish_packet(index_t n, index_t p, P m, pivot<T> const& at) noexcept {
        if constexpr (Form == form::softmax) {
            divide<Way>(n, p, m, at);
        } else {
            add_others<Way>(n, p, m, at);
        }
    }

    template <way Way>
    EIGEN_ALWAYS_INLINE void divide(index_t n, index_t p, P m, pivot<T> const& at) noexcept {
        P const start = P::set(lane_sum<T>::above);
        lane_sum<T> sum = {start, P::set(T(0))};
        for (index_t i = 0; i < n; ++i) {
            P const e = reduced_exp<T>::template of<Way>(P::load(e_[i] + p), at, scale_).value();
            e.store(e_[i] + p);
            sum.add_below(e);
        }
        if (asked_.is_extra_element()) {
            P const extra = P::set(asked_.extra_over_mantissa);
            sum.add_below(reduced_exp<T>::template of<Way>(extra, at, scale_).value());
        } else if (asked_.has_extra()) {
            add_extras(sum, m, at);
        }
        // hi - start is exact and not less than lo, which is what rounding left of it.
        P const large = sum.hi - start + spare_, total = opaque(large + sum.lo);
        auto const by = quotient<T>::by(total, sum.lo - opaque(total - large));
        seen_ = seen_ + by.hi;
        for (index_t i = 0; i < n; ++i) by(P::load(e_[i] + p)).store(e_[i] + p);
    }

    void add_extras(lane_sum<T>& sum, P const& m, pivot<T> const& at) noexcept {
        alignas(64) T of[3][P::lanes], extra[2][P::lanes];
        m.store(of[0]);
        at.shift.store(of[1]);
        at.magic.store(of[2]);
        for (index_t k = 0; k < P::lanes; ++k) {
            log_terms<T> terms = {of[0][k], of[1][k], of[2][k], 0, {0, 0}};
            add_extra(terms, asked_);
            extra[0][k] = static_cast<T>(terms.others.hi);
            extra[1][k] = static_cast<T>(terms.others.hi - static_cast<double>(extra[0][k]));
        }
        sum.add_below(P::load(extra[0]));
        sum.lo = sum.lo + P::load(extra[1]);
    }

    template <way Way>
    EIGEN_ALWAYS_INLINE void add_others(index_t n, index_t p, P const& m, pivot<T> const& at) noexcept {
        lane_sum<T> others = {P::set(T(0)), P::set(T(0))};
        P differ = P::set(T(0)), one = P::set(T(1));
        for (index_t i = 0; i < n; ++i) {
            P const x = P::load(e_[i] + p);
            others.add_unless_equal(reduced_exp<T>::template of<Way>(x, at, scale_), x, m);
            differ = differ + zero_where_equal(one, x, m);
        }
        logs_[p / P::lanes].put(m, at, P::set(static_cast<T>(n)) - differ + spare_, others);
        spare_.store(spares_of_ + p);
    }

    template <form Form>
    EIGEN_ALWAYS_INLINE void put_logs(index_t n, index_t p) noexcept {
        alignas(64) T result[P::lanes];
        auto const& logs = logs_[p / P::lanes];
        Form == form::logsumexp ? logs.take_sums(result, asked_) : logs.take_negative(result);
        P const log = P::load(result), m = P::load(logs.m);
        seen_ = seen_ + log;
        if constexpr (Form == form::logsumexp) {
            P const lowest = P::set(-std::numeric_limits<T>::infinity()), zero = P::set(T(0));
            (log + zero_where_equal(lowest, P::load(spares_of_ + p), zero)).store(e_[0] + p);
        } else {
            for (index_t i = 0; i < n; ++i) {
                madd(P::load(e_[i] + p) - m, scale_.mantissa, log).store(e_[i] + p);
            }
        }
    }

    bool has_nan() const noexcept { return is_nan(sum_lane(seen_)); }

    request<T> asked_;
    scaling<T> scale_;
    P seen_ = P::set(T(0));   // NaN where a group was
    bool spares_ = true;      // groups of which a mask leaves nothing are told from those left with nothing but -inf
    P spare_ = P::set(T(0));  // 1 for groups of which a mask leaves nothing
    alignas(64) T spares_of_[width];
    logarithms<T> logs_[width / P::lanes];
    strip_elements<T> e_;
};

SOFTAX_KERNELS_END
#endif
