#include "sandbox/plan/plan.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "sandbox/fakeroot/calls.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/os/default_path.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::format;

constexpr std::size_t overlay_option_bytes = 4095;  // mount(2) copies one page of options, with its last NUL

constexpr const char* plain_devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

bool is_clean_path(std::string_view path) {
    if (path.empty() || path.front() != '/' || path.size() >= 4096) return false;
    if (path == "/") return true;
    std::size_t start = 1;
    while (start <= path.size()) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string_view part = path.substr(start, end - start);
        if (part.empty() || part == "." || part == "..") return false;
        start = end + 1;
    }
    return true;
}

void check_text(std::string_view what, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        throw PlanError(format("{} has a NUL byte: system calls would see only what is before it", what));
    }
}

// Who makes a file closed to a group or to others does not expect its new parents to be open to them.
std::uint64_t mode_of_parents(std::uint64_t mode) {
    std::uint64_t parents = 0755;
    if ((mode & 0070) == 0) parents &= ~std::uint64_t{0050};
    if ((mode & 0007) == 0) parents &= ~std::uint64_t{0005};
    return parents;
}

class PlanBuilder {
  public:
    PlanBuilder(const Spec& spec, const Command& command) : spec_(spec), command_(command) {}
    Plan run();

  private:
    void check_targets() const;
    void add_sources();
    void add_root();
    void add_mounts();
    void add_masks();
    void add_ids();
    void add_last_ids();
    void add_payload();
    void add_executables();
    void add_filter();
    void add_fakeroot();
    [[nodiscard]] bool is_ids_zero() const { return command_.uid == 0 && command_.gid == 0; }
    [[nodiscard]] bool needs_nest() const;

    void source(const Bind& bind);
    void source(const Device& device) { next_slot(StepKind::clone_device, device.source); }
    void source(const Overlay& overlay);
    void source(const Dev&);
    template <class Other>
    void source(const Other&) {}

    void mount(const Bind& bind);
    void mount(const Device& device) { attach(device.target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC); }
    void mount(const Tmpfs& tmpfs) { add_tmpfs(tmpfs.target, tmpfs.mode, tmpfs.size); }
    void mount(const Proc& proc) { add({.kind = StepKind::proc, .path = keep(proc.target)}); }
    void mount(const Sysfs& sysfs) { add({.kind = StepKind::sysfs, .path = keep(sysfs.target)}); }
    void mount(const Devpts& devpts) { add({.kind = StepKind::devpts, .path = keep(devpts.target), .text = ""}); }
    void mount(const Mqueue& mqueue) { add({.kind = StepKind::mqueue, .path = keep(mqueue.target)}); }
    void mount(const Dev& dev);
    void mount(const Directory& directory) {
        add({.kind = StepKind::directory,
             .path = keep(directory.target),
             .value = directory.mode,
             .parents = mode_of_parents(directory.mode)});
    }
    void mount(const Symlink& link) {
        add({.kind = StepKind::link, .path = keep(link.target), .text = keep(link.points_to)});
    }
    void mount(const File& file);
    void mount(const WrittenFile& file);
    void mount(const ReadOnly& one) { add({.kind = StepKind::read_only, .path = keep(one.target)}); }
    void mount(const Chmod& one) { add({.kind = StepKind::chmod, .path = keep(one.target), .value = one.mode}); }
    void mount(const Protect& one) { add({.kind = StepKind::protect, .path = keep(one.target), .value = 1}); }
    void mount(const Overlay& overlay);

    void next_slot(StepKind kind, const std::string& path);
    void attach(const std::string& target, std::uint64_t attributes);
    void add_tmpfs(const std::string& target, std::uint32_t mode, std::uint64_t size);
    Step overlay_step(StepKind kind, const Overlay& overlay);
    void add(Step step) { plan_.steps.push_back(step); }
    const char* keep(std::string text) { return plan_.keep(std::move(text)); }

