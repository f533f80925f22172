// `stagebox build`: a pipeline, or some of its stages, from the file to the receipt. One thread, one event loop.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "stages/pipeline/pipeline_file.hpp"

namespace runtime::supervisor {

// Whether a build lives in its caller's session, or in one of its own, so that it goes on when that ends.
enum class BuildSession : std::uint8_t { callers, own };

struct BuildOptions {
    std::string file = "stagebox.toml";
    std::vector<std::string> stages;   // none: all
    std::vector<std::string> refresh;  // stages whose result is asked for anew
    stages::Overrides vars;
    std::string store;   // empty: the default
    std::string output;  // directory for the results; empty: they stay in the store
    unsigned jobs = 0;   // stages at the same time; 0: one for each processor
    BuildSession session = BuildSession::callers;
};

// Exit codes of `stagebox build`.
enum ExitCode : int {
    done = 0,
    stage_failed = 1,
    wrong_input = 2,
    jail_failed = 3,
    host_touched = 4,
    interrupted = 130,
    terminated = 143,
};

// Throws ConfigError and the like for what is wrong before the first stage; main turns them into exit codes. With a session
// of its own: returns when the build has begun, in the caller with 0 and in the process that builds when it is over.
int build(const BuildOptions& options);

}  // namespace runtime::supervisor
