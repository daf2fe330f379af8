// The README holds: every C++ block in it that is a whole program is compiled under our warnings and run, and prints what the
// block after it says; a block that only includes something compiles; every link into the repository leads somewhere.
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

namespace {

namespace fs = std::filesystem;

/// What stands between two fences.
struct block {
    std::string language, text;
    int line = 0;  // of the opening fence
};

std::vector<std::string> lines_of(fs::path const& file) {
    std::ifstream in(file);
    INFO("cannot read " << file);
    REQUIRE(in);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::vector<block> blocks_of(std::vector<std::string> const& lines) {
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

/// Runs a command; its exit status and what it wrote.
std::pair<int, std::string> answer_of(std::string const& command) {
    std::string text;
    std::FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    for (char piece[4096]; std::size_t const n = std::fread(piece, 1, sizeof piece, pipe);) text.append(piece, n);
    return {pclose(pipe), text};
}

/// Without blanks at the ends of lines and without empty lines at the end.
std::string trimmed(std::string const& text) {
    std::string result;
    for (char const letter : text) {
        if (letter == '\n') result.erase(result.find_last_not_of(" \t\r") + 1);
        result += letter;
    }
    result.erase(result.find_last_not_of(" \t\r\n") + 1);
    return result;
}

/// Compiles a block as the build compiles ours: with -fsyntax-only, or to a program.
void compile(block const& b, std::string const& source, std::string const& target) {
    std::ofstream(source) << b.text;
    auto const [status, errors] = answer_of("\"" SOFTAX_COMPILER "\" -std=c++20 " SOFTAX_WARNINGS
                                            " -I\"" SOFTAX_SOURCE_DIR "/include\" -isystem \"" SOFTAX_EIGEN "\" " +
                                            source + " " + target);
    INFO("the block at line " << b.line << " of README.md:\n" << errors);
    REQUIRE(status == 0);
}

TEST_CASE("the programs of the README print what it says", "[readme]") {
    auto const blocks = blocks_of(lines_of(SOFTAX_SOURCE_DIR "/README.md"));
    int programs = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        block const& b = blocks[i];
        if (b.language != "cpp") continue;
        std::string const name = "readme_" + std::to_string(b.line), source = name + ".cpp";
        bool const is_program = b.text.find("int main(") != std::string::npos;
        if (!is_program) {
            if (b.text.find("#include") != std::string::npos) compile(b, source, "-fsyntax-only");
            fs::remove(source);
            continue;
        }
        ++programs;
        INFO("the program at line " << b.line << " of README.md, and the block after it");
        REQUIRE(i + 1 < blocks.size());
        bool const says_output = blocks[i + 1].language.empty() || blocks[i + 1].language == "text";
        REQUIRE(says_output);
        compile(b, source, "-o " + name);
        auto const [status, output] = answer_of("./" + name);
        CHECK(status == 0);
        CHECK(trimmed(output) == trimmed(blocks[i + 1].text));
        fs::remove(source);
        fs::remove(name);
    }
    CHECK(programs > 0);
}

TEST_CASE("the links of the README lead somewhere", "[readme]") {
    int links = 0;
    bool is_code = false;
    for (auto const& line : lines_of(SOFTAX_SOURCE_DIR "/README.md")) {
        if (line.rfind("```", 0) == 0) is_code = !is_code;
        if (is_code) continue;
        for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 1)) {
            std::size_t const end = line.find_first_of(")# ", at + 2);
            std::string const target = line.substr(at + 2, end == std::string::npos ? end : end - at - 2);
            if (target.empty() || target.find("://") != std::string::npos) continue;  // a heading, the web
            INFO(line);
            CHECK(fs::exists(fs::path(SOFTAX_SOURCE_DIR) / target));
            ++links;
        }
    }
    CHECK(links > 0);
}

}  // namespace
