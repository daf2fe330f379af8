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
template <class Y, class T>
class mask_filler {
public:
    mask_filler(Y* y, bool const* where, walked_axes axes, T value) noexcept {
        for (index_t k = 0; k < axes.size; ++k) axes.at[k].x = axes.at[k].y;
        mover<Y, Y, mask<T>>(y, y, axes, {}, mask<T>::of({where, 0, 0}, T(1), value));
    }
};

/// The same in groups that are NaN.
template <class Y, class T>
class group_mender {
public:
    group_mender(Y* y, bool const* where, walked_axes const& kept, walked_axes const& reduced, T value) noexcept
        : y_(y), where_(where), reduced_(reduced), value_(value) {
        for_each_place(kept, *this);
    }
    void operator()(walked_axis const& at) const noexcept {
        if (is_nan(static_cast<T>(y_[at.y]))) mask_filler(y_ + at.y, where_ + at.where, reduced_, value_);
    }

private:
    Y* y_;
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

/// y = -inf for groups of which the mask leaves nothing.
template <class Y, class T>
class empty_group_filler {
public:
    empty_group_filler(Y* y, bool const* where, walked_axes kept, walked_axes const& reduced) noexcept
        : y_(y), where_(where), rest_(reduced) {
        if (rest_.size > 0) last_ = rest_.take(rest_.size - 1);
        if (kept.size > 0) side_ = kept.take(kept.size - 1);
        for_each_place(kept, *this);
    }

    /// The groups along the last axis from a place on.
    void operator()(walked_axis const& at) const noexcept {
        for (index_t j = 0; j < side_.extent; j += block) {
            index_t const groups = std::min(block, side_.extent - j);
            Y* const y = y_ + at.y + j * side_.y;
            bool const* const where = where_ + at.where + j * side_.where;
            index_t nans = 0, places[block];
            for (index_t k = 0; k < groups; ++k) places[nans] = k, nans += is_nan(static_cast<T>(y[k * side_.y]));
            if (nans == 0) continue;
            // A few are looked at one by one, many that are neighbours in the mask together.
            bool const are_together = side_.where == 1 && last_.where != 1 && nans >= 4;
            bool any[block] = {};
            if (are_together) take_any_of(any, where, groups);
            for (index_t i = 0; i < nans; ++i) {
                index_t const k = places[i];
                if (!are_together) take_any_of(any + k, where + k * side_.where, 1);
                if (!any[k]) y[k * side_.y] = static_cast<Y>(-std::numeric_limits<T>::infinity());
            }
        }
    }

private:
    static constexpr index_t block = 64;

    /// any[0, groups) |= what the mask leaves of groups that are neighbours in it.
    void take_any_of(bool* any, bool const* where, index_t groups) const noexcept {
        if (rest_.size == 0) return take_run(any, where, groups);
        for_each_place(rest_, [&](walked_axis const& at) { take_run(any, where + at.where, groups); });
    }
    void take_run(bool* any, bool const* where, index_t groups) const noexcept {
        if (groups > 1) return take_any(any, where, last_.where, last_.extent, groups);
        *any = *any || has_left(where, last_.where, last_.extent);
    }

    Y* y_;
    bool const* where_;
    walked_axes rest_;  // the reduced ones but the last
    walked_axis side_ = {1, 0, 0, 0}, last_ = {1, 0, 0, 0};
};

/// What to write where a mask says that nothing is.
template <form Form, class T>
class left_out {
public:
    explicit left_out(double extra) noexcept : extra_(extra) {}

    /// In groups that are NaN. In others it is there already.
    template <class Y>
    void mend(Y* y, bool const* where, block_axes const& axes) const noexcept {
        if constexpr (Form == form::logsumexp) {
            // With an extra logit no group is empty.
            if (extra_ == -std::numeric_limits<double>::infinity())
                empty_group_filler<Y, T>(y, where, axes.kept, axes.reduce);
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

    /// In groups of which it says so of all elements. What it says of many at once is written together.
    template <class Out>
    void fill_groups(Out* y, bool const* where, walked_axes const& outer, walked_axes const& reduced,
                     walked_axes const& inner) const noexcept {
        walked_axes kept, filled;
        auto const add = [&](walked_axes const& axes) {
            for (index_t k = 0; k < axes.size; ++k) {
                walked_axis const& a = axes.at[k];
                (a.where == 0 ? filled : kept).push_back({a.extent, 0, a.y, a.where});
            }
        };
        add(outer);
        if constexpr (Form == form::logsumexp) {
            add(inner);
            for (index_t k = 0; k < filled.size; ++k) kept.push_back(filled.at[k]);
            mask_filler(y, where, kept, static_cast<T>(extra_));
        } else {
            add(reduced.bare());
            add(inner);
            group_filler(y, where, kept, filled, static_cast<Out>(left_out_value<Form, T>));
        }
    }

private:
    double extra_;
};

SOFTAX_KERNELS_END
#endif
