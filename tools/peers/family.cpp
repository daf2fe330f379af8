// The family, its derivatives and cross entropy beside PyTorch's, called from C++, and under a mask: each cell is a function and
// a shape, computed by both, compared, then timed in turns. Prints a line of JSON for each; tools/peers/family.py compiles this
// for each type (PEERS_TYPE) and runs it.
//
// PyTorch has kernels of its own for some functions; the others are the formulas that its automatic differentiation uses.
// Where there are two ways to say the same, the faster one counts.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <softax/softax.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace {

using softax::array;
using softax::index_list;
using softax::index_t;
using softax::view;
using work = std::function<void()>;

struct shape_case {
    index_list shape;
    index_t axis;

    index_t classes() const { return shape[axis]; }
    index_t inner() const {
        index_t product = 1;
        for (index_t k = axis + 1; k < shape.size(); ++k) product *= shape[k];
        return product;
    }
    std::string name() const {
        std::string text = "(";
        for (index_t const extent : shape) text.append(text == "(" ? "" : ",").append(std::to_string(extent));
        return text.append(") ").append(axis + 1 == shape.size() ? "-1" : std::to_string(axis));
    }
};

shape_case const shapes[] = {
    {{65536, 3}, 1},       {{65536, 40}, 1},      {{64, 1000}, 1},     {{8, 12, 128, 128}, 3}, {{4096, 4096}, 1},
    {{1, 32000}, 1},       {{16, 128256}, 1},     {{1000, 64}, 0},     {{4096, 1024}, 0},      {{16, 65536}, 0},
    {{8, 128, 56, 56}, 1}, {{32, 21, 64, 64}, 1}, {{100, 1000, 8}, 1}, {{5000, 100, 2}, 1},
};

template <class T>
constexpr at::ScalarType scalar_type = at::kFloat;
template <>
constexpr at::ScalarType scalar_type<double> = at::kDouble;
template <>
constexpr at::ScalarType scalar_type<softax::half> = at::kHalf;
template <>
constexpr at::ScalarType scalar_type<softax::bfloat16> = at::kBFloat16;

template <class T>
at::Tensor tensor_of(array<T>& a) {
    std::vector<std::int64_t> const shape(a.shape().begin(), a.shape().end());
    return at::from_blob(a.data(), shape, at::TensorOptions().dtype(scalar_type<T>));
}

template <class T>
array<T> normal(index_list const& shape, unsigned seed) {
    array<T> a(shape, T());
    std::mt19937 generator(seed);
    std::normal_distribution<float> draw;
    std::vector<float> drawn(65521);
    for (float& x : drawn) x = draw(generator);
    for (index_t i = 0; i < a.size(); ++i) a.data()[i] = static_cast<T>(drawn[static_cast<std::size_t>(i % 65521)]);
    return a;
}

/// What the functions of one shape read and write; ours and PyTorch's results apart.
template <class T>
struct operands {
    shape_case of;
    array<T> a, y, log_y, g, reduced, ours, ours_reduced, theirs, theirs_reduced;
    array<std::int64_t> targets;
    array<bool> mask;
    at::Tensor at_a, at_y, at_log_y, at_g, at_reduced, at_out, at_out_reduced;
    at::Tensor logits, targets_there;  // as cross entropy wants them: classes at axis 1

    explicit operands(shape_case const& c)
        : of(c),
          a(normal<T>(c.shape, 1)),
          y(softax::softmax(a, c.axis)),
          log_y(softax::log_softmax(a, c.axis)),
          g(normal<T>(c.shape, 2)),
          reduced(softax::logsumexp(a, c.axis, {.keepdims = true})),
          ours(c.shape, T()),
          ours_reduced(reduced.shape(), T()),
          theirs(c.shape, T()),
          theirs_reduced(reduced.shape(), T()),
          targets(softax::logsumexp(a, c.axis).shape(), 0),
          mask(c.shape, true),
          at_a(tensor_of(a)),
          at_y(tensor_of(y)),
          at_log_y(tensor_of(log_y)),
          at_g(tensor_of(g)),
          at_reduced(tensor_of(reduced)),
          at_out(tensor_of(theirs)),
          at_out_reduced(tensor_of(theirs_reduced)) {
        std::mt19937 generator(3);
        for (auto& t : targets) t = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(c.classes()));
        // Three of four elements take part, the target among them.
        for (bool& is_left : mask) is_left = generator() % 4 != 0;
        index_t const inner = c.inner(), outer = a.size() / c.classes() / inner;
        for (index_t k = 0; k < targets.size(); ++k) {
            index_t const at = (k / inner * c.classes() + targets.data()[k]) * inner + k % inner;
            mask.data()[at] = true;
        }
        at::Tensor const flat = at::from_blob(targets.data(), {targets.size()}, at::TensorOptions().dtype(at::kLong));
        if (inner == 1) {
            logits = at_a.view({outer, c.classes()}), targets_there = flat;
        } else {
            logits = at_a.view({outer, c.classes(), 1, inner}), targets_there = flat.view({outer, 1, inner});
        }
    }
};

