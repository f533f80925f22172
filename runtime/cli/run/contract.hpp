// Whose options are read.
#pragma once
#include <cstdint>

namespace runtime::cli {

// stagebox:   everything fenced that can be, unless an option says otherwise; a few options more.
// bubblewrap: everything shared, unless an option says otherwise: what callers of bwrap(1) rely on.
enum class Contract : std::uint8_t { stagebox, bubblewrap };

}  // namespace runtime::cli
