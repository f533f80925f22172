// stagebox-filterc PROFILES_DIR OUTPUT.cpp: run while the program is built. Writes the files of profiles/, and what
// each profile says with its compiled filter, as C++ (see profile/embedded.hpp), so that a start of the program neither
// reads nor compiles them. A seccomp file that asks for a kernel version is refused: it would be this
// machine's, not the user's. The profiles are read as the program reads them; only here, what ships is still on the
// disk.
#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/find.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/profile/profile.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace {

using sandbox::os::format;
namespace fs = std::filesystem;

struct Source {
    std::string name;
    std::string text;
};

std::vector<Source> read_sources(const fs::path& folder) {
    std::vector<Source> sources;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string extension = entry.path().extension();
        if (!entry.is_regular_file() || (extension != ".toml" && extension != ".json")) continue;
        sources.push_back(
            {fs::relative(entry.path(), folder).string(), sandbox::os::read_file(AT_FDCWD, entry.path().string())});
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

std::string literal(std::string_view text) {
    return format("R\"~embedded~({})~embedded~\"", text);
}

// Statements that give a member of `file` the value that it has in a profile. What a new member is made of may need one
// more.
std::string assign(std::string_view field, const std::string& text) {
    return format("    file.{} = {};\n", field, literal(text));
}

std::string assign(std::string_view field, std::uint64_t number) {
    return format("    file.{} = 0x{:x}U;\n", field, number);
}

std::string assign(std::string_view field, const std::vector<std::string>& texts) {
    std::string lines;
    for (const std::string& text : texts) lines += format("    file.{}.emplace_back({});\n", field, literal(text));
    return lines;
}

std::string assign(std::string_view field, const std::vector<sandbox::SeccompFile>& filters) {
    std::string lines;
    for (const sandbox::SeccompFile& filter : filters) {
        lines += format("    file.{}.push_back({{{}, {{}}}});\n", field, literal(filter.name));
    }
    return lines;
}

std::string assign(std::string_view field, const std::vector<sandbox::RlimitValue>& rlimits) {
    std::string lines;
    for (const sandbox::RlimitValue& limit : rlimits) {
        lines += format("    file.{}.push_back({{{}, {}U, {}U}});\n", field, limit.resource, limit.soft, limit.hard);
    }
    return lines;
}

std::string assign(std::string_view field, const sandbox::Permissions& permissions) {
    std::string lines;
    for (const std::string_view word : sandbox::words_of(permissions)) {
        lines += format("    file.{}.add(permission_named({}).value());\n", field, literal(word));
    }
    return lines;
}

std::string assign(std::string_view field, const sandbox::Limits& limits) {
    std::string lines;
    for (const sandbox::LimitKey& key : sandbox::limit_keys()) {
        const std::string text = key.text(limits);
        if (text.empty()) continue;
        lines += format("    set_limit(file.{}, {}, {});\n", field, literal(key.info.name), literal(text));
    }
    return lines;
}

// One profile: what it is made by, and its entry in the array of all.
class ProfileText {
  public:
    ProfileText(const sandbox::Profile& profile, const std::vector<std::string>& chain, std::size_t number) {
        std::string names;
        for (const std::string& name : chain) names += format("{}, ", literal(name));
        std::string instructions;
        for (const std::uint64_t one : profile.filter.instructions) instructions += format("0x{:x}, ", one);
        std::string statements;
        sandbox::for_each_field(profile.file,
                                [&](std::string_view field, const auto& value) { statements += assign(field, value); });
        parts_ = format(
            "constexpr std::string_view chain_{0}[] = {{{1}}};\nconstexpr std::uint64_t filter_{0}[] = {{{2}}};\n"
            "ProfileFile file_{0}() {{\n    ProfileFile file;\n{3}    return file;\n}}\n",
            number, names, instructions, statements);
        entry_ = format("    {{chain_{0}, file_{0}, {1}, filter_{0}}},\n", number, literal(profile.filter_id));
    }

    [[nodiscard]] const std::string& parts() const { return parts_; }
    [[nodiscard]] const std::string& entry() const { return entry_; }

  private:
    std::string parts_;
    std::string entry_;
};

std::string generate() {
    std::string files;
    std::string parts;
    std::string profiles;
    std::size_t number = 0;
    for (const Source& source : sources()) {
        files += format("    {{\"{}\", {}}},\n", source.name, literal(source.text));
        if (!source.name.ends_with(".toml")) continue;
        const std::string name = source.name.substr(0, source.name.size() - 5);
        const ProfileText text(sandbox::load_profile(name, {}), sandbox::find_profile(name, {}).chain, number++);
        parts += text.parts();
        profiles += text.entry();
    }
    return format(
        "// Generated from profiles/. Not to be edited.\n#include \"sandbox/profile/embedded.hpp\"\n"
        "#include \"sandbox/profile/permissions.hpp\"\n#include \"sandbox/spec/limits_text.hpp\"\n\n"
        "namespace sandbox {{\nnamespace {{\n\nconstexpr EmbeddedFile files[] = {{\n{}}};\n{}"
        "constexpr EmbeddedProfile profiles[] = {{\n{}}};\n\n}}  // namespace\n\n"
        "std::span<const EmbeddedFile> embedded_files() {{\n    return files;\n}}\n\n"
        "std::span<const EmbeddedProfile> embedded_profiles() {{\n    return profiles;\n}}\n\n"
        "}}  // namespace sandbox\n",
        files, parts, profiles);
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

std::span<const EmbeddedProfile> embedded_profiles() {
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
