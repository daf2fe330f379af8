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
    static constexpr index_t most = class_ends<T>::width;

public:
    /// Groups that are runs as they fit in a second-level cache; of others whole squares, since a mask has few bytes of them in a
    /// cache line: with 43 rather than 64 of 3,000 classes a call takes 1.3 times as long, with 16 of 20,000 a masked one 1.2 times.
    static index_t block_of(class_call<L> const& c) noexcept {
        if (c.groups.inner.extent == 1) return std::clamp((index_t{1} << 17) / c.classes, index_t{1}, most);
        return std::clamp((index_t{1} << 19) / c.classes / 16 * 16, index_t{32}, most);
    }

    explicit many_classes(class_block<L>& b)
        : b_(b),
          n_(b.c.classes),
          pitch_(n_ + 16),
          is_staged_(!b.are_runs() || (b.c.where && !(masks_as_read(b.c) && b.places.classes.where == 1))),
          which_(mask<T>::of({}, b.factor)),
          sums_of_(b),
          runs_(is_staged_ ? block_of(b.c) * pitch_ : 0) {}

    /// Whether runs are masked in every pass rather than once on their way to a scratch: cross entropy of (64,1000) under a mask takes
    /// 1.09 times an unmasked call rather than 1.2 (AVX-512), but 1.29 rather than 1.22 (AVX2); smoothed, 1.22 rather than 1.35
    /// (AVX2), of (16,128256) 1.22 rather than 1.54.
    static bool masks_as_read(class_call<L> const& c) noexcept { return sizeof(P) == 64 || c.shares.smoothing > 0; }

    /// The groups of the block.
    template <smoothing Smoothing>
    void run() {
        add_up<Smoothing>();
        if (Smoothing == smoothing::left && is_staged_ && b_.has_nan()) {
            // Perhaps for a class at -inf, which the mask leaves.
            b_.are_counted = true;
            add_up<Smoothing>();
        }
        b_.take_losses();
        if (b_.c.gradient == nullptr) return;
        bool const is_plain = !b_.asked.is_scaled() && all_are_small();
        is_plain ? take_gradients<Smoothing, way::plain>() : take_gradients<Smoothing, way::general>();
    }

