// Text formatting: the one place that includes {fmt}.
#pragma once
#include <fmt/format.h>

namespace sandbox::os {
using fmt::format;
}  // namespace sandbox::os
