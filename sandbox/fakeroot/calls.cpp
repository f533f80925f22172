#include "sandbox/fakeroot/calls.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "sandbox/filter/bpf.hpp"
#include "sandbox/filter/compile.hpp"

namespace sandbox::fakeroot {
namespace {

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the fakeroot is written for x86-64 and arm64: their struct stat is the kernel's own"
#endif
constexpr std::uint32_t x32_bit = 0x40000000;
constexpr std::uint64_t creates = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);

int as_int(std::uint64_t argument) {
    return static_cast<int>(static_cast<std::uint32_t>(argument));
}
std::uint32_t as_id(std::uint64_t argument) {
    return static_cast<std::uint32_t>(argument);
}
LastLink by_flag(std::uint64_t flags) {
    return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? LastLink::keep : LastLink::follow;
}

using Arguments = const unsigned long long*;

Stat stat_at(FileName file, std::uint64_t answer, std::uint64_t flags) {
    return {.file = file, .last_link = by_flag(flags), .flags = as_int(flags), .answer = answer};
}

Stat statx_at(Arguments a) {
    return {.file = {as_int(a[0]), a[1]},
            .last_link = by_flag(a[2]),
            .kind = StatKind::statx,
            .flags = as_int(a[2]),
            .mask = as_id(a[3]),
            .answer = a[4]};
}

// What every machine has.
Call read_common(int number, Arguments a) {
    switch (number) {
        case SYS_fstat: return stat_at({as_int(a[0]), 0}, a[1], 0);
        case SYS_newfstatat: return stat_at({as_int(a[0]), a[1]}, a[2], a[3]);
        case SYS_statx: return statx_at(a);
        case SYS_fchown: return Chown{{as_int(a[0]), 0}, LastLink::follow, as_id(a[1]), as_id(a[2])};
        case SYS_fchownat: return Chown{{as_int(a[0]), a[1]}, by_flag(a[4]), as_id(a[2]), as_id(a[3])};
        case SYS_openat:
            if ((a[2] & creates) == 0) return Unknown{};
            return Open{{as_int(a[0]), a[1]}, a[2], as_id(a[3])};
        case SYS_openat2: return OpenHow{{as_int(a[0]), a[1]}, a[2], a[3]};
        case SYS_mkdirat: return Make{{as_int(a[0]), a[1]}, S_IFDIR | (as_id(a[2]) & 07777U), 0};
        case SYS_mknodat: return Make{{as_int(a[0]), a[1]}, as_id(a[2]), a[3]};
        case SYS_symlinkat: return Link{{as_int(a[1]), a[2]}, a[0]};
        case SYS_listxattr: return ListAttributes{{AT_FDCWD, a[0]}, LastLink::follow, a[1], a[2]};
        case SYS_llistxattr: return ListAttributes{{AT_FDCWD, a[0]}, LastLink::keep, a[1], a[2]};
        case SYS_flistxattr: return ListAttributes{{as_int(a[0]), 0}, LastLink::follow, a[1], a[2]};
        case SYS_prctl:
            if (as_int(a[0]) != PR_SET_KEEPCAPS) return Unknown{};
            return Identify{number};
        case SYS_setuid:
        case SYS_setgid:
        case SYS_setreuid:
        case SYS_setregid:
        case SYS_setresuid:
        case SYS_setresgid:
        case SYS_setfsuid:
        case SYS_setfsgid:
        case SYS_setgroups:
        case SYS_getuid:
        case SYS_geteuid:
        case SYS_getgid:
        case SYS_getegid:
        case SYS_getresuid:
        case SYS_getresgid:
        case SYS_getgroups: return Identify{number};
        default: return Unknown{};
    }
}

#if defined(__x86_64__)
// What only older machines have, whose calls came before the *at family.
Call read_older(int number, Arguments a) {
    switch (number) {
        case SYS_stat: return stat_at({AT_FDCWD, a[0]}, a[1], 0);
        case SYS_lstat: return stat_at({AT_FDCWD, a[0]}, a[1], AT_SYMLINK_NOFOLLOW);
        case SYS_chown: return Chown{{AT_FDCWD, a[0]}, LastLink::follow, as_id(a[1]), as_id(a[2])};
        case SYS_lchown: return Chown{{AT_FDCWD, a[0]}, LastLink::keep, as_id(a[1]), as_id(a[2])};
        case SYS_open:
            if ((a[1] & creates) == 0) return Unknown{};
            return Open{{AT_FDCWD, a[0]}, a[1], as_id(a[2])};
        case SYS_creat: return Open{{AT_FDCWD, a[0]}, O_CREAT | O_WRONLY | O_TRUNC, as_id(a[1])};
        case SYS_mkdir: return Make{{AT_FDCWD, a[0]}, S_IFDIR | (as_id(a[1]) & 07777U), 0};
        case SYS_mknod: return Make{{AT_FDCWD, a[0]}, as_id(a[1]), a[2]};
        case SYS_symlink: return Link{{AT_FDCWD, a[1]}, a[0]};
        default: return Unknown{};
    }
}
#endif

// ---- the filter --------------------------------------------------------------------------------------------------

// A call to ask about: always, or where an argument has one of these bits, or is this number.
enum class Question : std::uint8_t { always, any_bit, equal };
struct Asked {
    std::uint32_t number;
    Question question = Question::always;
    std::uint32_t argument = 0;
    std::uint32_t value = 0;
};

std::vector<Asked> all_asked() {
    std::vector<Asked> all;
    for (const long number :
         {SYS_fstat,    SYS_newfstatat, SYS_statx,     SYS_fchown,     SYS_fchownat,   SYS_openat2,   SYS_mkdirat,
          SYS_mknodat,  SYS_symlinkat,  SYS_listxattr, SYS_llistxattr, SYS_flistxattr, SYS_setuid,    SYS_setgid,
          SYS_setreuid, SYS_setregid,   SYS_setresuid, SYS_setresgid,  SYS_setfsuid,   SYS_setfsgid,  SYS_setgroups,
          SYS_getuid,   SYS_geteuid,    SYS_getgid,    SYS_getegid,    SYS_getresuid,  SYS_getresgid, SYS_getgroups}) {
        all.push_back({static_cast<std::uint32_t>(number)});
    }
    all.push_back({SYS_openat, Question::any_bit, 2, static_cast<std::uint32_t>(creates)});
    all.push_back({SYS_prctl, Question::equal, 0, PR_SET_KEEPCAPS});
#if defined(__x86_64__)
    for (const long number :
         {SYS_stat, SYS_lstat, SYS_chown, SYS_lchown, SYS_creat, SYS_mkdir, SYS_mknod, SYS_symlink}) {
        all.push_back({static_cast<std::uint32_t>(number)});
    }
    all.push_back({SYS_open, Question::any_bit, 1, static_cast<std::uint32_t>(creates)});
#endif
    std::ranges::sort(all, {}, &Asked::number);
    return all;
}

class Writer {
  public:
    FilterProgram program() {
        load(offsetof(seccomp_data, arch));
        jump(BPF_JEQ, native_architecture, 1, 0);
        answer(SECCOMP_RET_ERRNO | ENOSYS);
        load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
        jump(BPF_JGE, x32_bit, 0, 1);
        answer(SECCOMP_RET_ERRNO | ENOSYS);
#endif
        const std::vector<Asked> all = all_asked();
        search(all, 0, all.size());
        FilterProgram program;
        for (const sock_filter& instruction : code_) {
            std::uint64_t raw = 0;
            std::memcpy(&raw, &instruction, sizeof raw);
            program.instructions.push_back(raw);
        }
        return program;
    }

