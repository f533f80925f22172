// `session check`: what the host session looks like, and what in it would be unsafe for a build. `report`: what a run left
// on record about the host.
#pragma once
#include "runtime/cli/commands.hpp"

namespace runtime::cli {

// 0, or 3 where a finding would keep a build from starting. An empty file: stagebox.toml, if there is one.
int session_check(const PipelineOptions& options, OutputFormat format);

// The receipt of a run by its name in the store; empty: of the newest. 4 where it is not clean, as the build had.
int report(const std::string& store, const std::string& run, OutputFormat format);

}  // namespace runtime::cli
