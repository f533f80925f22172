// Text formatting: the one place that includes {fmt}. Its small header is enough, for the formatting itself is compiled once,
// in format.cpp.
#pragma once
#include <fmt/core.h>

namespace sandbox::os {
using fmt::format;
}  // namespace sandbox::os
