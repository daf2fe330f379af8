// expect nothing
// The good twin of every case: what each of them means to say, said right.
#include <softax/softax.hpp>

softax::array<float> make();

void f(softax::array<float> const& a, softax::view<float const> b, softax::view<float> out) {
    softax::array<double> of_numbers;
    softax::softmax(a, {0, 1});
    softax::softmax(a, 1);
    softax::softmax_into(out, a, -1);
    softax::array<float> copy(b);
    softax::view<float const> reads = out;
    softax::array<float> kept = make();
    softax::view<float> v = kept;
    (void)of_numbers, (void)copy, (void)reads, (void)v;
}
