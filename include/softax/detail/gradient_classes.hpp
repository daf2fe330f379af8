// gradient_classes: cross entropy and its gradient, some groups at a time.
//
// Groups of few classes are added up side by side, those of many as runs, which they are or are brought to be. So a group has
// the same bits along every axis, in every batch and layout.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

template <class L>
class many_classes {
    using T = compute_type<L>;
    using P = packet<T>;
    using piece = typename class_block<L>::piece;

public:
    /// Whole cache lines of groups, as many as fit in a second-level cache.
    static index_t block_of(class_call<L> const& c) noexcept {
        return std::clamp((index_t{1} << 17) / c.classes, c.inner == 1 ? index_t{1} : P::lanes, class_ends<T>::width);
    }

    explicit many_classes(class_block<L>& b)
        : b_(b), n_(b.c.classes), pitch_(n_ + 16), runs_(b.c.inner == 1 ? 0 : block_of(b.c) * pitch_) {}

    /// The groups of the block.
    template <smoothing Smoothing>
    void run() {
        for (piece at = b_.piece_at(0); b_.c.inner > 1 && at.groups > 0; at = b_.after(at)) {
            mover<T, L>(runs_.data() + at.j * pitch_, b_.c.x + at.place, both_axes(at.groups));
        }
        for (index_t j = 0; j < b_.live; ++j) {
            index_t const t = std::max(b_.target(j), index_t{0});
            b_.ends.right[j] =
                (b_.c.inner == 1 ? static_cast<T>(b_.row(j)[t]) : runs_.data()[j * pitch_ + t]) * b_.asked.factor;
        }
        for (index_t j = 0; j < b_.live; j += P::lanes) {
            class_sums<T> sums[P::lanes];
            // What is no group has a maximum too, so that nothing is divided by 0, which a program may have trapped.
            for (class_sums<T>& some : sums) some = class_sums<T>::zero(), some.equal = P::ones(1);
            for (index_t k = j; k < std::min(j + P::lanes, b_.live); ++k) {
                sums[k - j] = b_.c.inner == 1 ? run_sums<Smoothing>(b_.row(k), k)
                                              : run_sums<Smoothing, T>(runs_.data() + k * pitch_, k);
            }
            b_.ends.finish(class_sums<T>::template folded<Smoothing>(sums), j);
        }
        b_.take_losses();
        if (b_.c.gradient == nullptr) return;
        bool const is_plain = !b_.asked.is_scaled() && all_are_small();
        is_plain ? take_gradients<way::plain>() : take_gradients<way::general>();
    }

private:
    bool all_are_small() const noexcept {
        bool small = true;
        for (index_t j = 0; j < b_.live; ++j) small = small && !(std::abs(b_.ends.m[j]) > exp_constants<T>::wide);
        return small;
    }

    /// The groups of a piece and their classes, from where they lie to runs.
    walked_axes both_axes(index_t groups) const noexcept {
        walked_axes axes;
        axes.push_back({n_, b_.c.inner, 1, 0});
        axes.push_back({groups, 1, pitch_, 0});
        return axes;
    }

    /// The maximum of a run, to that of group j, and the sums beside it.
    template <smoothing Smoothing, class E>
    class_sums<T> run_sums(E const* x, index_t j) noexcept {
        P const low = P::set(-std::numeric_limits<T>::infinity());
        P most[2] = {low, low};
        index_t i = 0;
        for (; i + 2 * P::lanes <= n_; i += 2 * P::lanes) {
            for (index_t p = 0; p < 2; ++p) most[p] = max(most[p], P::load(x + i + p * P::lanes) * b_.scale.factor);
        }
        T m = max_lane(max(most[0], most[1]));
        for (; i < n_; ++i) m = std::max(m, static_cast<T>(x[i]) * b_.asked.factor);
        b_.ends.m[j] = m;
        bool const is_plain = !b_.asked.is_scaled() && !(std::abs(m) > exp_constants<T>::wide);
        return is_plain ? add_many<Smoothing, way::plain>(x, m) : add_many<Smoothing, way::general>(x, m);
    }