    const Spec& spec_;
    const Command& command_;
    Plan plan_;
    int mounted_slot_ = 0;  // the first slot that no mount has used yet
    int null_slot_ = -1;
    int proc_slot_ = -1;
    int base_slot_ = -1;
    int files_ = 0;
    int uppers_ = 0;
};

const std::string& target_of(const Mount& mount) {
    return std::visit([](const auto& kind) -> const std::string& { return kind.target; }, mount);
}

void PlanBuilder::check_targets() const {
    if (spec_.mounts.empty() || target_of(spec_.mounts.front()) != "/") {
        throw PlanError("the jail has no root: its first mount must have the target /");
    }
    std::set<std::string_view> seen;
    for (const Mount& mount : spec_.mounts) {
        const std::string& target = target_of(mount);
        check_text("a mount's target", target);
        if (!is_clean_path(target)) {
            throw PlanError(format("the target \"{}\" is not an absolute path without . and ..", target));
        }
        const bool may_repeat = std::holds_alternative<Directory>(mount) || spec_.overlap == Overlap::allowed;
        if (!may_repeat && !seen.insert(target).second) {
            throw PlanError(format("two mounts have the target {}; the first would be hidden", target));
        }
    }
}

void PlanBuilder::next_slot(StepKind kind, const std::string& path) {
    check_text("a mount's source", path);
    if (path.empty() || path.front() != '/') {
        throw PlanError(format("the source \"{}\" is not an absolute path", path));
    }
    add({.kind = kind, .slot = plan_.slots++, .path = keep(path)});
}

void PlanBuilder::source(const Bind& bind) {
    next_slot(StepKind::clone_tree, bind.source);
    if (!bind.identity) return;
    add({.kind = StepKind::verify,
         .slot = plan_.slots - 1,
         .path = keep(bind.source),
         .size = bind.identity->inode,
         .value = bind.identity->device});
}

void PlanBuilder::source(const Overlay& overlay) {
    if (overlay.lowers.empty()) throw PlanError(format("the overlay on {} has no lower layer", overlay.target));
    for (const std::string& lower : overlay.lowers) next_slot(StepKind::open_path, lower);
    if (overlay.upper.empty() || overlay.changes == Changes::discarded) return;
    next_slot(StepKind::open_path, overlay.upper);
    next_slot(StepKind::open_path, overlay.work);
}

void PlanBuilder::source(const Dev&) {
    for (const char* device : plain_devices) next_slot(StepKind::clone_device, format("/dev/{}", device));
}

bool PlanBuilder::needs_nest() const {
    if (!spec_.bubblewrap) return spec_.ids.mode == IdMode::single && !is_ids_zero();
    const BubblewrapTerms& terms = *spec_.bubblewrap;
    if (terms.user == Share::caller || terms.ids_come_from_outside) return false;
    if (terms.inner_users == InnerUsers::off) return true;
    const bool has_devpts = std::any_of(spec_.mounts.begin(), spec_.mounts.end(),
                                        [](const Mount& mount) { return std::holds_alternative<Devpts>(mount); });
    return has_devpts && !is_ids_zero();
}

// A user namespace with one id. Where something needs the id 0 (a devpts does), that one is 0 while the jail is made, and
// the command's is given in a second namespace, made when all is mounted.
void PlanBuilder::add_ids() {
    const bool maps =
        spec_.bubblewrap && spec_.bubblewrap->user == Share::own && !spec_.bubblewrap->ids_come_from_outside;
    if (!maps && !needs_nest()) return;
    proc_slot_ = plan_.slots;
    next_slot(StepKind::open_path, "/proc");
    if (!maps) return;
    const std::uint32_t uid = needs_nest() ? 0 : command_.uid;
    const std::uint32_t gid = needs_nest() ? 0 : command_.gid;
    add({.kind = StepKind::map_ids,
         .slot = proc_slot_,
         .text = keep(format("{} {} 1\n", uid, spec_.ids.uid_base)),
         .aux = keep(format("{} {} 1\n", gid, spec_.ids.gid_base))});
}

