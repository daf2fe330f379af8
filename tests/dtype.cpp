// dtype: every bit pattern of half and bfloat16, rounding into them around every halfway point against a search for the
// nearest value, their limits, and the types of results.
#include <softax/dtype.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using softax::bfloat16;
using softax::half;

namespace {

/// A 16-bit format as IEEE 754 describes it: bits of the fraction, least exponent of normal numbers, bits of infinity.
template <class T>
struct format;
template <>
struct format<half> {
    static constexpr int fraction_bits = 10, least_exponent = -14;
    static constexpr unsigned infinity = 0x7c00;
};
template <>
struct format<bfloat16> {
    static constexpr int fraction_bits = 7, least_exponent = -126;
    static constexpr unsigned infinity = 0x7f80;
};

template <class T>
unsigned bits_of(T x) {
    return x.bits;
}

/// The value of the bits of a finite, non-negative number: fraction * 2^e if subnormal, (1 + fraction) * 2^e if normal.
/// The bits of infinity give the power of two that would follow the largest number.
template <class T>
double value_of(unsigned bits) {
    unsigned const exponent = bits >> format<T>::fraction_bits,
                   fraction = bits & ((1u << format<T>::fraction_bits) - 1);
    unsigned const leading = exponent == 0 ? 0 : 1u << format<T>::fraction_bits;
    int const e = format<T>::least_exponent + (exponent == 0 ? 0 : static_cast<int>(exponent) - 1);
    return std::ldexp(static_cast<double>(leading + fraction), e - format<T>::fraction_bits);
}

/// Rounds by looking for the neighbours of x among all values; of two equally near ones the even.
template <class T>
class nearest {
public:
    nearest() {
        for (unsigned bits = 0; bits <= format<T>::infinity; ++bits) values_.push_back(value_of<T>(bits));
    }

    unsigned operator()(double x) const {
        unsigned const sign = std::signbit(x) ? 0x8000 : 0;
        double const magnitude = std::abs(x);
        if (magnitude >= values_.back()) return sign | format<T>::infinity;
        auto const above = std::upper_bound(values_.begin(), values_.end(), magnitude);
        auto const lower = static_cast<unsigned>(above - values_.begin() - 1);
        double const halfway = (values_[lower] + values_[lower + 1]) / 2;  // exact: 13 bits at most
        bool const is_up = magnitude > halfway || (magnitude == halfway && lower % 2 == 1);
        return sign | (lower + is_up);
    }

private:
    std::vector<double> values_;
};

/// Counts, and tells the first few of, the numbers that T rounds otherwise than the search does.
template <class T>
struct rounding {
    template <class From>
    void check(From x) {
        ++tried;
        for (From const signed_x : {x, -x}) {
            unsigned const found = bits_of(T(signed_x)), expected = search(static_cast<double>(signed_x));
            if (found != expected && ++wrong < 10) {
                UNSCOPED_INFO(std::hexfloat << signed_x << std::hex << " gives " << found << " instead of "
                                            << expected);
            }
        }
    }
    /// x and the neighbours of x in its own type.
    template <class From>
    void check_around(From x) {
        check(x);
        check(std::nextafter(x, From{0}));
        check(std::nextafter(x, std::numeric_limits<From>::infinity()));
    }

    nearest<T> search;
    std::size_t tried = 0, wrong = 0;
};

}  // namespace

TEMPLATE_TEST_CASE("every bit pattern has its value, and rounds to itself", "[dtype]", half, bfloat16) {
    std::size_t wrong = 0;
    for (unsigned bits = 0; bits <= 0xffff; ++bits) {
        auto const x = TestType::from_bits(static_cast<std::uint16_t>(bits));
        float const f = x;
        unsigned const magnitude = bits & 0x7fff;
        bool right = bits_of(x) == bits && std::signbit(f) == (bits >= 0x8000);
        if (magnitude > format<TestType>::infinity) {
            // A NaN keeps its sign and payload and is quiet afterwards.
            unsigned const quiet = bits | 1u << (format<TestType>::fraction_bits - 1);
            right = right && std::isnan(f) && bits_of(TestType(f)) == quiet && std::isnan(static_cast<double>(x));
        } else {
            double const value = magnitude == format<TestType>::infinity ? HUGE_VAL : value_of<TestType>(magnitude);
            right = right && static_cast<double>(std::abs(f)) == value && bits_of(TestType(f)) == bits &&
                    bits_of(TestType(static_cast<double>(f))) == bits;
        }
        if (!right && ++wrong < 10) UNSCOPED_INFO("bits " << bits << " as float " << f);
    }
    CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("float and double round to the nearest around every value and every halfway point", "[dtype]", half,
                   bfloat16) {
    rounding<TestType> r;
    for (unsigned bits = 0; bits < format<TestType>::infinity; ++bits) {
        double const here = value_of<TestType>(bits), next = value_of<TestType>(bits + 1), halfway = (here + next) / 2;
        r.check_around(static_cast<float>(here));
        r.check_around(static_cast<float>(halfway));
        r.check_around(here);
        r.check_around(halfway);
        // By way of float this would round twice: it is halfway in float and not halfway itself.
        double const little = (next - here) * 0x1p-30;
        r.check(halfway - little);
        r.check(halfway + little);
    }
    CHECK(r.tried == 14 * format<TestType>::infinity);
    CHECK(r.wrong == 0);
}

TEMPLATE_TEST_CASE("random floats and doubles round to the nearest", "[dtype]", half, bfloat16) {
    rounding<TestType> r;
    std::mt19937_64 random(1);
    for (int i = 0; i < 100000; ++i) {
        auto const f = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        if (!std::isnan(f)) r.check(f);
        // Exponents from far below to far above what the types hold.
        r.check(std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 400) - 264));
    }
    CHECK(r.wrong == 0);
}

