#include "sandbox/profile.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "sandbox/config_text.hpp"
#include "sandbox/filter.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/profile_data.hpp"

namespace sandbox {
namespace {

using os::format;

constexpr std::string_view toml = ".toml";
constexpr std::size_t max_filter_size = 1U << 20U;

std::optional<std::string_view> embedded_text(std::string_view name) {
    for (const EmbeddedFile& file : embedded_files()) {
        if (file.name == name) return file.text;
    }
    return std::nullopt;
}

// A seccomp file and the name it goes by in errors.
struct FilterText {
    std::string name;
    std::string text;
};

std::optional<std::string> read_if_there(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) return std::nullopt;
    if (fd < 0) throw os::SysError(errno, format("open {}", path));
    const os::Fd file(fd);
    struct stat status {};
    os::sys([&] { return ::fstat(file.get(), &status); }, "stat {}", path);
    if (!S_ISREG(status.st_mode)) throw FilterError(format("{}: not a regular file", path));
    std::string text;
    char buffer[16384];
    for (;;) {
        const auto got = os::sys([&] { return ::read(file.get(), buffer, sizeof(buffer)); }, "read {}", path);
        if (got == 0) return text;
        text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > max_filter_size) throw FilterError(format("{}: larger than a seccomp file can be", path));
    }
}

// `folder`: where the profile is, with a slash at its end; nothing for a profile that ships.
std::vector<FilterText> find_filters(const ProfileFile& file, const std::optional<std::string>& folder) {
    std::vector<FilterText> texts;
    for (const std::string& name : file.filters) {
        if (folder) {
            const std::string path = *folder + name;
            if (std::optional<std::string> text = read_if_there(path)) {
                texts.push_back({path, std::move(*text)});
                continue;
            }
        }
        const std::optional<std::string_view> text = embedded_text(name);
        if (!text) {
            throw FilterError(
                format("profile {}: there is no seccomp file {}, neither beside the profile nor among "
                       "those that ship",
                       quote(file.name), quote(name)));
        }
        texts.push_back({name, std::string(*text)});
    }
    return texts;
}

// The filter that was compiled with the program, where the same bytes were: then there is nothing to compile.
std::optional<FilterProgram> ready_filter(const std::vector<FilterText>& texts, std::uint64_t capabilities) {
    for (const EmbeddedFilter& filter : embedded_filters()) {
        const bool same = filter.capabilities == capabilities &&
                          std::ranges::equal(filter.files, texts, [](std::string_view name, const FilterText& text) {
                              return embedded_text(name) == text.text;
                          });
        if (same) return FilterProgram{{filter.instructions.begin(), filter.instructions.end()}};
    }
    return std::nullopt;
}

FilterProgram compile(const FilterText& file, std::uint64_t capabilities) {
    try {
        return compile_filter(os::Json::parse(file.text), capabilities);
    } catch (const os::Json::exception& error) {
        throw FilterError(format("{}: {}", file.name, error.what()));
    } catch (const FilterError& error) {
        throw FilterError(format("{}: {}", file.name, error.what()));
    }
}

FilterProgram compile_all(const std::vector<FilterText>& texts, std::uint64_t capabilities) {
    std::vector<FilterProgram> programs;
    programs.reserve(texts.size());
    for (const FilterText& text : texts) programs.push_back(compile(text, capabilities));
    return chain_filters(programs);
}

Profile finish(const ConfigTable& table, const std::optional<std::string>& folder) {
    Profile profile;
    profile.file = read_profile_file(table);
    const std::vector<FilterText> texts = find_filters(profile.file, folder);
    std::optional<FilterProgram> ready = ready_filter(texts, profile.file.capabilities);
    profile.filter = ready ? std::move(*ready) : compile_all(texts, profile.file.capabilities);
    // Lengths first: no two different sets of files can give the same text.
    profile.material = format("profile {}\n{}", table.source().text().size(), table.source().text());
    for (const FilterText& text : texts) profile.material += format("seccomp {}\n{}", text.text.size(), text.text);
    return profile;
}

}  // namespace

std::vector<std::string_view> profile_names() {
    std::vector<std::string_view> names;
    for (const EmbeddedFile& file : embedded_files()) {
        if (file.name.ends_with(toml)) names.push_back(file.name.substr(0, file.name.size() - toml.size()));
    }
    std::ranges::sort(names);
    return names;
}

Profile load_profile(const std::string& name_or_path) {
    const std::size_t slash = name_or_path.rfind('/');
    if (slash != std::string::npos) return finish(read_config(name_or_path), name_or_path.substr(0, slash + 1));
    const std::string name = name_or_path + std::string(toml);
    if (const std::optional<std::string_view> text = embedded_text(name)) {
        return finish(parse_config(std::string(*text), name), std::nullopt);
    }
    const std::vector<std::string_view> names = profile_names();
    const std::string hint = did_you_mean(name_or_path, names);
    throw ConfigError(name_or_path, {}, format("there is no profile {}", quote(name_or_path)),
                      hint.empty() ? format("there is {}; a file of your own needs a slash in its name: ./{}",
                                            list_words(names), name)
                                   : hint);
}

void apply_profile(const Profile& profile, Spec& spec) {
    spec.hostname = profile.file.hostname;
    spec.read_only_paths = profile.file.read_only_paths;
    spec.masked_paths = profile.file.masked_paths;
    spec.allow.capabilities = profile.file.capabilities;
    spec.allow.filter = profile.filter;
    spec.allow.rlimits = profile.file.rlimits;
    for (RlimitValue& limit : spec.allow.rlimits) {
        rlimit own{};
        os::sys([&] { return ::getrlimit(static_cast<__rlimit_resource>(limit.resource), &own); },
                "ask for resource limit {}", limit.resource);
        limit.soft = std::min<std::uint64_t>(limit.soft, own.rlim_max);
        limit.hard = std::min<std::uint64_t>(limit.hard, own.rlim_max);
    }
}

}  // namespace sandbox
