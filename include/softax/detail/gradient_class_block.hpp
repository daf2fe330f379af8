// gradient_class_block: some groups of a call of cross entropy: where they lie, and what they come to.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// Where the groups of a call lie, and what a mask says of them.
class class_places {
public:
    walked_axis classes = {1, 1, 1, 0};
    walked_axis along;  // groups at one distance from one another

    explicit class_places(partition const& groups) noexcept : along(groups.inner), outer_(groups.outer) {
        if (groups.reduce.size > 0) classes = groups.reduce.at[0];
        if (along.extent == 1 && outer_.size > 0) along = outer_.take(outer_.size - 1);
    }

    /// Group k; its extent is how many there are from it on at one distance.
    walked_axis at(index_t k) const noexcept {
        index_t const j = outer_.size == 0 ? k : k % along.extent;
        walked_axis place = {along.extent - j, j * along.x, 0, j * along.where};
        if (outer_.size > 0) k /= along.extent;
        for (index_t a = outer_.size - 1; a >= 0; --a) {
            index_t const i = a == 0 ? k : k % outer_.at[a].extent;
            place.x += i * outer_.at[a].x, place.where += i * outer_.at[a].where;
            if (a > 0) k /= outer_.at[a].extent;
        }
        return place;
    }

private:
    walked_axes outer_;
};

template <class L>
struct class_block {
    using T = compute_type<L>;
    using P = packet<T>;
    static constexpr index_t padded = class_ends<T>::padded;

    class_call<L> c;
    class_places places;
    request<T> asked;  // of elements as kernels see them: under a mask the factor is in them
    T factor;
    scaling<T> scale;
    index_t first = 0, live = 0;  // the groups [first, first + live)
    class_ends<T> ends;
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
          ends(asked, c.shares) {
        std::fill_n(minus, padded, static_cast<T>(-c.shares.spread));
    }

    /// The groups [from, end) through a kernel, at most so many at a time.
    template <class Kernel>
    void walk(Kernel& kernel, index_t groups, index_t from, index_t end) {
        for (first = from; first < end; first += groups) {
            live = std::min(groups, end - first);
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
    /// them out.
    void bring(T* y, piece const& of, index_t next_class, index_t next_group) const noexcept {
        auto const axes = axes_of(of, next_class, next_group);
        if (!c.where) return void(mover<T, L>(y, c.x + of.at.x, axes));
        mover<T, L, mask<T>>(y, c.x + of.at.x, axes, {}, mask<T>::of({c.where + of.at.where, 0, 0}, factor));
    }

    /// And back to the gradient.
    void take_back(T const* y, piece const& of, index_t next_class, index_t next_group) const noexcept {
        auto axes = axes_of(of, next_class, next_group);
        for (index_t k = 0; k < axes.size; ++k) std::swap(axes.at[k].x, axes.at[k].y);
        mover<L, T>(c.gradient + of.at.x, y, axes);
    }

    void take_losses() noexcept {
        for (index_t j = 0; j < live; ++j) {
            bool const counts = target(j) >= 0;
            c.loss[first + j] = counts ? ends.loss[j] : 0;
            weight[j] = counts ? static_cast<T>(c.shares.weight) : T(0);
        }
        if (c.shares.smoothing > 0) take_spread_losses();
        for (index_t j = 0; j < live && c.where; ++j) {
            if (target(j) >= 0) take_lost(j);
        }
    }

    /// Elements of a gradient in a scratch that a mask leaves out: there is something but 0 where a group is NaN, or a share is spread
    /// and kernels could not know over which.
    void clear_left_out(T* g, piece const& of, index_t next_class, index_t next_group) const noexcept {
        if (c.shares.smoothing > 0 && !is_dead_known) {
            return void(mask_filler(g, c.where + of.at.where, axes_of(of, next_class, next_group), T(0)));
        }
        for (index_t k = 0; k < of.groups; ++k) {
            if (!is_nan(ends.quotient[of.j + k])) continue;
            bool const* const left = c.where + of.at.where + k * places.along.where;
            for (index_t i = 0; i < c.classes; ++i) {
                if (!left[i * places.classes.where]) g[i * next_class + k * next_group] = T(0);
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
        walked_axis classes = places.classes, groups = places.along;
        classes.y = next_class, groups.y = next_group, groups.extent = of.groups;
        walked_axes axes;
        axes.push_back(classes);
        axes.push_back(groups);
        return axes;
    }

    /// The shares that are spread over all classes, or over those that the mask leaves.
    void take_spread_losses() noexcept {
        is_dead_known = true;
        for (piece of = piece_at(0); of.groups > 0; of = after(of)) {
            index_t left[padded];
            std::fill_n(left, of.groups, c.classes);
            if (c.where) count_left(left, c.where + of.at.where, places.classes, places.along.of(of.groups));
            for (index_t k = 0; k < of.groups; ++k) {
                index_t const j = of.j + k;
                // A class that is left may be at -inf, as those left out are.
                bool const is_known = !c.where || ends.finite[j] == static_cast<T>(left[k]);
                is_dead_known = is_dead_known && is_known;
                if (target(j) < 0) continue;
                take_spread_loss(j, left[k], is_known && std::isfinite(ends.below[j]) ? ends.below[j] : wide_below(j));
            }
        }
    }

    /// That of a group of which so many classes are left, so far below the maximum. With none all is lost.
    void take_spread_loss(index_t j, index_t left, double below) noexcept {
        double const spread = c.shares.smoothing / static_cast<double>(std::max(left, index_t{1}));
        c.loss[first + j] += spread * below * static_cast<double>(asked.mantissa);
        if (left == 0) c.loss[first + j] = std::numeric_limits<double>::infinity();
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

    /// What becomes of a group whose target the mask leaves out: nothing is left of its own share, nor of its gradient.
    void take_lost(index_t j) noexcept {
        if (c.where[places.at(first + j).where + target(j) * places.classes.where]) return;
        if (c.shares.smoothing < 1) c.loss[first + j] = std::numeric_limits<double>::infinity();
        ends.less_one[j] = -c.shares.smoothing;
    }
};

SOFTAX_KERNELS_END
#endif
