// What stagebox.lock notes of a stage with a network, as the stage's run holds its result against it. Knows nothing of
// the file.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "runtime/store/record.hpp"

namespace runtime::engine {

// Which results of stages with a network a build takes.
enum class LockUse : std::uint8_t {
    noted,   // whichever there is; where it is not the one that is noted, that is told
    locked,  // the one that is noted, and no other
};

struct NotedResult {
    std::optional<store::Object> layer;
    std::map<std::string, store::Object> artifacts;
    [[nodiscard]] bool is_of(const store::Record& record) const {
        return layer == record.layer && artifacts == record.artifacts;
    }
};

}  // namespace runtime::engine
