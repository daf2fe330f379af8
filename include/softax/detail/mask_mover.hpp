// mask_mover: what a mask says, moved to where it lies as is wanted.
//
// A mask is often the same along some axes. What is inside of these is moved once and repeated, in runs as long as can be.
#ifdef SOFTAX_KERNELS_BEGIN  // targets.hpp includes this once for each instruction set
SOFTAX_KERNELS_BEGIN

/// to = what a mask says, over all axes, y being their strides there, which run through all that is inside. A class, since a function
/// would be found in every kernel namespace.
class mask_mover {
public:
    mask_mover(bool* to, bool const* where, walked_axes const& axes) noexcept
        : to_(reinterpret_cast<char*>(to)), where_(reinterpret_cast<char const*>(where)), axes_(axes) {
        if (axes.size == 0) {
            *to = *where;
            return;
        }
        while (dense_ > 0 && at(dense_ - 1).y == run_) run_ *= at(--dense_).extent;
        // Of axes along which it is the same the outermost that has one run inside.
        index_t k = std::max(dense_ - 1, index_t{0});
        while (k < axes.size && at(k).where != 0) ++k;
        if (look_up(k)) return;
        if (k == axes.size || dense_ == axes.size) {
            move();
        } else if (dense_ < last() && are_rows_apart()) {
            expand(last(), 1);
        } else if (k == last()) {
            fill();
        } else {
            repeat(k);
        }
    }

private:
    walked_axis const& at(index_t k) const noexcept { return axes_.at[k]; }
    index_t last() const noexcept { return axes_.size - 1; }

    walked_axes outside(index_t k) const noexcept {
        walked_axes axes;
        for (index_t i = 0; i < k; ++i) axes.push_back(at(i));
        return axes;
    }

    /// All but one, y of those before, as far as all is one run, being so many times less.
    walked_axes without(index_t k, index_t less) const noexcept {
        walked_axes axes;
        for (index_t i = 0; i < axes_.size; ++i) {
            walked_axis const& a = at(i);
            if (i != k) axes.push_back({a.extent, 0, dense_ <= i && i < k ? a.y / less : a.y, a.where});
        }
        return axes;
    }

    /// visit(y, x) for every place along the axes before the k-th, those along the last of these in a row.
    template <class Visit>
    void for_each(index_t k, Visit const& visit) const noexcept {
        walked_axis const rows = k > 0 ? at(k - 1) : walked_axis{1, 0, 0, 0};
        auto const visit_rows = [&](walked_axis const& p) {
            for (index_t i = 0; i < rows.extent; ++i) visit(to_ + p.y + i * rows.y, where_ + p.where + i * rows.where);
        };
        k > 1 ? for_each_place(outside(k - 1), visit_rows) : visit_rows({1, 0, 0, 0});
    }

    /// Short axes at once, if what is repeated is inside of them; whether they are.
    bool look_up([[maybe_unused]] index_t repeated) const noexcept {
#if SOFTAX_CHOICE_BYTES >= 32
        byte_pattern const pattern(axes_);
        if (pattern.place() > repeated || !pattern.pays() || pattern.are_words()) return false;
        pattern(to_, where_);
        return true;
#else
        return false;
#endif
    }

    void repeat(index_t k) const noexcept {
        constexpr index_t few = 64;
        walked_axis const& along = at(k);
        index_t run = 1;
        for (index_t i = k + 1; i < axes_.size; ++i) run *= at(i).extent;
        if (dense_ <= k && k + 1 == last() && at(last()).where == 1)
            return for_each(k, run_repeater(run, along.extent));
        if (dense_ < k && run < few) return expand(k, run);
        mask_mover(reinterpret_cast<bool*>(to_), reinterpret_cast<bool const*>(where_), without(k, 1));
        run_repeater const again(run, dense_ <= k ? along.extent - 1 : 1);
        for_each(k, [&](char* y, char const*) {
            if (dense_ <= k) return again(y + run, y);
            for (index_t i = 1; i < along.extent; ++i) copy_bytes(y + i * along.y, y, run);
        });
    }

    /// Many short runs that are repeated: they are moved first, to the end, where they are read before they are written over.
    void expand(index_t k, index_t run) const noexcept {
        constexpr index_t ahead = 64;  // as far as is written before what comes next is read
        index_t const times = at(k).extent, all = times * run, runs = run_ / all, end = run_ - runs * run;
        index_t const some = std::min(runs, ahead / (all - run) + 1), most = runs - some;
        mask_mover(reinterpret_cast<bool*>(to_ + end), reinterpret_cast<bool const*>(where_), without(k, times));
        auto const repeat_runs = [&](char* y, char const* x, index_t n) {
            if (run == 1) return row_filler(times, 1)(y, x, n);
            walked_axes axes;
            for (walked_axis const& a : {walked_axis{n, 0, all, run}, {times, 0, run, 0}, {run, 0, 1, 1}})
                axes.push_back(a);
            mask_mover(reinterpret_cast<bool*>(y), reinterpret_cast<bool const*>(x), axes);
        };
        for_each(dense_, [&](char* y, char const*) {
            char x[2 * ahead];
            std::memcpy(x, y + end + most * run, static_cast<std::size_t>(some * run));
            if (most > 0) repeat_runs(y, y + end, most);
            repeat_runs(y + most * all, x, some);
        });
    }