/// A function as softax has it, and the ways in which PyTorch has it; all are to leave their result in memory.
template <class T>
struct function {
    std::string name;
    bool is_reduced;  // the result has one element a group, or is a loss
    std::function<void(operands<T>&, softax::options const&)> ours;
    std::vector<std::function<void(operands<T>&)>> theirs;
};

template <class T>
void loss_into(operands<T>& o, at::Tensor const& loss) {
    o.theirs_reduced.data()[0] = static_cast<T>(loss.template item<double>());
}

/// The gradient of the sum of the losses, step by step; that of their mean would be too small for half types.
template <class T>
void class_gradient(operands<T>& o) {
    at::Tensor const log = at::_log_softmax(o.logits, 1, false), one = at::ones({}, log.options());
    at::Tensor back;
    if (o.of.inner() == 1) {
        auto const [loss, total] = at::nll_loss_forward(log, o.targets_there, {}, at::Reduction::Sum, -100);
        back = at::nll_loss_backward(one, log, o.targets_there, {}, at::Reduction::Sum, -100, total);
    } else {
        auto const [loss, total] = at::nll_loss2d_forward(log, o.targets_there, {}, at::Reduction::Sum, -100);
        back = at::nll_loss2d_backward(one, log, o.targets_there, {}, at::Reduction::Sum, -100, total);
    }
    at::Tensor out = o.at_out.view(o.logits.sizes());
    at::_log_softmax_backward_data_out(out, back, log, 1, log.scalar_type());
}

softax::options keeping(softax::options o) {
    o.keepdims = true;
    return o;
}

softax::cross_entropy_options of_classes(softax::options const& o, double smoothing) {
    return {.label_smoothing = smoothing, .where = o.where};
}

template <class T>
std::vector<function<T>> functions() {
    using O = operands<T>&;
    using S = softax::options const&;
    constexpr auto type = scalar_type<T>;
    return {
        {"softmax", false, [](O o, S s) { softax::softmax_into(o.ours, o.a, o.of.axis, s); }, {[](O o) {
             at::softmax_out(o.at_out, o.at_a, o.of.axis);
         }}},
        {"log_softmax", false, [](O o, S s) { softax::log_softmax_into(o.ours, o.a, o.of.axis, s); }, {[](O o) {
             at::log_softmax_out(o.at_out, o.at_a, o.of.axis);
         }}},
        {"logsumexp",
         true,
         [](O o, S s) { softax::logsumexp_into(o.ours_reduced, o.a, o.of.axis, keeping(s)); },
         {[](O o) { at::logsumexp_out(o.at_out_reduced, o.at_a, o.of.axis, true); }}},
        {"softmax_vjp", false, [](O o, S s) { softax::softmax_vjp_into(o.ours, o.y, o.g, o.of.axis, s); }, {[](O o) {
             at::_softmax_backward_data_out(o.at_out, o.at_g, o.at_y, o.of.axis, type);
         }}},
        {"log_softmax_vjp",
         false,
         [](O o, S s) { softax::log_softmax_vjp_into(o.ours, o.log_y, o.g, o.of.axis, s); },
         {[](O o) { at::_log_softmax_backward_data_out(o.at_out, o.at_g, o.at_log_y, o.of.axis, type); }}},
        {"log_softmax_jvp",
         false,
         [](O o, S s) { softax::log_softmax_jvp_into(o.ours, o.log_y, o.g, o.of.axis, s); },
         {[](O o) { at::sub_out(o.at_out, o.at_g, (o.at_log_y.exp() * o.at_g).sum(o.of.axis, true)); }}},
        {"logsumexp_vjp",
         false,
         [](O o, S s) { softax::logsumexp_vjp_into(o.ours, o.a, o.reduced, o.of.axis, keeping(s)); },
         {[](O o) { at::mul_out(o.at_out, o.at_reduced, (o.at_a - o.at_reduced).exp()); },
          [](O o) { at::softmax_out(o.at_out, o.at_a, o.of.axis).mul_(o.at_reduced); }}},
        {"logsumexp_jvp",
         true,
         [](O o, S s) { softax::logsumexp_jvp_into(o.ours_reduced, o.a, o.g, o.of.axis, keeping(s)); },
         {[](O o) { at::sum_out(o.at_out_reduced, at::softmax(o.at_a, o.of.axis).mul_(o.at_g), o.of.axis, true); }}},
        {"cross_entropy",
         true,
         [](O o, S s) {
             o.ours_reduced.data()[0] = *softax::cross_entropy(o.a, o.targets, o.of.axis, of_classes(s, 0)).data();
         },
         {[](O o) { loss_into(o, at::cross_entropy_loss(o.logits, o.targets_there)); }}},
        {"cross_entropy, smoothed",
         true,
         [](O o, S s) {
             o.ours_reduced.data()[0] = *softax::cross_entropy(o.a, o.targets, o.of.axis, of_classes(s, 0.1)).data();
         },
         {[](O o) {
             loss_into(o, at::cross_entropy_loss(o.logits, o.targets_there, {}, at::Reduction::Mean, -100, 0.1));
         }}},
        {"cross_entropy_with_gradient",
         false,
         [](O o, S s) {
             softax::cross_entropy_options of_sum = of_classes(s, 0);
             of_sum.reduction = softax::reduction::sum;
             softax::cross_entropy_with_gradient_into(o.ours, o.a, o.targets, o.of.axis, of_sum);
         },
         {class_gradient<T>}},
    };
}

