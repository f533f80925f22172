#include "stages/lower/lower.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <stdexcept>

#include "sandbox/os/default_path.hpp"
#include "sandbox/os/format.hpp"
#include "stages/lower/mounts.hpp"

namespace stages::kinds {

using sandbox::os::format;

namespace {

constexpr const char* script_path = "/run/stagebox/script";
// Debian's policy-rc.d interface: 101 forbids invoke-rc.d to start or stop any service.
constexpr const char* no_services = "#!/bin/sh\nexit 101\n";

class Lowering {
  public:
    Lowering(const Stage& stage, const StagePaths& places) : stage_(stage), places_(places) {}

    Lowered run(const sandbox::Profile& profile, const sandbox::IdMap& ids) {
        lowered_.spec.ids = ids;
        if (ids.mode == sandbox::IdMode::single) lowered_.spec.fakeroot = sandbox::Fakeroot::on;
        lowered_.spec.denials = sandbox::Denials::reported;
        lowered_.spec.network = stage_.network;
        lowered_.spec.limits = stage_.limits;
        sandbox::apply_profile(profile, lowered_.spec);
        if (std::holds_alternative<HostRoot>(stage_.from)) {
            add_host_root(stage_.network, lowered_.spec.mounts);
        } else {
            layered_root();
        }
        add_system_mounts(stage_.network, lowered_.spec.mounts);
        devices();
        inputs();
        bind(places_.out, "/out", sandbox::Access::read_write);
        add_network_files(stage_.network, lowered_.spec.mounts);
        command();
        mount_points();
        return std::move(lowered_);
    }

  private:
    void add(sandbox::Mount mount) { lowered_.spec.mounts.push_back(std::move(mount)); }
    void bind(const std::string& source, const std::string& target, sandbox::Access access) {
        add(sandbox::Bind{source, target, access});
    }

    void layered_root() {
        std::vector<std::string> lowers = places_.root;
        lowers.push_back(places_.skeleton);
        add(sandbox::Overlay{"/", lowers, places_.upper, places_.work});
        if (!std::holds_alternative<EmptyRoot>(stage_.from)) {
            add(sandbox::File{"/usr/sbin/policy-rc.d", no_services, 0755});
        }
    }

    // Shown only where the caller may open it: in a jail of one id, it has the caller's rights.
    void devices() {
        for (const std::string& device : stage_.devices) {
            const std::string path = "/dev/" + device;
            if (::access(path.c_str(), R_OK | W_OK) == 0) add(sandbox::Device{path, path});
        }
    }

    void inputs() {
        for (const ShownInput& input : places_.inputs) {
            if (input.trees.size() == 1) {
                bind(input.trees.front(), input.target, sandbox::Access::read_only);
            } else {
                add(sandbox::Overlay{input.target, input.trees, {}, {}});
            }
        }
    }

    void command() {
        sandbox::Command& command = lowered_.command;
        if (stage_.script) {
            add(sandbox::File{script_path, places_.script, 0755});
            command.argv = {script_path};
        } else {
            command.argv = stage_.run;
        }
        std::map<std::string, std::string> env = {
            {"PATH", sandbox::os::default_path}, {"HOME", "/root"}, {"LC_ALL", "C.UTF-8"}};
        for (const auto& [name, value] : stage_.env) env[name] = value;
        command.env.assign(env.begin(), env.end());
    }

    FileType type_of(const sandbox::Mount& mount) const {
        if (std::holds_alternative<sandbox::File>(mount)) return FileType::file;
        const auto* bound = std::get_if<sandbox::Bind>(&mount);
        if (bound == nullptr) return FileType::directory;
        for (const ShownInput& input : places_.inputs) {
            if (input.target == bound->target) return input.type;
        }
        struct stat status {};
        const bool is_directory = ::stat(bound->source.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
        return is_directory || bound->target == "/out" ? FileType::directory : FileType::file;
    }

    // What lies below another mount is made there, by the jail.
    void mount_points() {
        if (std::holds_alternative<HostRoot>(stage_.from)) return;
        std::vector<std::string> mounted;
        for (std::size_t i = 1; i < lowered_.spec.mounts.size(); ++i) {
            const sandbox::Mount& mount = lowered_.spec.mounts[i];
            const std::string target = std::visit([](const auto& kind) { return kind.target; }, mount);
            bool is_covered = false;
            for (const std::string& above : mounted) is_covered = is_covered || target.starts_with(above + "/");
            if (is_covered) continue;
            mounted.push_back(target);
            lowered_.mount_points.push_back({target, type_of(mount)});
        }
    }

    const Stage& stage_;
    const StagePaths& places_;
    Lowered lowered_;
};

}  // namespace

Lowered lower(const Stage& stage, const StagePaths& places, const sandbox::Profile& profile,
              const sandbox::IdMap& ids) {
    return Lowering(stage, places).run(profile, ids);
}

std::optional<std::int64_t> epoch_of(const Stage& stage) {
    for (const auto& [name, value] : stage.env) {
        if (name != "SOURCE_DATE_EPOCH") continue;
        std::int64_t seconds = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (error != std::errc{} || end != value.data() + value.size() || seconds < 0) {
            throw std::invalid_argument(
                format("SOURCE_DATE_EPOCH is \"{}\", which is not a number of seconds since 1970", value));
        }
        return seconds;
    }
    return std::nullopt;
}

}  // namespace stages::kinds
