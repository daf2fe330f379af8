// expect: conversion from .*view<const float>.*array<float>
// A copy of a view is asked for by name: softax::array<float> a(b).
#include <softax/softax.hpp>

void f(softax::view<float const> b) { softax::array<float> a = b; }
