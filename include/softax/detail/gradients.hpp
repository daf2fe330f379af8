// gradients: the kernels of gradients, and which instruction set runs; and arrays in slabs that stay in cache.
#pragma once

#include <functional>
#include <optional>

#include "../view.hpp"
#include "answers.hpp"
#include "gradient_class_places.hpp"
#include "gradient_plan.hpp"
#include "kernels.hpp"

#define SOFTAX_TARGET_FILE "gradient_files.hpp"
#include "targets.hpp"
#undef SOFTAX_TARGET_FILE

namespace softax::detail {

/// One part of an array along its leading axes that are not reduced, or along its last, and where it begins.
struct slab {
    index_list shape, reduced;
    index_list index;           // of its first element, in the leading axes
    index_t column = 0;         // the same in the last axis, where
    index_t row = 0;            // rows of the array are so long; 0 where that axis is whole
    index_t first_element = 0;  // in row-major order
    index_t first_group = 0;

    /// That part of something of the shape of the array.
    template <class T>
    view<T> of(T* data, index_list const& strides) const {
        index_list own;
        index_t const fixed = strides.size() - shape.size();
        for (index_t axis = 0; axis < strides.size(); ++axis) {
            if (axis < index.size()) data += index[axis] * strides[axis];
            if (axis >= fixed) own.push_back(strides[axis]);
        }
        if (column > 0) data += column * strides[strides.size() - 1];
        return view<T>(data, shape, own);
    }
};

/// Slabs of about as many elements as leave room in a cache, each of whole groups.
class slabs {
public:
    slabs(index_list const& shape, index_list const& reduced, bool cuts_columns, index_t element_bytes)
        : shape_(shape), reduced_(reduced) {
        index_t const wanted = (index_t{1} << 19) / element_bytes;
        index_t const leading = reduced.empty() ? shape.size() : reduced[0];
        rest_ = size_of(shape);
        kept_ = size_of(shape);
        for (index_t const axis : reduced) kept_ /= shape[axis];
        // Columns, if all axes but the last are reduced.
        index_t const last = shape.size() - 1;
        are_columns_ = cuts_columns && leading == 0 && reduced.size() > 0 && reduced[reduced.size() - 1] < last &&
                       kept_ == shape[last] && kept_ > 32 && rest_ > wanted;
        if (are_columns_) {
            axis_ = last, extent_ = shape[last];
            rest_ /= extent_, kept_ = 1;
            step_ = std::clamp(wanted / 2 / rest_ / 32 * 32, index_t{32}, extent_);
            while (extent_ % step_ == 1) step_ += 32;  // a column by itself would be a run
        }
        if (leading == 0) return;
        while (true) {
            rest_ /= shape[axis_], kept_ /= shape[axis_];
            if (rest_ <= wanted || axis_ == leading - 1) break;
            before_ *= shape[axis_++];
        }
        extent_ = shape[axis_];
        // A long run at a time, others next to one another: with one of 16,384 rather than some, logsumexp_vjp takes 1.25 times as long.
        step_ = rest_ > wanted / 4 ? 1 : std::clamp(wanted / rest_, index_t{1}, extent_);
    }

    index_t count() const noexcept { return before_ * steps(); }
    index_t largest() const noexcept { return rest_ * step_; }

    slab operator[](index_t number) const {
        index_t const at = number % steps() * step_;
        number /= steps();
        if (are_columns_) {
            slab s = {shape_, reduced_, {}, at, extent_, at, at};
            s.shape[axis_] = std::min(step_, extent_ - at);
            return s;
        }
        slab s;
        for (index_t axis = axis_; axis < shape_.size(); ++axis) s.shape.push_back(shape_[axis]);
        for (index_t const axis : reduced_) s.reduced.push_back(axis - axis_);
        s.first_element = (number * extent_ + at) * rest_;
        s.first_group = (number * extent_ + at) * kept_;
        if (count() == 1) return s;
        s.shape[0] = std::min(step_, extent_ - at);
        s.index = index_list::filled(axis_ + 1, at);
        for (index_t axis = axis_ - 1; axis >= 0; --axis) {
            s.index[axis] = number % shape_[axis];
            number /= shape_[axis];
        }
        return s;
    }

private:
    index_t steps() const noexcept { return (extent_ + step_ - 1) / step_; }

