// `session check`: what the host session looks like, and what in it would be unsafe for a build. `session unmount`: takes away
// what other scripts left mounted. `report`: what a run left on record about the host.
#pragma once
#include "runtime/cli/commands.hpp"
#include "runtime/host/unmount/act.hpp"

namespace runtime::cli {

// 0, or 3 where a finding would keep a build from starting. An empty file: stagebox.toml, if there is one.
int session_check(const PipelineOptions& options, OutputFormat output);

enum class UnmountAct : unsigned char { on_terminal, always, never };
struct UnmountOptions {
    std::string directory;
    std::string max_wait = "10s";
    host::UnmountMode mode = host::UnmountMode::when_free;
    UnmountAct act = UnmountAct::on_terminal;  // where standard input and output are one
    OutputFormat format = OutputFormat::text;
};
// 0 where nothing is left, or nothing was to be done; 1 where something stays. Throws std::invalid_argument on wrong words.
int session_unmount(const UnmountOptions& options);

// The receipt of a run, by its name or how that begins; empty: of the newest that has one. 4 where it is not clean, as the build had.
int report(const std::string& store_name, const std::string& run, OutputFormat output);

}  // namespace runtime::cli
