// chosen_kernel: the kernel that a plan chose, whatever type the elements had before they were moved to it.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// A kernel for groups of count elements that are computed in T, and its scratch. The plan and the call outlive it.
template <form Form, class T>
class chosen_kernel {
public:
    chosen_kernel(index_t count, plan const& p, call const& c)
        : asked(request<T>::of(c)), count_(count), plan_(p), call_(c), scratch_(p.scratch_size(count)) {}

    request<T> asked;

    T* scratch() noexcept { return scratch_.data() + plan_.answers; }
    bool* answers() noexcept { return reinterpret_cast<bool*>(scratch_.data()); }

    /// Groups as they lie; whether some result may be NaN.
    template <class E>
    bool operator()(lattice<E const> const& x, lattice<E> const& y, index_t groups,
                    mask<T> const& which = mask<T>()) noexcept {
        extents const size = {count_, groups, plan_.is_large, plan_.is_streamed};
        if (plan_.which == plan::kernel::row) return run_rows<E>(x, y, groups, which);
        if (plan_.which == plan::kernel::panel) {
            if (plan_.waiting > 0) panel_.wait_in({scratch() + plan_.bits, plan_.inner_block});
            if (plan_.masks_as_read) panel_.mask_as_read();
            if (plan_.bits > 0) panel_.keep_in(reinterpret_cast<std::uint16_t*>(scratch()));
            panel_.template kernel<Form, E>({x.data, x.row}, {y.data, y.row}, size, asked, which);
            return panel_.has_nan();
        }
        if constexpr (std::same_as<E, T>) {
            return short_groups<Form>(x, y, size, asked, which);
        } else if constexpr (Form != form::logsumexp) {
            return strip<T>::template kernel<Form>(x, y, size, asked, which);
        }
        return true;
    }

private:
    template <class E>
    bool run_rows(lattice<E const> const& x, lattice<E> const& y, index_t groups, mask<T> const& which) noexcept {
        if constexpr (row_block<Form, E>::longest > 0) {
            if (groups > 1 && count_ <= row_block<Form, E>::longest) {
                row_block<Form, E> kernel(count_, asked, which);
                if (plan_.is_streamed) kernel.stream();
                if (plan_.is_large) kernel.ask_ahead();
                kernel.kernel(x, y, groups);
                return kernel.has_nan();
            }
        }
        using twice = row_twice<Form, E>;
        extents const size = {count_, groups, true, true};
        if constexpr (twice::exists) {
            if (twice::takes(y, size, call_)) return twice::kernel(x, y, size, asked, which);
        }
        row<Form, E> kernel(count_, asked, which);
        if (plan_.waiting > 0) kernel.wait_in(scratch_.data() + scratch_.size() - plan_.waiting, plan_.waiting);
        if (plan_.is_streamed) kernel.stream();
        if (plan_.is_large) kernel.ask_ahead();
        kernel.kernel(x, y, groups);
        return kernel.has_nan();
    }

    index_t count_;
    plan const& plan_;
    call const& call_;
    near_buffer<T> scratch_;
    panel<T> panel_;
};

SOFTAX_KERNELS_END
#endif
