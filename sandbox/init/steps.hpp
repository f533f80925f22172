// What the child does for each step of the plan (plan/step.hpp): the new root, and what is mounted, made and hidden
// below it. Under the rules of init/child.cpp.
#pragma once
#include "sandbox/init/ids.hpp"
#include "sandbox/init/mounts.hpp"
#include "sandbox/init/reporter.hpp"
#include "sandbox/init/targets.hpp"
#include "sandbox/init/task.hpp"

namespace sandbox {

class StepWalk : private Reporter {
  public:
    explicit StepWalk(const ChildTask& task) noexcept
        : Reporter(task.report_fd, init_failed), task_(task), targets_(task) {}
    // -errno where it cannot be done.
    long perform(const Step& step) noexcept {
        return step.visit([this](const auto& kind) noexcept { return this->act(kind); });
    }

  private:
    long act(const step::MapIds& one) const noexcept { return map_ids(task_, one); }
    long act(const step::NestUserNamespace& one) const noexcept { return nest(task_, one); }
    static long act(const step::CheckNoNesting& one) noexcept;
    static long act(const step::JoinUserNamespace& one) noexcept;
    long act(const step::BecomeRoot& /*one*/) const noexcept { return become_root(task_); }
    static long act(const step::KeepIdentity& one) noexcept;
    static long act(const step::LimitUserNamespaces& one) noexcept { return limit_user_namespaces(one); }

    static long act(const step::SeparateMounts& one) noexcept;
    [[nodiscard]] long act(const step::OpenPath& one) const noexcept;
    [[nodiscard]] long act(const step::OpenDevice& one) const noexcept;
    [[nodiscard]] long act(const step::CloneTree& one) const noexcept;
    [[nodiscard]] long act(const step::CloneDevice& one) const noexcept;
    static long act(const step::VerifyFile& one) noexcept;

    long act(const step::MountBase& one) noexcept;
    long act(const step::UseTmpfsRoot& one) noexcept;
    long act(const step::UseOverlayRoot& one) noexcept;
    long act(const step::UseTreeRoot& one) noexcept;
    [[nodiscard]] long act(const step::Pivot& one) const noexcept;

    long act(const step::MountTmpfs& one) noexcept { return attach_new(new_tmpfs_of(one.options), one.place); }
    [[nodiscard]] long act(const step::MountOverlay& one) const noexcept;
    [[nodiscard]] long act(const step::MakeUpper& one) const noexcept;
    long act(const step::AttachTree& one) noexcept;
    long act(const step::MountProc& one) noexcept;
    long act(const step::MountSysfs& one) noexcept;
    long act(const step::MountDevpts& one) noexcept { return attach_new(new_devpts(text(one.gid)), one.place); }
    long act(const step::MountMqueue& one) noexcept;
    long act(const step::MakeDirectory& one) noexcept { return targets_.make_directory(one.place, one.mode); }
    long act(const step::MakeLink& one) noexcept;
    long act(const step::ShowFile& one) noexcept;
    long act(const step::WriteFile& one) noexcept;
    [[nodiscard]] long act(const step::ChangeMode& one) const noexcept;
    [[nodiscard]] long act(const step::SetReadOnly& one) const noexcept;
    [[nodiscard]] long act(const step::ProtectPath& one) const noexcept;
    [[nodiscard]] long act(const step::MaskPath& one) const noexcept;

    [[nodiscard]] long act(const step::BringLoopbackUp& one) const noexcept;
    [[nodiscard]] long act(const step::SetHostName& one) const noexcept;

    [[nodiscard]] const char* text(PlanText text) const noexcept { return task_.text(text); }
    [[nodiscard]] long new_tmpfs_of(const TmpfsOptions& options) const noexcept {
        return new_tmpfs(text(options.size), text(options.mode));
    }
    [[nodiscard]] long overlay_on(const char* target, const OverlayOptions& options) const noexcept;
    long attach_new(long tree, const Place& place) noexcept { return targets_.attach_new(tree, place); }
    [[nodiscard]] long write_all(long file, const PlanBytes& content) const noexcept;
    long adopt_root(long tree) noexcept;

    const ChildTask& task_;
    Targets targets_;
    int base_ = -1;  // the scratch tmpfs
};

}  // namespace sandbox
