// What both units of the program do, so that every function of softax is compiled twice under one name. The names of the
// two units themselves differ; all that could clash is softax's.
#pragma once

#include <softax/softax.hpp>

#include <cmath>

// Rows long enough for every path of a kernel: whole packets and a remainder.
static softax::array<float> make() {
    softax::array<float> x({3, 37}, 0.0f);
    for (softax::index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 11) * 0.5f - 2.0f;
    return x;
}

static bool is_near(float got, double want) { return std::abs(got - want) <= 1e-6 * want; }

// Row sums in double and std::exp: nothing here comes from softax.
static bool check(softax::array<float> const& x) {
    auto const rows = softax::softmax(x, -1);
    auto const columns = softax::softmax(x, 0);
    bool good = true;
    for (softax::index_t i = 0; i < 3; ++i) {
        for (softax::index_t j = 0; j < 37; ++j) {
            double row = 0;
            double column = 0;
            for (softax::index_t k = 0; k < 37; ++k) row += std::exp(static_cast<double>(x(i, k)));
            for (softax::index_t k = 0; k < 3; ++k) column += std::exp(static_cast<double>(x(k, j)));
            auto const e = std::exp(static_cast<double>(x(i, j)));
            good = good && is_near(rows(i, j), e / row) && is_near(columns(i, j), e / column);
        }
    }
    return good;
}
