// buffer: aligned memory, memory taken over from a vector, and moves that leave nothing behind.
#include <softax/detail/buffer.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

using softax::index_t;
using softax::detail::buffer;

namespace {

bool is_aligned(void const* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

template <class T>
bool is_empty(buffer<T> const& b) {
    return b.data() == nullptr && b.size() == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("a buffer of any size starts on a cache line and is all there", "[buffer]", char, bool, short, float,
                   double) {
    for (index_t count = 1; count <= 130; ++count) {
        buffer<TestType> b(count);
        CHECK(b.size() == count);
        CHECK(is_aligned(b.data()));
        std::fill(b.data(), b.data() + count, TestType{1});
        CHECK(b.data()[count - 1] == TestType{1});
    }
    buffer<TestType> const large(1 << 20);
    CHECK(is_aligned(large.data()));
}

#if defined(__linux__)
namespace {

/// What Linux says of the pages that hold p, in /proc/self/smaps.
std::string flags_of_pages(void const* p) {
    std::ifstream smaps("/proc/self/smaps");
    bool is_here = false;
    for (std::string line; std::getline(smaps, line);) {
        std::uintptr_t begin = 0, end = 0;
        char dash = 0;
        std::istringstream range(line);
        if (range >> std::hex >> begin >> dash >> end && dash == '-') {
            auto const at = reinterpret_cast<std::uintptr_t>(p);
            is_here = begin <= at && at < end;
        }
        if (is_here && line.starts_with("VmFlags:")) return line + " ";
    }
    return "";
}

}  // namespace

/// A result of 64 MiB took six times as long, since its memory came in pages of 4 KiB.
TEST_CASE("large buffers ask for huge pages, small ones do not", "[buffer]") {
    if (!std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled")) return;  // a kernel without them
    buffer<float> const large(index_t{1} << 24), small(index_t{1} << 18);
    CHECK(flags_of_pages(large.data() + large.size() / 2).find(" hg ") != std::string::npos);
    CHECK(flags_of_pages(small.data() + small.size() / 2).find(" hg ") == std::string::npos);
}
#endif

TEST_CASE("a buffer without elements holds no memory", "[buffer]") {
    CHECK(is_empty(buffer<float>()));
    CHECK(is_empty(buffer<float>(0)));
    CHECK(buffer<float>(std::vector<float>{}).size() == 0);
}

TEST_CASE("a vector that is moved in keeps its memory", "[buffer]") {
    std::vector<int> values(100);
    std::iota(values.begin(), values.end(), 0);
    int const* const memory = values.data();
    buffer<int> b(std::move(values));
    CHECK(b.data() == memory);
    CHECK(b.size() == 100);
    CHECK(b.data()[99] == 99);
}

TEST_CASE("a move hands the memory over, own or adopted, and leaves nothing", "[buffer]") {
    for (bool const is_adopted : {false, true}) {
        auto const make = [&] { return is_adopted ? buffer<int>(std::vector<int>(5, 7)) : buffer<int>(5); };
        buffer<int> first = make();
        int const* const memory = first.data();

        buffer<int> second(std::move(first));
        CHECK(second.data() == memory);
        CHECK(second.size() == 5);
        CHECK(is_empty(first));

        buffer<int> third(3);
        third = std::move(second);
        CHECK(third.data() == memory);
        CHECK(third.size() == 5);
        CHECK(is_empty(second));

        first = make();  // what was moved from is as good as new
        CHECK(first.size() == 5);
        first = buffer<int>();
        CHECK(is_empty(first));
    }
}

TEST_CASE("a buffer moved into itself keeps its memory", "[buffer]") {
    buffer<float> b(4);
    auto const* const memory = b.data();
    auto& same = b;
    b = std::move(same);
    CHECK(b.data() == memory);
    CHECK(b.size() == 4);
}

TEST_CASE("own and adopted memory take each other's place", "[buffer]") {
    buffer<float> own(4), adopted(std::vector<float>{1, 2, 3});
    auto const* const aligned = own.data();
    auto const* const foreign = adopted.data();
    std::swap(own, adopted);
    CHECK(own.data() == foreign);
    CHECK(own.size() == 3);
    CHECK(adopted.data() == aligned);
    CHECK(adopted.size() == 4);
}

TEST_CASE("a buffer moves without throwing, is never copied, and hands out const as const", "[buffer]") {
    STATIC_REQUIRE(std::is_nothrow_default_constructible_v<buffer<float>>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<buffer<float>>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<buffer<float>>);
    STATIC_REQUIRE(std::is_nothrow_constructible_v<buffer<float>, std::vector<float>>);
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<buffer<float>>);
    STATIC_REQUIRE_FALSE(std::is_copy_assignable_v<buffer<float>>);
    STATIC_REQUIRE_FALSE(std::convertible_to<index_t, buffer<float>>);
    // A vector that stays is not taken over, and std::vector<bool> has no elements to take over.
    STATIC_REQUIRE_FALSE(std::constructible_from<buffer<float>, std::vector<float>&>);
    STATIC_REQUIRE_FALSE(std::constructible_from<buffer<bool>, std::vector<bool>>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<buffer<float>&>().data()), float*>);
    STATIC_REQUIRE(std::same_as<decltype(std::declval<buffer<float> const&>().data()), float const*>);
    STATIC_REQUIRE(softax::detail::alignment == 64);
}
