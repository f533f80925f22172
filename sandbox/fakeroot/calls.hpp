// Which system calls a fakeroot answers, and what they ask for: numbers and arguments become values. Pure; knows
// nothing of processes or files. The filter of a jail and the server of its view (fakeroot/server.hpp) both read this
// list.
#pragma once
#include <linux/seccomp.h>

#include <cstdint>
#include <string>
#include <variant>

#include "sandbox/spec/spec.hpp"

namespace sandbox::fakeroot {

// A file as a call names it: a path in the caller's memory, from a directory descriptor or AT_FDCWD; or, with no path
// (address 0) or an empty one, the descriptor itself.
struct FileName {
    int directory = -1;
    std::uint64_t path = 0;  // address
    bool operator==(const FileName&) const = default;
};
enum class LastLink : std::uint8_t { follow, keep };

enum class StatKind : std::uint8_t { stat, statx };
struct Stat {
    FileName file;
    LastLink last_link = LastLink::follow;
    StatKind kind = StatKind::stat;
    int flags = 0;           // AT_*
    std::uint32_t mask = 0;  // statx
    std::uint64_t answer = 0;
};
struct Chown {
    FileName file;
    LastLink last_link = LastLink::follow;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};
// A call that makes a file where there may be none.
struct Open {
    FileName file;
    std::uint64_t flags = 0;
    std::uint32_t mode = 0;
};
// openat2(2): flags and mode stand in the caller's memory.
struct OpenHow {
    FileName file;
    std::uint64_t how = 0;
    std::uint64_t size = 0;
};
struct Make {
    FileName file;
    std::uint32_t mode = 0;    // with its S_IFMT: a directory, a device, a FIFO...
    std::uint64_t device = 0;  // as mknod(2) takes it
};
struct Link {
    FileName file;
    std::uint64_t points_to = 0;  // address
};
struct ListAttributes {
    FileName file;
    LastLink last_link = LastLink::follow;
    std::uint64_t answer = 0;
    std::uint64_t size = 0;
};
// setuid(2) and its kin, getuid(2) and its kin, PR_SET_KEEPCAPS: told apart by number.
struct Identify {
    int number = 0;
};
struct Unknown {};

using Call = std::variant<Unknown, Stat, Chown, Open, OpenHow, Make, Link, ListAttributes, Identify>;

// Unknown for what the filter does not ask about.
Call read_call(const seccomp_data& data);

// The filter that asks, to be put in front of a profile's: USER_NOTIF for the calls above, ENOSYS for every call of
// another ABI of the machine (whose numbers and structures this view does not know, and which would show what is not
// so), ALLOW for the rest.
FilterProgram question_filter();

// Both, to be installed with a listener. An empty profile is no filter.
FilterProgram with_questions(const FilterProgram& profile);

}  // namespace sandbox::fakeroot
