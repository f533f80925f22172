#include "sandbox/os/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox::os {
namespace {

constexpr unsigned may_execute = 0x0010;  // MFD_EXEC, Linux 6.3

}  // namespace

Fd new_memory_file(const std::string& name) {
    return Fd(sys([&] { return ::memfd_create(name.c_str(), MFD_CLOEXEC); }, "make memory for {}", name));
}

std::string content_of(const Fd& file) {
    sys([&] { return ::lseek(file.get(), 0, SEEK_SET); }, "go to the beginning of a file in memory");
    return read_all(file.get(), "a file in memory");
}

Fd new_program_file(const std::string& name, std::string_view program) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    long made = try_sys([&] { return ::memfd_create(name.c_str(), flags | may_execute); });
    // A kernel that does not know MFD_EXEC makes every such file executable.
    if (made < 0) made = sys([&] { return ::memfd_create(name.c_str(), flags); }, "make memory for {}", name);
    Fd file(static_cast<int>(made));
    write_all(file.get(), program, name);
    sys([&] { return ::fchmod(file.get(), 0555); }, "protect {}", name);
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    sys([&] { return ::fcntl(file.get(), F_ADD_SEALS, seals); }, "seal {}", name);
    return file;
}

}  // namespace sandbox::os
