// left_out: the results of elements and groups that a mask leaves out.
//
// Kernels make groups NaN that hold nothing but -inf or a NaN; what the mask leaves out is no less left out there. A mask that
// leaves out whole groups is not for kernels at all: these take all groups, and some of the results are replaced.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// The axes of a block of groups, y being the strides where it is worked on.
struct block_axes {
    walked_axes reduce, kept;

    walked_axes all() const noexcept {
        walked_axes axes = reduce;
        for (index_t k = 0; k < kept.size; ++k) axes.push_back(kept.at[k]);
        return axes;
    }
};

/// y = value where the mask does not say so. A class as mask_mover is.
template <class T>
class mask_filler {
public:
    mask_filler(T* y, bool const* where, walked_axes axes, T value) noexcept {
        for (index_t k = 0; k < axes.size; ++k) axes.at[k].x = axes.at[k].y;
        mover<T, T, mask<T>>(y, y, axes, {}, mask<T>::of({where, 0, 0}, T(1), value));
    }
};

/// The same in groups that are NaN.
template <class T>
class group_mender {
public:
    group_mender(T* y, bool const* where, walked_axes const& kept, walked_axes const& reduced, T value) noexcept
        : y_(y), where_(where), reduced_(reduced), value_(value) {
        for_each_place(kept, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        if (is_nan(y_[at.y])) mask_filler(y_ + at.y, where_ + at.where, reduced_, value_);
    }

private:
    T* y_;
    bool const* where_;
    walked_axes reduced_;
    T value_;
};

/// y = value for groups that the mask, the same for all elements of a group, leaves out.
template <class T>
class group_filler {
public:
    group_filler(T* y, bool const* where, walked_axes const& kept, walked_axes const& reduced, T value) noexcept
        : y_(y), where_(where), reduced_(reduced), value_(value) {
        if (reduced_.size > 0) run_ = reduced_.take(reduced_.size - 1);
        for_each_place(kept, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        if (!where_[at.where]) for_each_place(reduced_, run_filler{y_ + at.y, run_, value_});
    }

private:
    struct run_filler {
        T* y;
        walked_axis const& run;
        T value;

        void operator()(walked_axis const& at) const noexcept {
            T* const to = y + at.y;
            if (run.y == 1) return fill_run(to, run.extent, value);
            for (index_t i = 0; i < run.extent; ++i) to[i * run.y] = value;
        }
    };

    T* y_;
    bool const* where_;
    walked_axes reduced_;
    T value_;
    walked_axis run_ = {1, 0, 0, 0};
};

/// Whether the mask leaves something.
class live_finder {
public:
    bool any = false;

    live_finder(bool const* where, walked_axes const& axes) noexcept : where_(where) { for_each_place(axes, *this); }
    void operator()(walked_axis const& at) noexcept { any = any || where_[at.where]; }

private:
    bool const* where_;
};

/// y = -inf for groups of which the mask leaves nothing.
template <class T>
class empty_group_filler {
public:
    empty_group_filler(T* y, bool const* where, walked_axes const& kept, walked_axes const& reduced) noexcept
        : y_(y), where_(where), reduced_(reduced) {
        for_each_place(kept, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        bool const is_empty = is_nan(y_[at.y]) && !live_finder(where_ + at.where, reduced_).any;
        if (is_empty) y_[at.y] = -std::numeric_limits<T>::infinity();
    }

private:
    T* y_;
    bool const* where_;
    walked_axes reduced_;
};

/// What to write where a mask says that nothing is.
template <form Form, class T>
class left_out {
public:
    explicit left_out(double extra) noexcept : extra_(extra) {}

    /// In groups that are NaN. In others it is there already.
    void mend(T* y, bool const* where, block_axes const& axes) const noexcept {
        if constexpr (Form == form::logsumexp) {
            // With an extra logit no group is empty.
            if (extra_ == -std::numeric_limits<double>::infinity())
                empty_group_filler(y, where, axes.kept, axes.reduce);
        } else {
            constexpr T value = left_out_value<Form, T>;
            // Where groups are no long runs, looking for those that are NaN takes longer than all of them.
            bool const is_run = axes.reduce.size == 1 && axes.reduce.at[0].y == 1;
            if (is_run && axes.reduce.at[0].extent >= short_group) {
                group_mender(y, where, axes.kept, axes.reduce, value);
            } else {
                mask_filler(y, where, axes.all(), value);
            }
        }
    }

    /// In groups of which it says so of all elements.
    template <class Out>
    void fill_groups(Out* y, bool const* where, block_axes axes) const noexcept {
        T const value = Form == form::logsumexp ? static_cast<T>(extra_) : left_out_value<Form, T>;
        if constexpr (Form == form::logsumexp) axes.reduce.size = 0;
        group_filler(y, where, axes.kept, axes.reduce, static_cast<Out>(value));
    }

private:
    double extra_;
};

SOFTAX_KERNELS_END
#endif
