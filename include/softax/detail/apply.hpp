// apply: brings every group of a partition to a kernel, where it lies if it lies right, else through a scratch.
//
// Kernels take float and double, groups in one run (row) or side by side (panel). Elements of other types, groups in several
// pieces, and rows too short to fill packets are gathered into a scratch, worked on in place there, and scattered.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Bytes of scratch for a panel, about half of an L2 cache.
inline constexpr index_t scratch_bytes = index_t{1} << 18;

/// How the groups of a partition reach the kernels: blocks of groups along the last outer axis and along the inner run.
struct plan {
    enum class kernel { row, panel, strip } which;
    bool is_staged;
    index_t outer_block, inner_block;

    template <class T>
    static constexpr plan of(partition const& p, bool is_direct) noexcept;
};

template <class T>
constexpr plan plan::of(partition const& p, bool is_direct) noexcept {
    constexpr index_t width = panel<T>::width,
                      packets = 64 / static_cast<index_t>(sizeof(T));  // a cache line, one packet or more
    index_t const last = p.outer.empty() ? 1 : p.outer.back();
    using enum kernel;
    bool const is_short = p.count < short_group;
    if (is_direct && p.reduce.size() <= 1) {
        if (p.inner == 1) return {is_short ? strip : row, false, last, 1};
        if (is_short && (p.inner >= packets || last == 1)) return {strip, false, 1, p.inner};
        if (!is_short && p.inner >= packets) return {panel, false, 1, std::min(p.inner, width)};
    }
    // A scratch of as many columns as fit, or a scratch row where even two packets of columns are too many.
    index_t const fitting = std::max(scratch_bytes / static_cast<index_t>(sizeof(T)) / p.count, packets);
    index_t const columns = std::min(width, fitting);
    index_t const inner_block = std::min(p.inner, columns), outer_block = std::min(last, columns / inner_block);
    if (is_short) return {strip, true, outer_block, inner_block};
    bool const fills_packets = outer_block * inner_block >= packets && p.count < (index_t{1} << 20);
    if (fills_packets && p.inner > 1) return {panel, true, outer_block, inner_block};
    return {row, true, 1, 1};
}

/// Elements of one block of groups, gathered as (reduce..., outer, inner) from memory, scratch being row-major.
struct block {
    index_list shape, strides;

    static constexpr block of(partition const& p, index_t outer_stride, index_t outer_count, index_t inner_count) {
        block b = {p.reduce, p.reduce_strides};
        b.shape.push_back(outer_count);
        b.strides.push_back(outer_stride);
        b.shape.push_back(inner_count);
        b.strides.push_back(1);
        return b;
    }
};

/// Integers of more bits than a float holds are subtracted from their maximum before they are rounded.
template <class In>
inline constexpr bool is_wide_integer = std::integral<In> && sizeof(In) > 2;

/// x as floats into the scratch, n x columns; wide integers as x - maximum, with the maxima kept.
template <class In, class T>
class gatherer {
public:
    explicit gatherer(index_t scratch_size, index_t columns)
        : integers_(is_wide_integer<In> ? scratch_size : 0), maxima_(is_wide_integer<In> ? columns : 0) {}

    void operator()(T* to, In const* from, block const& b, index_t columns) {
        if constexpr (!is_wide_integer<In>) {
            copy(to, from, tandem{b.shape, row_major_strides(b.shape), b.strides});
        } else {
            using magnitude = std::make_unsigned_t<In>;
            copy(integers_.data(), from, tandem{b.shape, row_major_strides(b.shape), b.strides});
            index_t const n = size_of(b.shape) / columns;
            In* const m = maxima_.data();
            In const* x = integers_.data();
            std::copy_n(x, columns, m);
            for (index_t i = 1; i < n; ++i) {
                for (index_t j = 0; j < columns; ++j) m[j] = std::max(m[j], x[i * columns + j]);
            }
            for (index_t i = 0; i < n; ++i) {
                for (index_t j = 0; j < columns; ++j) {
                    auto const below = static_cast<magnitude>(static_cast<magnitude>(m[j]) -
                                                              static_cast<magnitude>(x[i * columns + j]));
                    to[i * columns + j] = T(0) - static_cast<T>(below);
                }
            }
        }
    }

