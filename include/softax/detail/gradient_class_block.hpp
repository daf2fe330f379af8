// gradient_class_block: some groups of a call of cross entropy, and what they come to.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class L>
struct class_block {
    using T = compute_type<L>;
    using P = packet<T>;
    static constexpr index_t padded = class_ends<T>::padded;
    /// Groups of fewer classes are added up side by side, in order, one a lane.
    static constexpr index_t few = 48;

    class_call<L> c;
    class_places places;
    request<T> asked;  // of elements as kernels see them: under a mask the factor is in them
    T factor;
    scaling<T> scale;
    index_t first = 0, live = 0;  // the groups [first, first + live)
    class_ends<T> ends;
    // How many classes a mask leaves, where that is asked for.
    index_t left[padded];
    bool are_counted = false;
    // Whether the elements at -inf are the classes that a mask leaves out, and no others; looked at where a share is spread.
    bool is_dead_known = false;
    // The gradient of a group is (p + minus) weight, but at its target.
    alignas(64) T weight[padded] = {}, minus[padded];

    explicit class_block(class_call<L> const& call) noexcept
        : c(call),
          places(c.groups),
          asked(request<T>::of(c.scale, -std::numeric_limits<double>::infinity())),
          factor(c.where ? std::exchange(asked.factor, T(1)) : asked.factor),
          scale(scaling<T>::of(asked)),
          ends(asked, c.shares, c.gradient == nullptr) {
        std::fill_n(minus, padded, static_cast<T>(-c.shares.spread));
    }

    /// The groups [from, end) through a kernel, at most so many at a time.
    template <class Kernel>
    void walk(Kernel& kernel, index_t groups, index_t from, index_t end) {
        for (first = from; first < end; first += groups) {
            live = std::min(groups, end - first);
            are_counted = false;
            if (c.shares.smoothing == 0) {
                kernel.template run<smoothing::none>();
            } else {
                c.where ? kernel.template run<smoothing::left>() : kernel.template run<smoothing::all>();
            }
        }
    }

    bool are_runs() const noexcept { return places.classes.x == 1; }
    index_t target(index_t j) const noexcept { return c.target[first + j]; }

    /// The value by which kernels know a class that is left out: x, or none.
    P dead(T x) const noexcept { return P::set(is_dead_known ? x : std::numeric_limits<T>::quiet_NaN()); }

    /// A group that is a run, and what the mask says of a group.
    L const* row(index_t j) const noexcept { return c.x + (first + j) * c.classes; }
    bool const* where(index_t j) const noexcept { return c.where + places.at(first + j).where; }

    /// Groups [j, j + groups) of the block, which begin at these places.
    struct piece {
        index_t j, groups;
        walked_axis at;
    };

    /// The piece that begins with group j; without groups at the end of the block.
    piece piece_at(index_t j) const noexcept {
        walked_axis const at = places.at(first + j);
        return {j, std::min(live - j, at.extent), at};
    }
    piece after(piece const& p) const noexcept { return piece_at(p.j + p.groups); }

    /// The elements of a piece to y, at these distances from class to class and from group to group; -inf where a mask leaves
    /// them out. Where a share is spread and these are not to be counted, while the mask is in cache, others are NaN unless finite.
    void bring(T* y, piece const& of, index_t next_class, index_t next_group) noexcept {
        if (!c.where) return void(mover<T, L>(y, c.x + of.at.x, axes_of(of, next_class, next_group)));
        bool const is_spread = c.shares.smoothing > 0;
        if (is_spread && !are_counted) {
            return void(
                mover<T, L, mask<T, infinite::nan>>(y, c.x + of.at.x, axes_of(of, next_class, next_group), {},
                                                    mask<T, infinite::nan>::of({c.where + of.at.where, 0, 0}, factor)));
        }
        index_t const most = are_counted ? index_t{240} : c.classes;  // whole squares, whole words
        if (are_counted) std::fill_n(left + of.j, of.groups, index_t{0});
        for (index_t i = 0; i < c.classes; i += most) {
            walked_axis const classes = places.classes.of(std::min(most, c.classes - i));
            bool const* const where = c.where + of.at.where + i * classes.where;
            if (are_counted) count_left(left + of.j, where, classes, places.along.of(of.groups));
            mover<T, L, mask<T>>(y + i * next_class, c.x + of.at.x + i * classes.x,
                                 axes_of(of, next_class, next_group, classes.extent), {},
                                 mask<T>::of({where, 0, 0}, factor));
        }
    }

    /// And back to the gradient.
    void take_back(T const* y, piece const& of, index_t next_class, index_t next_group) const noexcept {
        auto axes = axes_of(of, next_class, next_group);
        for (index_t k = 0; k < axes.size; ++k) std::swap(axes.at[k].x, axes.at[k].y);
        mover<L, T>(c.gradient + of.at.x, y, axes);
    }

    /// Whether a group is NaN; of those without an element it is only the quotient.
    bool has_nan() const noexcept {
        return std::any_of(ends.below, ends.below + live, [](double d) { return is_nan(d); });
    }

    void take_losses() noexcept {
        for (index_t j = 0; j < live; ++j) {
            bool const counts = target(j) >= 0;
            c.loss[first + j] = counts ? ends.loss[j] : 0;
            weight[j] = counts ? static_cast<T>(c.shares.weight) : T(0);
        }
        if (c.shares.smoothing > 0) take_spread_losses();
        if (c.where) take_lost();
    }