TEMPLATE_TEST_CASE("integers round once, also those that double cannot hold", "[dtype]", half, bfloat16) {
    rounding<TestType> r;
    for (int i = 0; i <= 70000; ++i) {
        if (bits_of(TestType(i)) != r.search(i) || bits_of(TestType(-i)) != r.search(-i)) ++r.wrong;
    }
    CHECK(r.wrong == 0);
    CHECK(bits_of(TestType(true)) == r.search(1));
    CHECK(bits_of(TestType(false)) == 0);
    CHECK(bits_of(TestType(static_cast<signed char>(-128))) == r.search(-128));
    CHECK(bits_of(TestType(std::numeric_limits<std::int64_t>::min())) == r.search(-0x1p63));
    CHECK(bits_of(TestType(std::numeric_limits<std::uint64_t>::max())) == r.search(0x1p64));
    CHECK(bits_of(TestType((std::uint64_t{1} << 53) + 1)) == r.search(0x1p53));
}

TEST_CASE("a 64-bit integer just above a tie of bfloat16 goes up", "[dtype]") {
    // 2^62 + 2^54 lies halfway between 2^62 and the next bfloat16; one more is lost in a double.
    std::int64_t const tie = (std::int64_t{1} << 62) + (std::int64_t{1} << 54);
    float const below = 0x1p62f, above = 0x1p62f + 0x1p55f;
    CHECK(bfloat16(tie) == below);
    CHECK(bfloat16(tie + 1) == above);
    CHECK(bfloat16(tie - 1) == below);
    CHECK(bfloat16(-tie) == -below);
    CHECK(bfloat16(-tie - 1) == -above);
    CHECK(bfloat16(-tie + 1) == -below);
    CHECK(bfloat16((std::uint64_t{1} << 63) + (std::uint64_t{1} << 55)) == 0x1p63f);
    CHECK(bfloat16((std::uint64_t{1} << 63) + (std::uint64_t{1} << 55) + 1) == 0x1p63f + 0x1p56f);
}

TEST_CASE("the borders of half", "[dtype]") {
    float const infinity = std::numeric_limits<float>::infinity();
    CHECK(half(65504.0f) == 65504.0f);
    CHECK(half(65519.996f) == 65504.0f);
    CHECK(half(65520.0f) == infinity);
    CHECK(half(-65520.0f) == -infinity);
    CHECK(half(65519.999999999) == 65504.0f);
    CHECK(half(65519) == 65504.0f);
    CHECK(half(65520) == infinity);
    CHECK(half(1e300) == infinity);
    CHECK(half(-1e300) == -infinity);
    CHECK(half(2049) == 2048.0f);
    CHECK(half(2051) == 2052.0f);
    CHECK(half(0x1p-24f) == 0x1p-24f);
    CHECK(half(0x1p-25f) == 0.0f);
    CHECK(half(0x1.000002p-25f) == 0x1p-24f);
    CHECK(half(0x1.0000000000001p-25) == 0x1p-24f);
    CHECK(bits_of(half(-0.0f)) == 0x8000);
    CHECK(bits_of(half(-0.0)) == 0x8000);
    CHECK(bits_of(half(-1e-300)) == 0x8000);
    CHECK(bits_of(half(0x1.ffcp-15f)) == 0x0400);  // the last subnormal's upper halfway point is normal
}

