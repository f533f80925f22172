// A plan in words.
#include <sched.h>
#include <sys/mount.h>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/plan/plan.hpp"

namespace sandbox {
namespace {

using os::format;

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

std::string text_list(const std::vector<std::string>& texts) {
    std::string list;
    for (const std::string& text : texts) os::append_part(list, " ", text);
    return list;
}

// One step, by its kind.
class InWords {
  public:
    explicit InWords(const Plan& plan) : plan_(plan) {}

    // Ids.
    std::string operator()(const step::MapIds& one) const { return "map the jail's ids: " + map(one); }
    std::string operator()(const step::NestUserNamespace& one) const {
        return "enter an inner user namespace with the ids " + map(one.ids);
    }
    std::string operator()(const step::CheckNoNesting& /*one*/) const {
        return "check that no user namespace can be made";
    }
    std::string operator()(const step::JoinUserNamespace& one) const {
        return format("enter the user namespace of descriptor {}", one.descriptor);
    }
    std::string operator()(const step::BecomeRoot& /*one*/) const { return "become the jail's root"; }
    std::string operator()(const step::KeepIdentity& /*one*/) const { return "keep the caller's ids"; }
    std::string operator()(const step::LimitUserNamespaces& /*one*/) const { return "forbid further user namespaces"; }

    // What is opened of the host.
    std::string operator()(const step::SeparateMounts& one) const {
        return one.hears_host ? "make all mounts slaves of the host's" : "make all mounts private";
    }
    std::string operator()(const step::OpenPath& one) const {
        return format("open {} as {}", text(one.path), one.slot.descriptor());
    }
    std::string operator()(const step::OpenDevice& one) const {
        return format("open the device {} as {}", text(one.path), one.slot.descriptor());
    }
    std::string operator()(const step::CloneTree& one) const {
        return format("copy the mounts at {} as {}", text(one.path), one.slot.descriptor());
    }
    std::string operator()(const step::CloneDevice& one) const {
        return format("copy the device {} as {}", text(one.path), one.slot.descriptor());
    }
    std::string operator()(const step::VerifyFile& one) const {
        return format("check that {} is the file that was given", text(one.path));
    }

    // The new root.
    std::string operator()(const step::MountBase& one) const {
        return format("mount the scratch tmpfs on {}", one.slot.descriptor());
    }
    std::string operator()(const step::UseTmpfsRoot& one) const {
        return format("mount tmpfs as the root, mode {}", text(one.options.mode));
    }
    std::string operator()(const step::UseOverlayRoot& one) const {
        return format("mount overlay as the root, {}", text(one.options.all));
    }
    std::string operator()(const step::UseTreeRoot& one) const {
        return format("use {} as the root, {}", one.tree.descriptor(), attribute_words(one.attributes));
    }
    std::string operator()(const step::Pivot& /*one*/) const { return "pivot to the new root and drop the old one"; }

    // Below it.
    std::string operator()(const step::MountTmpfs& one) const {
        const std::string_view size = text(one.options.size);
        return format("mount tmpfs on {}, mode {}{}{}", path(one), text(one.options.mode),
                      size.empty() ? "" : ", size ", size);
    }
    std::string operator()(const step::MountOverlay& one) const {
        return format("mount overlay on {}, {}", text(one.path), text(one.options.all));
    }
    std::string operator()(const step::MakeUpper& one) const {
        return format("make {} in the scratch tmpfs", text(one.upper));
    }
    std::string operator()(const step::AttachTree& one) const {
        return format("attach {} to {}, {}", one.tree.descriptor(), path(one), attribute_words(one.attributes));
    }
    std::string operator()(const step::MountProc& one) const { return format("mount proc on {}", path(one)); }
    std::string operator()(const step::MountSysfs& one) const { return format("mount sysfs on {}, ro", path(one)); }
    std::string operator()(const step::MountDevpts& one) const { return format("mount devpts on {}", path(one)); }
    std::string operator()(const step::MountMqueue& one) const { return format("mount mqueue on {}", path(one)); }
    std::string operator()(const step::MakeDirectory& one) const {
        return format("make the directory {}, mode {:o}", path(one), one.mode);
    }
    std::string operator()(const step::MakeLink& one) const {
        return format("link {} to {}", path(one), text(one.points_to));
    }
    std::string operator()(const step::ShowFile& one) const {
        return format("show a file of {} bytes at {}, mode {:o}", one.content.size, path(one), one.mode);
    }
    std::string operator()(const step::WriteFile& one) const {
        return format("write a file of {} bytes to {}, mode {:o}", one.content.size, path(one), one.mode);
    }
    std::string operator()(const step::ChangeMode& one) const {
        return format("give {} the mode {:o}", text(one.path), one.mode);
    }
    std::string operator()(const step::SetReadOnly& one) const {
        return format("make the mount on {} read-only", text(one.path));
    }
    std::string operator()(const step::ProtectPath& one) const { return format("make {} read-only", text(one.path)); }
    std::string operator()(const step::MaskPath& one) const { return format("hide {}", text(one.path)); }

    // The rest.
    std::string operator()(const step::BringLoopbackUp& /*one*/) const { return "bring the loopback interface up"; }
    std::string operator()(const step::SetHostName& one) const {
        return format("set the host name {}", plan_.content(one.name));
    }

  private:
    [[nodiscard]] std::string_view text(PlanText text) const { return plan_.text(text); }
    template <class Kind>
    [[nodiscard]] std::string_view path(const Kind& one) const {
        return plan_.text(one.place.path);
    }
    // The user ids stand for both.
    [[nodiscard]] std::string map(const step::MapIds& ids) const {
        const std::string_view users = text(ids.uid_map);
        return std::string(users.substr(0, users.find('\n')));
    }

    const Plan& plan_;
};

std::string namespace_words(std::uint64_t clone_flags) {
    std::string words;
    const std::pair<std::uint64_t, std::string_view> names[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},      {CLONE_NEWNET, "network"},
        {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}};
    for (const auto& [bit, name] : names) {
        if ((clone_flags & bit) != 0) words += format(" {}", name);
    }
    return words;
}

std::string fence_words(const BuildPlan& plan) {
    std::string text;
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
    return text;
}

}  // namespace

std::string describe(const Plan& plan, const Step& step) {
    return step.visit(InWords(plan));
}

std::string describe(const BuildPlan& plan) {
    std::string text = format("clone into new namespaces:{}\n", namespace_words(plan.clone_flags));
    text += format("map ids: {} ids, uid 0 is {} outside, gid 0 is {} outside\n", plan.ids.count, plan.ids.uid_base,
                   plan.ids.gid_base);
    for (const Step& step : plan.steps) text += describe(plan, step) + "\n";
    text += format("start the payload as uid {} gid {} in {}\n", plan.uid, plan.gid, plan.cwd);
    text += fence_words(plan);
    text += format("environment: {}\n", text_list(plan.envp));
    text += format("execute: {}\n", text_list(plan.argv));
    return text;
}

}  // namespace sandbox
