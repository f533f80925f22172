// stagebox-filterc PROFILES_DIR OUTPUT.cpp: run while the program is built. Writes the files of profiles/ and
// the compiled filter of each profile as C++ (see profile_data.hpp), so that a start of the program neither
// reads nor compiles them. A seccomp file that asks for a kernel version is refused: it would be this
// machine's, not the user's.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/filter.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/profile.hpp"

namespace {

using sandbox::FilterProgram;
using sandbox::os::format;
namespace fs = std::filesystem;

struct Source {
    std::string name;
    std::string text;
};

std::string read_text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw std::runtime_error(format("cannot read {}", path.string()));
    return text;
}

std::vector<Source> read_sources(const fs::path& folder) {
    std::vector<Source> sources;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string extension = entry.path().extension();
        if (!entry.is_regular_file() || (extension != ".toml" && extension != ".json")) continue;
        sources.push_back({fs::relative(entry.path(), folder).string(), read_text(entry.path())});
    }
    std::ranges::sort(sources, {}, &Source::name);
    return sources;
}

FilterProgram compile(const std::vector<Source>& sources, const sandbox::ProfileFile& profile) {
    std::vector<FilterProgram> programs;
    for (const std::string& name : profile.filters) {
        const auto it = std::ranges::find(sources, name, &Source::name);
        if (it == sources.end()) throw std::runtime_error(format("there is no file {}", name));
        if (it->text.find("minKernel") != std::string::npos) {
            throw std::runtime_error(format("{}: minKernel cannot be decided at build time", name));
        }
        programs.push_back(sandbox::compile_filter(sandbox::os::Json::parse(it->text), profile.capabilities));
    }
    return sandbox::chain_filters(programs);
}

// The arrays that one EmbeddedFilter refers to.
std::string arrays_of(const FilterProgram& program, const sandbox::ProfileFile& profile, std::size_t number) {
    std::string text = format("constexpr std::string_view files_{}[] = {{", number);
    for (const std::string& name : profile.filters) text += format("\"{}\", ", name);
    text += format("}};\nconstexpr std::uint64_t filter_{}[] = {{", number);
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        text += format("{}0x{:x},", i % 6 == 0 ? "\n    " : " ", program.instructions[i]);
    }
    return text + "\n};\n";
}

std::string generate(const std::vector<Source>& sources) {
    std::string files;
    std::string arrays;
    std::string filters;
    std::size_t number = 0;
    for (const Source& source : sources) {
        files += format("    {{\"{}\", R\"~embedded~({})~embedded~\"}},\n", source.name, source.text);
        if (!source.name.ends_with(".toml")) continue;
        const sandbox::ProfileFile profile =
            sandbox::read_profile_file(sandbox::parse_config(source.text, source.name));
        arrays += arrays_of(compile(sources, profile), profile, number);
        filters += format("    {{files_{0}, {1:#x}, filter_{0}}},\n", number, profile.capabilities);
        ++number;
    }
    return format(
        "// Generated from profiles/. Not to be edited.\n#include \"sandbox/profile_data.hpp\"\n\n"
        "namespace sandbox {{\nnamespace {{\n\nconstexpr EmbeddedFile files[] = {{\n{}}};\n{}"
        "constexpr EmbeddedFilter filters[] = {{\n{}}};\n\n}}  // namespace\n\n"
        "std::span<const EmbeddedFile> embedded_files() {{\n    return files;\n}}\n\n"
        "std::span<const EmbeddedFilter> embedded_filters() {{\n    return filters;\n}}\n\n"
        "}}  // namespace sandbox\n",
        files, arrays, filters);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc != 3) throw std::runtime_error("usage: stagebox-filterc PROFILES_DIR OUTPUT");
        const std::string text = generate(read_sources(argv[1]));
        std::ofstream file(argv[2], std::ios::binary | std::ios::trunc);
        file << text;
        file.close();
        if (!file) throw std::runtime_error(format("cannot write {}", argv[2]));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "stagebox-filterc: %s\n", error.what());
        return 1;
    }
}
