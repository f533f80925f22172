// Whom a command prints for: people, or programs (--json).
#pragma once

namespace runtime::cli {

enum class OutputFormat : unsigned char { text, json };

}  // namespace runtime::cli
