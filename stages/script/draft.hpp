// A first pipeline for a build script: stagebox.toml, a script for each of its phases, and what all of them read. As
// texts; writes no file. Whatever cannot be carried over stands in comments of these texts.
#pragma once
#include <string>
#include <vector>

#include "stages/script/hazards.hpp"
#include "stages/script/phases.hpp"

namespace stages::script {

struct DraftFile {
    std::string name;  // beside the pipeline file
    std::string content;
    bool is_executable = false;
};

struct Draft {
    Seam seam = Seam::none;
    std::size_t phases = 0;
    std::vector<DraftFile> files;  // the pipeline first
};

// Of the script, and of those that it reads with "." or "source" (Script::input_name), which become inputs.
Draft make_draft(const std::vector<Script>& scripts);

}  // namespace stages::script
