// counted: calls of softax for count.py, which counts their instructions.
//
//     counted                      lists the calls and how many elements each has
//     counted <set> <call> <times> makes one of them so many times on an instruction set, flags or avx2; 3 if there is none
#include <softax/softax.hpp>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using softax::array;
using softax::axes;
using softax::index_list;
using softax::index_t;

struct counted_call {
    std::string name;
    index_t elements;
    std::function<void(index_t)> make;  // so many times
};

/// Different elements in [-5, 5) in no order.
template <class T>
array<T> scattered(index_list const& shape) {
    auto a = array<T>::uninitialized(shape);
    for (index_t i = 0; i < a.size(); ++i) a.data()[i] = static_cast<T>(static_cast<float>(i * 7919 % 1000) / 100 - 5);
    return a;
}

template <class T>
counted_call softmax_of(std::string const& name, index_list const& shape, axes const& over) {
    array<T> const a = scattered<T>(shape);
    return {name, a.size(), [a, over, out = array<T>(shape, T())](index_t times) mutable {
                for (index_t i = 0; i < times; ++i) softax::softmax_into(out, a, over);
            }};
}

std::vector<counted_call> calls() {
    array<float> const rows = scattered<float>({8, 1000});
    std::vector<counted_call> all = {
        softmax_of<float>("softmax (8,1000) -1", {8, 1000}, -1),
        softmax_of<float>("softmax (1000,64) 0", {1000, 64}, 0),
        softmax_of<float>("softmax (4096,10) -1", {4096, 10}, -1),
        softmax_of<float>("softmax (4,16,8,16) 1,3", {4, 16, 8, 16}, {1, 3}),
        softmax_of<float>("softmax (10) 0", {10}, 0),
        softmax_of<double>("softmax of double (8,1000) -1", {8, 1000}, -1),
        softmax_of<softax::half>("softmax of half (8,1000) -1", {8, 1000}, -1),
        softmax_of<softax::bfloat16>("softmax of bfloat16 (8,1000) -1", {8, 1000}, -1),
    };
    all.push_back({"log_softmax (8,1000) -1", rows.size(), [rows, out = rows](index_t times) mutable {
                       for (index_t i = 0; i < times; ++i) softax::log_softmax_into(out, rows, -1);
                   }});
    all.push_back({"logsumexp (8,1000) -1", rows.size(), [rows, out = array<float>({8}, 0.0f)](index_t times) mutable {
                       for (index_t i = 0; i < times; ++i) softax::logsumexp_into(out, rows, -1);
                   }});
    return all;
}

/// Whether the processor has the instruction set of that name; it is then in use.
bool choose(std::string const& name) {
    using softax::detail::instruction_set;
    auto& chosen = softax::detail::chosen_instruction_set();
    auto const wanted = name == "avx2" ? instruction_set::avx2 : instruction_set::flags;
    if (static_cast<int>(wanted) > static_cast<int>(chosen)) return false;
    chosen = wanted;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        for (counted_call const& c : calls())
            std::printf("%lld\t%s\n", static_cast<long long>(c.elements), c.name.c_str());
        return 0;
    }
    if (!choose(argv[1])) return 3;
    for (counted_call const& c : calls()) {
        if (c.name == argv[2]) c.make(std::atoi(argv[3]));
    }
}
