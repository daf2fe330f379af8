// group_pieces: every group of a view, brought to a visitor in pieces that lie in one run of memory.
//
// For what works on pieces of a group one after another (normalizer.hpp). Where the elements of a group are neighbours of
// the right type they are handed over in place; others pass through a scratch, several groups at once, so that whole cache
// lines are used. Pieces begin at multiples of their length wherever the group lies, so that no result depends on that.
#pragma once

#include <algorithm>

#include "buffer.hpp"
#include "traverse.hpp"

namespace softax::detail {

/// Elements of a piece: in cache between two passes, and many beside what is done once a piece.
inline constexpr index_t piece_size = 8192;

/// Groups that pass through the scratch at once, and elements between their beginnings there beside those of a piece, so that
/// they do not all fall into the same places of a cache.
inline constexpr index_t groups_at_once = 16, pitch_extra = 16;

/// The axes of two memories of one shape, parted into kept ones and those along which groups lie.
struct group_axes {
    tandem kept, reduced;

    /// reduced holds ascending axes; to and from are the strides of the memories.
    static group_axes of(index_list const& shape, index_list const& reduced, index_list const& to,
                         index_list const& from) {
        tandem parts[2];
        for (index_t axis = 0, next = 0; axis < shape.size(); ++axis) {
            bool const is_reduced = next < reduced.size() && reduced[next] == axis;
            if (is_reduced) ++next;
            tandem& part = parts[is_reduced];
            part.shape.push_back(shape[axis]);
            part.to.push_back(to[axis]);
            part.from.push_back(from[axis]);
        }
        for (tandem& part : parts) {
            part = collapse(part);
            if (part.shape.empty()) part = {{1}, {1}, {1}};
        }
        return {parts[0], parts[1]};
    }
};

/// Calls visit(offset_to, offset_from, place, n) for each run of n elements, along the last axis, that makes up the elements
/// [first, first + count) of a shape in row-major order; place counts from first.
template <class Visit>
void for_each_run(tandem const& t, index_t first, index_t count, Visit visit) {
    index_t const last = t.shape.size() - 1, extent = t.shape[last];
    for (index_t place = 0; place < count;) {
        index_t const begin = (first + place) % extent, n = std::min(count - place, extent - begin);
        index_t to = begin * t.to[last], from = begin * t.from[last], rest = (first + place) / extent;
        for (index_t axis = last - 1; axis >= 0; --axis) {
            index_t const index = rest % t.shape[axis];
            rest /= t.shape[axis];
            to += index * t.to[axis];
            from += index * t.from[axis];
        }
        visit(to, from, place, n);
        place += n;
    }
}

/// Brings the groups of the memory at from, and of one of the same shape at to if anything is to be written there.
template <class T, class Out, class In>
class group_walk {
    static constexpr bool writes = !std::is_const_v<Out>;

public:
    group_walk(group_axes const& axes, Out* to, In const* from)
        : reduced_(axes.reduced), outer_(axes.kept), to_(to), from_(from), count_(size_of(axes.reduced.shape)) {
        // The last kept axis is walked in blocks of groups, those left of it one by one.
        index_t const axis = outer_.shape.size() - 1;
        extent_ = outer_.shape[axis], to_step_ = outer_.to[axis], from_step_ = outer_.from[axis];
        outer_.shape.erase(axis), outer_.to.erase(axis), outer_.from.erase(axis);
        bool const is_run = reduced_.shape.size() == 1 && reduced_.from[0] == 1 && reduced_.to[0] == 1;
        is_direct_ = is_run && std::same_as<In, T> && std::same_as<std::remove_const_t<Out>, T>;
        block_ = is_direct_ ? 1 : std::min(groups_at_once, extent_);
        pitch_ = std::min(count_, piece_size) + pitch_extra;
        scratch_ = buffer<T>(is_direct_ ? 0 : block_ * pitch_);
    }

    /// work(group, x, y, n) for each piece x[0, n) of each group, groups in row-major order of the kept axes, pieces in order.
    /// What it writes to y[0, n) goes where the piece lies in the memory at to; x may be y.
    template <class Work>
    void operator()(Work work) {
        if (count_ == 0) return;
        index_t group = 0;
        for_each_offset(outer_, [&](index_t to, index_t from) {
            for (index_t o = 0; o < extent_; o += block_) {
                index_t const groups = std::min(block_, extent_ - o);
                for (index_t i = 0; i < count_; i += piece_size) {
                    place const at = {to + o * to_step_, from + o * from_step_, i, std::min(piece_size, count_ - i)};
                    if (is_direct_) {
                        directly(at, group, work);
                    } else {
                        through_scratch(at, group, groups, work);
                    }
                }
                group += groups;
            }
        });
    }

private:
    struct place {
        index_t to, from;  // of the first group
        index_t first, n;  // the piece
    };

    template <class Work>
    void directly(place const& at, index_t group, Work& work) {
        if constexpr (std::same_as<In, T> && std::same_as<std::remove_const_t<Out>, T>) {
            work(group, from_ + at.from + at.first, to_ + at.to + at.first, at.n);
        }
    }

    template <class Work>
    void through_scratch(place const& at, index_t group, index_t groups, Work& work) {
        T* const s = scratch_.data();
        index_t const n = at.n;
        for_each_run(reduced_, at.first, n, [&](index_t, index_t run, index_t i, index_t length) {
            copy_block(s + i, pitch_, 1, from_ + at.from + run, from_step_, reduced_.from.back(), groups, length);
        });
        for (index_t j = 0; j < groups; ++j) work(group + j, s + j * pitch_, s + j * pitch_, n);
        if constexpr (writes) {
            for_each_run(reduced_, at.first, n, [&](index_t run, index_t, index_t i, index_t length) {
                copy_block(to_ + at.to + run, to_step_, reduced_.to.back(), s + i, pitch_, 1, groups, length);
            });
        }
    }

    tandem reduced_, outer_;
    Out* to_;
    In const* from_;
    index_t count_, extent_, to_step_, from_step_, block_, pitch_;
    bool is_direct_;
    buffer<T> scratch_;
};

}  // namespace softax::detail
