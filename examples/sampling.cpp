// The next word of a language model, drawn: temperature as a scale, top-k as a mask, and draws by Gumbel noise on the
// log-probabilities: the argmax of log p + noise is i with probability p(i).
#include <softax/softax.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

using softax::index_t;

constexpr int draws = 20000;
constexpr index_t words = 8;
constexpr char const* names[words] = {"mat", "sofa", "floor", "roof", "table", "moon", "cat", "of"};
softax::array<float> const logits = {3.1, 2.4, 2.2, 1.1, 0.9, -0.4, -1.5, -4};

/// Which words are among the k most likely.
softax::array<bool> top(index_t k) {
    std::vector<float> order(logits.begin(), logits.end());
    std::ranges::nth_element(order, order.begin() + k - 1, std::greater());
    softax::array<bool> mask({words}, false);
    for (index_t i = 0; i < words; ++i) mask(i) = logits(i) >= order[static_cast<std::size_t>(k - 1)];
    return mask;
}

/// How often each word is drawn. What a mask leaves out has the logarithm -inf, which no noise lifts.
std::array<int, words> histogram(softax::array<float> const& log_p) {
    std::mt19937 random;  // the same numbers everywhere; the distributions of <random> are not
    std::array<int, words> counts = {};
    for (int draw = 0; draw < draws; ++draw) {
        double best = -HUGE_VAL;
        std::size_t word = 0;
        for (std::size_t i = 0; i < words; ++i) {
            double const uniform = (static_cast<double>(random()) + 0.5) / 4294967296.0;
            double const lifted = double{log_p(i)} - std::log(-std::log(uniform));
            if (lifted > best) best = lifted, word = i;
        }
        ++counts[word];
    }
    return counts;
}

std::string bar(double part) {
    std::string text;
    for (int i = 0; i < static_cast<int>(40 * part + 0.5); ++i) text += "█";
    return text;
}

/// Shows probabilities and draws at a temperature among the k most likely words; whether all of them are right.
bool show(double temperature, index_t k) {
    auto const mask = top(k);
    softax::options const how = {.scale = 1 / temperature, .where = mask};
    auto const p = softax::softmax(logits, -1, how);
    auto const counts = histogram(softax::log_softmax(logits, -1, how));

    double sum = 0;
    for (index_t i = 0; i < words; ++i) sum += mask(i) ? std::exp(double{logits(i)} / temperature) : 0;
    bool is_right = true;
    std::printf("temperature %.1f, top %td\n", temperature, k);
    for (index_t i = 0; i < words; ++i) {
        double const expected = mask(i) ? std::exp(double{logits(i)} / temperature) / sum : 0, q = double{p(i)};
        double const drawn = static_cast<double>(counts[static_cast<std::size_t>(i)]) / draws;
        std::printf("  %-6s %5.1f%%  drawn %5.1f%%  %s\n", names[i], 100 * q, 100 * drawn, bar(drawn).c_str());
        // Five standard deviations of a share that is drawn; nothing at all for 0.
        is_right = is_right && std::abs(drawn - expected) <= 5 * std::sqrt(expected * (1 - expected) / draws);
        is_right = is_right && std::abs(q - expected) <= 5e-7 * expected;  // 4 ULP
    }
    std::puts("");
    return is_right;
}

int main() {
    bool is_right = true;
    for (double const temperature : {0.5, 1.0, 2.0}) is_right = show(temperature, words) && is_right;
    is_right = show(1, 3) && is_right;
    std::printf("%d draws each: %s\n", draws, is_right ? "as likely as they should be" : "NOT as they should be");
    return is_right ? 0 : 1;
}
