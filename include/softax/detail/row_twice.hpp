// row_twice: the kernel for rows that caches do not keep.
//
// It computes exponentials twice where row writes them, reads them and writes them again: one row of 2^22, 2^23 or 2^24 takes .87,
// .82 and .82 of the time, 16 and 64 rows of 10^6 .85 (float, AVX-512). Not in narrower packets, whose exponentials take longer than
// memory (1.24, AVX2), nor in double (1.0 to 1.1).
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The softmax of rows of float; for other forms and types nothing.
template <form Form, class E>
class row_twice {
    using T = compute_type<E>;
    using P = packet<T>;

public:
    static constexpr bool exists = Form == form::softmax && std::same_as<E, float> && P::lanes == 16;

    /// Whether rows of n, so many, are for this kernel: the results are whole cache lines apart from the input.
    static bool takes(E const* y, index_t n, index_t rows, call const& c) noexcept {
        constexpr index_t least = index_t{1} << 19, far = index_t{1} << 22;
        if (!exists || n < least || n * rows < far || c.is_masked || c.is_in_place) return false;
        return n % P::lanes == 0 && reinterpret_cast<std::uintptr_t>(y) % sizeof(P) == 0;
    }

    /// Rows as row::kernel(), if they are for this one; whether they are.
    static bool kernel(lattice<E const> const& x, lattice<E> const& y, extents const& size, request<T> const& asked,
                       call const& c) noexcept {
        bool const takes_all = takes(y.data, size.n, size.groups, c) && y.column % P::lanes == 0;
        if constexpr (exists) {
            for (index_t j = 0; j < size.groups && takes_all; ++j) run(&x(0, j), &y(0, j), size.n, asked);
        }
        return takes_all;
    }

    /// y[0, n) from x[0, n), a part of a row of that pivot and outcome.
    static void write(T const* x, T* y, index_t n, T m, outcome<Form, T> const& result,
                      request<T> const& asked) noexcept {
        asked.is_plain(m) ? write<way::plain>(x, y, n, m, result, asked)
                          : write<way::general>(x, y, n, m, result, asked);
    }

private:
    static void run(T const* x, T* y, index_t n, request<T> const& asked) noexcept {
        T const m = asked.pivot_of(take_row_max(y, x, n, mask<T>(), nullptr, asked.is_scaled(), scaling<T>::of(asked)));
        auto terms = asked.is_plain(m) ? add<way::plain>(x, n, m, asked) : add<way::general>(x, n, m, asked);
        if (asked.has_extra()) add_extra(terms, asked);
        write(x, y, n, m, outcome<Form, T>::of(terms, asked), asked);
    }

    template <way Way>
    static log_terms<T> add(T const* x, index_t n, T m, request<T> const& asked) noexcept {
        alignas(64) T e[chunk];
        rows_beside<Form, T> ahead = {};
        ahead.last_y = e;
        row_sums<Form, Way, beside::later, T> sums(m, asked, ahead);
        for (index_t i = 0; i < n; i += chunk) {
            ahead.next = x + i + run_ahead;
            sums.add(x + i, e, 0, std::min(n - i, chunk));
        }
        return sums.terms();
    }

    template <way Way>
    static void write(T const* x, T* y, index_t n, T m, outcome<Form, T> const& result,
                      request<T> const& asked) noexcept {
        auto const at = pivot<T>::template of<Way>(m, asked);
        auto const scale = scaling<T>::of(asked);
        for (index_t i = 0; i < n; i += P::lanes) {
            prefetch(x + i + run_ahead);
            P const own = scale.template factored<Way>(P::load(x + i));
            store_past_caches(y + i, result(reduced_exp<T>::template of<Way>(own, at, scale).value()));
        }
        end_streaming();
    }
};

SOFTAX_KERNELS_END
#endif
