// What a probe found out about this machine: a value, for who shows it. Knows nothing of how it was found.
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "sandbox/os/problem.hpp"

namespace sandbox {

// ok: works.   limited: jails can be made, but with less.   missing: no jail can be made without it.
enum class Status : std::uint8_t { ok, limited, missing };

struct Finding {
    std::string name;
    Status status = Status::ok;
    os::Problem problem;  // what was seen, and what mends it: no remedy when ok, or where none is known

    Finding(std::string what_for, Status how, std::string seen, std::string remedy)
        : Finding(std::move(what_for), how, os::Problem{std::move(seen), std::move(remedy)}) {}
    Finding(std::string what_for, Status how, os::Problem found)
        : name(std::move(what_for)), status(how), problem(std::move(found)) {}
};

}  // namespace sandbox