void PlanBuilder::add_last_ids() {
    if (spec_.bubblewrap && spec_.bubblewrap->second_user_namespace >= 0) {
        add({.kind = StepKind::join, .slot = spec_.bubblewrap->second_user_namespace});
    }
    const bool is_last = spec_.bubblewrap && spec_.bubblewrap->inner_users == InnerUsers::off;
    if (needs_nest()) {
        add({.kind = StepKind::nest,
             .slot = proc_slot_,
             .text = keep(format("{} 0 1\n", command_.uid)),
             .aux = keep(format("{} 0 1\n", command_.gid)),
             .value = is_last ? 1U : 0U});
    }
    if (spec_.bubblewrap && spec_.bubblewrap->inner_users != InnerUsers::allowed) add({.kind = StepKind::no_nesting});
}

void PlanBuilder::add_sources() {
    add_ids();
    add({.kind = StepKind::make_private, .value = spec_.bubblewrap ? std::uint64_t{MS_SLAVE} : 0});
    // The place for the new root is /tmp, which every Linux has; only this jail sees that something is mounted there.
    base_slot_ = plan_.slots;
    next_slot(StepKind::open_path, "/tmp");
    if (!spec_.masked_paths.empty()) {
        null_slot_ = plan_.slots;
        next_slot(StepKind::open_device, "/dev/null");
    }
    mounted_slot_ = plan_.slots;
    for (const Mount& mount : spec_.mounts) {
        std::visit([this](const auto& kind) { source(kind); }, mount);
    }
    add({.kind = spec_.bubblewrap ? StepKind::keep_identity : StepKind::become_root});
    if (!spec_.bubblewrap && spec_.allow.nested_namespaces == Nested::forbidden) {
        // The one that gives the command its own ids is still to come.
        add({.kind = StepKind::deny_userns,
             .path = "/proc/sys/user/max_user_namespaces",
             .text = needs_nest() ? "1\n" : "0\n"});
    }
    add({.kind = StepKind::base, .slot = base_slot_});
}

Step PlanBuilder::overlay_step(StepKind kind, const Overlay& overlay) {
    const auto handle = [this] { return format("/proc/self/fd/{}", first_slot_fd + mounted_slot_++); };
    std::string options = "lowerdir=" + handle();
    for (std::size_t i = 1; i < overlay.lowers.size(); ++i) options += ":" + handle();
    std::string newer;
    if (overlay.changes == Changes::discarded) {
        const char* upper = keep(format("upper-{}", uppers_));
        const char* work = keep(format("work-{}", uppers_++));
        add({.kind = StepKind::make_upper, .text = upper, .aux = work});
        options += format(",upperdir=/tmp/{},workdir=/tmp/{},userxattr", upper, work);
    } else if (overlay.upper.empty()) {
        // The kernel refuses a read-only overlay of one layer; the second is the scratch tmpfs's empty directory.
        if (overlay.lowers.size() == 1) options += ":/tmp/empty";
        options += ",userxattr";
    } else {
        options += ",upperdir=" + handle();
        options += ",workdir=" + handle();
        // volatile: no sync of the upper layer, the store syncs once when it commits. The others keep random and
        // machine-bound values out of the layer.
        options += ",userxattr";
        if (overlay.changes == Changes::staged) {
            options += ",volatile,index=off,metacopy=off";
            newer = ",uuid=null";
        }
    }
    if (options.size() + newer.size() > overlay_option_bytes) {
        throw PlanError(format("{} layers are more than one overlay can stack ({} bytes of options, {} allowed)",
                               overlay.lowers.size(), options.size(), overlay_option_bytes));
    }
    return {.kind = kind, .path = keep(overlay.target), .text = keep(options + newer), .aux = keep(options)};
}

std::uint64_t attributes_of(const Bind& bind) {
    std::uint64_t attributes = MOUNT_ATTR_NOSUID;
    if (bind.devices == DeviceFiles::closed) attributes |= MOUNT_ATTR_NODEV;
    if (bind.access == Access::read_only) attributes |= MOUNT_ATTR_RDONLY;
    return attributes;
}

