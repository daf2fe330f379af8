// npy.hpp: files written out byte by byte after the format's description, files that NumPy wrote (tests/data/npy), round
// trips, and every way found in which a file can be broken.
#include <softax/npy.hpp>

#include "catch.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

using softax::array;
using softax::index_list;
using softax::load_npy;
using softax::save_npy;
using softax::view;

// The largest piece of memory asked for since it was last set to 0.
static std::size_t largest_allocation = 0;

static void* allocate(std::size_t size, std::size_t alignment) {
    largest_allocation = std::max(largest_allocation, size);
    void* const p = std::aligned_alloc(alignment, (size / alignment + 1) * alignment);
    return p != nullptr ? p : throw std::bad_alloc();
}
void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate(size, static_cast<std::size_t>(a)); }
void* operator new(std::size_t size, std::nothrow_t const&) noexcept { return std::malloc(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

constexpr bool is_little = std::endian::native == std::endian::little;

/// A file of this test alone, gone when it goes.
struct scratch_file {
    scratch_file() {
        static std::string const stem = "softax_npy_" + std::to_string(std::random_device()()) + "_";
        static int count = 0;
        path = (std::filesystem::temp_directory_path() / (stem + std::to_string(count++) + ".npy")).string();
    }
    explicit scratch_file(std::string const& bytes) : scratch_file() { write(bytes); }
    scratch_file(scratch_file const&) = delete;
    scratch_file& operator=(scratch_file const&) = delete;
    ~scratch_file() { std::filesystem::remove(path); }

    void write(std::string const& bytes) const {
        std::ofstream stream(path, std::ios::binary);
        stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

    std::string path;
};

std::string bytes_of(std::string const& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string of_numpy(std::string const& name) { return SOFTAX_TEST_DATA "/npy/" + name + ".npy"; }

/// The characters of a list of bytes.
std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (int const value : values) text += static_cast<char>(value);
    return text;
}

/// Version 1.0 with this text for a header, then the data.
std::string npy(std::string const& header, std::string const& data = "") {
    return "\x93NUMPY" + bytes({1, 0, static_cast<int>(header.size() % 256), static_cast<int>(header.size() / 256)}) +
           header + data;
}

std::string dict(std::string const& descr, std::string const& shape, std::string const& order = "False") {
    return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

/// The array in a file of these bytes.
template <class T>
array<T> load(std::string const& content) {
    scratch_file const file(content);
    return load_npy<T>(file.path);
}

/// What make_npy.py puts into its files.
template <class T>
array<T> numbered(index_list const& shape) {
    auto a = array<T>::uninitialized(shape);
    for (softax::index_t k = 0; k < a.size(); ++k) {
        if constexpr (std::is_same_v<T, bool>) {
            a.data()[k] = k % 2 == 0;
        } else if constexpr (std::is_unsigned_v<T>) {
            a.data()[k] = static_cast<T>(k);
        } else if constexpr (std::is_integral_v<T>) {
            a.data()[k] = static_cast<T>(k - 2);
        } else {
            a.data()[k] = T(0.25f * static_cast<float>(k - 2));
        }
    }
    return a;
}

}  // namespace

TEST_CASE("a little-endian file, byte by byte") {
    std::string const header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }                                 \n";
    // 1.0, -2.0, 0.5, infinity
    auto const a = load<float>(npy(header, bytes({0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0x80, 0x7f})));
    REQUIRE(a == array<float>{{1, -2}, {0.5f, std::numeric_limits<float>::infinity()}});
}

TEST_CASE("big-endian files, byte by byte") {
    REQUIRE(load<std::int16_t>(npy(dict(">i2", "(2,)"), bytes({0x01, 0x02, 0xff, 0xfe}))) ==
            array<std::int16_t>{258, -2});
    REQUIRE(load<double>(npy(dict(">f8", "(1,)"), bytes({0xc0, 0x04, 0, 0, 0, 0, 0, 0}))) == array<double>{-2.5});
    REQUIRE(load<softax::half>(npy(dict(">f2", "(1,)"), bytes({0x3e, 0x00})))(0) == 1.5f);
    REQUIRE(load<softax::bfloat16>(npy(dict(">V2", "(1,)"), bytes({0xbf, 0xc0})))(0) == -1.5f);
}

TEST_CASE("column-major data become row-major") {
    auto const a = load<std::uint8_t>(npy(dict("|u1", "(2, 3)", "True"), bytes({1, 4, 2, 5, 3, 6})));
    REQUIRE(a == array<std::uint8_t>{{1, 2, 3}, {4, 5, 6}});
}

TEST_CASE("a byte has any byte order, more bytes need one") {
    for (std::string const order : {"|", "<", ">", "="}) {
        REQUIRE(load<std::int8_t>(npy(dict(order + "i1", "(2,)"), bytes({0xff, 3}))) == array<std::int8_t>{-1, 3});
    }
    std::string const native = is_little ? bytes({3, 1}) : bytes({1, 3});
    REQUIRE(load<std::uint16_t>(npy(dict("=u2", "(1,)"), native)) == array<std::uint16_t>{259});
    REQUIRE_FAILS(load<std::uint16_t>(npy(dict("|u2", "(1,)"), native)), std::runtime_error, "holds dtype '|u2'");
}

TEST_CASE("a bool that is neither 0 nor 1 is true") {
    REQUIRE(load<bool>(npy(dict("|b1", "(4,)"), bytes({0, 1, 2, 255}))) == array<bool>{false, true, true, true});
}

TEST_CASE("versions 2.0 and 3.0 have four bytes for the length") {
    std::string const header = dict("|u1", "(2,)");
    for (int const version : {2, 3}) {
        std::string const start = "\x93NUMPY" + bytes({version, 0, static_cast<int>(header.size()), 0, 0, 0});
        REQUIRE(load<std::uint8_t>(start + header + "\7\x8") == array<std::uint8_t>{7, 8});
    }
}

TEST_CASE("a header longer than 255 bytes is read whole") {
    REQUIRE(load<std::uint8_t>(npy(dict("|u1", "(1,)") + std::string(700, ' '), "\7")) == array<std::uint8_t>{7});
}

TEST_CASE("the dict is read as Python reads it") {
    std::string const same[] = {
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }",
        "{'shape': (2,), 'fortran_order': False, 'descr': '|u1'}",
        "{\"fortran_order\":False,\"descr\":\"|u1\",\"shape\":(2,)}",
        "{ 'descr' :\t'|u1' ,\n'fortran_order': False ,'shape': ( 2 , ) , }  \n",
        "  {'descr': '|u1', 'fortran_order': False, 'shape': (2L,), }",
    };
    for (auto const& text : same) {
        CAPTURE(text);
        REQUIRE(load<std::uint8_t>(npy(text, "\7\x8")) == array<std::uint8_t>{7, 8});
    }
    REQUIRE(load<std::uint8_t>(npy(dict("|u1", "(1, 2,)"), "\7\x8")) == array<std::uint8_t>{{7, 8}});
    REQUIRE(load<std::uint8_t>(npy(dict("|u1", "()"), "\7")) == array<std::uint8_t>::scalar(7));
    REQUIRE(load<std::uint8_t>(npy(dict("|u1", "(3, 0)"))).shape() == index_list{3, 0});
    std::string const sixteen = "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2)";
    REQUIRE(load<std::uint8_t>(npy(dict("|u1", sixteen), "\7\x8")).rank() == 16);
}

TEMPLATE_TEST_CASE("files that NumPy wrote, one of each type", "", bool, std::int8_t, std::uint8_t, std::int16_t,
                   std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float, double, softax::half,
                   softax::bfloat16) {
    using T = TestType;
    std::string const name = std::is_same_v<T, bool>           ? "bool"
                             : std::is_same_v<T, float>        ? "float32"
                             : std::is_same_v<T, double>       ? "float64"
                             : std::is_same_v<T, softax::half> ? "float16"
                             : std::is_same_v<T, softax::bfloat16>
                                 ? "bfloat16"
                                 : (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
    auto const a = load_npy<T>(of_numpy(name));
    REQUIRE(a == numbered<T>({2, 3}));
    // Written again, it is NumPy's file to the byte (which a little-endian machine wrote).
    scratch_file const file;
    save_npy(file.path, a);
    if (is_little) REQUIRE(bytes_of(file.path) == bytes_of(of_numpy(name)));
    REQUIRE(load_npy<T>(file.path) == a);
}

TEST_CASE("big-endian files that NumPy wrote") {
    REQUIRE(load_npy<std::int16_t>(of_numpy("big_i2")) == numbered<std::int16_t>({2, 3}));
    REQUIRE(load_npy<std::uint32_t>(of_numpy("big_u4")) == numbered<std::uint32_t>({2, 3}));
    REQUIRE(load_npy<std::int64_t>(of_numpy("big_i8")) == numbered<std::int64_t>({2, 3}));
    REQUIRE(load_npy<softax::half>(of_numpy("big_f2")) == numbered<softax::half>({2, 3}));
    REQUIRE(load_npy<float>(of_numpy("big_f4")) == numbered<float>({2, 3}));
    REQUIRE(load_npy<double>(of_numpy("big_f8")) == numbered<double>({2, 3}));
}

TEST_CASE("files of every shape, order and version that NumPy wrote") {
    REQUIRE(load_npy<float>(of_numpy("rank_0")) == numbered<float>({}));
    REQUIRE(load_npy<float>(of_numpy("rank_1")) == numbered<float>({5}));
    REQUIRE(load_npy<float>(of_numpy("rank_5")) == numbered<float>({2, 1, 3, 1, 2}));
    REQUIRE(load_npy<float>(of_numpy("empty_1")) == array<float>({0}, 0.0f));
    REQUIRE(load_npy<float>(of_numpy("empty_3")) == array<float>({2, 0, 3}, 0.0f));
    REQUIRE(load_npy<float>(of_numpy("fortran")) == numbered<float>({2, 3, 4}));
    REQUIRE(load_npy<double>(of_numpy("fortran_big")) == numbered<double>({2, 3}));
    REQUIRE(load_npy<float>(of_numpy("version_2")) == numbered<float>({2, 3}));
    REQUIRE(load_npy<float>(of_numpy("version_3")) == numbered<float>({2, 3}));
    // V2 without a byte order is taken to be in this machine's.
    if (is_little) REQUIRE(load_npy<softax::bfloat16>(of_numpy("void2")) == numbered<softax::bfloat16>({2, 3}));
}

TEST_CASE("what is saved is what NumPy saves, whatever the shape") {
    if (!is_little) return;  // NumPy wrote its files on a little-endian machine
    scratch_file const file;
    for (auto const& [name, shape] : {std::pair<std::string, index_list>{"rank_0", {}},
                                      {"rank_1", {5}},
                                      {"rank_5", {2, 1, 3, 1, 2}},
                                      {"rank_16", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
                                      {"empty_1", {0}},
                                      {"empty_3", {2, 0, 3}}}) {
        CAPTURE(name);
        save_npy(file.path, numbered<float>(shape));
        REQUIRE(bytes_of(file.path) == bytes_of(of_numpy(name)));
    }
    save_npy(file.path, numbered<std::int8_t>({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 10}));
    REQUIRE(bytes_of(file.path) == bytes_of(of_numpy("header_192")));
}

TEST_CASE("views of any strides and other ranges are saved row-major") {
    array<int> const a = {{1, 2, 3}, {4, 5, 6}};
    scratch_file const file;
    save_npy(file.path, view(a).transpose());
    REQUIRE(load_npy<int>(file.path) == array<int>{{1, 4}, {2, 5}, {3, 6}});
    save_npy(file.path, view(a).slice(1, {.step = -2}));
    REQUIRE(load_npy<int>(file.path) == array<int>{{3, 1}, {6, 4}});
    save_npy(file.path, view(a).slice(0, {.stop = 1}).broadcast_to({2, 3}));
    REQUIRE(load_npy<int>(file.path) == array<int>{{1, 2, 3}, {1, 2, 3}});
    std::vector<double> values = {1.5, 2.5};
    save_npy(file.path, values);
    REQUIRE(load_npy<double>(file.path) == array<double>{1.5, 2.5});
}

TEST_CASE("NaN, infinities, zeros and subnormals keep their bits") {
    std::uint32_t const bits[] = {0x7fc00000, 0xffc12345, 0x7f800000, 0xff800000, 0x80000000,
                                  0,          1,          0x807fffff, 0x7f7fffff};
    std::vector<float> values;
    for (auto const b : bits) values.push_back(std::bit_cast<float>(b));
    scratch_file const file;
    save_npy(file.path, values);
    auto const back = load_npy<float>(file.path);
    for (std::size_t i = 0; i < std::size(bits); ++i) REQUIRE(std::bit_cast<std::uint32_t>(back.data()[i]) == bits[i]);
}

TEST_CASE("saving over a longer file leaves nothing of it") {
    scratch_file const file(std::string(5000, 'x'));
    save_npy(file.path, array<int>{1});
    REQUIRE(load_npy<int>(file.path) == array<int>{1});
}

TEST_CASE("the header alone tells what to load") {
    auto const h = softax::npy_header_of(of_numpy("fortran_big"));
    REQUIRE(h.descr == ">f8");
    REQUIRE(h.is_fortran_order);
    REQUIRE(h.shape == index_list{2, 3});
    REQUIRE_FALSE(softax::npy_header_of(of_numpy("complex64")).is_fortran_order);
    REQUIRE(softax::npy_header_of(of_numpy("complex64")).descr == "<c8");
    REQUIRE_FAILS(softax::npy_header_of(of_numpy("structured")), std::runtime_error, "structured dtype");
}

TEST_CASE("another element type is refused by both names") {
    auto const asked_for = [](std::string const& type) {  // in this machine's byte order
        return "the array asked for is of dtype '" + (is_little ? "<" + type : ">" + type) + "'";
    };
    REQUIRE_FAILS(load_npy<float>(of_numpy("float64")), std::runtime_error,
                  "float64.npy: holds dtype '<f8', " + asked_for("f4"));
    REQUIRE_FAILS(load_npy<int>(of_numpy("uint32")), std::runtime_error, "'<u4', " + asked_for("i4"));
    REQUIRE_FAILS(load_npy<bool>(of_numpy("uint8")), std::runtime_error,
                  "'|u1', the array asked for is of dtype '|b1'");
    REQUIRE_FAILS(load_npy<softax::half>(of_numpy("bfloat16")), std::runtime_error, "'<V2', " + asked_for("f2"));
    REQUIRE_FAILS(load_npy<softax::bfloat16>(of_numpy("float16")), std::runtime_error, "'<f2', " + asked_for("V2"));
    REQUIRE_FAILS(load_npy<float>(of_numpy("complex64")), std::runtime_error, "holds dtype '<c8'");
    REQUIRE_FAILS(load_npy<float>(of_numpy("text")), std::runtime_error, "holds dtype '<U2'");
    REQUIRE_FAILS(load_npy<float>(of_numpy("structured")), std::runtime_error, "describes a structured dtype");
    for (std::string const descr : {"", "<", "f4", "<f4 ", "<f", "<f44", "<F4", "?f4", "float32", "<f4<f4"}) {
        CAPTURE(descr);
        REQUIRE_FAILS(load<float>(npy(dict(descr, "(1,)"), "1234")), std::runtime_error, "holds dtype '" + descr + "'");
    }
}

TEST_CASE("a malformed header is refused with what is wrong in it") {
    std::string const descr = "'descr': '|u1'", order = "'fortran_order': False", shape = "'shape': (1,)";
    std::pair<std::string, std::string> const cases[] = {
        {"", "lacks {"},
        {"[]", "lacks {, at \"[]\""},
        {"{", "lacks a string"},
        {"{}", "lacks one of the keys descr, fortran_order, shape"},
        {"{" + descr + ", " + order + "}", "lacks one of the keys"},
        {"{" + descr + ", " + shape + "}", "lacks one of the keys"},
        {"{" + order + ", " + shape + "}", "lacks one of the keys"},
        {"{" + descr + ", " + order + ", " + shape, "lacks , or }"},
        {"{" + descr + ", " + order + " " + shape + "}", "lacks , or }"},
        {"{" + descr + ",, " + order + ", " + shape + "}", "lacks a string"},
        {"{" + descr + ", " + order + ", " + shape + "} x", "goes on after its dict, at \"x\""},
        {"{" + descr + ", " + order + ", " + shape + "}" + bytes({0}), "goes on after its dict"},
        {"{" + descr + ", " + order + ", " + shape + ", 'more': 1}", "has an unknown key or one twice"},
        {"{" + descr + ", " + descr + ", " + order + ", " + shape + "}", "has an unknown key or one twice"},
        {"{" + descr + ", " + order + ", " + shape + ", " + shape + "}", "has an unknown key or one twice"},
        {"{'descr' '|u1', " + order + ", " + shape + "}", "lacks :"},
        {"{'descr': |u1, " + order + ", " + shape + "}", "lacks a string"},
        {"{'descr': '|u1", "has a string that does not end"},
        {"{'descr': '|u1\", " + order + ", " + shape + "}", "lacks"},
        {"{'descr': '\\x7cu1', " + order + ", " + shape + "}", "has a string that does not end"},
        {"{'descr': [('a', '<f4')], " + order + ", " + shape + "}", "describes a structured dtype"},
        {"{" + descr + ", 'fortran_order': 0, " + shape + "}", "lacks False"},
        {"{" + descr + ", 'fortran_order': false, " + shape + "}", "lacks False"},
        {"{" + descr + ", 'fortran_order': Falsey, " + shape + "}", "lacks , or }"},
    };
    for (auto const& [header, words] : cases) {
        CAPTURE(header);
        REQUIRE_FAILS(load<std::uint8_t>(npy(header, "\7")), std::runtime_error, words);
    }
    for (std::string const text : {"1", "(1)", "[1]", "(1", "(,)", "(1,,)", "(1 1)", "None", "(1)(1)"}) {
        CAPTURE(text);
        REQUIRE_FAILS(load<std::uint8_t>(npy(dict("|u1", text), "\7")), std::runtime_error, "the header ");
    }
    for (std::string const text :
         {"(-1,)", "(+1,)", "(01,)", "(00,)", "(1.0,)", "(True,)", "('1',)", "(0x1,)", "(1e0,)",
          "(9223372036854775808,)", "(99999999999999999999999,)", "(1l,)", "(1LL,)"}) {
        CAPTURE(text);
        REQUIRE_FAILS(load<std::uint8_t>(npy(dict("|u1", text), "\7")), std::runtime_error, "the header has a");
    }
    std::string const seventeen = "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)";
    REQUIRE_FAILS(load<std::uint8_t>(npy(dict("|u1", seventeen), "\7")), std::runtime_error, "more than 16 extents");
}

TEST_CASE("version 3.0 has no Python 2 behind it: an L is refused") {
    std::string const header = dict("|u1", "(1L,)");
    std::string const rest = bytes({0, static_cast<int>(header.size()), 0, 0, 0}) + header + "\7";
    REQUIRE(load<std::uint8_t>("\x93NUMPY\2" + rest) == array<std::uint8_t>{7});
    REQUIRE_FAILS(load<std::uint8_t>("\x93NUMPY\3" + rest), std::runtime_error, "has a shape that is no tuple");
}

TEST_CASE("what is no .npy file is refused by its first bytes") {
    std::string const good = npy(dict("|u1", "(1,)"), "\7");
    REQUIRE_FAILS(load<float>(""), std::runtime_error, "is no .npy file");
    REQUIRE_FAILS(load<float>("\x93NUMP"), std::runtime_error, "is no .npy file");
    REQUIRE_FAILS(load<float>(good.substr(0, 8)), std::runtime_error, "is cut short");
    REQUIRE_FAILS(load<float>(good.substr(0, 9)), std::runtime_error, "is cut short");
    REQUIRE_FAILS(load<float>(good.substr(0, 10)), std::runtime_error, "is cut short in its header of 58 bytes");
    REQUIRE_FAILS(load<float>("PK\3\4 and so on"), std::runtime_error, "is no .npy file");
    REQUIRE_FAILS(load<float>("\x93numpy\1" + good.substr(7)), std::runtime_error, "is no .npy file");
    REQUIRE_FAILS(load<float>("\x93NUMPY" + bytes({4, 0}) + good.substr(8)), std::runtime_error, "has version 4.0");
    REQUIRE_FAILS(load<float>("\x93NUMPY" + bytes({1, 1}) + good.substr(8)), std::runtime_error, "has version 1.1");
    REQUIRE_FAILS(load<float>("\x93NUMPY" + bytes({0, 0}) + good.substr(8)), std::runtime_error, "has version 0.0");
}

TEST_CASE("the elements must be as many as the shape says, to the byte") {
    std::string const header = dict("<f4", "(2, 3)");
    REQUIRE_FAILS(load<float>(npy(header, std::string(23, '\0'))), std::runtime_error,
                  "has 23 bytes of elements, shape (2, 3) takes 24");
    REQUIRE_FAILS(load<float>(npy(header, std::string(25, '\0'))), std::runtime_error,
                  "has 25 bytes of elements, shape (2, 3) takes 24");
    REQUIRE_FAILS(load<float>(npy(header)), std::runtime_error, "has 0 bytes of elements");
    REQUIRE_FAILS(load<float>(npy(dict("<f4", "()"), "")), std::runtime_error, "shape () takes 4");
    REQUIRE_FAILS(load<float>(npy(dict("<f4", "(0,)"), "1")), std::runtime_error, "shape (0,) takes 0");
    REQUIRE_FAILS(load<float>("\x93NUMPY" + bytes({2, 0, 255, 255, 255, 255}) + "{}"), std::runtime_error,
                  "is cut short in its header of 4294967295 bytes");
}

TEST_CASE("a shape that claims more than the file has allocates nothing for it") {
    for (std::string const shape :
         {"(1000000000000,)", "(1000000, 1000000)", "(4611686018427387904, 4, 4)", "(9223372036854775807,)",
          "(4294967296, 4294967296)", "(3037000500, 3037000500, 0)"}) {
        for (std::string const order : {"False", "True"}) {
            CAPTURE(shape, order);
            scratch_file const file(npy(dict("<f8", shape, order), "12345678"));
            std::string message;
            largest_allocation = 0;
            try {
                load_npy<double>(file.path);
            } catch (std::runtime_error const& e) {
                message = e.what();
            }
            REQUIRE(largest_allocation < 16384);  // the stream's buffer
            REQUIRE(message.find(shape) != std::string::npos);
        }
    }
}

TEST_CASE("a path that cannot be read or written is named") {
    std::string const folder = std::filesystem::temp_directory_path().string();
    REQUIRE_FAILS(load_npy<float>("/no/such/file.npy"), std::runtime_error,
                  "softax: /no/such/file.npy: cannot be opened");
    REQUIRE_FAILS(load_npy<float>(folder), std::runtime_error, folder);
    REQUIRE_FAILS(save_npy("/no/such/file.npy", array<float>{1}), std::runtime_error,
                  "/no/such/file.npy: cannot be written");
    REQUIRE_FAILS(save_npy(folder, array<float>{1}), std::runtime_error, "cannot be written");
    if (std::filesystem::exists("/dev/full")) {
        REQUIRE_FAILS(save_npy("/dev/full", array<float>{1}), std::runtime_error, "/dev/full: cannot be written");
    }
}

// Anything other than an array or a std::runtime_error ends the program or fails the test; the sanitizers watch the rest.
TEST_CASE("every beginning of a file and every change of a byte of its header loads or is refused") {
    scratch_file const file;
    auto const loads = [&] {
        auto const size = static_cast<std::size_t>(std::filesystem::file_size(file.path));
        largest_allocation = 0;
        bool is_loaded = true;
        try {
            load_npy<float>(file.path);
        } catch (std::runtime_error const&) {
            is_loaded = false;
        }
        if (largest_allocation > std::max<std::size_t>(size, 16384)) FAIL("allocated " << largest_allocation);
        return is_loaded;
    };
    for (std::string const name : {"float32", "version_2"}) {
        std::string const good = bytes_of(of_numpy(name));
        for (std::size_t count = 0; count < good.size(); ++count) {
            file.write(good.substr(0, count));
            if (loads()) FAIL("loads from " << count << " bytes");
        }
        file.write(good);
        REQUIRE(loads());
        std::fstream stream(file.path, std::ios::binary | std::ios::in | std::ios::out);
        int loaded = 0;
        for (int place = 0; place < 128; ++place) {
            for (int byte = 0; byte <= 256; ++byte) {  // the last puts back what was there
                stream.seekp(place)
                    .put(byte < 256 ? static_cast<char>(byte) : good[static_cast<std::size_t>(place)])
                    .flush();
                loaded += loads();
            }
        }
        // Twice each byte that was there, and white space for white space: hardly anything else means the same.
        REQUIRE(loaded >= 2 * 128);
        REQUIRE(loaded < 1000);
    }
}
