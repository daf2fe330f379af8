// The published ONNX cases: node tests of Softmax, LogSoftmax, ReduceLogSumExp and the log-probabilities of
// SoftmaxCrossEntropyLoss, and PyTorch's converted ones, as Debian's libonnx-testdata has them.
#include "catch.hpp"
#include "family.hpp"
#include "protobuf.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#ifndef SOFTAX_ONNX_DATA
#define SOFTAX_ONNX_DATA "/usr/share/libonnx-testdata/data"
#endif

using softax::array;
using namespace family;
namespace fs = std::filesystem;

namespace {

std::string content_of(fs::path const& file) {
    std::ifstream in(file, std::ios::binary);
    INFO("cannot read " << file);
    REQUIRE(in);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// What a model asks for: its nodes and the attributes of the last.
struct model {
    std::vector<std::string> operators;
    std::map<std::string, std::vector<std::int64_t>> attributes;
    std::int64_t opset = 0;

    explicit model(fs::path const& file) {
        std::string const text = content_of(file);
        for (auto const& part : protobuf::fields_of(text)) {
            if (part.number == 8) opset = std::max(opset, protobuf::integers(protobuf::fields_of(part.bytes), 2).at(0));
            if (part.number != 7) continue;
            for (auto const& node : protobuf::fields_of(part.bytes)) {
                if (node.number == 1) add_node(node.bytes);
            }
        }
    }

private:
    void add_node(std::string_view node) {
        attributes.clear();
        for (auto const& part : protobuf::fields_of(node)) {
            if (part.number == 4) operators.emplace_back(part.bytes);
            if (part.number != 5) continue;
            auto const attribute = protobuf::fields_of(part.bytes);
            std::string name;
            for (auto const& f : attribute) {
                if (f.number == 1) name = f.bytes;
            }
            auto const one = protobuf::integers(attribute, 3), several = protobuf::integers(attribute, 8);
            attributes[name] = several.empty() ? one : several;
        }
    }
};

/// The axes that a Softmax or LogSoftmax means: one, or before opset 13 all from that one on.
std::vector<std::int64_t> axes_of(model const& m, std::size_t rank) {
    auto const found = m.attributes.find("axis");
    bool const flattens = m.opset < 13;
    std::int64_t axis = found != m.attributes.end() ? found->second.at(0) : flattens ? 1 : -1;
    if (!flattens) return {axis};
    auto const n = static_cast<std::int64_t>(rank);
    std::vector<std::int64_t> all;
    for (axis += axis < 0 ? n : 0; axis < n; ++axis) all.push_back(axis);
    return all;
}

/// Runs one function on the stored input and compares with the stored output.
template <class T>
void compare(form f, protobuf::tensor const& in, softax::axes const& over, bool keepdims, double sign,
             protobuf::tensor const& out) {
    array<T> x = array<T>::uninitialized(in.shape);
    std::transform(in.values.begin(), in.values.end(), x.begin(), [&](double v) { return static_cast<T>(sign * v); });
    auto const y = f == form::softmax       ? softax::softmax(x, over)
                   : f == form::log_softmax ? softax::log_softmax(x, over)
                                            : softax::logsumexp(x, over, {.keepdims = keepdims});
    REQUIRE(y.shape() == softax::index_list(out.shape));
    // The stored outputs are up to 4.1 ULP off, and those of the logarithms that many ULP of 1 and of the largest input.
    double const epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
    for (softax::index_t i = 0; i < y.size(); ++i) {
        double const found = static_cast<double>(y.data()[i]), stored = out.values[static_cast<std::size_t>(i)];
        double const unit = f == form::softmax ? std::abs(stored) : std::max(std::abs(stored), 1.0);
        if (std::abs(found - stored) <= 8 * epsilon * unit) continue;
        FAIL("element " << i << " is " << found << " where " << stored << " is stored");
    }
}

void compare(form f, fs::path const& data, std::string const& output, softax::axes const& over, bool keepdims = true,
             double sign = 1) {
    std::string const in_text = content_of(data / "input_0.pb"), out_text = content_of(data / output);
    protobuf::tensor const in(in_text), out(out_text);
    if (in.is_double)
        compare<double>(f, in, over, keepdims, sign, out);
    else
        compare<float>(f, in, over, keepdims, sign, out);
}

/// Runs every data set of one case; false if it is none of this family.
bool run_case(fs::path const& folder) {
    // An expanded case has the same data and says its axis in many nodes; the case it was expanded from says it in one.
    std::string name = folder.filename().string();
    std::string const suffix = "_expanded";
    bool const is_expanded = name.size() > suffix.size() && name.ends_with(suffix);
    if (is_expanded) name.resize(name.size() - suffix.size());
    if (!fs::exists(folder.parent_path() / name / "model.onnx")) return false;
    model const m(folder.parent_path() / name / "model.onnx");
    if (m.operators.empty()) return false;
    std::string const& last = m.operators.back();
    bool const is_softmin = m.operators.size() == 2 && m.operators[0] == "Neg" && last == "Softmax";
    bool const is_loss = last == "SoftmaxCrossEntropyLoss" && name.ends_with("_log_prob");
    bool const is_single =
        m.operators.size() == 1 && (last == "Softmax" || last == "LogSoftmax" || last == "ReduceLogSumExp");
    if (!is_softmin && !is_loss && !is_single) return false;
    int sets = 0;
    for (auto const& entry : fs::directory_iterator(folder)) {
        if (!entry.is_directory()) continue;
        INFO(entry.path());
        ++sets;
        std::string const in_text = content_of(entry.path() / "input_0.pb");
        protobuf::tensor const in(in_text);
        auto const& a = m.attributes;
        if (is_loss) {
            compare(form::log_softmax, entry.path(), "output_1.pb", 1);
        } else if (last == "ReduceLogSumExp") {
            softax::axes const over = a.count("axes") ? softax::axes(a.at("axes")) : softax::axes(softax::all_axes);
            compare(form::logsumexp, entry.path(), "output_0.pb", over,
                    !a.count("keepdims") || a.at("keepdims")[0] == 1);
        } else {
            compare(last == "Softmax" ? form::softmax : form::log_softmax, entry.path(), "output_0.pb",
                    axes_of(m, in.shape.size()), true, is_softmin ? -1 : 1);
        }
    }
    REQUIRE(sets > 0);
    return true;
}

/// The names of the cases of the family in one folder.
std::vector<std::string> run_folder(std::string const& name) {
    fs::path const folder = fs::path(SOFTAX_ONNX_DATA) / name;
    INFO("the ONNX test data (Debian: libonnx-testdata) is expected in " << SOFTAX_ONNX_DATA);
    REQUIRE(fs::is_directory(folder));
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(folder)) {
        std::string const file = entry.path().filename().string();
        bool const is_candidate = file.find("oft") != std::string::npos || file.find("_sce_") != std::string::npos ||
                                  file.find("log_sum_exp") != std::string::npos;
        if (is_candidate && entry.is_directory() && run_case(entry.path())) names.push_back(file);
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool has(std::vector<std::string> const& names, std::string const& name) {
    return std::binary_search(names.begin(), names.end(), name);
}

TEST_CASE("the ONNX node tests", "[onnx]") {
    auto const names = run_folder("node");
    CHECK(names.size() >= 28 + 34 + 8);
    for (std::string const function : {"softmax", "logsoftmax"}) {
        for (std::string const what : {"axis_0", "axis_1", "axis_2", "default_axis", "large_number", "negative_axis"}) {
            CHECK(has(names, "test_" + function + "_" + what));
            CHECK(has(names, "test_" + function + "_" + what + "_expanded"));
        }
    }
    CHECK(has(names, "test_softmax_example"));
    CHECK(has(names, "test_logsoftmax_example_1"));
    CHECK(has(names, "test_sce_NCd1d2d3d4d5_mean_weight_log_prob"));
    CHECK(has(names, "test_reduce_log_sum_exp_negative_axes_keepdims_random"));
}

TEST_CASE("the cases that PyTorch was converted from", "[onnx]") {
    auto const names = run_folder("pytorch-converted");
    for (std::string const name :
         {"test_LogSoftmax", "test_Softmax", "test_Softmin", "test_log_softmax_dim3", "test_log_softmax_lastdim",
          "test_softmax_functional_dim3", "test_softmax_lastdim"}) {
        CHECK(has(names, name));
    }
}

}  // namespace