void PlanBuilder::add_root() {
    const Mount& root = spec_.mounts.front();
    if (const auto* overlay = std::get_if<Overlay>(&root)) {
        add(overlay_step(StepKind::root_overlay, *overlay));
    } else if (const auto* tmpfs = std::get_if<Tmpfs>(&root)) {
        add({.kind = StepKind::root_tmpfs,
             .path = keep("/"),
             .text = keep(tmpfs->size == 0 ? "" : format("{}", tmpfs->size)),
             .aux = keep(format("{:o}", tmpfs->mode)),
             .value = tmpfs->mode});
    } else if (const auto* bind = std::get_if<Bind>(&root)) {
        add({.kind = StepKind::root_tree, .slot = mounted_slot_++, .path = keep("/"), .value = attributes_of(*bind)});
    } else {
        throw PlanError("the root must be a tmpfs, an overlay or a directory of the host");
    }
}

void PlanBuilder::add_mounts() {
    for (std::size_t i = 1; i < spec_.mounts.size(); ++i) {
        std::visit([this](const auto& kind) { mount(kind); }, spec_.mounts[i]);
    }
}

void PlanBuilder::attach(const std::string& target, std::uint64_t attributes) {
    add({.kind = StepKind::attach, .slot = mounted_slot_++, .path = keep(target), .value = attributes});
}

void PlanBuilder::mount(const Bind& bind) {
    attach(bind.target, attributes_of(bind));
}

void PlanBuilder::add_tmpfs(const std::string& target, std::uint32_t mode, std::uint64_t size) {
    add({.kind = StepKind::tmpfs,
         .path = keep(target),
         .text = keep(size == 0 ? "" : format("{}", size)),
         .aux = keep(format("{:o}", mode)),
         .parents = mode_of_parents(mode)});
}

void PlanBuilder::mount(const Dev& dev) {
    // 0755, not tmpfs's usual 1777: in a sticky directory that all may write, opening /dev/null with O_CREAT, as every
    // shell redirection does, is refused (fs.protected_regular, proc(5)).
    add_tmpfs(dev.target, 0755, 0);
    for (const char* device : plain_devices) {
        attach(format("{}/{}", dev.target, device), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    }
    const bool has_tty_group = spec_.ids.count > 5;
    add({.kind = StepKind::devpts, .path = keep(dev.target + "/pts"), .text = has_tty_group ? "5" : ""});
    add({.kind = StepKind::directory, .path = keep(dev.target + "/shm"), .value = 01777});
    const std::pair<const char*, const char*> links[] = {{"ptmx", "pts/ptmx"},
                                                         {"fd", "/proc/self/fd"},
                                                         {"stdin", "/proc/self/fd/0"},
                                                         {"stdout", "/proc/self/fd/1"},
                                                         {"stderr", "/proc/self/fd/2"}};
    for (const auto& [name, points_to] : links) {
        add({.kind = StepKind::link, .path = keep(format("{}/{}", dev.target, name)), .text = points_to});
    }
}

void PlanBuilder::mount(const File& file) {
    add({.kind = StepKind::file,
         .slot = file.access == Access::read_write ? 0 : -1,
         .path = keep(file.target),
         .text = keep(file.content),
         .aux = keep(format("f{}", files_++)),
         .size = file.content.size(),
         .value = file.mode,
         .parents = mode_of_parents(file.mode)});
}

void PlanBuilder::mount(const WrittenFile& file) {
    add({.kind = StepKind::write_file,
         .path = keep(file.target),
         .text = keep(file.content),
         .size = file.content.size(),
         .value = file.mode,
         .parents = mode_of_parents(file.mode)});
}

void PlanBuilder::mount(const Overlay& overlay) {
    // An overlay is not created detached, so its mount point must be there before: a directory in an image stays.
    add({.kind = StepKind::directory, .path = keep(overlay.target), .value = 0755});
    add(overlay_step(StepKind::overlay, overlay));
}

void PlanBuilder::add_masks() {
    for (const std::string& path : spec_.read_only_paths) add({.kind = StepKind::protect, .path = keep(path)});
    for (const std::string& path : spec_.masked_paths) {
        add({.kind = StepKind::mask, .slot = null_slot_, .path = keep(path)});
    }
}

void PlanBuilder::add_executables() {
    const std::string& program = command_.program.empty() ? command_.argv.front() : command_.program;
    if (program.find('/') != std::string::npos) {
        plan_.executables.push_back(keep(program));
        return;
    }
    // A jail in bubblewrap mode's is the one of execvp(3).
    std::string path = spec_.bubblewrap ? "/bin:/usr/bin" : os::default_path;
    for (const auto& [name, value] : command_.env) {
        if (name == "PATH") path = value;
    }
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        const std::string_view directory = end == start ? "." : std::string_view(path).substr(start, end - start);
        plan_.executables.push_back(keep(format("{}/{}", directory, program)));
        start = end + 1;
    }
}

