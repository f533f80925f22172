#include "runtime/consent/consent.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "runtime/consent/own_files.hpp"
#include "runtime/report/events.hpp"
#include "sandbox/config/config.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/find.hpp"
#include "sandbox/profile/permissions.hpp"

namespace runtime::consent {

using sandbox::Permissions;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

constexpr const char* config_name = "config.toml";

// Of what a user has written: "~/src" and absolute paths. Links in it count as what they lead to; one that leads
// nowhere is nobody's directory.
std::optional<std::string> directory_named(const sandbox::ConfigEntry& entry) {
    const char* home = std::getenv("HOME");
    std::string path = entry.key;
    if ((path == "~" || path.starts_with("~/")) && home != nullptr) path = home + path.substr(1);
    if (!path.starts_with('/')) {
        throw entry.value.error(format("{} is no directory's full name", sandbox::os::quote(entry.key)),
                                "write it from / on, or from ~/ on");
    }
    if (::access(path.c_str(), F_OK) != 0) return std::nullopt;
    return sandbox::os::real_path(path);
}

bool is_below(const std::string& directory, const std::string& top) {
    return top == "/" || directory == top || directory.starts_with(top + "/");
}

Permissions words_of_entry(const sandbox::ConfigEntry& entry) {
    Permissions permissions;
    for (const sandbox::ConfigValue& value : entry.value.as_array()) {
        if (const std::string fault = words_fault(value.as_string()); !fault.empty()) throw value.error(fault);
        permissions.add(read_words({value.as_string()}));
    }
    return permissions;
}

std::string words_text(const Permissions& permissions, std::string_view between = ",") {
    return sandbox::os::join(sandbox::words_of(permissions), between);
}

// The answers that were given, one file each.
class Answers {
  public:
    explicit Answers(const OwnPlaces& places)
        : directory_(places.state.empty() ? std::nullopt : std::optional<OwnDirectory>(places.state + "/permissions")) {
    }

    [[nodiscard]] bool has(const Request& request) const {
        return directory_ && std::ranges::all_of(request.digests, [&](const std::string& digest) {
                   return directory_->read(digest + ".json").has_value();
               });
    }
    void keep(const Request& request, const stages::Pipeline& pipeline) {
        if (!directory_) return;
        const Json answer = {{"allowed", sandbox::words_of(request.permissions())},
                             {"pipeline", pipeline.name},
                             {"directory", pipeline.directory},
                             {"when", report::now_text()}};
        const std::string text = answer.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
        for (const std::string& digest : request.digests) directory_->write(digest + ".json", text);
    }

  private:
    std::optional<OwnDirectory> directory_;
};

bool is_on_terminal() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

// One line that was typed, whatever its end.
std::string read_answer() {
    std::string line;
    char letter = 0;
    while (line.size() < 64 && sandbox::os::try_sys([&] { return ::read(STDIN_FILENO, &letter, 1); }) == 1 &&
           letter != '\n') {
        line += letter;
    }
    return line;
}

bool is_answered_yes() {
    std::fputs(
        "Allow this? The answer holds until these words, the stages that ask, what they run or their profiles "
        "change. [y/N] ",
        stderr);
    std::fflush(stderr);
    const std::string answer = read_answer();
    return answer == "y" || answer == "Y" || answer == "yes";
}

// Takes from `missing` what the user's own file grants, and says so.
void take_granted(Permissions& missing, const DirectoryGrant& grant, const OwnPlaces& places, const Say& say) {
    Permissions granted = missing;
    missing.drop(grant.permissions);
    granted.drop(missing);
    if (granted.empty()) return;
    say(format("granted by [allow] of {}/{}, which trusts whatever is pulled into {}: {}", places.config, config_name,
               grant.by, words_text(granted, ", ")));
}

std::string not_granted(const Request& request, const Permissions& missing) {
    std::string who;
    for (const Asked& one : request.asked) {
        if (!missing.has(one.which)) continue;
        sandbox::os::append_part(who, ", ",
                                 one.stages.empty()
                                     ? std::string(sandbox::word_of(one.which))
                                     : format("{} ({})", sandbox::word_of(one.which), sandbox::os::join(one.stages)));
    }
    return format("the pipeline asks for more than was granted to it: {}", who) +
           sandbox::os::help_line(
               format("look at what asks, and grant it with --allow {}; \"PERMISSIONS\" in stagebox(1) has other ways",
                      words_text(missing)));
}

}  // namespace

OwnPlaces own_places() {
    OwnPlaces places;
    if (const auto config = sandbox::base_directory("XDG_CONFIG_HOME", ".config"))
        places.config = *config + "/stagebox";
    if (const auto state = sandbox::base_directory("XDG_STATE_HOME", ".local/state"))
        places.state = *state + "/stagebox";
    return places;
}

DirectoryGrant granted_to(const std::string& directory, const OwnPlaces& places) {
    DirectoryGrant grant;
    if (places.config.empty()) return grant;
    const std::optional<std::string> text = OwnDirectory(places.config).read(config_name);
    if (!text) return grant;
    const sandbox::ConfigTable file = sandbox::parse_config(*text, format("{}/{}", places.config, config_name));
    file.allow_only({"allow"});
    const sandbox::ConfigValue* const allow = file.find("allow");
    if (allow == nullptr) return grant;
    for (const sandbox::ConfigEntry& entry : allow->as_table().entries()) {
        const Permissions permissions = words_of_entry(entry);
        const std::optional<std::string> top = directory_named(entry);
        if (!top || !is_below(directory, *top)) continue;
        grant.permissions.add(permissions);
        sandbox::os::append_part(grant.by, ", ", entry.key);
    }
    return grant;
}

void obtain(const Request& request, const std::vector<std::string>& allow, const stages::Pipeline& pipeline,
            const Say& say) {
    const std::string text = to_text(request);
    for (const std::string_view line : sandbox::os::lines(text)) say(line);
    Permissions missing = request.permissions();
    missing.drop(read_words(allow));
    if (missing.empty()) return;
    const OwnPlaces places = own_places();
    take_granted(missing, granted_to(pipeline.directory, places), places, say);
    if (missing.empty()) return;
    Answers answers(places);
    if (answers.has(request)) {
        say(format("granted by an answer that was given before: {}", words_text(missing, ", ")));
        return;
    }
    if (!is_on_terminal()) throw std::invalid_argument(not_granted(request, missing));
    if (!is_answered_yes()) throw std::invalid_argument("not allowed, so nothing was run");
    answers.keep(request, pipeline);
}

}  // namespace runtime::consent
