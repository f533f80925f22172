// stagebox-filterc PROFILES_DIR OUTPUT.cpp: run while the program is built. Writes the files of profiles/, and what each
// profile says with its compiled filter, as C++ (see profile/embedded.hpp), so that a start of the program neither reads nor
// compiles them. A seccomp file that asks for a kernel version is refused: it would be this
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
#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/find.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/profile/profile.hpp"

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

std::string literal(std::string_view text) {
    return format("R\"~embedded~({})~embedded~\"", text);
}

template <class Items, class Print>
std::string list_of(const Items& items, Print print) {
    std::string text = "{";
    for (const auto& item : items) text += format("{}, ", print(item));
    return text + "}";
}

// The values of one profile, as arrays before it: a span needs something to show.
class ProfileText {
  public:
    ProfileText(const sandbox::Profile& profile, const std::vector<std::string>& chain, std::size_t number)
        : number_(number) {
        const sandbox::ProfileFile& file = profile.file;
        std::vector<std::string> filters;
        for (const sandbox::SeccompFile& filter : file.filters) filters.push_back(filter.name);
        const auto print_limit = [](const sandbox::RlimitValue& limit) {
            return format("{{{}, {}U, {}U}}", limit.resource, limit.soft, limit.hard);
        };
        const auto print_word = [](const std::string_view word) {
            return format("static_cast<Permission>({})", static_cast<int>(sandbox::permission_named(word).value()));
        };
        const auto print_instruction = [](std::uint64_t one) { return format("0x{:x}", one); };
        entry_ = "    {";
        add("std::string_view", chain, literal);
        entry_ += format("{}, {}, {}, ", literal(file.name), literal(file.description), literal(file.hostname));
        add("std::string_view", filters, literal);
        add("std::string_view", file.opened, literal);
        add("std::string_view", file.closed, literal);
        entry_ += format("0x{:x}U, ", file.capabilities);
        add("Permission", sandbox::words_of(file.allowed), print_word);
        add("RlimitValue", file.rlimits, print_limit);
        add_limits(file.limits);
        add("std::string_view", file.read_only_paths, literal);
        add("std::string_view", file.masked_paths, literal);
        entry_ += format("{}, ", literal(profile.filter_id));
        add("std::uint64_t", profile.filter.instructions, print_instruction);
        entry_ += "},\n";
    }

    [[nodiscard]] const std::string& arrays() const { return arrays_; }
    [[nodiscard]] const std::string& entry() const { return entry_; }

  private:
    template <class Items, class Print>
    void add(std::string_view type, const Items& items, Print print) {
        if (items.empty()) {
            entry_ += "{}, ";
            return;
        }
        const std::string name = format("list_{}_{}", number_, lists_++);
        arrays_ += format("constexpr {} {}[] = {};\n", type, name, list_of(items, print));
        entry_ += name + ", ";
    }

    void add_limits(const sandbox::Limits& limits) {
        const auto number = [](const auto& limit) { return limit ? format("{}", *limit) : "std::nullopt"; };
        const auto seconds = [](const auto& limit) {
            return limit ? format("std::chrono::seconds({})", limit->count()) : "std::nullopt";
        };
        const auto fallback = [](sandbox::LimitFallback which) {
            return which == sandbox::LimitFallback::refuse ? "sandbox::LimitFallback::refuse"
                                                           : "sandbox::LimitFallback::rlimits";
        };
        entry_ += format("{{{}, {}, {}, {}, {}, {}, {}}}, ", number(limits.pids), number(limits.memory),
                         number(limits.cpu), number(limits.io_weight), seconds(limits.time), seconds(limits.idle),
                         limits.fallback ? fallback(*limits.fallback) : "std::nullopt");
    }

    std::size_t number_;
    std::size_t lists_ = 0;
    std::string arrays_;
    std::string entry_;
};

std::string generate() {
    std::string files;
    std::string arrays;
    std::string profiles;
    std::size_t number = 0;
    for (const Source& source : sources()) {
        files += format("    {{\"{}\", {}}},\n", source.name, literal(source.text));
        if (!source.name.ends_with(".toml")) continue;
        const std::string name = source.name.substr(0, source.name.size() - 5);
        const ProfileText text(sandbox::load_profile(name, {}), sandbox::find_profile(name, {}).chain, number++);
        arrays += text.arrays();
        profiles += text.entry();
    }
    return format(
        "// Generated from profiles/. Not to be edited.\n#include \"sandbox/profile/embedded.hpp\"\n\n"
        "namespace sandbox {{\nnamespace {{\n\nconstexpr EmbeddedFile files[] = {{\n{}}};\n{}"
        "constexpr EmbeddedProfile profiles[] = {{\n{}}};\n\n}}  // namespace\n\n"
        "std::span<const EmbeddedFile> embedded_files() {{\n    return files;\n}}\n\n"
        "std::span<const EmbeddedProfile> embedded_profiles() {{\n    return profiles;\n}}\n\n"
        "}}  // namespace sandbox\n",
        files, arrays, profiles);
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
