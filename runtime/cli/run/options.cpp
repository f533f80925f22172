#include "runtime/cli/run/options.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string_view>

#include "runtime/cli/run/mounts.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/os/default_path.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/spec/limits_text.hpp"
#include "stages/lower/mounts.hpp"
#include "stages/pipeline/stage_options.hpp"

extern char** environ;

namespace runtime::cli {

using sandbox::Share;
using sandbox::os::format;

namespace {

constexpr std::size_t most_arguments = 9000;

Environment caller_environment() {
    Environment environment;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view text = *one;
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

// In its place where it is there already, else at the end: as setenv(3).
void set_variable(Environment& environment, const std::string& name, std::string value) {
    for (auto& [known, text] : environment) {
        if (known != name) continue;
        text = std::move(value);
        return;
    }
    environment.emplace_back(name, std::move(value));
}

std::string variable(const Environment& environment, std::string_view name) {
    for (const auto& [known, text] : environment) {
        if (known == name) return text;
    }
    return {};
}

// getcwd(3), or the name that PWD has for the same directory.
std::string current_directory(const Environment& environment) {
    std::string named = variable(environment, "PWD");
    struct stat here = {};
    struct stat there = {};
    if (named.starts_with("/") && ::stat(".", &here) == 0 && ::stat(named.c_str(), &there) == 0 &&
        here.st_dev == there.st_dev && here.st_ino == there.st_ino) {
        return named;
    }
    char* real = ::get_current_dir_name();
    std::string text = real == nullptr ? "/" : real;
    ::free(real);
    return text;
}

// A classic BPF program as seccomp(2) takes it: 8 bytes an instruction.
sandbox::FilterProgram read_filter(const std::string& option, const std::string& fd) {
    const std::string content = take_content(parse_fd(fd), option);
    if (content.size() % sizeof(std::uint64_t) != 0) refuse("Invalid seccomp data, must be multiple of 8");
    sandbox::FilterProgram program;
    program.instructions.resize(content.size() / sizeof(std::uint64_t));
    std::memcpy(program.instructions.data(), content.data(), content.size());
    return program;
}

std::uint32_t parse_id_of(const std::string& what, const std::string& text) {
    const auto id = sandbox::parse_id(text);
    if (!id) refuse(format("Invalid {}: {}", what, text));
    return *id;
}

class Reader {
  public:
    explicit Reader(Contract contract) : contract_(contract), mounts_(contract) {
        if (contract == Contract::bubblewrap) {
            request_.spec.emplace<sandbox::BubblewrapSpec>().network = sandbox::Network::host;
            environment_ = caller_environment();
        } else {
            environment_ = {{"PATH", sandbox::os::default_path}};
        }
    }

    static std::vector<HelpRow> help_rows(Contract contract);

    RunRequest read(const std::vector<std::string>& arguments) {
        std::deque<std::string> left(arguments.begin(), arguments.end());
        total_ = left.size();
        read_options(left, Source::command_line);
        if (request_.wants != Wants::command) return std::move(request_);
        if (mounts_.has_overlay_sources()) mounts_.settle("the command");
        request_.command.argv.assign(left.begin(), left.end());
        finish();
        return std::move(request_);
    }

  private:
    using Values = std::vector<std::string>;
    enum class Source : unsigned char { command_line, descriptor };
    struct Row {
        const char* name;
        const char* values;  // a word for each, as the help shows them
        void (Reader::*take)(const std::string& option, const Values& values);
        // Empty: the help does not name it, since it is refused.
        const char* doc;
        const char* bubblewrap_doc = nullptr;  // where that is another
        bool is_stageboxs = false;
    };

    static const Row rows[];
    [[nodiscard]] const Row* find_row(const std::string& option) const;
    void read_options(std::deque<std::string>& left, Source source);
    void read_option(const std::string& option, std::deque<std::string>& left, Source source);
    Values take_values(const std::string& option, int count, std::deque<std::string>& left) const;

    void more(const std::string& option, const Values& values);
    void general(const std::string& option, const Values& values);
    void namespaces(const std::string& option, const Values& values);
    void joined(const std::string& option, const Values& values);
    void identity(const std::string& option, const Values& values);
    void environment(const std::string& option, const Values& values);
    void capability(const std::string& option, const Values& values);
    void descriptor(const std::string& option, const Values& values);
    void filter(const std::string& option, const Values& values);
    void life(const std::string& option, const Values& values);
    void own(const std::string& option, const Values& values);

    void finish();
    void finish_stagebox();
    void finish_bubblewrap();
    void choose_directories(sandbox::BubblewrapTerms& terms);
    void check_bubblewrap(const sandbox::BubblewrapTerms& terms) const;
    void decide_user_namespace(sandbox::BubblewrapTerms& terms);
    void decide_ids(const sandbox::BubblewrapTerms& terms);
    // The value of an option that counts once.
    template <class Value>
    void set_once(Value& place, Value value, const Value& unset, const std::string& option) {
        if (place != unset) request_.warnings.push_back(format("Only the last {} option will take effect", option));
        place = std::move(value);
    }

    Contract contract_;
    MountOptions mounts_;
    Environment environment_;
    std::size_t total_ = 0;
    RunRequest request_;
    // What the words so far have asked for.
    bool unshares_user_ = false;
    bool tries_user_ = false;
    bool shares_network_ = false;
    bool has_seccomp_ = false;
    bool has_added_filter_ = false;
    std::string directory_;
    std::string argv0_;
    std::string host_name_;
    int uid_options_ = 0;
    int gid_options_ = 0;
};

constexpr const char* always_so = "Accepted; always so";
constexpr const char* own_namespace = "A namespace of its own";
constexpr const char* own_if_possible = "The same where it is possible";
constexpr const char* network_doc = "No network (default), one of its own that reaches the host's, or the host's";
constexpr const char* ids_doc = "Which ids the jail has: the caller's alone (default), or a range from /etc/subuid";
constexpr const char* fakeroot_doc = "With one id: owners and ids as a root with all ids sees them, or not (default)";
constexpr const char* root_doc =
    "What is the root: a directory, writable; an archive, unpacked for this run; what a stage of a pipeline has made, "
    "changes forgotten. With /proc, /sys, /dev, /run and /tmp";
constexpr const char* time_doc = "End the command after 90s, 30m, 2h; or after so long without output";
constexpr const char* use_doc = "What the jail may use at one time; kept by a cgroup, which doctor tries";
constexpr const char* id_writer_doc = "Wait until something can be read from FD; somebody else writes the id maps";
constexpr const char* no_labels = "SELinux labels; not supported";

// In the order of the help, after those that make mounts.
const Reader::Row Reader::rows[] = {
    {"--setenv", "NAME VALUE", &Reader::environment, "Set an environment variable"},
    {"--unsetenv", "NAME", &Reader::environment, "Remove one"},
    {"--clearenv", "", &Reader::environment, "Remove all (the default)", "Remove all"},
    {"--chdir", "DIR", &Reader::general, "The working directory"},
    {"--argv0", "TEXT", &Reader::general, "The command's name, as it will see it"},
    {"--keepenv", "", &Reader::own, "Start from the caller's environment", nullptr, true},
    {"--hostname", "NAME", &Reader::general, "The jail's host name", "A host name"},
    {"--root", "DIR|TAR|FILE:STAGE", &Reader::own, root_doc, nullptr, true},
    {"--uid", "ID", &Reader::identity, "Which ids the command has"},
    {"--gid", "ID", &Reader::identity, "Which ids the command has"},
    {"--network", "none|user|host", &Reader::own, network_doc, nullptr, true},
    {"--ids", "single|range", &Reader::own, ids_doc, nullptr, true},
    {"--fakeroot", "", &Reader::own, fakeroot_doc, nullptr, true},
    {"--no-fakeroot", "", &Reader::own, fakeroot_doc, nullptr, true},
    {"--profile", "NAME|FILE", &Reader::own, "What the jail allows (default: build)", nullptr, true},
    {"--cap-add", "CAP", &Reader::capability, "Give or take a capability, or ALL"},
    {"--cap-drop", "CAP", &Reader::capability, "Give or take a capability, or ALL"},
    {"--args", "FD", &Reader::more, "More options, each ended by a NUL byte, from FD"},
    {"--seccomp", "FD", &Reader::filter, "A system call filter, as seccomp(2) takes it, from FD"},
    {"--add-seccomp-fd", "FD", &Reader::filter, "The same; may be given several times"},
    {"--sync-fd", "FD", &Reader::descriptor, "Keep FD open as long as the jail has a process"},
    {"--block-fd", "FD", &Reader::descriptor, "Wait until something can be read from FD"},
    {"--info-fd", "FD", &Reader::descriptor, "Write the jail's process and namespaces to FD, as JSON"},
    {"--json-status-fd", "FD", &Reader::descriptor, "The same, and the command's exit code, a line each"},
    {"--limit-time", "VALUE", &Reader::own, time_doc, nullptr, true},
    {"--limit-idle", "VALUE", &Reader::own, time_doc, nullptr, true},
    {"--limit-pids", "VALUE", &Reader::own, use_doc, nullptr, true},
    {"--limit-memory", "VALUE", &Reader::own, use_doc, nullptr, true},
    {"--limit-cpu", "VALUE", &Reader::own, use_doc, nullptr, true},
    {"--limit-io-weight", "VALUE", &Reader::own, use_doc, nullptr, true},
    {"--limit-fallback", "WORD", &Reader::own, "Without one: refuse (the default), or rlimits, which count less",
     nullptr, true},
    {"--tty", "", &Reader::own, "A terminal of the jail's own", nullptr, true},
    {"--report", "FILE", &Reader::own, "Write what was enforced to FILE, as JSON", nullptr, true},
    {"--timings", "", &Reader::own, "Say where the time of the start went", nullptr, true},
    {"--unshare-user", "", &Reader::namespaces, always_so, own_namespace},
    {"--unshare-ipc", "", &Reader::namespaces, always_so, own_namespace},
    {"--unshare-pid", "", &Reader::namespaces, always_so, own_namespace},
    {"--unshare-net", "", &Reader::namespaces, always_so, own_namespace},
    {"--unshare-uts", "", &Reader::namespaces, always_so, own_namespace},
    {"--unshare-cgroup", "", &Reader::namespaces, always_so, own_namespace},
    {"--unshare-user-try", "", &Reader::namespaces, always_so, own_if_possible},
    {"--unshare-cgroup-try", "", &Reader::namespaces, always_so, own_if_possible},
    {"--unshare-all", "", &Reader::namespaces, always_so, "All of these"},
    {"--share-net", "", &Reader::namespaces, "As --network host", "Keep the network, after --unshare-all"},
    {"--userns", "FD", &Reader::joined, "", "Enter the user namespace FD"},
    {"--userns2", "FD", &Reader::joined, "", "Enter the user namespace FD when all is mounted"},
    {"--pidns", "FD", &Reader::joined, "", "Enter the PID namespace FD"},
    {"--disable-userns", "", &Reader::namespaces, always_so, "No user namespaces inside"},
    {"--assert-userns-disabled", "", &Reader::namespaces, always_so, "Fail if there could be user namespaces inside"},
    {"--userns-block-fd", "FD", &Reader::descriptor, "", id_writer_doc},
    {"--lock-file", "DEST", &Reader::life, "", "Keep a read lock on DEST as long as the jail has a process"},
    {"--new-session", "", &Reader::life, always_so, "A session of its own"},
    {"--die-with-parent", "", &Reader::life, always_so, "End with the caller"},
    {"--as-pid-1", "", &Reader::life, "", "The command is process 1"},
    {"--exec-label", "LABEL", &Reader::general, "", no_labels},
    {"--file-label", "LABEL", &Reader::general, "", no_labels},
    {"--level-prefix", "", &Reader::general, "", "Begin messages with their level, as <3>"},
    {"--version", "", &Reader::general, "The version", "The version of bubblewrap whose options these are"},
    {"-h", "", &Reader::own, "This text", nullptr, true},
    {"--help", "", &Reader::general, "This text"},
};

const Reader::Row* Reader::find_row(const std::string& option) const {
    const auto* found = std::ranges::find_if(rows, [&](const Row& row) { return option == row.name; });
    if (found == std::end(rows) || (found->is_stageboxs && contract_ == Contract::bubblewrap)) return nullptr;
    return found;
}

std::vector<HelpRow> Reader::help_rows(Contract contract) {
    std::vector<HelpRow> all = MountOptions::rows();
    const bool is_bubblewrap = contract == Contract::bubblewrap;
    for (const Row& row : rows) {
        if (row.is_stageboxs && is_bubblewrap) continue;
        const bool has_own = is_bubblewrap && row.bubblewrap_doc != nullptr;
        all.push_back({row.name, row.values, has_own ? row.bubblewrap_doc : row.doc});
    }
    return all;
}

void Reader::read_options(std::deque<std::string>& left, Source source) {
    if (total_ > most_arguments) refuse(format("Exceeded maximum number of arguments {}", most_arguments));
    while (!left.empty() && left.front().starts_with("-") && request_.wants == Wants::command) {
        const std::string option = left.front();
        left.pop_front();
        if (option == "--") return;
        read_option(option, left, source);
    }
}

void Reader::read_option(const std::string& option, std::deque<std::string>& left, Source source) {
    if (const auto count = MountOptions::values_of(option)) {
        mounts_.take(option, take_values(option, *count, left));
        return;
    }
    const Row* row = find_row(option);
    if (row == nullptr) {
        refuse(contract_ == Contract::bubblewrap
                   ? format("Unknown option {}", option)
                   : format("{} is not an option of run; see stagebox run --help", option));
    }
    if (option == "--args" && source == Source::descriptor) refuse("--args not supported in arguments file");
    (this->*row->take)(option, take_values(option, count_words(row->values), left));
    mounts_.settle(option);
}

Reader::Values Reader::take_values(const std::string& option, int count, std::deque<std::string>& left) const {
    if (left.size() < static_cast<std::size_t>(count)) {
        if (contract_ == Contract::stagebox) refuse(format("{} lacks a value; see stagebox run --help", option));
        const bool counts = option == "--chdir" || option == "--remount-ro" || option == "--argv0";
        const char* many = count == 3 ? "three arguments" : count == 2 ? "two arguments" : "an argument";
        refuse(format("{} takes {}", option, counts ? "one argument" : many));
    }
    Values values(left.begin(), left.begin() + count);
    left.erase(left.begin(), left.begin() + count);
    return values;
}

// Words that each end with a NUL; the last may lack it. What is no option, and all after it, is passed over.
void Reader::more(const std::string& option, const Values& values) {
    const std::string content = take_content(parse_fd(values[0]), option);
    std::deque<std::string> words;
    for (std::size_t start = 0; start < content.size();) {
        const std::size_t end = std::min(content.find('\0', start), content.size());
        words.push_back(content.substr(start, end - start));
        start = end + 1;
    }
    total_ += words.size();
    read_options(words, Source::descriptor);
}

void Reader::general(const std::string& option, const Values& values) {
    if (option == "--help") {
        request_.wants = Wants::help;
    } else if (option == "--version") {
        request_.wants = Wants::version;
    } else if (option == "--level-prefix") {
        request_.has_level_prefix = true;
    } else if (option == "--argv0") {
        if (!argv0_.empty()) refuse("--argv0 used multiple times");
        argv0_ = values[0];
    } else if (option == "--chdir") {
        set_once(directory_, values[0], {}, option);
    } else if (option == "--hostname") {
        set_once(host_name_, values[0], {}, option);
    } else {
        // SELinux's, which Debian's programs are built without.
        refuse("labeling not supported on this system");
    }
}

void Reader::namespaces(const std::string& option, const Values& /*none*/) {
    sandbox::BubblewrapTerms ignored;
    sandbox::BubblewrapTerms& terms = contract_ == Contract::bubblewrap ? request_.bubblewrap_spec().terms : ignored;
    sandbox::Network& network = request_.any_spec().network;
    const bool all = option == "--unshare-all";
    if (option == "--unshare-user") unshares_user_ = true;
    if (all || option == "--unshare-user-try") tries_user_ = true;
    if (all || option == "--unshare-ipc") terms.ipc = Share::own;
    if (all || option == "--unshare-pid") terms.pid = Share::own;
    if (all || option == "--unshare-uts") terms.uts = Share::own;
    if (all || option.starts_with("--unshare-cgroup")) terms.cgroup = Share::own;
    if (all || option == "--unshare-net") network = sandbox::Network::none;
    if (option == "--share-net") network = sandbox::Network::host;
    if (all || option == "--unshare-net") shares_network_ = false;
    if (option == "--share-net") shares_network_ = true;
    if (option == "--disable-userns") terms.inner_users = sandbox::InnerUsers::off;
    if (option == "--assert-userns-disabled" && terms.inner_users == sandbox::InnerUsers::allowed) {
        terms.inner_users = sandbox::InnerUsers::checked_off;
    }
}

void Reader::joined(const std::string& option, const Values& values) {
    const int fd = parse_fd(values[0]);
    if (contract_ == Contract::stagebox) {
        refuse(
            format("{} enters a namespace that somebody else made, and stagebox run makes its own; a link named bwrap "
                   "to the same program takes it",
                   option));
    }
    sandbox::BubblewrapTerms& terms = request_.bubblewrap_spec().terms;
    int& place = option == "--userns"    ? terms.user_namespace
                 : option == "--userns2" ? terms.second_user_namespace
                                         : terms.pid_namespace;
    set_once(place, fd, -1, option);
}

void Reader::identity(const std::string& option, const Values& values) {
    const bool is_uid = option == "--uid";
    int& times = is_uid ? uid_options_ : gid_options_;
    if (++times > 1) request_.warnings.push_back(format("Only the last {} option will take effect", option));
    (is_uid ? request_.command.uid : request_.command.gid) = parse_id_of(option.substr(2), values[0]);
}

void Reader::environment(const std::string& option, const Values& values) {
    if (option == "--clearenv") {
        environment_.clear();
    } else if (option == "--setenv") {
        if (values[0].empty() || values[0].find('=') != std::string::npos) refuse("setenv failed");
        set_variable(environment_, values[0], values[1]);
    } else {
        std::erase_if(environment_, [&](const auto& one) { return one.first == values[0]; });
    }
}

void Reader::capability(const std::string& option, const Values& values) {
    std::uint64_t mask = ~std::uint64_t{0};
    if (::strcasecmp(values[0].c_str(), "ALL") != 0) {
        const auto number = sandbox::capability_number(values[0]);
        if (!number) refuse(format("unknown cap: {}", values[0]));
        mask = sandbox::capability_bit(*number);
    }
    request_.changes_capabilities = true;
    const bool adds = option == "--cap-add";
    request_.added_capabilities = adds ? request_.added_capabilities | mask : request_.added_capabilities & ~mask;
    request_.dropped_capabilities = adds ? request_.dropped_capabilities & ~mask : request_.dropped_capabilities | mask;
}

void Reader::descriptor(const std::string& option, const Values& values) {
    int& place = option == "--sync-fd"           ? request_.sync_fd
                 : option == "--block-fd"        ? request_.block_fd
                 : option == "--userns-block-fd" ? request_.userns_block_fd
                 : option == "--info-fd"         ? request_.info_fd
                                                 : request_.json_status_fd;
    set_once(place, parse_fd(values[0]), -1, option);
    // Its own, not the command's: nothing of it is inherited.
    if (option != "--sync-fd" && option != "--block-fd") ::fcntl(place, F_SETFD, FD_CLOEXEC);
}

void Reader::filter(const std::string& option, const Values& values) {
    const bool is_single = option == "--seccomp";
    if (is_single && has_added_filter_) refuse("--seccomp cannot be combined with --add-seccomp-fd");
    if (!is_single && has_seccomp_) refuse("--add-seccomp-fd cannot be combined with --seccomp");
    if (is_single && has_seccomp_) {
        request_.warnings.push_back(format("Only the last {} option will take effect", option));
        request_.filters.clear();
    }
    (is_single ? has_seccomp_ : has_added_filter_) = true;
    request_.filters.push_back(read_filter(option, values[0]));
}

void Reader::life(const std::string& option, const Values& values) {
    if (contract_ == Contract::stagebox) {
        if (option == "--as-pid-1" || option == "--lock-file") {
            refuse(
                format("{} is not taken by stagebox run, whose jails have an init of their own; a link named bwrap to "
                       "the same program takes it",
                       option));
        }
        return;  // always so
    }
    sandbox::BubblewrapTerms& terms = request_.bubblewrap_spec().terms;
    if (option == "--lock-file") terms.locks.push_back(values[0]);
    if (option == "--new-session") terms.new_session = true;
    if (option == "--die-with-parent") terms.dies_with_parent = true;
    if (option == "--as-pid-1") terms.is_pid_1 = true;
}

void Reader::own(const std::string& option, const Values& values) {
    if (option == "--ids") {
        const auto ids = sandbox::find_word(values[0], stages::ids_words);
        if (!ids) refuse(format("--ids takes single or range, not \"{}\"", values[0]));
        request_.ids = *ids;
    } else if (option == "--network") {
        const auto network = sandbox::find_word(values[0], stages::network_words);
        if (!network) refuse(format("--network takes none, user or host, not \"{}\"", values[0]));
        request_.build_spec().network = *network;
    } else if (option == "--profile") {
        request_.profile = values[0];
    } else if (option == "--root") {
        request_.root = values[0];
    } else if (option == "--report") {
        request_.report = values[0];
    } else if (option.starts_with("--limit-")) {
        sandbox::set_limit(request_.build_spec().limits, option.substr(8), values[0]);
    } else if (option == "--keepenv") {
        for (auto& [name, value] : caller_environment()) set_variable(environment_, name, std::move(value));
    } else if (option == "--tty") {
        request_.has_terminal = true;
    } else if (option.ends_with("fakeroot")) {
        const bool is_whole = option == "--fakeroot";
        request_.build_spec().fakeroot = is_whole ? sandbox::Fakeroot::on : sandbox::Fakeroot::off;
    } else if (option == "--timings") {
        request_.has_timings = true;
    } else {
        request_.wants = Wants::help;
    }
}

void Reader::finish() {
    if (contract_ == Contract::bubblewrap) {
        finish_bubblewrap();
    } else {
        finish_stagebox();
    }
    request_.command.env = environment_;
    sandbox::Command& command = request_.command;
    if (argv0_.empty() || command.argv.empty()) return;
    command.program = std::exchange(command.argv.front(), argv0_);
}

void Reader::finish_stagebox() {
    if (request_.command.argv.empty()) refuse("there is no command to run; see stagebox run --help");
    if (request_.userns_block_fd >= 0) {
        refuse(
            "--userns-block-fd is not taken by stagebox run, which writes the id maps itself (--ids); a link named "
            "bwrap to the same program takes it");
    }
    request_.hostname = host_name_;
    if (!directory_.empty()) request_.command.cwd = directory_;
    sandbox::BuildSpec& spec = request_.build_spec();
    spec.overlap = sandbox::Overlap::allowed;
    const sandbox::Network network = spec.network;
    auto& mounts = spec.mounts;
    if (!request_.root.empty()) {
        // run/root.hpp finds what kind of root it is; these follow it.
        request_.mounts_in_root = mounts_.finish(Share::own);
        std::erase_if(request_.mounts_in_root, [](const sandbox::Mount& mount) {
            const auto* root = std::get_if<sandbox::Tmpfs>(&mount);
            return root != nullptr && root->target == "/";
        });
        return;
    }
    if (!mounts_.is_empty()) {
        mounts = mounts_.finish(Share::own);
        return;
    }
    stages::kinds::add_host_root(network, mounts);
    stages::kinds::add_system_mounts(network, mounts);
    stages::kinds::add_network_files(network, mounts);
}

void Reader::check_bubblewrap(const sandbox::BubblewrapTerms& terms) const {
    if (request_.userns_block_fd >= 0 && !unshares_user_) refuse("--userns-block-fd requires --unshare-user");
    if (request_.userns_block_fd >= 0 && request_.info_fd < 0) refuse("--userns-block-fd requires --info-fd");
    if (terms.user_namespace >= 0 && unshares_user_) refuse("--userns not compatible --unshare-user");
    if (terms.user_namespace >= 0 && tries_user_) refuse("--userns not compatible --unshare-user-try");
    const bool disables = terms.inner_users == sandbox::InnerUsers::off;
    if (disables && !unshares_user_) refuse("--disable-userns requires --unshare-user");
    if (disables && request_.userns_block_fd >= 0) {
        refuse("--disable-userns is not compatible with  --userns-block-fd");
    }
}

void Reader::finish_bubblewrap() {
    sandbox::BubblewrapSpec& spec = request_.bubblewrap_spec();
    sandbox::BubblewrapTerms& terms = spec.terms;
    check_bubblewrap(terms);
    decide_user_namespace(terms);
    decide_ids(terms);
    if (terms.uts == Share::caller && !host_name_.empty()) refuse("Specifying --hostname requires --unshare-uts");
    if (terms.is_pid_1 && terms.pid == Share::caller) refuse("Specifying --as-pid-1 requires --unshare-pid");
    if (terms.is_pid_1 && !terms.locks.empty()) refuse("Specifying --as-pid-1 and --lock-file is not permitted");

    spec.hostname = host_name_;
    spec.ids = {sandbox::IdMode::single, ::getuid(), ::getgid(), 1};
    spec.overlap = sandbox::Overlap::allowed;
    terms.ids_come_from_outside = request_.userns_block_fd >= 0;
    terms.block_fd = request_.block_fd;
    terms.sync_fd = request_.sync_fd;
    terms.filters = request_.filters;
    const bool is_root = ::getuid() == 0;
    const std::uint64_t base = is_root ? sandbox::own_capabilities() : 0;
    const std::uint64_t kept = (base | request_.added_capabilities) & ~request_.dropped_capabilities;
    if (!is_root || request_.changes_capabilities) terms.capabilities = kept;
    const bool has_pids = terms.pid == Share::own || terms.pid_namespace >= 0;
    spec.mounts = mounts_.finish(has_pids ? Share::own : Share::caller);
    choose_directories(terms);
}

// An ordinary user can have no mounts without a user namespace.
void Reader::decide_user_namespace(sandbox::BubblewrapTerms& terms) {
    if (::getuid() != 0 && terms.user_namespace < 0) unshares_user_ = true;
    if (tries_user_ && sandbox::os::exists(AT_FDCWD, "/proc/self/ns/user")) {
        const auto most = sandbox::os::read_file_if_exists(AT_FDCWD, "/proc/sys/user/max_user_namespaces");
        if (!most || *most != "0\n") unshares_user_ = true;
    }
    terms.user = unshares_user_ ? Share::own : Share::caller;
}

void Reader::decide_ids(const sandbox::BubblewrapTerms& terms) {
    sandbox::Command& command = request_.command;
    if (uid_options_ == 0) command.uid = ::getuid();
    if (gid_options_ == 0) command.gid = ::getgid();
    const bool has_namespace = unshares_user_ || terms.user_namespace >= 0;
    if (!has_namespace && command.uid != ::getuid()) refuse("Specifying --uid requires --unshare-user or --userns");
    if (!has_namespace && command.gid != ::getgid()) refuse("Specifying --gid requires --unshare-user or --userns");
}

// Where the command starts: the first of them that is there.
void Reader::choose_directories(sandbox::BubblewrapTerms& terms) {
    terms.directories = {directory_};
    if (directory_.empty()) {
        terms.directories = {current_directory(environment_)};
        const std::string home = variable(environment_, "HOME");
        if (!home.empty()) terms.directories.push_back(home);
        terms.directories.emplace_back("/");
    }
    set_variable(environment_, "PWD", terms.directories.front());
}

}  // namespace

std::vector<HelpRow> option_rows(Contract contract) {
    return Reader::help_rows(contract);
}

RunRequest parse_run(const std::vector<std::string>& arguments, Contract contract) {
    return Reader(contract).read(arguments);
}

}  // namespace runtime::cli
