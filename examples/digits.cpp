// Softmax regression: a linear model learns to read handwritten digits, 1,797 images of 8 x 8 pixels (data/README.md).
//
// Eigen multiplies the matrices; softax makes probabilities and the loss of what comes out. Every fifth image is held out,
// for the finished model to read; the program fails if it reads fewer than 95 in 100 of them.
#include <softax/eigen.hpp>
#include <softax/npy.hpp>
#include <softax/softax.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#ifndef SOFTAX_EXAMPLES_DATA
#define SOFTAX_EXAMPLES_DATA "examples/data"
#endif

using softax::index_t;
using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr index_t classes = 10, side = 8, pixels = side * side;

struct digits {
    matrix images;              // one a row: pixels from 0 to 1, then a 1 whose weights are the biases
    softax::array<int> labels;  // one an image
};

/// Every fifth image, or the other four.
digits load_digits(bool is_held_out) {
    auto const images =
        softax::load_npy<std::uint8_t>(SOFTAX_EXAMPLES_DATA "/digits_images.npy").reshaped({-1, pixels});
    auto const labels = softax::load_npy<std::uint8_t>(SOFTAX_EXAMPLES_DATA "/digits_labels.npy");
    std::vector<index_t> chosen;
    for (index_t i = 0; i < labels.size(); ++i) {
        if ((i % 5 == 4) == is_held_out) chosen.push_back(i);
    }
    auto const count = static_cast<index_t>(chosen.size());
    digits d = {matrix::Ones(count, pixels + 1), softax::array<int>::uninitialized({count})};
    for (index_t row = 0; row < count; ++row) {
        index_t const i = chosen[static_cast<std::size_t>(row)];
        d.images.row(row).head(pixels) = softax::matrix_of(images).row(i).cast<float>() / 16;
        d.labels(row) = labels(i);
    }
    return d;
}

/// One pass over the images in batches, for each a step against the gradient of the loss: images' * (probabilities - 1 at
/// the label) / count.
void train(matrix& weights, digits const& d, float rate) {
    constexpr index_t batch = 32;
    for (index_t first = 0; first < d.images.rows(); first += batch) {
        index_t const count = std::min(batch, d.images.rows() - first);
        auto const images = d.images.middleRows(first, count);
        matrix errors = images * weights;
        softax::softmax_into(softax::view_of(errors), softax::view_of(errors), -1);  // in place
        for (index_t i = 0; i < count; ++i) errors(i, d.labels(first + i)) -= 1;
        weights.noalias() -= rate / static_cast<float>(count) * images.transpose() * errors;
    }
}

/// The mean of -log(probability of the label).
double loss(matrix const& scores, digits const& d) {
    auto const logarithms = softax::log_softmax(softax::view_of(scores), -1);
    double sum = 0;
    for (index_t i = 0; i < scores.rows(); ++i) sum -= static_cast<double>(logarithms(i, d.labels(i)));
    return sum / static_cast<double>(scores.rows());
}

/// The class with the largest score in each row.
softax::array<int> read(matrix const& scores) {
    auto found = softax::array<int>::uninitialized({scores.rows()});
    for (index_t i = 0; i < scores.rows(); ++i) scores.row(i).maxCoeff(&found(i));
    return found;
}

double accuracy(softax::array<int> const& found, softax::array<int> const& labels) {
    auto const right = (softax::vector_of(found).array() == softax::vector_of(labels).array()).count();
    return static_cast<double>(right) / static_cast<double>(labels.size());
}

/// A bar of so many characters, part of it filled, to an eighth of a character.
std::string bar(double part, int length) {
    static char const* const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int const filled = std::clamp(static_cast<int>(part * 8 * length + 0.5), 0, 8 * length);
    std::string text;
    for (int i = 0; i < filled / 8; ++i) text += "█";
    text += eighths[filled % 8];
    return text.append(static_cast<std::size_t>(length - filled / 8 - (filled % 8 > 0)), ' ');
}

/// Line 0 to 9 of a picture: the image, eight lines high, and beside it one class with its probability.
std::string picture_line(digits const& d, softax::array<float> const& probabilities, index_t i, index_t line) {
    static char const* const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    bool const is_inside = line >= 1 && line <= side;
    std::string text;
    for (index_t x = 0; x < side; ++x) {
        text += shades[is_inside ? static_cast<int>(d.images(i, (line - 1) * side + x) * 4 + 0.75f) : 0];
    }
    float const p = probabilities(i, line);
    std::string const percent = std::to_string(static_cast<int>(100 * p + 0.5f)) + "%";
    return text + "  " + std::to_string(line) + " " + bar(p, 11).append(5 - percent.size(), ' ') + percent;
}

/// Four held-out images: the first two, the least certain of those read right, and the worst read of all.
void show_pictures(digits const& d, softax::array<float> const& probabilities, softax::array<int> const& found) {
    std::vector<index_t> order;
    for (index_t i = 0; i < d.labels.size(); ++i) order.push_back(i);
    std::ranges::sort(order, {}, [&](index_t i) { return probabilities(i, d.labels(i)); });
    auto const is_right = [&](index_t i) { return found(i) == d.labels(i); };
    index_t const chosen[] = {0, 1, *std::ranges::find_if(order, is_right), order.front()};
    for (auto const* pair : {chosen, chosen + 2}) {
        std::cout << "  a " << d.labels(pair[0]) << ", read as " << found(pair[0]) << std::string(27, ' ') << "  a "
                  << d.labels(pair[1]) << ", read as " << found(pair[1]) << '\n';
        for (index_t line = 0; line < classes; ++line) {
            std::cout << picture_line(d, probabilities, pair[0], line) << "     "
                      << picture_line(d, probabilities, pair[1], line) << '\n';
        }
        std::cout << '\n';
    }
}

/// How often each digit was read as each.
void show_confusion(digits const& d, softax::array<int> const& found) {
    softax::array<int> table({classes, classes}, 0);
    for (index_t i = 0; i < d.labels.size(); ++i) ++table(d.labels(i), found(i));
    std::cout << "read as";
    for (int digit = 0; digit < classes; ++digit) std::cout << std::setw(4) << digit;
    std::cout << '\n';
    for (int digit = 0; digit < classes; ++digit) {
        std::cout << "    a " << digit;
        for (int other = 0; other < classes; ++other) {
            int const count = table(digit, other);
            std::cout << std::setw(4) << (count > 0 ? std::to_string(count) : ".");
        }
        std::cout << '\n';
    }
}

int main() try {
    digits const learned = load_digits(false), held_out = load_digits(true);
    std::cout << learned.images.rows() << " digits to learn from, " << held_out.images.rows() << " held out\n\n"
              << std::fixed;
    matrix weights = matrix::Zero(pixels + 1, classes);
    for (int epoch = 1; epoch <= 30; ++epoch) {
        train(weights, learned, 0.5f);
        if (epoch > 2 && epoch % 3 != 0) continue;
        double const now = loss(learned.images * weights, learned);
        std::cout << "epoch " << std::setw(2) << epoch << "   loss " << std::setprecision(4) << now << "  "
                  << bar(now, 30) << "  held out " << std::setprecision(3)
                  << accuracy(read(held_out.images * weights), held_out.labels) << std::endl;
    }
    matrix const scores = held_out.images * weights;
    auto const found = read(scores);
    std::cout << '\n';
    show_pictures(held_out, softax::softmax(softax::view_of(scores), -1), found);
    show_confusion(held_out, found);
    double const right = accuracy(found, held_out.labels);
    std::cout << "\nread right: " << std::setprecision(1) << 100 * right << "% of the digits held out\n";
    return right >= 0.95 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
