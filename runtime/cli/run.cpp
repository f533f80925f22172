#include "runtime/cli/run.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string_view>

#include "runtime/cli/foreground.hpp"
#include "sandbox/idmap.hpp"
#include "sandbox/launch.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/profile.hpp"
#include "stages/kinds/mounts.hpp"

extern char** environ;

namespace runtime::cli {

using sandbox::os::format;

namespace {

constexpr const char* help =
    R"(Usage: stagebox run [OPTIONS] [--] COMMAND [ARGUMENTS]

One command in a fresh jail: user, mount, PID, network, IPC, UTS and cgroup namespaces of its own, a system call filter,
few capabilities, no descriptors but 0, 1 and 2. The options are bubblewrap's, and work in the order in which they stand.
Without any that mounts, the jail's root is the host's /usr, read-only, with the few files of /etc that programs need and a
fresh /proc, /sys, /dev, /run and /tmp.

  --bind SRC DEST        Show SRC, writable
  --ro-bind SRC DEST     Show SRC, read-only
  --tmpfs DEST           An empty file system in memory
  --proc DEST            The jail's own procfs
  --dev DEST             A minimal /dev
  --mqueue DEST          POSIX message queues
  --dir DEST             An empty directory
  --symlink TEXT DEST    A symbolic link
  --root DIR             DIR as the root, writable, with /proc, /sys, /dev, /run and /tmp
  --setenv NAME VALUE    Set an environment variable
  --unsetenv NAME        Remove one
  --clearenv             Remove all (the default)
  --keepenv              Start from the caller's environment
  --chdir DIR            The working directory
  --hostname NAME        The jail's host name
  --share-net            Use the host's network
  --ids single|range     Which ids the jail has: the caller's alone (default), or a range from /etc/subuid
  --profile NAME|FILE    What the jail allows (default: build)
  --unshare-all, --unshare-user, --unshare-ipc, --unshare-pid, --unshare-net, --unshare-uts, --unshare-cgroup,
  --die-with-parent, --new-session
                         Accepted; always so
  -h, --help             This text

Exit codes: the command's own; 128+N when signal N ended it; 126 and 127 where it cannot be executed or found; 125 where
the jail could not be built.
)";

class Reader {
  public:
    explicit Reader(const std::vector<std::string>& arguments) : left_(arguments.begin(), arguments.end()) {
        env_ = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
    }

    RunRequest read() {
        while (!left_.empty() && left_.front().starts_with("-")) {
            const std::string option = take();
            if (option == "--") break;
            read_option(option);
            if (request_.wants_help) return std::move(request_);
        }
        if (left_.empty()) throw std::invalid_argument("there is no command to run; see stagebox run --help");
        request_.command.argv = left_;
        request_.command.env.assign(env_.begin(), env_.end());
        finish_mounts();
        return std::move(request_);
    }

  private:
    std::string take() {
        std::string word = left_.front();
        left_.erase(left_.begin());
        return word;
    }

    std::string value(const std::string& option) {
        if (left_.empty()) throw std::invalid_argument(format("{} lacks a value; see stagebox run --help", option));
        return take();
    }

    void add(sandbox::Mount mount) { mounts_.push_back(std::move(mount)); }

    void read_option(const std::string& option) {
        if (!read_mount(option) && !read_environment(option) && !read_setting(option)) {
            throw std::invalid_argument(format("{} is not an option of run; see stagebox run --help", option));
        }
    }

    bool read_mount(const std::string& option) {
        if (option == "--bind" || option == "--ro-bind") {
            const std::string source = value(option);
            const auto access = option == "--bind" ? sandbox::Access::read_write : sandbox::Access::read_only;
            add(sandbox::Bind{absolute(source), value(option), access});
        } else if (option == "--tmpfs") {
            add(sandbox::Tmpfs{value(option), 0755, 0});
        } else if (option == "--proc") {
            add(sandbox::Proc{value(option)});
        } else if (option == "--dev") {
            add(sandbox::Dev{value(option)});
        } else if (option == "--mqueue") {
            add(sandbox::Mqueue{value(option)});
        } else if (option == "--dir") {
            add(sandbox::Directory{value(option), 0755});
        } else if (option == "--symlink") {
            const std::string text = value(option);
            add(sandbox::Symlink{value(option), text});
        } else if (option == "--root") {
            add(sandbox::Bind{absolute(value(option)), "/", sandbox::Access::read_write});
            has_root_directory_ = true;
        } else {
            return false;
        }
        return true;
    }

