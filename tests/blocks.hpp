// The blocks of a page in Markdown, as tests compile and run them.
#pragma once

#include "catch.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

// What price.cpp is told by the build too.
#ifndef SOFTAX_COMPILER
#define SOFTAX_COMPILER "c++"
#endif
#ifndef SOFTAX_EIGEN
#define SOFTAX_EIGEN "/usr/include/eigen3"
#endif
#ifndef SOFTAX_WARNINGS
#define SOFTAX_WARNINGS "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
#endif
#ifndef SOFTAX_MPI_FLAGS
#define SOFTAX_MPI_FLAGS ""
#endif

namespace fs = std::filesystem;

/// What stands between two fences.
struct block {
    std::string language, text;
    int line = 0;  // of the opening fence
};

inline std::vector<std::string> lines_of(fs::path const& file) {
    std::ifstream in(file);
    INFO("cannot read " << file);
    REQUIRE(in);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

inline std::vector<block> blocks_of(std::vector<std::string> const& lines) {
    std::vector<block> blocks;
    bool is_inside = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].rfind("```", 0) == 0) {
            is_inside = !is_inside;
            if (is_inside) blocks.push_back({lines[i].substr(3), "", static_cast<int>(i) + 1});
        } else if (is_inside) {
            blocks.back().text += lines[i] + "\n";
        }
    }
    REQUIRE_FALSE(is_inside);
    return blocks;
}

inline bool has(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

/// Whether it is what a program printed.
inline bool is_output(block const& b) { return b.language.empty() || b.language == "text"; }

/// Runs a command; its exit status and what it wrote.
inline std::pair<int, std::string> answer_of(std::string const& command) {
    std::string text;
    std::FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    for (char piece[4096]; std::size_t const n = std::fread(piece, 1, sizeof piece, pipe);) text.append(piece, n);
    return {pclose(pipe), text};
}

/// Without blanks at the ends of lines and without empty lines at the end.
inline std::string trimmed(std::string const& text) {
    std::string result;
    for (char const letter : text) {
        if (letter == '\n') result.erase(result.find_last_not_of(" \t\r") + 1);
        result += letter;
    }
    result.erase(result.find_last_not_of(" \t\r\n") + 1);
    return result;
}

/// Compiles text as the build compiles ours, for one instruction set: with -fsyntax-only, or to a program. where says which page
/// and line it is.
inline void compile(std::string const& text, std::string const& where, std::string const& name,
                    std::string const& target) {
    std::string const source = name + ".cpp";
    std::ofstream(source) << text;
    auto const [status, errors] =
        answer_of("\"" SOFTAX_COMPILER "\" -std=c++20 " SOFTAX_WARNINGS " -I\"" SOFTAX_SOURCE_DIR
                  "/include\" -isystem \"" SOFTAX_EIGEN "\" " SOFTAX_MPI_FLAGS " -pthread -DSOFTAX_NO_REGIONS " +
                  source + " " + target);
    fs::remove(source);
    INFO(where << ":\n" << errors);
    REQUIRE(status == 0);
}

/// Compiles and runs a program; what it prints.
inline std::string output_of(std::string const& text, std::string const& where, std::string const& name) {
    compile(text, where, name, "-o " + name);
    auto const [status, output] = answer_of("./" + name);
    fs::remove(name);
    INFO(where << ":\n" << output);
    CHECK(status == 0);
    return output;
}

/// Checks that every link of a page leads to a file; returns how many there are.
inline int check_links(fs::path const& page) {
    int links = 0;
    bool is_code = false;
    for (auto const& line : lines_of(page)) {
        if (line.rfind("```", 0) == 0) is_code = !is_code;
        if (is_code) continue;
        for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 1)) {
            std::size_t const end = line.find_first_of(")# ", at + 2);
            std::string const target = line.substr(at + 2, end == std::string::npos ? end : end - at - 2);
            if (target.empty() || has(target, "://")) continue;  // a heading, the web
            INFO(line);
            CHECK(fs::exists(page.parent_path() / target));
            ++links;
        }
    }
    return links;
}
