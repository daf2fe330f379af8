// group_pieces: every group of a view, brought to a visitor in pieces that lie in one run of memory.
//
// For what works on pieces of a group one after another (normalizer.hpp). Where the elements of a group are neighbours of
// the right type they are handed over in place; others pass through a scratch, several groups at once, so that whole cache
// lines are used. Pieces begin at multiples of their length wherever the group lies, so that no result depends on that.
#pragma once

#include <algorithm>
#include <concepts>
#include <utility>

#include "buffer.hpp"
#include "isa.hpp"
#include "partition.hpp"
#include "traverse.hpp"

namespace softax::detail {
inline namespace SOFTAX_ISA {

/// Elements of a piece: in cache between two passes, and many beside what is done once a piece.
inline constexpr index_t piece_size = 8192;

/// Groups that pass through the scratch at once, and elements between their beginnings there beside those of a piece, so that
/// they do not all fall into the same places of a cache.
inline constexpr index_t groups_at_once = 16, pitch_extra = 16;

/// Groups that are finished at once where they lie: lines of so many side by side are long enough, and what is known of them stays in
/// L1.
inline constexpr index_t finished_at_once = 256;

/// The axes of a shape, parted into kept ones and those along which groups lie; at least one of each.
struct group_axes {
    walked_axes kept, reduced;

    /// reduced holds ascending axes.
    static group_axes of(index_list const& shape, index_list const& reduced, walked_strides const& strides) {
        group_axes axes;
        for (index_t axis = 0, next = 0; axis < shape.size(); ++axis) {
            bool const is_reduced = next < reduced.size() && reduced[next] == axis;
            if (is_reduced) ++next;
            index_t const where = strides.where != nullptr ? (*strides.where)[axis] : 0;
            (is_reduced ? axes.reduced : axes.kept).push_back({shape[axis], strides.x[axis], strides.y[axis], where});
        }
        for (walked_axes* part : {&axes.kept, &axes.reduced}) {
            if (part->size == 0) part->at[part->size++] = {1, 1, 1, 1};
        }
        return axes;
    }
};

/// at and count steps along an axis.
constexpr walked_axis moved(walked_axis at, walked_axis const& along, index_t count) noexcept {
    at.x += count * along.x, at.y += count * along.y, at.where += count * along.where;
    return at;
}

/// Calls visit(offset, place, n) for each run of n elements, along the last axis, that makes up the elements
/// [first, first + count) of axes in row-major order; place counts from first.
template <class Visit>
void for_each_run(walked_axes const& axes, index_t first, index_t count, Visit visit) {
    walked_axis const& last = axes.at[axes.size - 1];
    for (index_t place = 0; place < count;) {
        index_t const begin = (first + place) % last.extent, n = std::min(count - place, last.extent - begin);
        walked_axis at = moved({1, 0, 0, 0}, last, begin);
        index_t rest = (first + place) / last.extent;
        for (index_t axis = axes.size - 2; axis >= 0; --axis) {
            at = moved(at, axes.at[axis], rest % axes.at[axis].extent);
            rest /= axes.at[axis].extent;
        }
        visit(at, place, n);
        place += n;
    }
}

/// The elements x[0, n) of a group, what the mask says of them if there is one, and room for results. y may be x.
template <class X, class Y>
struct group_piece {
    index_t group, number, n;
    X const* x;
    Y* y;
    bool const* where;
};

/// Brings the groups of the memory at x, as X, piece by piece, and writes results of type Y to that at y, unless y is null. Then
/// pieces have room only where results are of another type.
template <class X, class Y, class In, class Out>
class group_walk {
public:
    group_walk(group_axes const& axes, In const* x, Out* y, bool const* where)
        : reduced_(axes.reduced.are_split_by_mask() ? axes.reduced.bare() : axes.reduced),
          masked_(axes.reduced),
          outer_(axes.kept),
          x_(x),
          y_(y),
          where_(where),
          count_(axes.reduced.count()) {
        // The last kept axis is walked in blocks of groups, those left of it one by one.
        last_ = outer_.take(outer_.size - 1);
        walked_axis const& run = reduced_.at[0];
        bool const is_run = reduced_.size == 1;
        has_x_ = std::same_as<In, X> && is_run && run.x == 1;
        has_y_ = std::same_as<Out, Y> && is_run && run.y == 1 && y != nullptr;
        has_where_ = where == nullptr || (masked_.size == 1 && masked_.at[0].where == 1);
        bool const is_direct = has_x_ && has_where_ && (has_y_ || y == nullptr);
        index_t const together = piece_size / std::max(count_, index_t{1});
        index_t at_once = is_direct ? together : groups_at_once;
        if constexpr (std::same_as<In, Out> && !std::integral<In>) {
            walked_axis const& inmost = masked_.at[masked_.size - 1];
            bool const is_one = masked_.size == 1;
            // Groups of several axes are not cut, so long ones only where there are some for each thread.
            bool const are_fit = is_one || count_ <= piece_size || axes.kept.count() >= 64;
            are_side_by_side_ = are_fit && last_.x == 1 && last_.y == 1 && last_.extent > 1;
            are_runs_ = are_fit && inmost.x == 1 && inmost.y == 1 && (is_one || inmost.extent >= 32) &&
                        !(are_side_by_side_ && count_ == 1);
            if (lie_in_blocks()) at_once = are_runs_ ? std::min(together, finished_at_once) : finished_at_once;
            if (lie_in_blocks() && !is_one) piece_ = count_;
        }
        block_ = std::max(std::min(last_.extent, at_once), index_t{1});
        blocks_ = (last_.extent + block_ - 1) / block_;
        pieces_ = (count_ + piece_ - 1) / piece_;
        pitch_ = std::min(count_, piece_size) + pitch_extra;
    }

    /// Pieces of a group, and all visits of blocks of groups, which may be made in any order.
    index_t pieces() const noexcept { return pieces_; }
    index_t visits() const noexcept { return outer_.count() * blocks_ * pieces_; }

    /// work(group_piece) for each piece of the visits [first, end). Groups are numbered in row-major order of the kept axes.
    template <class Work>
    void operator()(index_t first, index_t end, Work&& work) const {
        index_t const size = block_ * pitch_, y_pitch = y_ == nullptr ? 0 : pitch_;
        bool const is_one = std::same_as<X, Y> && !has_x_;
        bool const needs_y = y_ == nullptr ? !std::same_as<X, Y> : !has_y_;
        buffer<X> x(has_x_ ? 0 : size);
        buffer<Y> y(!needs_y || is_one ? 0 : std::max(block_ * y_pitch, pitch_));
        buffer<bool> where(has_where_ ? 0 : size);
        rows<Y> room = {y.data(), y_pitch};
        if constexpr (std::same_as<X, Y>) {
            if (is_one) room = {x.data(), pitch_};
        }
        for (index_t v = first; v < end; ++v) {
            place const at = place_of(v);
            auto const xs = brought(x.data(), x_, reduced_, &walked_axis::x, at);
            auto const wheres =
                where_ ? brought(where.data(), where_, masked_, &walked_axis::where, at) : rows<bool const>{};
            if constexpr (std::same_as<Out, Y>) {
                if (has_y_) room = {y_ + at.offset.y + at.first, last_.y};
            }
            for (index_t j = 0; j < at.groups; ++j) {
                work(group_piece<X, Y>{at.group + j, at.piece, at.n, xs(j), room(j), wheres(j)});
            }
            if (y_ != nullptr && !has_y_) take_back(room, at);
        }
    }

    /// Whether groups lie in runs or side by side, and may be taken some at once where they lie, if y is not null.
    bool lie_in_blocks() const noexcept { return y_ != nullptr && (are_runs_ || are_side_by_side_); }

    /// The same visits: work(a finish_block of which states and scale are not set, the number of its first group).
    template <class Block, class Work>
    void for_each_block(index_t first, index_t end, Work&& work) const {
        for (index_t v = first; v < end; ++v) {
            place const at = place_of(v);
            Block b = {x_ + at.offset.x, y_ + at.offset.y, where_, last_.of(at.groups), masked_, are_runs_, nullptr, 1};
            if (where_ != nullptr) b.where += at.offset.where;
            if (masked_.size == 1) {
                walked_axis& line = b.elements.at[0];
                line.extent = at.n;
                b.x += at.first * line.x, b.y += at.first * line.y;
                if (where_ != nullptr) b.where += at.first * line.where;
            }
            work(b, at.group);
        }
    }

private:
    /// The pieces of the groups of a block.
    template <class T>
    struct rows {
        T* data = nullptr;
        index_t pitch = 0;

        T* operator()(index_t j) const noexcept { return data == nullptr ? nullptr : data + j * pitch; }
    };

    struct place {
        walked_axis offset;       // of the first group
        index_t group, groups;    // its number; how many
        index_t piece, first, n;  // of each group, its elements [first, first + n)
    };

    place place_of(index_t v) const noexcept {
        auto const take_digit = [&v](index_t base) {
            if (v < base) return std::exchange(v, 0);
            index_t const digit = v % base;
            v /= base;
            return digit;
        };
        place p = {};
        p.piece = take_digit(pieces_);
        p.first = p.piece * piece_;
        p.n = std::min(piece_, count_ - p.first);
        index_t const begin = take_digit(blocks_) * block_;
        p.group = v * last_.extent + begin;
        p.groups = std::min(block_, last_.extent - begin);
        p.offset = moved({1, 0, 0, 0}, last_, begin);
        for (index_t k = outer_.size - 1; k >= 0; --k) {
            p.offset = moved(p.offset, outer_.at[k], take_digit(outer_.at[k].extent));
        }
        return p;
    }

    /// The pieces in place if there is no scratch, else there.
    template <class T, class From>
    rows<T const> brought(T* scratch, From const* from, walked_axes const& reduced, index_t walked_axis::*stride,
                          place const& p) const {
        from += p.offset.*stride;
        if constexpr (std::same_as<T, From>) {
            if (scratch == nullptr) return {from + p.first, last_.*stride};
        }
        index_t const column = reduced.at[reduced.size - 1].*stride;
        for_each_run(reduced, p.first, p.n, [&](walked_axis const& run, index_t i, index_t n) {
            copy_block(scratch + i, pitch_, 1, from + run.*stride, last_.*stride, column, p.groups, n);
        });
        return {scratch, pitch_};
    }

    void take_back(rows<Y> const& room, place const& p) const {
        index_t const column = reduced_.at[reduced_.size - 1].y;
        for_each_run(reduced_, p.first, p.n, [&](walked_axis const& run, index_t i, index_t n) {
            copy_block(y_ + p.offset.y + run.y, last_.y, column, room.data + i, pitch_, 1, p.groups, n);
        });
    }

    walked_axes reduced_, masked_, outer_;  // the reduced axes without a mask that keeps them apart, and with it
    walked_axis last_ = {1, 0, 0, 0};
    In const* x_;
    Out* y_;
    bool const* where_;
    index_t count_, piece_ = piece_size, block_ = 1, blocks_ = 1, pieces_ = 0, pitch_ = 0;
    bool are_runs_ = false, are_side_by_side_ = false;
    bool has_x_ = false, has_y_ = false, has_where_ = false;  // handed over in place
};

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