void PlanBuilder::add_payload() {
    if (command_.argv.empty() || command_.argv.front().empty()) throw PlanError("there is no command to run");
    for (const std::string& argument : command_.argv) {
        check_text("an argument of the command", argument);
        plan_.argv.push_back(keep(argument));
    }
    plan_.argv.push_back(nullptr);
    for (const auto& [name, value] : command_.env) {
        check_text("the environment", name);
        check_text("the environment", value);
        plan_.envp.push_back(keep(format("{}={}", name, value)));
    }
    plan_.envp.push_back(nullptr);
    add_executables();
    if (spec_.bubblewrap) {
        for (const std::string& directory : spec_.bubblewrap->directories) plan_.directories.push_back(keep(directory));
        for (const std::string& lock : spec_.bubblewrap->locks) plan_.locks.push_back(keep(lock));
    }
    check_text("the working directory", command_.cwd);
    plan_.cwd = keep(command_.cwd);
    plan_.uid = command_.uid;
    plan_.gid = command_.gid;
    plan_.stdio[0] = command_.stdin_fd;
    plan_.stdio[1] = command_.stdout_fd;
    plan_.stdio[2] = command_.stderr_fd;
    plan_.controlling_terminal = command_.controlling_terminal;
}

void PlanBuilder::add_filter() {
    plan_.filter = spec_.allow.filter;
    const bool needs_listener = asks_supervisor(plan_.filter);
    if (spec_.denials != Denials::silent) plan_.filter = report_denials(plan_.filter);
    if (spec_.denials == Denials::observed) {
        plan_.filter = observe_calls(plan_.filter);
    } else if (spec_.denials == Denials::reported && !needs_listener) {
        plan_.unreported_filter = spec_.allow.filter;
    }
    add_fakeroot();
    plan_.has_listener = asks_supervisor(plan_.filter);
    if (!plan_.has_listener) return;
    // The payload makes these before anybody listens, while init waits for its exec: asked about, they would never
    // come back.
    constexpr std::pair<int, std::string_view> before_exec[] = {
        {SYS_execve, "execve"}, {SYS_write, "write"}, {SYS_exit_group, "exit_group"}};
    for (const auto& [number, name] : before_exec) {
        if (evaluate(plan_.filter, native_call(number)).action() != SECCOMP_RET_USER_NOTIF) continue;
        throw PlanError(
            format("the system call filter denies {}, or leaves it to the supervisor: then no command can start, so a "
                   "profile must allow it",
                   name));
    }
}

void PlanBuilder::add_fakeroot() {
    plan_.fakeroot = spec_.fakeroot;
    if (spec_.fakeroot == Fakeroot::off) return;
    if (spec_.denials == Denials::observed) {
        throw PlanError("calls cannot be observed under the fakeroot, which answers them itself: do without the view");
    }
    if (spec_.ids.mode == IdMode::range) {
        throw PlanError("the fakeroot is for a jail with one id: one with a range of ids has a root of its own");
    }
    plan_.judged_filter = spec_.allow.filter;
    plan_.denials = spec_.denials;
    plan_.unreported_filter = {};  // without a listener, the view would be missing in silence
    plan_.filter = fakeroot::with_questions(plan_.filter);
}