TEST_CASE("the borders of bfloat16", "[dtype]") {
    float const infinity = std::numeric_limits<float>::infinity();
    CHECK(bfloat16(0x1.fep127f) == 0x1.fep127f);
    CHECK(bfloat16(0x1.fefffep127f) == 0x1.fep127f);
    CHECK(bfloat16(0x1.ffp127f) == infinity);
    CHECK(bfloat16(0x1.feffffffffffp127) == 0x1.fep127f);
    CHECK(bfloat16(std::numeric_limits<float>::max()) == infinity);
    CHECK(bfloat16(1e300) == infinity);
    CHECK(bfloat16(-1e300) == -infinity);
    CHECK(bfloat16(0x1p-133f) == 0x1p-133f);
    CHECK(bfloat16(0x1p-134f) == 0.0f);
    CHECK(bfloat16(0x1.0000000000001p-134) == 0x1p-133f);
    CHECK(bfloat16(257) == 256.0f);
    CHECK(bfloat16(259) == 260.0f);
    CHECK(bits_of(bfloat16(-1e-300)) == 0x8000);
}

TEMPLATE_TEST_CASE("NaN stays NaN and infinity infinity, from float and from double", "[dtype]", half, bfloat16) {
    std::size_t wrong = 0;
    for (std::uint32_t payload = 1; payload < 0x800000; payload = payload * 3 + 1) {
        for (std::uint32_t const top : {0x7f800000u, 0xff800000u}) {
            wrong += !std::isnan(float(TestType(std::bit_cast<float>(top | payload))));
        }
    }
    CHECK(wrong == 0);
    CHECK(std::isnan(float(TestType(std::nan("")))));
    CHECK(std::isnan(float(TestType(-std::nan("")))));
    CHECK(bits_of(TestType(HUGE_VAL)) == format<TestType>::infinity);
    CHECK(bits_of(TestType(-HUGE_VALF)) == (0x8000 | format<TestType>::infinity));
    auto const nan = TestType(std::nanf(""));
    CHECK_FALSE(nan == nan);
    CHECK(nan != nan);
    CHECK(TestType(-0.0f) == TestType(0.0f));
    CHECK(TestType(1.0f) < TestType(2.0f));
}

#ifdef __FLT16_MANT_DIG__
TEST_CASE("half rounds as the compiler's own binary16 does", "[dtype]") {
    __extension__ typedef _Float16 binary16;
    std::size_t wrong = 0;
    for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 8191) {
        auto const f = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        if (std::isnan(f)) continue;
        wrong += bits_of(half(f)) != std::bit_cast<std::uint16_t>(static_cast<binary16>(f));
        double const d = static_cast<double>(f) * (1 + 0x1p-40);
        wrong += bits_of(half(d)) != std::bit_cast<std::uint16_t>(static_cast<binary16>(d));
    }
    for (unsigned bits = 0; bits <= 0xffff; ++bits) {
        auto const b = static_cast<std::uint16_t>(bits);
        auto const f = static_cast<float>(std::bit_cast<binary16>(b));
        wrong += !std::isnan(f) && f != half::from_bits(b);
    }
    CHECK(wrong == 0);
}
#endif

TEMPLATE_TEST_CASE("the limits are those of the format", "[dtype]", half, bfloat16) {
    using limits = std::numeric_limits<TestType>;
    using f = format<TestType>;
    double const epsilon = std::ldexp(1.0, -f::fraction_bits);
    CHECK(double(limits::epsilon()) == epsilon);
    CHECK(double(limits::min()) == std::ldexp(1.0, f::least_exponent));
    CHECK(double(limits::denorm_min()) == std::ldexp(1.0, f::least_exponent - f::fraction_bits));
    CHECK(double(limits::max()) == value_of<TestType>(f::infinity - 1));
    CHECK(double(limits::lowest()) == -double(limits::max()));
    CHECK(double(limits::infinity()) == HUGE_VAL);
    CHECK(double(limits::round_error()) == 0.5);
    CHECK(std::isnan(float(limits::quiet_NaN())));
    CHECK(std::isnan(float(limits::signaling_NaN())));
    CHECK(bits_of(limits::quiet_NaN()) == (f::infinity | 1u << (f::fraction_bits - 1)));
    CHECK((bits_of(limits::signaling_NaN()) & 1u << (f::fraction_bits - 1)) == 0);

    // From the definitions: the ones of float follow by the same formulas.
    STATIC_REQUIRE(limits::is_specialized);
    STATIC_REQUIRE(std::numeric_limits<TestType const>::is_specialized);
    STATIC_REQUIRE((limits::is_signed && limits::is_bounded && limits::has_infinity && limits::has_quiet_NaN));
    STATIC_REQUIRE_FALSE((limits::is_integer || limits::is_exact || limits::is_modulo || limits::traps));
    STATIC_REQUIRE(limits::has_denorm == std::denorm_present);
    STATIC_REQUIRE(limits::round_style == std::round_to_nearest);
    STATIC_REQUIRE(limits::radix == 2);
    STATIC_REQUIRE(limits::digits == f::fraction_bits + 1);
    STATIC_REQUIRE(limits::min_exponent == f::least_exponent + 1);
    double const log2 = std::log10(2.0);
    CHECK(limits::digits10 == int(std::floor((limits::digits - 1) * log2)));
    CHECK(limits::max_digits10 == int(std::ceil(limits::digits * log2 + 1)));
    CHECK(limits::max_exponent == std::ilogb(double(limits::max())) + 1);
    CHECK(limits::min_exponent10 == int(std::ceil(std::log10(double(limits::min())))));
    CHECK(limits::max_exponent10 == int(std::floor(std::log10(double(limits::max())))));
}

