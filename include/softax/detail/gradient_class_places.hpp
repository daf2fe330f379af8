// gradient_class_places: where the groups of cross entropy lie.
#pragma once

#include "partition.hpp"

namespace softax::detail {

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

}  // namespace softax::detail