  private:
    void add(std::uint32_t code, std::uint8_t yes, std::uint8_t no, std::uint32_t k) {
        code_.push_back({static_cast<std::uint16_t>(code), yes, no, k});
    }
    void load(std::size_t offset) {
        add(BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset));
    }
    void jump(std::uint32_t how, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
        add(BPF_JMP | how | BPF_K, yes, no, k);
    }
    void answer(std::uint32_t value) {
        add(BPF_RET | BPF_K, 0, 0, value);
    }

    // A binary search; the accumulator holds the number.
    void search(const std::vector<Asked>& all, std::size_t begin, std::size_t end) {
        if (end - begin == 1) {
            leaf(all[begin]);
            return;
        }
        const std::size_t middle = begin + (end - begin) / 2;
        jump(BPF_JGE, all[middle].number, 0, 1);
        const std::size_t right = code_.size();
        add(BPF_JMP | BPF_JA, 0, 0, 0);
        search(all, begin, middle);
        code_[right].k = static_cast<std::uint32_t>(code_.size() - right - 1);
        search(all, middle, end);
    }

    void leaf(const Asked& asked) {
        const bool has_question = asked.question != Question::always;
        jump(BPF_JEQ, asked.number, 0, has_question ? 3 : 1);
        if (has_question) {
            // The lower half of an argument, on the little-endian machines that this is written for.
            load(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * asked.argument);
            jump(asked.question == Question::any_bit ? BPF_JSET : BPF_JEQ, asked.value, 0, 1);
        }
        answer(SECCOMP_RET_USER_NOTIF);
        answer(SECCOMP_RET_ALLOW);
    }

    std::vector<sock_filter> code_;
};

}  // namespace

Call read_call(const seccomp_data& data) {
    if (data.arch != native_architecture) return Unknown{};
    Call call = read_common(data.nr, data.args);
#if defined(__x86_64__)
    if (std::holds_alternative<Unknown>(call)) call = read_older(data.nr, data.args);
#endif
    return call;
}

FilterProgram question_filter() {
    return Writer().program();
}

FilterProgram with_questions(const FilterProgram& profile) {
    if (profile.instructions.empty()) return question_filter();
    const std::array<FilterProgram, 2> both = {question_filter(), profile};
    return chain_filters(both);
}

}  // namespace sandbox::fakeroot
