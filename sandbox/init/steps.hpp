// What the child does for each step of the plan (plan/plan.hpp): the new root, and what is mounted, made and hidden below it.
// Under the rules of init/child.cpp.
#pragma once
#include "sandbox/init/reporter.hpp"
#include "sandbox/init/targets.hpp"
#include "sandbox/init/task.hpp"

namespace sandbox {

class Walk : private Reporter {
  public:
    explicit Walk(const ChildTask& task) noexcept
        : Reporter(task.report_fd, init_failed), task_(task), targets_(task) {}
    // -errno where it cannot be done.
    long perform(const Step& step) noexcept;

  private:
    static long make_private(const Step& step) noexcept;
    [[nodiscard]] static long verify(const Step& step) noexcept;
    static long clone_tree(const Step& step) noexcept;
    static long device_to_slot(long fd, int slot) noexcept;
    static long clone_device(const Step& step) noexcept;
    long make_base(const Step& step) noexcept;
    long adopt_root(long tree) noexcept;
    long root_tmpfs(const Step& step) noexcept;
    long root_overlay(const Step& step) noexcept;
    [[nodiscard]] long mount_overlay(const Step& step) const noexcept;
    long make_link(const Step& step) noexcept;
    long make_file(const Step& step) noexcept;
    long write_file(const Step& step) noexcept;
    [[nodiscard]] long change_mode(const Step& step) const noexcept;
    [[nodiscard]] long set_read_only(const Step& step) const noexcept;
    [[nodiscard]] long make_upper(const Step& step) const noexcept;
    [[nodiscard]] long protect(const Step& step) const noexcept;
    [[nodiscard]] long mask(const Step& step) const noexcept;
    [[nodiscard]] long pivot() const noexcept;
    [[nodiscard]] long start_network() const noexcept;

    const ChildTask& task_;
    Targets targets_;
    int base_ = -1;  // the scratch tmpfs
};

}  // namespace sandbox
