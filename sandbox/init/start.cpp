// Where the init program begins: it maps its task (launch/task_image.hpp), and becomes the jail's first process.
#include <asm/unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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
    sandbox::child_main(*reinterpret_cast<const sandbox::ChildTask*>(base));
}
