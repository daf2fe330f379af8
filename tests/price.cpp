// What each header costs whoever includes it: compiled alone, under our warnings as errors, timed and counted. The times
// are printed and decide nothing; what a header may bring along is asserted.
#include "rooms.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <utility>

namespace {

struct price {
    bool compiles = false;
    double seconds = 0;
    long lines = 0;                  // that are left after preprocessing, blank ones aside
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

/// The price of one #include of the given header, nothing else in the file.
price price_of(std::string const& header) {
    auto const source =
        std::filesystem::path("price_of_" + std::regex_replace(header, std::regex("[/.]"), "_") + ".cpp");
    std::ofstream(source) << "#include <" << header << ">\n";
    std::string const compiler = "\"" SOFTAX_COMPILER "\" -std=c++20 " SOFTAX_WARNINGS " -I\"" SOFTAX_SOURCE_DIR
                                 "/include\" -isystem \"" SOFTAX_EIGEN "\" " SOFTAX_MPI_FLAGS " ";
    price p;
    auto const before = std::chrono::steady_clock::now();
    auto const [status, errors] = answer_of(compiler + "-fsyntax-only " + source.string());
    p.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    p.compiles = status == 0;
    if (!p.compiles) UNSCOPED_INFO(errors);

    // What the preprocessor leaves: text, and lines of the form # 1 "file" that tell where the text came from.
    std::set<std::string> files;
    std::istringstream text(answer_of(compiler + "-E " + source.string()).second);
    for (std::string line; std::getline(text, line);) {
        if (line.rfind("# ", 0) == 0) {
            auto const open = line.find('"'), close = line.rfind('"');
            if (open < close) files.insert(line.substr(open + 1, close - open - 1));
        } else if (line.find_first_not_of(" \t\r") != std::string::npos) {
            ++p.lines;
        }
    }
    p.files.assign(files.begin(), files.end());
    std::filesystem::remove(source);
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

/// A kernel file, or the list that includes them: targets.hpp gives them their namespace, kernels.hpp gives it their names.
bool is_nothing_alone(std::string const& name) {
    for (auto const& line : rooms::lines_of(rooms::path_of(name))) {
        if (line.find("// targets.hpp includes this once for each") != std::string::npos) return true;
        if (line.find("#ifdef SOFTAX_TARGET_FILE") == 0) return true;
    }
    return false;
}

TEST_CASE("each header stands alone and its price is known", "[price]") {
    std::ofstream table("price.txt");  // beside the test program, for people to read after the run
    table << "header                seconds     lines\n";
    auto const row = [&table](std::string const& name, price const& p) {
        char line[80];
        std::snprintf(line, sizeof line, "%-20s %8.2f %9ld\n", name.c_str(), p.seconds, p.lines);
        table << line;
    };
    std::map<std::string, price> prices;
    for (auto const& name : rooms::list()) {
        INFO(name);
        bool const needs_mpi = name.find("mpi") != std::string::npos;
        if (needs_mpi && std::string(SOFTAX_MPI_FLAGS).empty()) continue;  // a machine without MPI
        auto const p = price_of("softax/" + name + ".hpp");
        row(name, p);
        CHECK(p.compiles);
        CHECK((p.lines > 0 || is_nothing_alone(name)));
        prices[name] = p;
    }
    auto const scale = price_of("Eigen/Core");
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
