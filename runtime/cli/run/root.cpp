#include "runtime/cli/run/root.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>
#include <optional>
#include <stdexcept>

#include "runtime/engine/stage_visit.hpp"
#include "runtime/jail/foreground.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/default_path.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/profile/profile.hpp"
#include "stages/lower/mounts.hpp"

namespace runtime::cli {

using sandbox::os::Fd;
using sandbox::os::format;

// A place in the store that is deleted with the object.
struct RunRoot::Unpacked {
    explicit Unpacked(const sandbox::IdMap& ids)
        : store(store::Store::default_path()), shared(store.share()), helper(ids, store.directory(), loop) {
        staging.emplace(store.begin());
        bool is_ready = false;
        helper.prepare(staging->place(), {},
                       [&](const sandbox::os::Json& /*nothing*/, const store::StoreHelperFault& fault) {
                           if (fault) throw std::runtime_error(fault.what);
                           is_ready = true;
                       });
        while (!is_ready) loop.run_once();
    }
    Unpacked(const Unpacked&) = delete;
    Unpacked& operator=(const Unpacked&) = delete;
    ~Unpacked() {
        try {
            staging.reset();
            for (const std::string& place : store.trash()) {
                bool is_gone = false;
                helper.remove(
                    place, [&](const sandbox::os::Json& /*nothing*/, const store::StoreHelperFault& /*fault*/) {
                        is_gone = true;  // what could not be deleted is in the store's trash: `store gc` tries again
                    });
                while (!is_gone) loop.run_once();
            }
        } catch (const std::exception& error) {
            std::cerr << "stagebox: " << error.what() << "\n";
        }
    }

    store::Store store;
    Fd shared;
    sandbox::os::EventLoop loop;
    store::StoreHelper helper;
    std::optional<store::Staging> staging;
};

RunRoot::RunRoot(RunRequest& request) {
    sandbox::BuildSpec& spec = request.build_spec();
    spec.mounts.push_back(find(request));
    stages::kinds::add_system_mounts(spec.network, spec.mounts);
    spec.mounts.insert(spec.mounts.end(), request.mounts_in_root.begin(), request.mounts_in_root.end());
}

RunRoot::~RunRoot() = default;

sandbox::Mount RunRoot::find(RunRequest& request) {
    struct stat status = {};
    if (::stat(request.root.c_str(), &status) == 0) {
        const std::string path = sandbox::os::real_path(request.root);
        if (S_ISDIR(status.st_mode)) return sandbox::Bind{path, "/", sandbox::Access::read_write};
        if (S_ISREG(status.st_mode)) return unpack(request, path);
        throw std::invalid_argument(format("--root {} is neither a directory nor a tar archive", request.root));
    }
    const std::size_t colon = request.root.rfind(':');
    if (colon == std::string::npos) {
        throw std::invalid_argument(
            format("--root {}: there is no such directory or archive, and it is not FILE:STAGE", request.root));
    }
    engine::StageRoot root = engine::stage_root({.file = request.root.substr(0, colon), .vars = {}, .store = {}},
                                                request.root.substr(colon + 1));
    shared_ = std::move(root.shared);
    request.ids = root.ids;
    request.build_spec().ids = sandbox::resolve_idmap(root.ids).map;
    sandbox::Overlay overlay;
    overlay.target = "/";
    overlay.lowers = std::move(root.layers);
    overlay.changes = sandbox::Changes::discarded;
    return overlay;
}

// By the host's tar, in a jail with the same ids that has nothing but the archive and the place: an archive is not to
// be trusted more than the programs in it.
sandbox::Mount RunRoot::unpack(const RunRequest& request, const std::string& archive) {
    unpacked_ = std::make_unique<Unpacked>(request.build_spec().ids);
    const std::string place = unpacked_->staging->path("out");
    sandbox::BuildSpec spec;
    spec.ids = request.build_spec().ids;
    stages::kinds::add_host_root(sandbox::Network::none, spec.mounts);
    stages::kinds::add_system_mounts(sandbox::Network::none, spec.mounts);
    spec.mounts.emplace_back(sandbox::Bind{place, "/unpacked", sandbox::Access::read_write});
    spec.mounts.emplace_back(sandbox::Bind{archive, "/archive", sandbox::Access::read_only});
    sandbox::apply_profile(sandbox::load_profile("build"), spec);
    sandbox::Command command;
    // One id cannot give files to others, nor make devices.
    command.argv = {
        "tar", "--extract", "--numeric-owner", "--preserve-permissions", "--file=/archive", "--directory=/unpacked"};
    if (spec.ids.mode == sandbox::IdMode::single) {
        command.argv.insert(command.argv.begin() + 2, {"--no-same-owner", "--exclude=./dev/*", "--exclude=dev/*"});
    }
    command.env = {{"PATH", sandbox::os::default_path}, {"LC_ALL", "C.UTF-8"}};
    const Fd nothing(sandbox::os::sys([] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }, "open /dev/null"));
    command.stdin_fd = nothing.get();
    command.stdout_fd = command.stderr_fd = 2;
    const int code = jail::run_in_foreground(spec, command);
    if (code != 0) throw std::runtime_error(format("{} cannot be unpacked: tar ended with {}", archive, code));
    return sandbox::Bind{place, "/", sandbox::Access::read_write};
}

}  // namespace runtime::cli
