// Calls in words.
#include "runtime/jail/denial_words.hpp"

#include <linux/audit.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/denials.hpp"
#include "sandbox/filter/eval.hpp"
#include "tests/support/catch.hpp"

using namespace runtime::jail;
using sandbox::native_call;

namespace {

std::string no_text(std::uint64_t) {
    return "/some/path";
}

seccomp_data call_with(int number, std::initializer_list<std::uint64_t> arguments) {
    seccomp_data call = native_call(number);
    std::size_t i = 0;
    for (const std::uint64_t argument : arguments) call.args[i++] = argument;
    return call;
}

}  // namespace

TEST_CASE("calls are shown with what can be shown of them", "[denials]") {
    CHECK(show_call("mount", call_with(SYS_mount, {1, 1, 1, MS_BIND | MS_REC, 4711}), no_text) ==
          R"(mount("/some/path", "/some/path", "/some/path", MS_BIND|MS_REC, …))");
    CHECK(show_call("mount (x86)", call_with(SYS_mount, {0, 0, 0, 0, 0}), no_text) ==
          "mount (x86)(NULL, NULL, NULL, 0x0, …)");
    CHECK(show_call("socket", call_with(SYS_socket, {AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0}), no_text) ==
          "socket(AF_ALG, SOCK_SEQPACKET, 0)");
    // The kernel looks at 32 bits of a request.
    CHECK(show_call("ioctl", call_with(SYS_ioctl, {0, 0xffffffff00005412, 1}), no_text) == "ioctl(0, TIOCSTI, …)");
    CHECK(show_call("brk", call_with(SYS_brk, {1}), no_text) == "brk(…)");
    const auto unreadable = [](std::uint64_t) { return std::optional<std::string>(); };
    CHECK(show_call("swapon", call_with(SYS_swapon, {1, 0}), unreadable) == "swapon(…, 0x0)");
    const auto rude = [](std::uint64_t) { return std::string("/a\033[2J\nb"); };
    CHECK(show_call("chroot", call_with(SYS_chroot, {1}), rude) == "chroot(\"/a?[2J?b\")");
    const auto endless = [](std::uint64_t) { return std::string(4000, 'x'); };
    CHECK(show_call("chroot", call_with(SYS_chroot, {1}), endless).size() < 300);
    CHECK(telling_argument("ioctl", call_with(SYS_ioctl, {0, 0x5412, 1})) == 0x5412);
    CHECK(telling_argument("mount", call_with(SYS_mount, {7, 7})) == 0);
    CHECK(error_name(EPERM) == "EPERM");
    CHECK(error_name(4000) == "errno 4000");
}

TEST_CASE("system calls have their names in each ABI", "[denials]") {
    CHECK(sandbox::call_name(AUDIT_ARCH_X86_64, 165) == "mount");
    CHECK(sandbox::call_name(AUDIT_ARCH_I386, 21) == "mount (x86)");
    CHECK(sandbox::call_name(AUDIT_ARCH_X86_64, 9999) == "system call 9999");
}
