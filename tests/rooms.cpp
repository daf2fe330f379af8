// The list of rooms in softax.hpp against the headers: complete, in order, without a cycle, and each of a readable size.
#include "rooms.hpp"

#include "catch.hpp"

#include <regex>
#include <set>

namespace {

/// The softax headers that a header includes, by room name.
std::vector<std::string> includes_of(std::string const& name) {
    static std::regex const quoted_or_not(
        R"re(^\s*#\s*(?:include|define\s+SOFTAX_TARGET_FILE)\s*([<"])([^>"]+)[>"])re");
    std::vector<std::string> found;
    for (auto const& line : rooms::lines_of(rooms::path_of(name))) {
        std::smatch match;
        if (!std::regex_search(line, match, quoted_or_not)) continue;
        std::string const target = match[2];
        auto const beside = (rooms::path_of(name).parent_path() / target).lexically_normal();
        if (match[1] == "\"" && std::filesystem::exists(beside)) {
            found.push_back(rooms::name_of(beside));
        } else if (target.rfind("softax/", 0) == 0) {
            found.push_back(rooms::name_of(rooms::folder.parent_path() / target));
        }
    }
    return found;
}

TEST_CASE("the list of rooms names every header once and nothing else", "[rooms]") {
    auto listed = rooms::list();
    REQUIRE(listed.size() > 5);
    std::sort(listed.begin(), listed.end());
    CHECK(listed == rooms::headers());
}

TEST_CASE("a header includes only headers above it in the list", "[rooms]") {
    auto const listed = rooms::list();
    std::size_t includes = 0;
    for (auto const& name : rooms::headers()) {
        for (auto const& included : includes_of(name)) {
            INFO(name << " includes " << included);
            CHECK(rooms::place_of(included, listed) < rooms::place_of(name, listed));
            ++includes;
        }
    }
    CHECK(includes > 10);  // the reading of #include lines works
}

TEST_CASE("softax.hpp brings every header above the edges", "[rooms]") {
    // The edges are the list's rooms between the last one that softax.hpp includes and softax itself.
    auto const listed = rooms::list();
    REQUIRE(listed.back() == "softax");
    std::set<std::string> reached;
    std::vector<std::string> open = {"softax"};
    while (!open.empty()) {
        auto const name = open.back();
        open.pop_back();
        if (reached.insert(name).second)
            for (auto const& included : includes_of(name)) open.push_back(included);
    }
    bool edge = false;
    for (auto const& name : listed) {
        INFO(name);
        if (name == "softax") break;
        if (reached.count(name) == 0) edge = true;
        CHECK(edge == (reached.count(name) == 0));
    }
}

TEST_CASE("only detail/packet names Eigen's internals", "[rooms]") {
    for (auto const& name : rooms::headers()) {
        if (name == "detail/packet") continue;
        for (auto const& line : rooms::lines_of(rooms::path_of(name))) {
            INFO(name << ": " << line);
            CHECK(line.substr(0, line.find("//")).find("Eigen::internal") == std::string::npos);
        }
    }
}

TEST_CASE("no header has more than 250 lines", "[rooms]") {
    for (auto const& name : rooms::headers()) {
        INFO(name);
        CHECK(rooms::lines_of(rooms::path_of(name)).size() <= 250);
    }
}

}  // namespace
