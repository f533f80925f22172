// What a probe found out about this machine: a value, for who shows it. Knows nothing of how it was found.
#pragma once
#include <cstdint>
#include <string>

namespace sandbox {

// ok: works.   limited: jails can be made, but with less.   missing: no jail can be made without it.
enum class Status : std::uint8_t { ok, limited, missing };

struct Finding {
    std::string name;
    Status status = Status::ok;
    std::string detail;  // what was seen
    std::string remedy;  // the command or the step that mends it; empty when ok, or where none is known
};

}  // namespace sandbox