    /// logsumexp of the elements of column j, given that of the scratch.
    T restored(T log_sum, index_t j) const noexcept {
        if constexpr (!is_wide_integer<In>) return log_sum;
        return static_cast<T>(static_cast<double>(maxima_.data()[j]) + static_cast<double>(log_sum));
    }

private:
    buffer<In> integers_, maxima_;
};

/// Every group of the partition of row-major x through its kernel. y has the shape of x, or for logsumexp one element for
/// each group in row-major order; for the other forms it may be x.
template <form Form, class In, class Out>
class application {
    using T = compute_type<In>;
    static constexpr bool is_direct = std::same_as<In, T> && std::same_as<Out, T>;

public:
    explicit application(partition const& p)
        : p_(p),
          plan_(plan::of<T>(p, is_direct)),
          scratch_(plan_.is_staged ? p.count * columns() : 0),
          gather_(plan_.is_staged ? p.count * columns() : 0, columns()) {}

    void operator()(In const* x, Out* y) {
        // The last outer axis is walked in blocks, those left of it one by one.
        tandem walk = {p_.outer, results(p_.outer), p_.outer_strides};
        index_t extent = 1, x_step = 0, y_step = 0;
        if (!walk.shape.empty()) {
            index_t const last = walk.shape.size() - 1;
            extent = walk.shape[last], x_step = walk.from[last], y_step = walk.to[last];
            walk.shape.erase(last), walk.to.erase(last), walk.from.erase(last);
        }
        for_each_offset(walk, [&](index_t to, index_t from) {
            for (index_t o = 0; o < extent; o += plan_.outer_block) {
                index_t const outer = std::min(plan_.outer_block, extent - o);
                for (index_t j = 0; j < p_.inner; j += plan_.inner_block) {
                    index_t const inner = std::min(plan_.inner_block, p_.inner - j);
                    run(x + from + o * x_step + j, y + to + o * y_step + j, outer, inner);
                }
            }
        });
    }

private:
    index_t columns() const noexcept { return plan_.outer_block * plan_.inner_block; }

    /// Strides of the outer axes in the result.
    index_list results(index_list const& outer) const {
        if (Form != form::logsumexp) return p_.outer_strides;
        index_list strides = row_major_strides(outer);
        for (index_t& s : strides) s *= p_.inner;
        return strides;
    }

    void run(In const* x, Out* y, index_t outer, index_t inner) {
        if (plan_.is_staged) return run_staged(x, y, outer, inner);
        if constexpr (is_direct) {
            index_t const row = p_.reduce.empty() ? 0 : p_.reduce_strides[0];
            index_t const column = p_.inner > 1 ? 1 : p_.count;
            run_kernel({x, row, column}, {y, row, column}, outer * inner);
        }
    }

    void run_staged(In const* x, Out* y, index_t outer, index_t inner) {
        index_t const step = p_.outer.empty() ? 0 : p_.outer_strides.back();
        block const b = block::of(p_, step, outer, inner);
        index_t const columns = outer * inner;
        T* const s = scratch_.data();
        gather_(s, x, b, columns);
        run_kernel({s, columns, 1}, {s, columns, 1}, columns);
        if constexpr (Form == form::logsumexp) {
            // Groups that are neighbours here are neighbours in the result.
            for (index_t j = 0; j < columns; ++j) y[j] = static_cast<Out>(gather_.restored(s[j], j));
        } else {
            copy(y, s, tandem{b.shape, b.strides, row_major_strides(b.shape)});
        }
    }

    void run_kernel(lattice<T const> x, lattice<T> y, index_t groups) noexcept {
        switch (plan_.which) {
            case plan::kernel::row:
                return row<Form, T>(p_.count, asked_)
                    .kernel(x.data, x.column, y.data, Form == form::logsumexp ? 1 : y.column, groups);
            case plan::kernel::panel:
                return panel_.template kernel<Form>({x.data, x.row}, {y.data, y.row}, p_.count, groups, asked_);
            case plan::kernel::strip:
                return strip<T>::template kernel<Form>(x, y, p_.count, groups, asked_);
        }
    }

    partition p_;
    plan plan_;
    buffer<T> scratch_;
    gatherer<In, T> gather_;
    panel<T> panel_;
    request<T> asked_ = request<T>::of(1, -std::numeric_limits<double>::infinity());
};

/// application(p)(x, y): the door to this instruction set.
template <form Form, class In, class Out>
void run_groups(In const* x, Out* y, partition const& p) {
    application<Form, In, Out>{p}(x, y);
}

SOFTAX_KERNELS_END
#endif