    /// Rows of equal bytes.
    void fill() const noexcept {
        index_t const n = at(last()).extent;
        bool const are_rows = axes_.size > 1 && at(last() - 1).y == n;
        if (!are_rows) return for_each(last(), [&](char* y, char const* x) { fill_bytes(y, *x, n); });
        walked_axis const& rows = at(last() - 1);
        row_filler const filled(n, rows.where);
        for_each(last() - 1, [&](char* y, char const* x) { filled(y, x, rows.extent); });
    }

    /// Whether they are apart in the mask, and neighbours along some other axis.
    bool are_rows_apart() const noexcept {
        return at(last()).where == 0 && at(last() - 1).where != 1 && has_neighbours();
    }
    bool has_neighbours() const noexcept {
        for (index_t k = 0; k < last(); ++k) {
            if (at(k).where == 1) return true;
        }
        return false;
    }

    void move() const noexcept {
        index_t const n = at(last()).extent;
        if (interleave()) return;
        if (at(last()).where == 1 && at(last()).y == 1) {
            if (n == 2 && are_multiples(n)) return move_words<2>();
            if (n == 4 && are_multiples(n)) return move_words<4>();
            if (n == 8 && are_multiples(n)) return move_words<8>();
            return move_runs(n);
        }
        if (at(last()).y == 1 && at(last()).where != 0 && has_neighbours() && axes_.size > 2)
            return void(tile_mover(to_, where_, axes_));
        walked_axes axes;
        for (index_t k = 0; k < axes_.size; ++k) axes.push_back({at(k).extent, at(k).where, at(k).y, at(k).where});
        mover<bool, bool>(reinterpret_cast<bool*>(to_), reinterpret_cast<bool const*>(where_), axes);
    }

    /// Few rows, of bytes or of units of some, apart in one memory and in turn in one run in the other; whether they are.
    bool interleave() const noexcept {
#if SOFTAX_CHOICE_BYTES >= 32
        bool const are_units = at(last()).where == 1;
        index_t const unit = are_units ? at(last()).extent : 1;
        walked_axes others = are_units ? outside(last()) : axes_;
        if (others.size < 2 || others.at[others.size - 1].y != unit) return false;
        walked_axis const inner = others.take(others.size - 1);
        for (index_t k = 0; k < others.size; ++k) {
            walked_axis const& outer = others.at[k];
            if (outer.where != unit) continue;
            index_t const columns = inner.extent * unit, all = outer.extent * unit;
            bool const are_parted = inner.where == all && byte_interleaver::takes(outer.extent, unit, columns);
            bool const are_joined = outer.y == columns && byte_interleaver::takes(inner.extent, unit, all);
            if (!are_parted && !are_joined) continue;
            index_t const rows = are_parted ? outer.extent : inner.extent, n = are_parted ? columns : all;
            index_t const step = are_parted ? outer.y : inner.where;
            byte_interleaver const interleaved(rows, unit, are_parted ? apart::output : apart::input);
            others.take(k);
            for_each_place(others, [&](walked_axis const& p) { interleaved(to_ + p.y, where_ + p.where, step, n); });
            return true;
        }
#endif
        return false;
    }

    template <index_t N>
    struct word {
        char bytes[N];
    };

    bool are_multiples(index_t n) const noexcept {
        for (index_t k = 0; k < last(); ++k) {
            if (at(k).where % n != 0 || at(k).y % n != 0) return false;
        }
        return true;
    }

    /// Runs of so many bytes as elements.
    template <index_t N>
    void move_words() const noexcept {
        walked_axes axes;
        for (index_t k = 0; k < last(); ++k) axes.push_back({at(k).extent, at(k).where / N, at(k).y / N, 0});
        mover<word<N>, word<N>>(reinterpret_cast<word<N>*>(to_), reinterpret_cast<word<N> const*>(where_), axes);
    }

    /// Runs; some at a time that are closest in the mask.
    void move_runs(index_t n) const noexcept {
        constexpr index_t some = 16;
        index_t const k = last() - 2;
        if (k < 0 || at(k).where >= at(k + 1).where || n >= 64) {
            return for_each(last(), [&](char* y, char const* x) { copy_bytes(y, x, n); });
        }
        walked_axis const &outer = at(k), &inner = at(k + 1);
        for_each(k, [&](char* y, char const* x) {
            for (index_t first = 0; first < outer.extent; first += some) {
                index_t const end = std::min(outer.extent, first + some);
                for (index_t j = 0; j < inner.extent; ++j) {
                    for (index_t i = first; i < end; ++i) {
                        copy_bytes(y + i * outer.y + j * inner.y, x + i * outer.where + j * inner.where, n);
                    }
                }
            }
        });
    }

    char* to_;
    char const* where_;
    walked_axes const& axes_;
    index_t dense_ = axes_.size, run_ = 1;  // the first of the axes that are one run, and its length
};

SOFTAX_KERNELS_END

#undef SOFTAX_CHOICE_BYTES
#endif
