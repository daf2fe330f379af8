// gradient_class_block: some groups of a call of cross entropy: where they lie, and what they come to.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class L>
struct class_block {
    using T = compute_type<L>;
    static constexpr index_t padded = class_ends<T>::padded;

    class_call<L> c;
    request<T> asked;
    scaling<T> scale;
    index_t first = 0, live = 0;  // the groups [first, first + live)
    class_ends<T> ends;
    alignas(64) T weight[padded] = {};

    explicit class_block(class_call<L> const& call) noexcept
        : c(call),
          asked(request<T>::of(c.scale, -std::numeric_limits<double>::infinity())),
          scale(scaling<T>::of(asked)),
          ends(asked, c.shares) {}

    /// The groups [from, end) through a kernel, at most so many at a time.
    template <class Kernel>
    void walk(Kernel& kernel, index_t groups, index_t from, index_t end) {
        for (first = from; first < end; first += groups) {
            live = std::min(groups, end - first);
            c.shares.smoothing > 0 ? kernel.template run<smoothing::some>() : kernel.template run<smoothing::none>();
        }
    }

    index_t target(index_t j) const noexcept { return c.target[first + j]; }
    L const* row(index_t j) const noexcept { return c.x + (first + j) * c.classes; }

    /// Groups [j, j + groups) of the block, which lie side by side from a place in memory on.
    struct piece {
        index_t j, place, groups;
    };

    /// The piece that begins with group j; without groups at the end of the block.
    piece piece_at(index_t j) const noexcept {
        index_t const k = first + j, at = k % c.inner;
        return {j, k / c.inner * c.classes * c.inner + at, std::min(live - j, c.inner - at)};
    }
    piece after(piece const& p) const noexcept { return piece_at(p.j + p.groups); }

    void take_losses() noexcept {
        for (index_t j = 0; j < live; ++j) {
            bool const counts = target(j) >= 0;
            c.loss[first + j] = counts ? ends.loss[j] : 0;
            weight[j] = counts ? static_cast<T>(c.shares.weight) : T(0);
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
};

SOFTAX_KERNELS_END
#endif
