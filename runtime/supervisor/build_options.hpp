// What a build is told.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/engine/noted_result.hpp"
#include "stages/pipeline/pipeline_file.hpp"

namespace runtime::supervisor {

// Whether a build lives in its caller's session, or in one of its own, so that it goes on when that ends.
enum class BuildSession : std::uint8_t { callers, own };

// How it is known which pipeline file is meant.
enum class FileChoice : std::uint8_t { named, found };

struct BuildOptions {
    std::string file = "stagebox.toml";
    FileChoice file_choice = FileChoice::named;
    std::vector<std::string> stages;   // none: all
    std::vector<std::string> refresh;  // stages whose result is asked for anew
    stages::Overrides vars;
    std::vector<std::string> allow;  // permissions that are granted, as words with commas between them
    std::string store;               // empty: the default
    std::string output;              // directory for the results; empty: they stay in the store
    unsigned jobs = 0;               // stages at the same time; 0: one for each processor
    BuildSession session = BuildSession::callers;
    engine::LockUse lock_use = engine::LockUse::noted;
};

}  // namespace runtime::supervisor
