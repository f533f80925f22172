// JSON values: the one place that includes nlohmann-json. Keys keep the order in which they were written, so that
// records and reports read like they were meant.
#pragma once
#include <nlohmann/json.hpp>

namespace sandbox::os {
using Json = nlohmann::ordered_json;
}  // namespace sandbox::os
