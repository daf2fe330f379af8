// docs/api.md holds: its blocks, each the body of a function after the first, compile under our warnings in one program
// and print what the block after each says; those of MPI compile where it is found; what a header promises is named.
#include "blocks.hpp"

#include <regex>
#include <set>

namespace {

fs::path const page = SOFTAX_SOURCE_DIR "/docs/api.md";

std::string where_of(block const& b) { return "docs/api.md:" + std::to_string(b.line); }

/// What stands before all functions: the first block and the #includes of the others. Takes these out of their blocks.
std::string preface_of(std::vector<block>& blocks) {
    std::string preface = blocks.front().text;
    std::regex const include("#include [^\n]*\n");
    for (std::size_t i = 1; i < blocks.size(); ++i) {
        std::string& text = blocks[i].text;
        for (std::smatch found; std::regex_search(text, found, include);) {
            preface = found.str() + preface;
            text = found.prefix().str() + found.suffix().str();
        }
    }
    return preface;
}

/// The blocks in C++ that are wanted, behind the first; outputs gets the block of text after each, or nothing.
std::vector<block> chosen(bool (*is_wanted)(block const&), std::vector<std::string>& outputs) {
    auto const all = blocks_of(lines_of(page));
    REQUIRE(!all.empty());
    std::vector<block> blocks = {all.front()};
    for (std::size_t i = 1; i < all.size(); ++i) {
        if (all[i].language != "cpp" || !is_wanted(all[i])) continue;
        blocks.push_back(all[i]);
        bool const is_followed = i + 1 < all.size() && is_output(all[i + 1]);
        outputs.push_back(is_followed ? all[i + 1].text : "");
    }
    return blocks;
}

bool is_mpi(block const& b) { return has(b.text, "softax/mpi.hpp"); }

TEST_CASE("the blocks of docs/api.md print what it says", "[api]") {
    std::vector<std::string> wanted;
    auto blocks = chosen([](block const& b) { return !is_mpi(b); }, wanted);
    REQUIRE(wanted.size() > 10);
    std::string text = preface_of(blocks) + "\n", calls;
    for (std::size_t i = 1; i < blocks.size(); ++i) {
        std::string const function = "at_line_" + std::to_string(blocks[i].line) + "()";
        text += "void " + function + " {\n" + blocks[i].text + "}\n";
        calls += "    " + function + ";\n    std::cout << std::defaultfloat << \"\\n\\f\";\n";
    }
    std::string output = output_of(text + "int main() {\n" + calls + "}\n", "docs/api.md", "api_blocks");
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        std::size_t const end = output.find('\f');
        INFO(where_of(blocks[i + 1]) << ", and the block after it");
        REQUIRE(end != std::string::npos);
        REQUIRE(!wanted[i].empty());
        CHECK(trimmed(output.substr(0, end)) == trimmed(wanted[i]));
        output.erase(0, end + 1);
    }
}

TEST_CASE("the blocks of docs/api.md about MPI compile", "[api]") {
    std::vector<std::string> unused;
    auto blocks = chosen(is_mpi, unused);
    REQUIRE(blocks.size() > 1);
    if (std::string(SOFTAX_MPI_FLAGS).empty()) return;  // no MPI on this machine
    std::string text = preface_of(blocks) + "\n";
    for (std::size_t i = 1; i < blocks.size(); ++i) {
        text += "void at_line_" + std::to_string(blocks[i].line) + "() {\n" + blocks[i].text + "}\n";
    }
    compile(text + "int main() {}\n", "docs/api.md", "api_mpi_blocks", "-fsyntax-only");
}

TEST_CASE("the links of docs/api.md lead somewhere", "[api]") { CHECK(check_links(page) > 0); }

/// The names that a header promises something of: what is declared after a comment of the form ///, outside of detail.
std::set<std::string> promised_by(fs::path const& header) {
    std::regex const type("(?:struct|class|concept|using) (\\w+)"), function("(\\w+)\\("), value("(\\w+)(?: =|\\{)");
    std::set<std::string> names;
    bool is_detail = false, is_promise = false;
    for (auto const& line : lines_of(header)) {
        if (line.rfind("namespace detail {", 0) == 0) is_detail = true;
        if (line.rfind("}  // namespace detail", 0) == 0) is_detail = false;
        std::size_t const first = line.find_first_not_of(' ');
        if (is_detail || first == std::string::npos) continue;
        std::string const text = std::regex_replace(line.substr(first), std::regex("decltype\\(auto\\)"), "auto");
        if (text.rfind("//", 0) == 0) {
            is_promise = text.rfind("///", 0) == 0;
        } else if (is_promise && text.rfind("template", 0) != 0 && text.rfind("requires", 0) != 0) {
            std::smatch found;
            bool const is_named = !has(text, "operator") &&
                                  (std::regex_search(text, found, type) || std::regex_search(text, found, function) ||
                                   std::regex_search(text, found, value));
            if (is_named) names.insert(found[1].str());
            is_promise = false;
        }
    }
    return names;
}

TEST_CASE("docs/api.md names whatever the headers promise", "[api]") {
    std::string text;
    for (auto const& line : lines_of(page)) text += line + "\n";
    int names = 0;
    for (auto const& entry : fs::directory_iterator(SOFTAX_SOURCE_DIR "/include/softax")) {
        if (entry.path().extension() != ".hpp") continue;
        for (auto const& name : promised_by(entry.path())) {
            INFO(entry.path().filename() << ": " << name);
            CHECK(std::regex_search(text, std::regex("\\b" + name + "\\b")));
            ++names;
        }
    }
    CHECK(names > 60);
}

}  // namespace
