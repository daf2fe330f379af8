// Scaled dot-product attention with several heads: two sentences, causal, the shorter one padded in front.
//
// The products are Eigen's, the weights one call of softmax with a scale and a mask. What stands in the padding may see
// nothing at all: its weights are 0, where adding -inf to the scores would make them NaN (pytorch#55056).
#include <softax/eigen.hpp>
#include <softax/softax.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <span>
#include <string>

using softax::index_t;
using tensor = softax::array<float>;  // (sentences, heads, tokens, columns)

constexpr index_t sentences = 2, heads = 3, tokens = 10, width = 16, tile = 4;
constexpr index_t padding[sentences] = {0, 4};  // tokens in front that are none
double const scale = 1 / std::sqrt(static_cast<double>(width));

/// The rows of one head as a matrix, without a copy.
template <class Tensor>
auto matrix(Tensor& a, index_t s, index_t h) {
    return softax::matrix_of(softax::view(&a(s, h, 0, 0), {tokens, a.shape()[3]}));
}

template <class Work>
void for_each_head(Work work) {
    for (index_t s = 0; s < sentences; ++s) {
        for (index_t h = 0; h < heads; ++h) work(s, h);
    }
}

/// All weights at once.
tensor weights_of(tensor const& q, tensor const& k) {
    // A query sees itself and what came before, but no padding. One mask for all heads.
    softax::array<bool> mask({sentences, 1, tokens, tokens}, false);
    for (index_t s = 0; s < sentences; ++s) {
        for (index_t i = 0; i < tokens; ++i) {
            for (index_t j = padding[s]; j <= i; ++j) mask(s, 0, i, j) = true;
        }
    }
    auto w = tensor::uninitialized({sentences, heads, tokens, tokens});
    for_each_head([&](auto s, auto h) { matrix(w, s, h).noalias() = matrix(q, s, h) * matrix(k, s, h).transpose(); });
    softax::softmax_into(w, w, -1, {.scale = scale, .where = mask});
    return w;
}

/// weights * v without the weights: a tile of keys at a time, what is there so far rescaled whenever more is known.
tensor attend_in_tiles(tensor const& q, tensor const& k, tensor const& v) {
    tensor out(q.shape(), 0);
    for_each_head([&](index_t s, index_t h) {
        for (index_t i = padding[s]; i < tokens; ++i) {
            softax::normalizer<float> n;
            for (index_t j = padding[s]; j <= i; j += tile) {
                index_t const count = std::min(tile, i + 1 - j);
                Eigen::RowVectorXf p = matrix(q, s, h).row(i) * matrix(k, s, h).middleRows(j, count).transpose();
                std::span<float> const scores(p.data(), static_cast<std::size_t>(count));
                auto const before = n;
                n.push(scores, scale);
                n.softmax_into(scores, scores, scale);
                matrix(out, s, h).row(i) *= rescale(before, n);
                matrix(out, s, h).row(i) += p * matrix(v, s, h).middleRows(j, count);
            }
        }
    });
    return out;
}

/// The formula in plain loops, in double.
tensor attend_in_loops(tensor const& q, tensor const& k, tensor const& v) {
    tensor out(q.shape(), 0);
    for_each_head([&](index_t s, index_t h) {
        for (index_t i = padding[s]; i < tokens; ++i) {
            double sum = 0, row[width] = {};
            for (index_t j = padding[s]; j <= i; ++j) {
                double score = 0;
                for (index_t c = 0; c < width; ++c) score += double{q(s, h, i, c)} * double{k(s, h, j, c)};
                double const e = std::exp(scale * score);
                sum += e;
                for (index_t c = 0; c < width; ++c) row[c] += e * double{v(s, h, j, c)};
            }
            for (index_t c = 0; c < width; ++c) out(s, h, i, c) = static_cast<float>(row[c] / sum);
        }
    });
    return out;
}

tensor random_tensor(unsigned seed) {
    auto a = tensor::uninitialized({sentences, heads, tokens, width});
    std::mt19937 random(seed);
    std::normal_distribution<float> draw(0, 1.5f);
    for (float& x : a) x = draw(random);
    return a;
}

/// The weights of a sentence, heads side by side: a line a query, two characters a key, the darker the heavier.
void show(tensor const& w, index_t s) {
    static char const* const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    std::printf("sentence %td, %td tokens of padding; ·· is exactly 0\n", s + 1, padding[s]);
    for (index_t i = 0; i < tokens; ++i) {
        std::string line;
        for (index_t h = 0; h < heads; ++h, line += "    ") {
            for (index_t j = 0; j < tokens; ++j) {
                float const x = w(s, h, i, j);
                line += x == 0 ? "··" : shades[std::min(4, static_cast<int>(x * 6))];
            }
        }
        std::printf("  %s\n", line.c_str());
    }
}

float difference(tensor const& a, tensor const& b) {
    softax::view const x(a), y(b);
    return (softax::vector_of(x.reshape(-1)) - softax::vector_of(y.reshape(-1)))
        .cwiseAbs()
        .maxCoeff<Eigen::PropagateNaN>();
}

int main() {
    tensor const q = random_tensor(1), k = random_tensor(2), v = random_tensor(3), w = weights_of(q, k);
    auto out = tensor::uninitialized(q.shape());
    for_each_head([&](auto s, auto h) { matrix(out, s, h).noalias() = matrix(w, s, h) * matrix(v, s, h); });
    for (index_t s = 0; s < sentences; ++s) show(w, s);
    float const loops = difference(out, attend_in_loops(q, k, v)), tiles = difference(out, attend_in_tiles(q, k, v));
    std::printf("largest difference from plain loops in double %.1e, from tiles of %td keys %.1e\n",
                static_cast<double>(loops), tile, static_cast<double>(tiles));
    // Scores are sums of 16 products in float, which are off by some 1e-6, and so are weights; NaN is never below.
    return loops <= 1e-5f && tiles <= 1e-5f ? 0 : 1;
}
