// From a pipeline file to a Pipeline in which every name is known, every local file is there, and no stage
// needs itself. The file's format is described in stagebox.toml.5.md. Knows nothing of jails, stores or what
// is built already.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "sandbox/config/keys.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages {

// --var NAME=VALUE of the command line, in its order: of two for one name the later counts.
using Overrides = std::vector<std::pair<std::string, std::string>>;

// Throws ConfigError. Of several errors of one kind the first in the order of the file; faults of single
// values come before what the stages say about each other, and cycles last.
Pipeline read_pipeline(const std::string& path, const Overrides& overrides = {});
// `name` is how errors call the file.
Pipeline read_pipeline(const std::string& path, const Overrides& overrides, const std::string& name);

// The keys at the top of a pipeline file, and below them all others.
std::vector<sandbox::KeyInfo> top_infos();

// An error about a place of the file, found later than reading: the same form, the file's line shown again if
// it can still be read.
sandbox::ConfigError error_at(const Pipeline& pipeline, Position at, std::string message, std::string hint = {});

}  // namespace stages
