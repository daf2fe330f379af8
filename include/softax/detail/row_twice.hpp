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
        if (!exists || n < least || n * rows < far || c.is_in_place) return false;
        return n % P::lanes == 0 && reinterpret_cast<std::uintptr_t>(y) % sizeof(P) == 0;
    }

    static bool takes(lattice<E> const& y, extents const& size, call const& c) noexcept {
        return takes(y.data, size.n, size.groups, c) && y.column % P::lanes == 0;
    }

    /// Rows as row::kernel(); whether some row was NaN, and its elements that the mask leaves out are too.
    static bool kernel(lattice<E const> const& x, lattice<E> const& y, extents const& size, request<T> const& asked,
                       mask<T> const& which) noexcept {
        bool has_nan = false;
        for (index_t j = 0; j < size.groups; ++j) {
            if (which) {
                run(&x(0, j), &y(0, j), size.n, asked, which.from(j));
            } else {
                has_nan |= run(&x(0, j), &y(0, j), size.n, asked, everything<T>());
            }
        }
        end_streaming();
        return has_nan;
    }

    /// y[0, n) from x[0, n), a part of a row of that pivot and outcome, past the caches.
    template <class Mask = everything<T>>
    static void write(T const* x, T* y, index_t n, T m, outcome<Form, T> const& result, request<T> const& asked,
                      Mask const& which = {}) noexcept {
        asked.is_plain(m) ? write<way::plain>(x, y, n, m, result, asked, which)
                          : write<way::general>(x, y, n, m, result, asked, which);
    }

private:
    /// Whether the row is NaN.
    static bool run(T const* x, T* y, index_t n, request<T> const& asked, everything<T> const& all) noexcept {
        T const m = asked.pivot_of(take_row_max(y, x, n, mask<T>(), nullptr, asked.is_scaled(), scaling<T>::of(asked)));
        auto const result = outcome_of(x, n, m, asked, all);
        write(x, y, n, m, result, asked, all);
        return result.is_nan_everywhere();
    }

    static void run(T const* x, T* y, index_t n, request<T> const& asked, mask<T> const& which) noexcept {
        bool const* const where = which.where.data;
        T const most = masked_max(x, n, which, where, {run_ahead, 0, run_ahead}), m = asked.pivot_of(most);
        // Where nothing is left there is no sum.
        if (is_empty_row(which, most, asked)) return write_nan<Form>(y, where, n);
        auto const result = outcome_of(x, n, m, asked, which);
        if (result.is_nan_everywhere()) return write_nan<Form>(y, where, n);
        write(x, y, n, m, result, asked, which);
    }

    template <class Mask>
    static outcome<Form, T> outcome_of(T const* x, index_t n, T m, request<T> const& asked,
                                       Mask const& which) noexcept {
        auto terms =
            asked.is_plain(m) ? add<way::plain>(x, n, m, asked, which) : add<way::general>(x, n, m, asked, which);
        if (asked.has_extra()) add_extra(terms, asked);
        return outcome<Form, T>::of(terms, asked);
    }

    template <way Way, class Mask>
    static log_terms<T> add(T const* x, index_t n, T m, request<T> const& asked, Mask const& which) noexcept {
        constexpr bool is_masked = std::same_as<Mask, mask<T>>;
        alignas(64) T e[chunk];
        rows_beside<Form, T> ahead = {};
        ahead.last_y = e, ahead.is_long = true;
        row_sums<Form, Way, is_masked ? beside::own_masked : beside::later, T> sums(m, asked, ahead);
        for (index_t i = 0; i < n; i += chunk) {
            if constexpr (is_masked) ahead.which = which.rows(i, 1);
            ahead.next = x + i + run_ahead;
            sums.add(x + i, e, 0, std::min(n - i, chunk));
        }
        return sums.terms();
    }

    template <way Way, class Mask>
    static void write(T const* x, T* y, index_t n, T m, outcome<Form, T> const& result, request<T> const& asked,
                      Mask const& which) noexcept {
        auto const at = pivot<T>::template of<Way>(m, asked);
        auto const scale = scaling<T>::of(asked);
        for (index_t i = 0; i < n; i += P::lanes) {
            prefetch(x + i + run_ahead);
            which.ask_for(i + run_ahead, 0);
            P const own = scale.template factored<Way>(which(P::load(x + i), i, 0, P::lanes));
            store_past_caches(y + i, result(reduced_exp<T>::template of<Way>(own, at, scale).value()));
        }
    }
};

SOFTAX_KERNELS_END
#endif
