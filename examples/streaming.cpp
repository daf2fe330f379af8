// The softmax of a file that is larger than the memory it may take: 64 MB of logits, 8 MB of budget.
//
// Two passes over the .npy file, a piece at a time: the first pushes every piece to a normalizer, the second finishes every
// piece with it and writes it to another .npy file. The program makes its input itself and removes both files.
#include <softax/normalizer.hpp>
#include <softax/npy.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

using softax::index_t;

constexpr index_t logits = index_t{1} << 24;  // floats, 64 MB
constexpr index_t budget = index_t{8} << 20;  // bytes, for all that making the file and the two passes take
constexpr index_t piece = budget / 2 / static_cast<index_t>(sizeof(float));

/// A .npy file of one axis, version 1.0, open behind its header: 128 bytes, of which 118 describe the array.
std::fstream open_npy(std::string const& path, std::ios::openmode mode) {
    std::fstream file(path, mode | std::ios::binary);
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(logits) + ",), }";
    header = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header.append(117 - header.size(), ' ') + '\n';
    if (mode & std::ios::out) file.write(header.data(), static_cast<std::streamsize>(header.size()));
    if (mode & std::ios::in) file.seekg(static_cast<std::streamoff>(header.size()));
    return file;
}

/// Calls work with one piece of the file after another.
template <class Work>
void for_each_piece(std::string const& path, Work work) {
    std::fstream file = open_npy(path, std::ios::in);
    std::vector<float> buffer(piece);
    for (index_t first = 0; first < logits; first += piece) {
        std::span<float> const x(buffer.data(), static_cast<std::size_t>(std::min(piece, logits - first)));
        if (!file.read(reinterpret_cast<char*>(x.data()), static_cast<std::streamsize>(x.size_bytes()))) {
            throw std::runtime_error(path + " cannot be read");
        }
        work(x);
    }
}

void write(std::fstream& file, std::span<float const> x) {
    file.write(reinterpret_cast<char const*>(x.data()), static_cast<std::streamsize>(x.size_bytes()));
}

void make_input(std::string const& path) {
    std::fstream file = open_npy(path, std::ios::out);
    std::mt19937 random;
    std::normal_distribution<float> draw(0, 4);
    std::vector<float> x(piece);
    for (index_t first = 0; first < logits; first += piece) {
        for (float& logit : x) logit = draw(random);
        write(file, x);
    }
}

/// softmax of the file at from, into a file at to.
void stream_softmax(std::string const& from, std::string const& to) {
    softax::normalizer<float> n;
    for_each_piece(from, [&](std::span<float> x) { n.push(x); });
    std::fstream file = open_npy(to, std::ios::out);
    for_each_piece(from, [&](std::span<float> x) {
        n.softmax_into(x, x);
        write(file, x);
    });
    if (!file.flush()) throw std::runtime_error(to + " cannot be written");
}

/// The largest amount of memory that this program has had so far, in MB; 0 where the system does not say.
double peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
    }
    return 0;
}

/// The largest difference, relative to the result, from softmax of all of the file at once.
double error_of(std::string const& from, std::string const& to) {
    auto const x = softax::load_npy<float>(from), y = softax::load_npy<float>(to), all = softax::softmax(x);
    double error = 0;
    for (index_t i = 0; i < logits; ++i) {
        error = std::max(
            error, std::abs(static_cast<double>(y(i)) - static_cast<double>(all(i))) / static_cast<double>(all(i)));
    }
    return error;
}

/// A folder that is gone at the end.
struct temporary_folder {
    std::filesystem::path const path =
        std::filesystem::temp_directory_path() / ("softax_streaming_" + std::to_string(std::random_device()()));
    temporary_folder() { std::filesystem::create_directory(path); }
    ~temporary_folder() { std::filesystem::remove_all(path); }
};

int main() try {
    temporary_folder const folder;
    std::string const from = (folder.path / "logits.npy").string(), to = (folder.path / "probabilities.npy").string();
    double const before = peak_memory();
    make_input(from);
    stream_softmax(from, to);
    double const after = peak_memory();
    std::printf("file %td MB, budget %td MB, in pieces of %td MB\n", logits / 262144, budget >> 20, piece / 262144);
    std::printf("peak memory %.1f MB at the start, %.1f MB after the two passes\n", before, after);
    double const error = error_of(from, to);
    std::printf("against softmax of the whole file in memory (peak %.0f MB): largest relative difference %.1e\n",
                peak_memory(), error);
    bool const is_within_budget = after - before <= static_cast<double>(budget >> 20);
    // Each is within 4 units of the last place.
    return is_within_budget && error <= 8 * 1.2e-7 ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
