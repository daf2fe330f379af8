// One unit by itself, for flags under which nothing else of the tests is compiled. With EIGEN_DONT_VECTORIZE results of 16 MiB
// and more were not written, and with -march of an AVX-512 processor too halves took nine times as long.
#include "unit.hpp"

#include <cstdio>

namespace {

using softax::index_t;

/// Rows of one pattern, and what becomes of one in double.
template <class T>
bool is_right(index_t rows, index_t n, index_t axis, double tolerance) {
    bool const is_row = axis == 1;
    softax::array<T> x({is_row ? rows : n, is_row ? n : rows}, T(0.0f));
    auto const at = [&](auto& a, index_t row, index_t i) -> auto& { return is_row ? a(row, i) : a(i, row); };
    for (index_t row = 0; row < rows; ++row) {
        for (index_t i = 0; i < n; ++i)
            at(x, row, i) = static_cast<T>(static_cast<float>((i * 7 + row % 3) % 11) * 0.5f);
    }
    auto const y = softax::softmax(x, axis);
    for (index_t row = 0; row < rows; row += 97) {
        double sum = 0;
        for (index_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(static_cast<float>(at(x, row, i))));
        for (index_t i = 0; i < n; ++i) {
            double const want = std::exp(static_cast<double>(static_cast<float>(at(x, row, i)))) / sum;
            double const got = static_cast<double>(static_cast<float>(at(y, row, i)));
            // Halves below 6e-5 are subnormal.
            if (!(std::abs(got - want) <= tolerance * want + (sizeof(T) == 2 ? 0x1p-25 : 0))) {
                std::printf("row %td of %td, element %td, axis %td: %g, not %g\n", row, rows, i, axis, got, want);
                return false;
            }
        }
    }
    return true;
}

}  // namespace

int main() {
    bool good = check(make());
    for (index_t const axis : {0, 1}) {
        for (index_t const n : {5, 37, 49, 100, 600}) {
            // 4 ULP; half a ULP of a half type, and that of float32.
            good &= is_right<float>(200, n, axis, 4 * 0x1p-23);
            good &= is_right<softax::half>(200, n, axis, 0.51 * 0x1p-10);
            good &= is_right<softax::bfloat16>(200, n, axis, 0.51 * 0x1p-7);
        }
        for (index_t const n : {16, 1040, 2048})
            good &= is_right<float>((index_t{1} << 22) / n / 16 * 16 + 16, n, axis, 4 * 0x1p-23);
    }
    std::puts(good ? "right" : "WRONG");
    return good ? 0 : 1;
}