/// The largest distance of two results, over the largest of them.
template <class T>
double distance(array<T> const& a, array<T> const& b, index_t n) {
    double most = 0, apart = 0;
    for (index_t i = 0; i < n; ++i) {
        double const x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
        most = std::max(most, std::abs(x));
        apart = std::max(apart, x == y ? 0 : std::abs(x - y));
    }
    return most > 0 ? apart / most : apart;
}

double nanoseconds(work const& w, index_t calls) {
    auto const start = std::chrono::steady_clock::now();
    for (index_t k = 0; k < calls; ++k) w();
    std::chrono::duration<double, std::nano> const all = std::chrono::steady_clock::now() - start;
    return all.count() / static_cast<double>(calls);
}

/// The least time of a call of each, in turns of 8 stretches: after PyTorch has allocated and freed tens of MB, two or three calls of
/// whatever comes next take up to 1.7 times as long, whose own memory is no other than before.
std::vector<double> in_turns(std::vector<work> const& all, double seconds) {
    std::vector<double> least(all.size(), std::numeric_limits<double>::infinity());
    std::vector<index_t> calls;
    for (work const& w : all) {
        w();
        calls.push_back(std::clamp(static_cast<index_t>(5e5 / nanoseconds(w, 1)), index_t{1}, index_t{100000}));
    }
    auto const start = std::chrono::steady_clock::now();
    for (int turn = 0; turn < 8; ++turn) {
        std::chrono::duration<double> const passed = std::chrono::steady_clock::now() - start;
        if (turn >= 3 && passed.count() > seconds) break;
        for (std::size_t k = 0; k < all.size(); ++k) {
            for (int stretch = 0; stretch < 8; ++stretch) {
                least[k] = std::min(least[k], nanoseconds(all[k], calls[k]));
            }
        }
    }
    return least;
}

void measure(std::regex const& only, double seconds) {
    using T = PEERS_TYPE;
    for (shape_case const& c : shapes) {
        std::string const where = c.name() + " " + at::toString(scalar_type<T>);
        for (auto const& f : functions<T>()) {
            if (!std::regex_search(f.name + " " + where, only)) continue;
            operands<T> o(c);
            softax::options const plain = {.where = std::nullopt}, masked = {.where = view<bool const>(o.mask)};
            std::vector<work> all = {[&] { f.ours(o, plain); }, [&] { f.ours(o, masked); }};
            for (auto const& t : f.theirs) all.push_back([&] { t(o); });
            all[0](), all[2]();
            double const apart =
                f.is_reduced ? distance(o.ours_reduced, o.theirs_reduced, f.name[0] == 'c' ? 1 : o.ours_reduced.size())
                             : distance(o.ours, o.theirs, o.ours.size());
            auto const times = in_turns(all, seconds);
            double const n = static_cast<double>(o.a.size());
            std::printf(
                "{\"function\": \"%s\", \"cell\": \"%s\", \"type\": \"%s\", \"softax\": %.4g, \"masked\": %.4g, "
                "\"torch\": %.4g, \"apart\": %.3g}\n",
                f.name.c_str(), c.name().c_str(), at::toString(scalar_type<T>), times[0] / n, times[1] / n,
                *std::min_element(times.begin() + 2, times.end()) / n, apart);
            std::fflush(stdout);
        }
    }
}

}  // namespace

/// Seconds for a cell, and a regular expression for its name.
int main(int argc, char** argv) {
    if (argc != 3) return 2;
    at::set_num_threads(1);
    at::NoGradGuard const guard;
    measure(std::regex(argv[2]), std::stod(argv[1]));
}
