// The ten-line program that every consumer builds; its output is checked.
#include <softax/softax.hpp>

#include <cstdio>

int main() {
    softax::array<float> a = {{1, 2, 3}, {4, 5, 6}};
    auto p = softax::softmax(a, -1);
    for (float x : p) std::printf("%.4f ", static_cast<double>(x));
}