    bool read_environment(const std::string& option) {
        if (option == "--setenv") {
            const std::string name = value(option);
            env_[name] = value(option);
        } else if (option == "--unsetenv") {
            env_.erase(value(option));
        } else if (option == "--clearenv") {
            env_.clear();
        } else if (option == "--keepenv") {
            for (char** one = environ; *one != nullptr; ++one) {
                const std::string_view text = *one;
                const std::size_t equals = text.find('=');
                if (equals != std::string_view::npos)
                    env_[std::string(text.substr(0, equals))] = text.substr(equals + 1);
            }
        } else {
            return false;
        }
        return true;
    }

    bool read_setting(const std::string& option) {
        static constexpr std::string_view always[] = {"--unshare-all",    "--unshare-user",    "--unshare-ipc",
                                                      "--unshare-pid",    "--unshare-net",     "--unshare-uts",
                                                      "--unshare-cgroup", "--die-with-parent", "--new-session"};
        if (option == "--help" || option == "-h") {
            request_.wants_help = true;
        } else if (option == "--chdir") {
            request_.command.cwd = value(option);
        } else if (option == "--hostname") {
            request_.hostname = value(option);
        } else if (option == "--share-net") {
            request_.spec.network = sandbox::Network::host;
        } else if (option == "--profile") {
            request_.profile = value(option);
        } else if (option == "--ids") {
            request_.ids = ids(value(option));
        } else {
            return std::find(std::begin(always), std::end(always), option) != std::end(always);
        }
        return true;
    }

    static sandbox::IdMode ids(const std::string& word) {
        if (word == "single") return sandbox::IdMode::single;
        if (word == "range") return sandbox::IdMode::range;
        throw std::invalid_argument(format("--ids takes single or range, not \"{}\"", word));
    }

    static std::string absolute(const std::string& path) {
        try {
            return sandbox::os::real_path(path);
        } catch (const sandbox::os::SysError& error) {
            throw std::invalid_argument(error.what());
        }
    }

    void finish_mounts() {
        auto& mounts = request_.spec.mounts;
        if (mounts_.empty()) {
            stages::kinds::add_host_root(request_.spec.network, mounts);
            stages::kinds::add_system_mounts(request_.spec.network, mounts);
            stages::kinds::add_network_files(request_.spec.network, mounts);
            return;
        }
        const bool has_root = std::visit([](const auto& kind) { return kind.target == "/"; }, mounts_.front());
        if (!has_root) mounts.emplace_back(sandbox::Tmpfs{"/", 0755, 0});
        mounts.insert(mounts.end(), mounts_.begin(), mounts_.end());
        if (has_root_directory_) stages::kinds::add_system_mounts(request_.spec.network, mounts);
    }

    std::vector<std::string> left_;
    std::vector<sandbox::Mount> mounts_;
    std::map<std::string, std::string> env_;
    RunRequest request_;
    bool has_root_directory_ = false;
};

}  // namespace

RunRequest parse_run(const std::vector<std::string>& arguments) {
    return Reader(arguments).read();
}

int run(const std::vector<std::string>& arguments) {
    RunRequest request = parse_run(arguments);
    if (request.wants_help) {
        std::fputs(help, stdout);
        return 0;
    }
    sandbox::apply_profile(sandbox::load_profile(request.profile), request.spec);
    if (!request.hostname.empty()) request.spec.hostname = request.hostname;
    request.spec.ids = sandbox::resolve_idmap(request.ids).map;
    request.command.stdin_fd = 0;
    request.command.stdout_fd = 1;
    request.command.stderr_fd = 2;
    return run_in_foreground(request.spec, request.command);
}

}  // namespace runtime::cli