std::uint64_t namespaces_of(const Spec& spec) {
    std::uint64_t flags = CLONE_NEWNS;
    if (spec.network != Network::host) flags |= CLONE_NEWNET;
    const std::pair<Share BubblewrapTerms::*, std::uint64_t> kinds[] = {{&BubblewrapTerms::user, CLONE_NEWUSER},
                                                                        {&BubblewrapTerms::pid, CLONE_NEWPID},
                                                                        {&BubblewrapTerms::ipc, CLONE_NEWIPC},
                                                                        {&BubblewrapTerms::uts, CLONE_NEWUTS},
                                                                        {&BubblewrapTerms::cgroup, CLONE_NEWCGROUP}};
    for (const auto& [share, flag] : kinds) {
        if (!spec.bubblewrap || (*spec.bubblewrap).*share == Share::own) flags |= flag;
    }
    return flags;
}

Plan PlanBuilder::run() {
    check_targets();
    plan_.ids = spec_.ids;
    plan_.bubblewrap = spec_.bubblewrap;
    plan_.overlap = spec_.overlap;
    plan_.clone_flags = namespaces_of(spec_);
    add_sources();
    add_root();
    add_mounts();
    add_masks();
    add({.kind = StepKind::pivot});
    if (spec_.network != Network::host) add({.kind = StepKind::loopback});
    if (!spec_.hostname.empty()) {
        add({.kind = StepKind::hostname, .text = keep(spec_.hostname), .size = spec_.hostname.size()});
    }
    add_last_ids();
    add_payload();
    plan_.rlimits = spec_.allow.rlimits;
    plan_.capabilities = spec_.allow.capabilities;
    plan_.nested_namespaces = spec_.allow.nested_namespaces;
    plan_.landlock = spec_.allow.landlock;
    add_filter();
    plan_.more_filters = spec_.allow.more_filters;
    return std::move(plan_);
}

std::string attribute_words(std::uint64_t value) {
    std::string text;
    const std::pair<std::uint64_t, std::string_view> names[] = {{MOUNT_ATTR_RDONLY, "ro"},
                                                                {MOUNT_ATTR_NOSUID, "nosuid"},
                                                                {MOUNT_ATTR_NODEV, "nodev"},
                                                                {MOUNT_ATTR_NOEXEC, "noexec"}};
    for (const auto& [bit, name] : names) {
        if ((value & bit) != 0) os::append_part(text, ",", name);
    }
    return text;
}

std::string text_list(const std::vector<const char*>& texts) {
    std::string list;
    for (const char* text : texts) {
        if (text != nullptr) os::append_part(list, " ", text);
    }
    return list;
}

}  // namespace

Plan make_plan(const Spec& spec, const Command& command) {
    return PlanBuilder(spec, command).run();
}