    index_list shape_, reduced_;
    index_t axis_ = 0, before_ = 1;  // the axis that is cut, the indices left of it
    index_t extent_ = 1, step_ = 1;  // of that axis
    index_t rest_ = 1, kept_ = 1;    // elements and groups for each of its indices
    bool are_columns_ = false;       // it is the last one, which those left of it are reduced for
};

inline namespace SOFTAX_ISA {

/// Blocks [first, last) of a call on the instruction set in use.
template <rule Rule, class Y, class G, class Out>
void apply_blocks(gradient_call<Y, G, Out> const& c, gradient_plan const& p, index_t first, index_t last) {
#ifdef SOFTAX_HAS_REGIONS
    switch (chosen_instruction_set()) {
        case instruction_set::avx512:
            return avx512::run_gradients<Rule>(c, p, first, last);
        case instruction_set::avx2:
            return avx2::run_gradients<Rule>(c, p, first, last);
        case instruction_set::flags:
            break;
    }
#endif
    run_gradients<Rule>(c, p, first, last);
}

/// A part of a run on the instruction set in use.
template <rule Rule, class Y, class G, class Out>
void apply_segment(gradient_call<Y, G, Out> const& c, gradient_plan const& p, run_segment<compute_type<Y>> const& s) {
#ifdef SOFTAX_HAS_REGIONS
    instruction_set const chosen = chosen_instruction_set();
    if (chosen == instruction_set::avx512) return avx512::run_gradient_segment<Rule>(c, p, s);
    if (chosen == instruction_set::avx2) return avx2::run_gradient_segment<Rule>(c, p, s);
#endif
    run_gradient_segment<Rule>(c, p, s);
}

/// Blocks of long groups one after another, each on all threads of a team.
template <rule Rule, class Y, class G, class Out>
void apply_long_groups(gradient_call<Y, G, Out> const& c, gradient_plan const& p, team& on) {
    using T = compute_type<Y>;
    constexpr index_t step = gradient_chunk<T>;
    index_t const n = p.groups.count, chunks = (n + step - 1) / step, parts = on.threads(),
                  each = segment_of(n, parts, step);
    index_t const sums_of_chunk = !has_sum(Rule) ? 0 : p.is_row ? 1 : gradient_most_columns;
    std::vector<T> sums(static_cast<std::size_t>(chunks * sums_of_chunk));
    bool const is_moved = p.moves_mask(c.where);
    buffer<bool> answers(is_moved ? n * p.block_groups() : 0);
    for (index_t block = 0; block < p.blocks(); ++block) {
        for (run_step const now : {run_step::mask, run_step::sums, run_step::results}) {
            if ((now == run_step::mask && !is_moved) || (now == run_step::sums && !has_sum(Rule))) continue;
            on.run(parts, [&](index_t part) {
                index_t const first = std::min(n, part * each), end = std::min(n, first + each);
                if (first < end)
                    apply_segment<Rule>(c, p, run_segment<T>{block, first, end, now, sums.data(), answers.data()});
            });
        }
    }
}

/// The groups [first, end) of a call of cross entropy on the instruction set in use.
template <class L>
void apply_classes(class_call<L> const& c, index_t first, index_t end) {
#ifdef SOFTAX_HAS_REGIONS
    instruction_set const chosen = chosen_instruction_set();
    if (chosen == instruction_set::avx512) return avx512::run_classes(c, first, end);
    if (chosen == instruction_set::avx2) return avx2::run_classes(c, first, end);
#endif
    run_classes(c, first, end);
}

/// Whether some of n probabilities are NaN.
template <class T>
bool has_nan(T const* x, index_t n) noexcept {
#ifdef SOFTAX_HAS_REGIONS
    instruction_set const chosen = chosen_instruction_set();
    if (chosen == instruction_set::avx512) return avx512::run_nan_search(x, n);
    if (chosen == instruction_set::avx2) return avx2::run_nan_search(x, n);
#endif
    return run_nan_search(x, n);
}

/// A rule over all groups of row-major arrays of a shape; c.where is set to the mask, if there is one. Without elements there is
/// nothing to do.
template <rule Rule, class Y, class G, class Out>
void apply_rule(gradient_call<Y, G, Out> c, index_list const& shape, index_list const& reduced,
                std::optional<broadcast_mask> const& mask, team* on) {
    if (size_of(shape) == 0) return;
    using T = typename gradient_call<Y, G, Out>::T;
    constexpr bool converts = !(std::same_as<Y, T> && std::same_as<G, T> && std::same_as<Out, T>);
    void const* const out = c.out;
    bool const is_apart = !converts && out != c.y && out != c.g;
    c.where = mask ? mask->data() : nullptr;
    auto const p = gradient_plan::of<T>(shape, reduced, mask ? &mask->strides() : nullptr, is_apart);
    if (on != nullptr && on->threads() > 1 && p.template has_long_groups<T>(on->threads())) {
        return apply_long_groups<Rule>(c, p, *on);
    }
    in_parts(p.blocks(), p.size, on,
             [&](index_t first, index_t last, team*) { apply_blocks<Rule>(c, p, first, last); });
}

}  // namespace SOFTAX_ISA
}  // namespace softax::detail
