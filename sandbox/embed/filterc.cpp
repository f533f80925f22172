// stagebox-filterc PROFILES_DIR OUTPUT.cpp: run while the program is built. Writes the files of profiles/ and
// the compiled filter of each profile as C++ (see profile_data.hpp), so that a start of the program neither
// reads nor compiles them. A seccomp file that asks for a kernel version is refused: it would be this
// machine's, not the user's. The profiles are read as the program reads them; only here, what ships is still on the disk.
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

#include "sandbox/os/format.hpp"
#include "sandbox/profile.hpp"
#include "sandbox/profile_data.hpp"

namespace {

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

std::vector<Source>& sources() {
    static std::vector<Source> all;
    return all;
}

void refuse_kernel_versions() {
    for (const Source& source : sources()) {
        if (source.text.find("minKernel") != std::string::npos) {
            throw std::runtime_error(format("{}: minKernel cannot be decided at build time", source.name));
        }
    }
}

std::string array_of(const sandbox::FilterProgram& program, std::size_t number) {
    std::string text = format("constexpr std::uint64_t filter_{}[] = {{", number);
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        text += format("{}0x{:x},", i % 6 == 0 ? "\n    " : " ", program.instructions[i]);
    }
    return text + "\n};\n";
}

std::string generate() {
    std::string files;
    std::string arrays;
    std::string filters;
    std::size_t number = 0;
    for (const Source& source : sources()) {
        files += format("    {{\"{}\", R\"~embedded~({})~embedded~\"}},\n", source.name, source.text);
        if (!source.name.ends_with(".toml")) continue;
        const sandbox::Profile profile =
            sandbox::load_profile(source.name.substr(0, source.name.size() - 5), sandbox::ProfilePlaces{});
        arrays += array_of(profile.filter, number);
        filters += format("    {{\"{}\", filter_{}}},\n", profile.filter_id, number);
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

namespace sandbox {

std::span<const EmbeddedFile> embedded_files() {
    static std::vector<EmbeddedFile> files;
    if (files.empty()) {
        for (const Source& source : sources()) files.push_back({source.name, source.text});
    }
    return files;
}

std::span<const EmbeddedFilter> embedded_filters() {
    return {};
}

}  // namespace sandbox

int main(int argc, char** argv) {
    try {
        if (argc != 3) throw std::runtime_error("usage: stagebox-filterc PROFILES_DIR OUTPUT");
        sources() = read_sources(argv[1]);
        refuse_kernel_versions();
        const std::string text = generate();
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
