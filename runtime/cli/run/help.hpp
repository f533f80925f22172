// What `stagebox run --help` and `bwrap --help` say.
#pragma once

namespace runtime::cli {

extern const char* const run_help;
extern const char* const bwrap_help;

}  // namespace runtime::cli
