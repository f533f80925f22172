#include "sandbox/profile/find.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/embedded.hpp"

namespace sandbox {
namespace {

using os::did_you_mean;
using os::format;
using os::list_words;
using os::quote;

constexpr std::string_view toml = ".toml";

// One file of a chain of profiles.
struct Link {
    ConfigTable table;
    std::string path;                   // empty: ships
    std::optional<std::string> folder;  // of the path
    std::size_t place = 0;              // where in the search it was found; for a name
};

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
    });
}

std::optional<std::string> variable(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value != '/') return std::nullopt;
    return std::string(value);
}

std::string in_folder(const std::string& folder, const std::string& file) {
    return folder.ends_with('/') ? folder + file : folder + "/" + file;
}

// What cannot be reached is nobody's to use. What cannot be looked at for another reason is an error: another profile
// in its place could allow more.
bool is_there(const std::string& path) {
    const long answer = os::try_sys([&] { return ::access(path.c_str(), F_OK); });
    if (answer == -ENOENT || answer == -ENOTDIR || answer == -EACCES) return false;
    if (answer < 0) throw os::SysError(static_cast<int>(-answer), format("look for the profile {}", path));
    return true;
}

class Finder {
  public:
    explicit Finder(const ProfilePlaces& places) : places_(places) {}

    FoundProfile run(const std::string& name) {
        const std::optional<Link> link = name.find('/') == name.npos ? search(name, 0) : file(name);
        if (!link) throw ConfigError(name, {}, format("there is no profile {}", quote(name)), hint(name));
        found_.origin = link->path.empty() ? ships : link->path;
        found_.file = read(name, *link);
        return std::move(found_);
    }

  private:
    static std::optional<Link> file(const std::string& path) {
        return Link{read_config(path), path, path.substr(0, path.rfind('/') + 1), 0};
    }

    // From a place of the search on; the last place is what ships.
    std::optional<Link> search(const std::string& name, std::size_t from) {
        if (!is_plain_name(name)) return std::nullopt;
        const std::string file_name = name + std::string(toml);
        const std::optional<std::string_view> shipped = shipped_text(file_name);
        for (std::size_t i = from; i < places_.folders.size(); ++i) {
            const std::string path = in_folder(places_.folders[i], file_name);
            if (!is_there(path)) continue;
            std::optional<Link> link = file(path);
            link->place = i;
            if (shipped) found_.notes.push_back(format("profile {} is {}, not the one that ships", name, path));
            return link;
        }
        if (!shipped || from > places_.folders.size()) return std::nullopt;
        return Link{parse_config(std::string(*shipped), file_name), {}, std::nullopt, places_.folders.size()};
    }

    ProfileFile read(const std::string& name, const Link& link) {
        const std::string identity = link.path.empty() ? name : os::real_path(link.path);
        chain_.emplace_back(identity, name);
        found_.chain.push_back(name);
        // Lengths first: no two different chains can give the same text.
        const std::string& text = link.table.source().text();
        found_.material += format("profile {}\n{}", text.size(), text);
        const ConfigValue* extends = link.table.find("extends");
        if (extends == nullptr) return read_profile_file(link.table, link.folder);
        const std::string& parent_name = extends->as_string();
        const std::optional<Link> parent = find_parent(*extends, name, link);
        if (!parent) throw extends->error(format("there is no profile {}", quote(parent_name)), hint(parent_name));
        refuse_cycle(*extends, parent_name, *parent);
        const ProfileFile base = read(parent_name, *parent);
        return read_profile_file(link.table, link.folder, &base);
    }

    // A profile that extends its own name means the one that it stands in for.
    std::optional<Link> find_parent(const ConfigValue& extends, const std::string& name, const Link& link) {
        const std::string& parent = extends.as_string();
        if (parent.find('/') == parent.npos) return search(parent, parent == name ? link.place + 1 : 0);
        const bool is_absolute = parent.front() == '/';
        if (!is_absolute && !link.folder) return std::nullopt;
        const std::string path = is_absolute ? parent : *link.folder + parent;
        if (!is_there(path)) return std::nullopt;
        return file(path);
    }

    void refuse_cycle(const ConfigValue& extends, const std::string& name, const Link& link) {
        const std::string identity = link.path.empty() ? name : os::real_path(link.path);
        const auto same = [&](const auto& one) { return one.first == identity; };
        const auto it = std::ranges::find_if(chain_, same);
        if (it == chain_.end()) return;
        std::string way;
        for (auto at = it; at != chain_.end(); ++at) way += at->second + " extends ";
        throw extends.error(format("a profile cannot extend itself: {}{}", way, name));
    }

    [[nodiscard]] std::string hint(const std::string& name) const {
        std::vector<std::string> own;
        for (const std::string& folder : places_.folders) add_names(folder, own);
        std::vector<std::string_view> known = profile_names();
        known.insert(known.end(), own.begin(), own.end());
        std::ranges::sort(known);
        known.erase(std::unique(known.begin(), known.end()), known.end());
        std::string text = did_you_mean(name, known);
        if (!text.empty()) return text;
        return format("there is {}; a file of your own needs a slash in its name: ./{}.toml", list_words(known), name);
    }

    static void add_names(const std::string& folder, std::vector<std::string>& names) {
        const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
        if (directory == nullptr) return;
        while (const dirent* entry = ::readdir(directory.get())) {
            const std::string_view file = entry->d_name;
            if (file.ends_with(toml) && is_plain_name(file)) {
                names.emplace_back(file.substr(0, file.size() - toml.size()));
            }
        }
    }

    const ProfilePlaces& places_;
    FoundProfile found_;
    std::vector<std::pair<std::string, std::string>> chain_;  // what it is, and its name
};

}  // namespace

std::optional<std::string> base_directory(const char* name, const char* below_home) {
    if (auto value = variable(name)) return value;
    const auto home = variable("HOME");
    if (!home) return std::nullopt;
    return *home + "/" + below_home;
}

ProfilePlaces profile_places(const std::string& pipeline_directory) {
    ProfilePlaces places;
    if (!pipeline_directory.empty()) places.folders.push_back(in_folder(pipeline_directory, "profiles"));
    if (const auto config = base_directory("XDG_CONFIG_HOME", ".config")) {
        places.folders.push_back(*config + "/stagebox/profiles");
    }
    if (const auto cache = base_directory("XDG_CACHE_HOME", ".cache")) places.cache = *cache + "/stagebox/filters";
    return places;
}

FoundProfile find_profile(const std::string& name_or_path, const ProfilePlaces& places) {
    return Finder(places).run(name_or_path);
}

const EmbeddedProfile* shipped_profile(const std::string& name, const ProfilePlaces& places) {
    const auto profiles = embedded_profiles();
    const auto it =
        std::ranges::find_if(profiles, [&](const EmbeddedProfile& one) { return one.chain.front() == name; });
    if (it == profiles.end()) return nullptr;
    for (const std::string& folder : places.folders) {
        for (const std::string_view file : it->chain) {
            if (is_there(in_folder(folder, std::string(file) + std::string(toml)))) return nullptr;
        }
    }
    return &*it;
}

std::optional<std::string_view> shipped_text(std::string_view name) {
    for (const EmbeddedFile& file : embedded_files()) {
        if (file.name == name) return file.text;
    }
    return std::nullopt;
}

std::vector<std::string_view> profile_names() {
    std::vector<std::string_view> names;
    for (const EmbeddedFile& file : embedded_files()) {
        if (file.name.ends_with(toml)) names.push_back(file.name.substr(0, file.name.size() - toml.size()));
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace sandbox