namespace {

std::string one_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

std::string describe(const Step& step) {
    const int slot = first_slot_fd + step.slot;
    switch (step.kind) {
        case StepKind::map_ids: return format("map the jail's ids: {}", one_line(step.text));
        case StepKind::nest: return format("enter an inner user namespace with the ids {}", one_line(step.text));
        case StepKind::no_nesting: return "check that no user namespace can be made";
        case StepKind::join: return format("enter the user namespace of descriptor {}", step.slot);
        case StepKind::make_private:
            return step.value == 0 ? "make all mounts private" : "make all mounts slaves of the host's";
        case StepKind::open_path: return format("open {} as {}", step.path, slot);
        case StepKind::clone_tree: return format("copy the mounts at {} as {}", step.path, slot);
        case StepKind::open_device: return format("open the device {} as {}", step.path, slot);
        case StepKind::clone_device: return format("copy the device {} as {}", step.path, slot);
        case StepKind::verify: return format("check that {} is the file that was given", step.path);
        case StepKind::keep_identity: return "keep the caller's ids";
        case StepKind::become_root: return "become the jail's root";
        case StepKind::deny_userns: return "forbid further user namespaces";
        case StepKind::base: return format("mount the scratch tmpfs on {}", slot);
        case StepKind::root_tmpfs: return format("mount tmpfs as the root, mode {}", step.aux);
        case StepKind::root_overlay: return format("mount overlay as the root, {}", step.text);
        case StepKind::root_tree: return format("use {} as the root, {}", slot, attribute_words(step.value));
        case StepKind::tmpfs:
            return format("mount tmpfs on {}, mode {}{}{}", step.path, step.aux, *step.text != '\0' ? ", size " : "",
                          step.text);
        case StepKind::overlay: return format("mount overlay on {}, {}", step.path, step.text);
        case StepKind::attach: return format("attach {} to {}, {}", slot, step.path, attribute_words(step.value));
        case StepKind::proc: return format("mount proc on {}", step.path);
        case StepKind::sysfs: return format("mount sysfs on {}, ro", step.path);
        case StepKind::devpts: return format("mount devpts on {}", step.path);
        case StepKind::mqueue: return format("mount mqueue on {}", step.path);
        case StepKind::directory: return format("make the directory {}, mode {:o}", step.path, step.value);
        case StepKind::link: return format("link {} to {}", step.path, step.text);
        case StepKind::file:
            return format("show a file of {} bytes at {}, mode {:o}", step.size, step.path, step.value);
        case StepKind::write_file:
            return format("write a file of {} bytes to {}, mode {:o}", step.size, step.path, step.value);
        case StepKind::chmod: return format("give {} the mode {:o}", step.path, step.value);
        case StepKind::read_only: return format("make the mount on {} read-only", step.path);
        case StepKind::make_upper: return format("make {} in the scratch tmpfs", step.text);
        case StepKind::protect: return format("make {} read-only", step.path);
        case StepKind::mask: return format("hide {}", step.path);
        case StepKind::pivot: return "pivot to the new root and drop the old one";
        case StepKind::loopback: return "bring the loopback interface up";
        case StepKind::hostname: return format("set the host name {}", step.text);
    }
    return "unknown step";
}

std::string describe(const Plan& plan) {
    std::string namespaces;
    const std::pair<std::uint64_t, std::string_view> names[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},      {CLONE_NEWNET, "network"},
        {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}};
    for (const auto& [bit, name] : names) {
        if ((plan.clone_flags & bit) != 0) namespaces += format(" {}", name);
    }
    std::string text = format("clone into new namespaces:{}\n", namespaces);
    if (!plan.bubblewrap) {
        text += format("map ids: {} ids, uid 0 is {} outside, gid 0 is {} outside\n", plan.ids.count, plan.ids.uid_base,
                       plan.ids.gid_base);
    }
    for (const Step& step : plan.steps) text += describe(step) + "\n";
    text += format("start the payload as uid {} gid {} in {}\n", plan.uid, plan.gid, plan.cwd);
    for (const RlimitValue& limit : plan.rlimits) {
        text += format("limit {} to {} (hard {})\n", limit.resource, limit.soft, limit.hard);
    }
    text += format("keep capabilities {:#x}, set no_new_privs\n", plan.capabilities);
    if (plan.nested_namespaces == Nested::forbidden) text += "try that no user namespace can be made\n";
    text += "join a session keyring of its own\n";
    if (plan.landlock != Fence::off) {
        text += format("enter a Landlock domain{}, where the kernel has it\n",
                       plan.landlock == Fence::processes ? " of processes alone" : "");
    }
    text += format("install a filter of {} instructions{}\n", plan.filter.instructions.size(),
                   plan.has_listener ? ", with a listener" : "");
    if (plan.fakeroot == Fakeroot::on) text += "show owners and ids as a root with all ids would see them\n";
    text += format("environment: {}\n", text_list(plan.envp));
    text += format("execute: {}\n", text_list(plan.argv));
    return text;
}

}  // namespace sandbox
