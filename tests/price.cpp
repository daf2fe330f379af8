// What each header costs whoever includes it: compiled alone, under our warnings as errors, timed and counted. The times
// are printed and decide nothing; what a header may bring along is asserted.
#include "rooms.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <map>
#include <regex>
#include <utility>

namespace {

struct price {
    bool compiles = false;
    double seconds = 0;
    long lines = 0;                  // that are left after preprocessing, blank ones aside; 0 if not counted
    std::vector<std::string> files;  // that were read on the way
};

/// Runs a command; its exit status and what it wrote.
std::pair<int, std::string> answer_of(std::string const& command) {
    std::string text;
    std::FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return {-1, "cannot run " + command};
    for (char piece[4096]; std::size_t const n = std::fread(piece, 1, sizeof piece, pipe);) text.append(piece, n);
    return {pclose(pipe), text};
}

/// The price of one #include of the given header, nothing else in the file; its lines if they are to be counted.
price price_of(std::string const& header, bool are_counted) {
    auto const source =
        std::filesystem::path("price_of_" + std::regex_replace(header, std::regex("[/.]"), "_") + ".cpp");
    auto const read = std::filesystem::path(source).replace_extension(".d");
    std::ofstream(source) << "#include <" << header << ">\n";
    std::string const compiler = "\"" SOFTAX_COMPILER "\" -std=c++20 " SOFTAX_WARNINGS " -I\"" SOFTAX_SOURCE_DIR
                                 "/include\" -isystem \"" SOFTAX_EIGEN "\" " SOFTAX_MPI_FLAGS " ";
    price p;
    auto const before = std::chrono::steady_clock::now();
    auto const [status, errors] =
        answer_of(compiler + "-fsyntax-only -MD -MF " + read.string() + " " + source.string());
    p.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    p.compiles = status == 0;
    if (!p.compiles) UNSCOPED_INFO(errors);

    // target: file file \ and so on
    std::ifstream files(read);
    for (std::string file; files >> file;) {
        if (file != "\\" && file.back() != ':') p.files.push_back(file);
    }
    if (are_counted) {
        std::istringstream text(answer_of(compiler + "-E -P " + source.string()).second);
        for (std::string line; std::getline(text, line);) ++p.lines;
    }
    std::filesystem::remove(source);
    std::filesystem::remove(read);
    return p;
}

/// The first of the files that lies in Eigen or is <iostream>, <thread> or <functional>; empty if there is none.
std::string heavy_among(std::vector<std::string> const& files) {
    for (auto const& file : files) {
        auto const path = std::filesystem::path(file);
        auto const name = path.filename();
        if (file.find("/Eigen/") != std::string::npos) return file;
        if (name == "iostream" || name == "thread" || name == "functional") return file;
    }
    return "";
}

TEST_CASE("each header stands alone and its price is known", "[price]") {
    std::ofstream table("price.txt");  // beside the test program, for people to read after the run
    table << "header                seconds     lines\n";
    auto const row = [&table](std::string const& name, price const& p) {
        char line[80];
        std::snprintf(line, sizeof line, "%-20s %8.2f", name.c_str(), p.seconds);
        table << line;
        if (p.lines > 0) table << std::setw(10) << p.lines;
        table << "\n";
    };
    std::map<std::string, price> prices;
    for (auto const& name : rooms::list()) {
        INFO(name);
        bool const needs_mpi = name.find("mpi") != std::string::npos;
        if (needs_mpi && std::string(SOFTAX_MPI_FLAGS).empty()) continue;  // a machine without MPI
        bool const is_public = name.find("detail/") == std::string::npos;
        auto const p = price_of("softax/" + name + ".hpp", is_public);
        row(name, p);
        CHECK(p.compiles);
        CHECK((p.lines > 0 || !is_public));
        prices[name] = p;
    }
    auto const scale = price_of("Eigen/Core", true);
    row("Eigen/Core itself", scale);
    table.close();
    for (auto const& line : rooms::lines_of("price.txt")) std::printf("%s\n", line.c_str());

    // The check below can tell: it finds Eigen in Eigen.
    CHECK(scale.compiles);
    CHECK_FALSE(heavy_among(scale.files).empty());

    for (auto const& name : rooms::list()) {
        INFO(name);
        CHECK(heavy_among(prices[name].files) == "");
        if (name == "array") break;
    }
}

}  // namespace
