// Where the init program begins: it finds its task (launch/task_image.hpp), makes the task's pointers real, and becomes the jail's
// first process.
#include <asm/unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstddef>

#include "sandbox/init/child.hpp"
#include "sandbox/raw/syscall.hpp"

extern "C" {
[[noreturn]] void stagebox_main(char** stack) noexcept;
}

namespace sandbox {
namespace {

constexpr int no_task = 125;

[[noreturn]] void give_up() noexcept {
    for (;;) call(SYS_exit_group, no_task);
}

class Relocation {
  public:
    explicit Relocation(char* base) noexcept : base_(base) {}

    // An offset of 0 is the task itself, so it stands for a null pointer.
    template <class T>
    void apply(T*& pointer) const noexcept {
        const auto offset = reinterpret_cast<std::uintptr_t>(pointer);
        pointer = offset == 0 ? nullptr : reinterpret_cast<T*>(base_ + offset);
    }
    void apply_all(const char* const* texts, std::size_t count) const noexcept {
        // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): what has a count has its texts
        for (std::size_t i = 0; i < count; ++i) apply(const_cast<const char**>(texts)[i]);
    }

  private:
    char* base_;
};

ChildTask& relocate(char* base) noexcept {
    auto& task = *reinterpret_cast<ChildTask*>(base);
    const Relocation real(base);
    real.apply(task.steps);
    for (std::size_t i = 0; i < task.step_count; ++i) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what has a count has its steps
        Step& step = const_cast<Step*>(task.steps)[i];
        real.apply(step.path);
        real.apply(step.text);
        real.apply(step.aux);
    }
    real.apply(task.keep);
    real.apply(task.argv);
    real.apply_all(task.argv, task.argv_size);
    real.apply(task.envp);
    real.apply_all(task.envp, task.envp_size);
    real.apply(task.executables);
    real.apply_all(task.executables, task.executable_count);
    real.apply(task.cwd);
    real.apply(task.rlimits);
    real.apply(task.filter);
    real.apply(task.more_filters);
    real.apply(task.more_filter_lengths);
    real.apply(task.unreported_filter);
    return task;
}

}  // namespace
}  // namespace sandbox

void stagebox_main(char** /*stack*/) noexcept {
    using sandbox::call;
    call(SYS_prctl, PR_SET_NAME, "stagebox-init");
    struct stat status = {};
    if (call(SYS_newfstatat, sandbox::task_fd, "", &status, 0x1000 /* AT_EMPTY_PATH */) < 0) sandbox::give_up();
    const long base = call(SYS_mmap, nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, sandbox::task_fd, 0);
    if (base < 0 && base > -4096) sandbox::give_up();
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a system call's answer
    sandbox::child_main(sandbox::relocate(reinterpret_cast<char*>(base)));
}