TEST_CASE("the half types hold 16 bits and become nothing unasked but float", "[dtype]") {
    STATIC_REQUIRE(sizeof(half) == 2);
    STATIC_REQUIRE(sizeof(bfloat16) == 2);
    STATIC_REQUIRE(std::is_trivially_copyable_v<half>);
    STATIC_REQUIRE(std::is_trivially_copyable_v<bfloat16>);
    STATIC_REQUIRE(std::convertible_to<half, float>);
    STATIC_REQUIRE(std::convertible_to<half, double>);
    STATIC_REQUIRE_FALSE(std::convertible_to<float, half>);
    STATIC_REQUIRE_FALSE(std::convertible_to<int, half>);
    STATIC_REQUIRE_FALSE(std::convertible_to<double, bfloat16>);
    STATIC_REQUIRE_FALSE(std::convertible_to<half, bfloat16>);
    STATIC_REQUIRE(std::constructible_from<bfloat16, half>);
    CHECK(half().bits == 0);
    CHECK(bfloat16(half(1.5f)) == 1.5f);
    CHECK(half(bfloat16(0x1p-30f)) == 0.0f);
}

TEST_CASE("the half types are made at compile time, out of range too", "[dtype]") {
    STATIC_REQUIRE(half(1.0f).bits == 0x3c00);
    STATIC_REQUIRE(half(-2).bits == 0xc000);
    STATIC_REQUIRE(half(1e300).bits == 0x7c00);
    STATIC_REQUIRE(half(1e-300).bits == 0);
    STATIC_REQUIRE(half(6e-8).bits == 1);
    STATIC_REQUIRE(bfloat16(-1e300).bits == 0xff80);
    STATIC_REQUIRE(bfloat16(1.0).bits == 0x3f80);
    STATIC_REQUIRE(float(half::from_bits(0x0001)) == 0x1p-24f);
}

TEST_CASE("elements are float, double, the half types, bool and every integer type", "[dtype]") {
    using softax::element;
    STATIC_REQUIRE((element<float> && element<double> && element<half> && element<bfloat16> && element<bool>));
    STATIC_REQUIRE((element<signed char> && element<short> && element<int> && element<long> && element<long long>));
    STATIC_REQUIRE((element<unsigned char> && element<unsigned short> && element<unsigned> && element<unsigned long> &&
                    element<unsigned long long>));
    STATIC_REQUIRE_FALSE((element<long double> || element<float const> || element<float&> || element<float*>));
    STATIC_REQUIRE_FALSE((element<std::string> || element<void> || element<std::vector<float>>));
}

TEST_CASE("results keep floating types and are float for the rest; only double is computed in double", "[dtype]") {
    using softax::compute_type, softax::result_type;
    STATIC_REQUIRE(std::same_as<result_type<float>, float>);
    STATIC_REQUIRE(std::same_as<result_type<double>, double>);
    STATIC_REQUIRE(std::same_as<result_type<half>, half>);
    STATIC_REQUIRE(std::same_as<result_type<bfloat16>, bfloat16>);
    STATIC_REQUIRE(std::same_as<result_type<bool>, float>);
    STATIC_REQUIRE(std::same_as<result_type<std::int8_t>, float>);
    STATIC_REQUIRE(std::same_as<result_type<std::uint64_t>, float>);
    STATIC_REQUIRE(std::same_as<compute_type<float>, float>);
    STATIC_REQUIRE(std::same_as<compute_type<double>, double>);
    STATIC_REQUIRE(std::same_as<compute_type<half>, float>);
    STATIC_REQUIRE(std::same_as<compute_type<bfloat16>, float>);
    STATIC_REQUIRE(std::same_as<compute_type<std::int64_t>, float>);
}
