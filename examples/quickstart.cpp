// The program of the README: softmax over the last axis, then over the full array.
#include <softax/print.hpp>
#include <softax/softax.hpp>

#include <iostream>

int main() {
    softax::array<float> a = {{1, 2, 3}, {4, 5, 6}};
    std::cout << softax::softmax(a, -1) << "\n\n";  // every row adds up to 1
    std::cout << softax::softmax(a) << "\n";        // no axis: the full array does
}
