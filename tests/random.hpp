// Random arrays for the tests of derivatives and of cross entropy.
#pragma once

#include <softax/array.hpp>

#include <random>

/// Uniform in [-spread, spread), rounded to float before it is to T, so that all types get the same numbers where they can.
template <class T>
softax::array<T> random_array(softax::index_list const& shape, unsigned seed, double spread = 2) {
    auto a = softax::array<T>::uninitialized(shape);
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> draw(-spread, spread);
    for (T& x : a) x = static_cast<T>(static_cast<float>(draw(generator)));
    return a;
}
