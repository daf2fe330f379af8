// Hands arrays from each unit to each. The AVX2 unit runs only where the processor has AVX2.
#include <softax/array.hpp>

#include <cstdio>

softax::array<float> plain_make();
softax::array<float> wide_make();
bool plain_check(softax::array<float> const& x);
bool wide_check(softax::array<float> const& x);

namespace {
bool has_avx2() {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

bool say(char const* what, bool good) {
    std::printf("%s: %s\n", what, good ? "right" : "WRONG");
    return good;
}
}  // namespace

int main() {
    bool good = say("plain unit, its own array", plain_check(plain_make()));
    if (has_avx2()) {
        good &= say("wide unit, its own array", wide_check(wide_make()));
        good &= say("plain unit, the wide one's array", plain_check(wide_make()));
        good &= say("wide unit, the plain one's array", wide_check(plain_make()));
        good &= say("the two arrays are equal", plain_make() == wide_make());
    } else {
        std::printf("no AVX2 here: the wide unit was linked, not run\n");
    }
    return good ? 0 : 1;
}