    template <smoothing Smoothing, way Way, class E>
    class_sums<T> add_many(E const* x, T maximum) const noexcept {
        constexpr index_t most = 512 * P::lanes;  // more would let the errors of a lane add up
        P const m = P::set(maximum), one = P::set(T(1));
        auto const at = pivot<T>::of(m, b_.asked);
        auto const scale = b_.scale;
        auto total = class_sums<T>::zero();
        for (index_t c = 0; c < n_; c += most) {
            class_sums<T> lane[] = {class_sums<T>::zero(), class_sums<T>::zero()};
            index_t i = c;
            for (index_t const end = std::min(c + most, n_); i + 2 * P::lanes <= end; i += 2 * P::lanes) {
                SOFTAX_UNROLLED
                for (index_t p = 0; p < 2; ++p) {
                    P const y = scale.template factored<Way>(P::load(x + i + p * P::lanes));
                    lane[p].template add<Smoothing>(reduced_exp<T>::template of<Way>(y, at, scale), y, m);
                }
            }
            for (index_t p = 0; i < std::min(c + most, n_); ++p, i += P::lanes) {
                // Lanes beyond the end are m, which adds nothing but to their count.
                P const on = P::ones(std::min(n_ - i, P::lanes)), dead = zero_where_equal(one, on, one);
                P const y = scale.template factored<Way>(fetch<T>(x + i, std::min(n_ - i, P::lanes)));
                P const filled = y + zero_where_equal(m, on, one);
                lane[p].template add<Smoothing>(reduced_exp<T>::template of<Way>(filled, at, scale), filled, m);
                lane[p].equal = lane[p].equal - dead;
            }
            lane[0].template add<Smoothing>(lane[1]);
            total.template add<Smoothing>(lane[0]);
        }
        return total;
    }

    template <way Way>
    void take_gradients() noexcept {
        for (piece at = b_.piece_at(0); at.groups > 0; at = b_.after(at)) {
            b_.c.inner == 1 ? take_row<Way>(at) : take_columns<Way>(at);
            for (index_t k = 0; k < at.groups; ++k) b_.mend(b_.c.gradient + at.place + k, b_.c.inner, at.j + k);
        }
    }

    template <way Way>
    void take_row(piece const& of) noexcept {
        auto const at = pivot<T>::of(b_.ends.m[of.j], b_.asked);
        auto const scale = b_.scale;
        P const by = P::set(b_.ends.quotient[of.j]), w = P::set(b_.weight[of.j]),
                minus = P::set(static_cast<T>(-b_.c.shares.spread));
        for (index_t i = 0; i < n_; i += P::lanes) {
            index_t const live = std::min(P::lanes, n_ - i);
            P const x = scale.template factored<Way>(fetch<T>(b_.c.x + of.place + i, live));
            P const e = reduced_exp<T>::template of<Way>(x, at, scale).value();
            put(madd(e, by, minus) * w, b_.c.gradient + of.place + i, live);
        }
    }

    template <way Way>
    void take_columns(piece const& of) noexcept {
        auto const scale = b_.scale;
        P const minus = P::set(static_cast<T>(-b_.c.shares.spread));
        for (index_t i = 0; i < n_; ++i) {
            for (index_t p = 0; p < of.groups; p += P::lanes) {
                index_t const live = std::min(P::lanes, of.groups - p), place = of.place + i * b_.c.inner + p;
                auto const at = pivot<T>::of(P::load(b_.ends.m + of.j + p), b_.asked);
                P const x = scale.template factored<Way>(fetch<T>(b_.c.x + place, live));
                P const e = reduced_exp<T>::template of<Way>(x, at, scale).value();
                P const by = P::load(b_.ends.quotient + of.j + p), w = P::load(b_.weight + of.j + p);
                put(madd(e, by, minus) * w, b_.c.gradient + place, live);
            }
        }
    }

    class_block<L>& b_;
    index_t n_, pitch_;  // between the runs of a scratch, which would else push each other out of a cache
    buffer<T> runs_;
};

/// The groups [first, end): the door to this instruction set.
template <class L>
void run_classes(class_call<L> const& c, index_t first, index_t end) {
    class_block<L> block(c);
    if (c.classes < few_classes<L>::most) {
        few_classes<L> kernel(block);
        block.walk(kernel, class_ends<compute_type<L>>::width, first, end);
    } else {
        many_classes<L> kernel(block);
        block.walk(kernel, many_classes<L>::block_of(c), first, end);
    }
}

SOFTAX_KERNELS_END
#endif