    /// Elements of a gradient in a scratch that a mask leaves out: there is something but 0 where a group is NaN, or a share is spread
    /// and kernels could not know over which.
    void clear_left_out(T* g, piece const& of, index_t next_class, index_t next_group) const noexcept {
        if (c.shares.smoothing > 0 && !is_dead_known) {
            return void(mask_filler(g, c.where + of.at.where, axes_of(of, next_class, next_group), T(0)));
        }
        for (index_t k = 0; k < of.groups; ++k) {
            if (!is_nan(ends.quotient[of.j + k])) continue;
            bool const* const own = c.where + of.at.where + k * places.along.where;
            for (index_t i = 0; i < c.classes; ++i) {
                if (!own[i * places.classes.where]) g[i * next_class + k * next_group] = T(0);
            }
        }
    }

    /// The element of a gradient that is its target's; all of them where the target is ignored.
    template <class E>
    void mend(E* g, index_t stride, index_t j) const noexcept {
        if (index_t const t = target(j); t >= 0) {
            double const above = ends.less_one[j] + (c.shares.smoothing - c.shares.spread);
            // To the type of the computation first, as all the others.
            g[t * stride] = static_cast<E>(static_cast<T>(above * c.shares.weight));
            return;
        }
        for (index_t i = 0; i < c.classes; ++i) g[i * stride] = static_cast<E>(T(0));
    }

private:
    walked_axes axes_of(piece const& of, index_t next_class, index_t next_group) const noexcept {
        return axes_of(of, next_class, next_group, c.classes);
    }

    /// The same of so many classes.
    walked_axes axes_of(piece const& of, index_t next_class, index_t next_group, index_t count) const noexcept {
        walked_axis classes = places.classes.of(count), groups = places.along;
        classes.y = next_class, groups.y = next_group, groups.extent = of.groups;
        walked_axes axes;
        axes.push_back(classes);
        axes.push_back(groups);
        return axes;
    }

    /// The shares that are spread over all classes, or over those that the mask leaves.
    void take_spread_losses() noexcept {
        is_dead_known = true;
        bool const is_all_finite = c.where && !are_counted && (c.classes >= few || has_no_lowest());
        if (!are_counted) std::fill_n(left, live, c.where ? 0 : c.classes);
        for (piece of = piece_at(0); of.groups > 0; of = after(of)) {
            if (c.where && !are_counted && !is_all_finite)
                count_left(left + of.j, c.where + of.at.where, places.classes, places.along.of(of.groups));
            for (index_t k = 0; k < of.groups; ++k) {
                index_t const j = of.j + k;
                if (is_all_finite) left[j] = static_cast<index_t>(ends.finite[j]);
                // A class that is left may be at -inf, as those left out are.
                bool const is_known = !c.where || ends.finite[j] == static_cast<T>(left[j]);
                is_dead_known = is_dead_known && is_known;
                if (target(j) < 0) continue;
                bool const is_sound = left[j] == 0 || (is_known && std::isfinite(ends.below[j]));
                take_spread_loss(j, is_sound ? ends.below[j] : wide_below(j));
            }
        }
    }

    /// Whether groups that are short runs have no element at -inf, so that all finite classes are all that the mask leaves: a call
    /// with runs of three takes .86 of the time that it takes with counting (AVX-512).
    bool has_no_lowest() const noexcept {
        P const by = P::set(factor), lowest = P::set(-std::numeric_limits<T>::infinity());
        P above = P::set(T(1));
        L const* const x = row(0);
        for (index_t i = 0, n = live * c.classes; i < n; i += P::lanes) {
            above = zero_where_equal(above, fetch<T>(x + i, std::min(n - i, P::lanes)) * by, lowest);
        }
        return are_ones(above);
    }

    /// That of a group whose classes are so far below the maximum. With none left all is lost.
    void take_spread_loss(index_t j, double below) noexcept {
        double const spread = c.shares.smoothing / static_cast<double>(std::max(left[j], index_t{1}));
        c.loss[first + j] += spread * below * static_cast<double>(asked.mantissa);
        if (left[j] == 0) c.loss[first + j] = std::numeric_limits<double>::infinity();
        if (!c.where) return;
        minus[j] = static_cast<T>(-spread);
        ends.less_one[j] -= spread;
    }

    /// How far the classes of a group lie below the maximum, in double, in which that cannot overflow for float.
    double wide_below(index_t j) const noexcept {
        walked_axis const at = places.at(first + j), next = places.classes;
        auto const left_or_maximum = mask<T>::of({}, factor, ends.m[j]);
        double below = 0;
        for (index_t i = 0; i < c.classes; ++i) {
            bool const is_left = c.where == nullptr || c.where[at.where + i * next.where];
            T const x = left_or_maximum(c.x[at.x + i * next.x], is_left);
            below += static_cast<double>(ends.m[j]) - static_cast<double>(x);
        }
        return below;
    }

    /// What becomes of groups whose targets the mask leaves out: nothing is left of their own share, nor of its gradient. Without a
    /// jump for each, which would be wrong as often as not.
    void take_lost() noexcept {
        using D = packet<double>;
        bool is_kept[padded];
        for (piece of = piece_at(0); of.groups > 0; of = after(of)) {
            for (index_t k = 0; k < of.groups; ++k) {
                index_t const t = target(of.j + k), place = std::max(t, index_t{0}) * places.classes.where;
                is_kept[of.j + k] = c.where[of.at.where + k * places.along.where + place] | (t < 0);
            }
        }
        D const all = D::set(std::numeric_limits<double>::infinity()), none = D::set(-c.shares.smoothing);
        for (index_t j = 0; j < live; j += D::lanes) {
            index_t const some = std::min(live - j, D::lanes);
            double *const own = c.loss + first + j, *const less_one = ends.less_one + j;
            if (c.shares.smoothing < 1) chosen(is_kept + j, some, D::load(own, some, 0), all).store(own, some);
            chosen(is_kept + j, some, D::load(less_one), none).store(less_one);
        }
    }
};

SOFTAX_KERNELS_END
#endif
