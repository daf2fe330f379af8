// Reads the list of rooms out of the comment in softax.hpp, and the headers as they are.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace rooms {

inline std::filesystem::path const folder = std::filesystem::path(SOFTAX_SOURCE_DIR) / "include" / "softax";

inline std::vector<std::string> lines_of(std::filesystem::path const& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

/// "detail/error" of "include/softax/detail/error.hpp".
inline std::string name_of(std::filesystem::path const& header) {
    return header.lexically_relative(folder).replace_extension().generic_string();
}

inline std::filesystem::path path_of(std::string const& name) { return folder / (name + ".hpp"); }

/// Every header that exists, in alphabetical order.
inline std::vector<std::string> headers() {
    std::vector<std::string> names;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.path().extension() == ".hpp") names.push_back(name_of(entry.path()));
    std::sort(names.begin(), names.end());
    return names;
}

/// The names between "// Rooms:" and the next empty comment line of softax.hpp, in their order: the first word of each
/// line of the form "//   name   what it is".
inline std::vector<std::string> list() {
    std::vector<std::string> names;
    bool inside = false;
    for (auto const& line : lines_of(folder / "softax.hpp")) {
        if (line.rfind("// Rooms:", 0) == 0) {
            inside = true;
        } else if (inside) {
            std::istringstream words(line.rfind("//", 0) == 0 ? line.substr(2) : "");
            std::string name;
            if (!(words >> name)) break;
            bool const is_name = std::all_of(name.begin(), name.end(), [](unsigned char c) {
                return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_' || c == '/';
            });
            if (is_name) names.push_back(name);
        }
    }
    return names;
}

/// Where the name stands in the list; its length if it does not.
inline std::size_t place_of(std::string const& name, std::vector<std::string> const& names) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace rooms