private:
    /// The groups of the block up to what kernels need for their losses and gradients.
    template <smoothing Smoothing>
    void add_up() noexcept {
        for (piece at = b_.piece_at(0); is_staged_ && at.groups > 0; at = b_.after(at)) {
            b_.bring(run_of(at.j), at, 1, pitch_);
        }
        for (index_t j = 0; j < b_.live; ++j) {
            index_t const t = std::max(b_.target(j), index_t{0});
            b_.ends.right[j] = (is_staged_ ? run_of(j)[t] : element(j, t)) * b_.asked.factor;
        }
        for (index_t j = 0; j < b_.live; j += P::lanes) {
            class_sums<T> sums[P::lanes];
            index_t const groups = std::min(b_.live - j, P::lanes);
            for (index_t k = 0; k < groups; ++k) {
                sums[k] = is_staged_ ? sums_of_.template staged<Smoothing>(run_of(j + k), j + k)
                                     : sums_of_.template as_read<Smoothing>(j + k);
            }
            // What is no group has a maximum too, so that nothing is divided by 0, which a program may have trapped.
            for (index_t k = groups; k < P::lanes; ++k) sums[k] = class_sums<T>::zero(), sums[k].equal = P::ones(1);
            b_.ends.finish(class_sums<T>::template folded<Smoothing>(sums), j);
        }
    }

    bool all_are_small() const noexcept {
        bool small = true;
        for (index_t j = 0; j < b_.live; ++j) small = small && !(std::abs(b_.ends.m[j]) > exp_constants<T>::wide);
        return small;
    }

    T* run_of(index_t j) noexcept { return runs_.data() + j * pitch_; }

    /// Whether runs are masked where they are read.
    bool masks_runs() const noexcept { return b_.c.where && !is_staged_; }

    /// Class t of group j, a run where it lies.
    T element(index_t j, index_t t) const noexcept {
        L const x = b_.row(j)[t];
        return masks_runs() ? which_(x, b_.where(j)[t]) : static_cast<T>(x);
    }

    template <smoothing Smoothing, way Way>
    void take_gradients() noexcept {
        for (piece at = b_.piece_at(0); at.groups > 0; at = b_.after(at)) {
            everything<T> const all;
            // Some groups side by side, whose elements would be masked again, take less time in the scratch, many do not: (8,128,56,56)
            // over axis 1 takes 1.08 times an unmasked call rather than 1.35 (double).
            bool const is_mask_fit = !b_.c.where || (b_.places.along.where == 1 && at.groups >= 4 * P::lanes);
            if (is_staged_ && (!is_mask_fit || b_.are_runs() || at.groups < P::lanes)) {
                take_staged<Smoothing, Way>(at);
            } else if (b_.are_runs()) {
                for (index_t k = 0, j = at.j; k < at.groups; ++k, ++j) {
                    index_t const place = at.at.x + k * n_;
                    L* const g = b_.c.gradient + place;
                    L const* const x = b_.c.x + place;
                    masks_runs() ? take_run<smoothing::none, Way>(g, x, j, which_, b_.where(j))
                                 : take_run<smoothing::none, Way>(g, x, j, all, nullptr);
                    b_.mend(g, 1, j);
                }
            } else {
                b_.c.where ? take_columns<Way>(at, which_, b_.c.where + at.at.where)
                           : take_columns<Way>(at, all, nullptr);
                for (index_t k = 0; k < at.groups; ++k) {
                    b_.mend(b_.c.gradient + at.at.x + k, b_.places.classes.x, at.j + k);
                }
            }
        }
    }

    /// In the scratch, where what a mask leaves out is known, and whole packets come of a few groups side by side.
    template <smoothing Smoothing, way Way>
    void take_staged(piece const& of) noexcept {
        everything<T> const all;
        for (index_t j = of.j; j < of.j + of.groups; ++j)
            take_run<Smoothing, Way, T>(run_of(j), run_of(j), j, all, nullptr);
        if (b_.c.where) b_.clear_left_out(run_of(of.j), of, 1, pitch_);
        for (index_t j = of.j; j < of.j + of.groups; ++j) b_.mend(run_of(j), 1, j);
        b_.take_back(run_of(of.j), of, 1, pitch_);
    }

    template <smoothing Smoothing, way Way, class E, class Mask>
    void take_run(E* g, E const* x, index_t j, Mask const& which, bool const* where) const noexcept {
        auto const at = pivot<T>::of(b_.ends.m[j], b_.asked);
        P const dead = b_.dead(-std::numeric_limits<T>::infinity());
        auto const scale = b_.scale;
        P const by = P::set(b_.ends.quotient[j]), w = P::set(b_.weight[j]), minus = P::set(b_.minus[j]);
        for (index_t i = 0; i < n_; i += P::lanes) {
            index_t const live = std::min(P::lanes, n_ - i);
            P const y = which(fetch<T>(x + i, live), which.answers(where, i), live);
            P const e = reduced_exp<T>::template of<Way>(scale.template factored<Way>(y), at, scale).value();
            P own = madd(e, by, minus) * w;
            if constexpr (Smoothing == smoothing::left) own = zero_where_equal(own, y, dead);
            if constexpr (std::same_as<Mask, mask<T>>) own = chosen(where + i, live, own, P::set(T(0)));
            put(own, g + i, live);
        }
    }

    /// Where the elements lie, side by side, as the answers of the mask do.
    template <way Way, class Mask>
    void take_columns(piece const& of, Mask const& which, bool const* where) noexcept {
        auto const scale = b_.scale;
        for (index_t i = 0; i < n_; ++i) {
            for (index_t p = 0; p < of.groups; p += P::lanes) {
                index_t const live = std::min(P::lanes, of.groups - p), place = of.at.x + i * b_.places.classes.x + p;
                auto const at = pivot<T>::of(P::load(b_.ends.m + of.j + p), b_.asked);
                bool const* const own = which.answers(where, i * b_.places.classes.where + p);
                P const x = scale.template factored<Way>(which(fetch<T>(b_.c.x + place, live), own, live));
                P const e = reduced_exp<T>::template of<Way>(x, at, scale).value();
                P const by = P::load(b_.ends.quotient + of.j + p), minus = P::load(b_.minus + of.j + p);
                P result = madd(e, by, minus) * P::load(b_.weight + of.j + p);
                if constexpr (std::same_as<Mask, mask<T>>) result = chosen(own, live, result, P::set(T(0)));
                put(result, b_.c.gradient + place, live);
            }
        }
    }

    class_block<L>& b_;
    index_t n_, pitch_;  // between the runs of a scratch, which would else push each other out of a cache
    bool is_staged_;
    mask<T> which_;  // of runs that are masked where they are read
    class_runs<L> sums_of_;
    buffer<T> runs_;
};

/// The groups [first, end): the door to this instruction set.
template <class L>
void run_classes(class_call<L> const& c, index_t first, index_t end) {
    door const held;
    class_block<L> block(c);
    if (c.classes < class_block<L>::few) {
        few_classes<L> kernel(block);
        block.walk(kernel, class_ends<compute_type<L>>::width, first, end);
    } else {
        many_classes<L> kernel(block);
        block.walk(kernel, many_classes<L>::block_of(c), first, end);
    }
}

SOFTAX_KERNELS_END
#endif
