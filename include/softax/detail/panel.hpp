// panel: the kernel for many groups side by side, the elements of each a stride apart.
//
// Works on a panel of columns at a time, row by row, so that memory is touched in runs; what belongs to a column (maximum,
// pivot, sums) waits in a small workspace. Sums go in the order of sum.hpp, so a column has the bits of the same row.
// Rows that follow one another in memory are folded: up to sum_lanes of them are one wide row, in which every column comes
// as often, so that panels of 2 or 17 columns fill packets too.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class T>
class panel : public panel_passes<T> {
public:
    using panel_passes<T>::width;

    /// softmax or log_softmax of each of the columns of x, n rows, into y; for logsumexp one row of results.
    /// 1 <= columns <= width, n >= short_group; packets of columns of a half type, for which wait_in() was said. y may be x.
    template <form Form, class E>
    void kernel(rows_at<E const> const& x, rows_at<E> const& y, extents const& size, request<T> const& asked,
                mask<T> const& which) noexcept {
        auto const rows = this->template folded<Form>(x, y, size, asked, which);
        panel_maxima<T, width> maxima(this->at_.m, size.n, this->shape(), this->are_large_);
        this->template find_maxima<Form>(maxima, rows);
        bool const is_plain = this->take_pivots(maxima, static_cast<bool>(which));
        this->template add_exponentials<Form>(rows, size.n, is_plain);
        this->template finish<Form>(rows);
    }
};

SOFTAX_KERNELS_END
#endif
