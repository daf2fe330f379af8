// The README holds: every C++ block in it that is a whole program is compiled under our warnings and run, and prints
// what the block after it says; a block that only includes something compiles; every link into the repository leads
// somewhere.
#include "blocks.hpp"

namespace {

TEST_CASE("the programs of the README print what it says", "[readme]") {
    auto const blocks = blocks_of(lines_of(SOFTAX_SOURCE_DIR "/README.md"));
    int programs = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        block const& b = blocks[i];
        if (b.language != "cpp") continue;
        std::string const name = "readme_" + std::to_string(b.line), where = "README.md:" + std::to_string(b.line);
        if (has(b.text, "int main(")) {
            ++programs;
            INFO(where << ", and the block after it");
            REQUIRE(i + 1 < blocks.size());
            REQUIRE(is_output(blocks[i + 1]));
            CHECK(trimmed(output_of(b.text, where, name)) == trimmed(blocks[i + 1].text));
        } else if (has(b.text, "#include")) {
            compile(b.text, where, name, "-fsyntax-only");
        }
    }
    CHECK(programs > 0);
}

TEST_CASE("the links of the README lead somewhere", "[readme]") {
    CHECK(check_links(SOFTAX_SOURCE_DIR "/README.md") > 0);
}

}  // namespace
