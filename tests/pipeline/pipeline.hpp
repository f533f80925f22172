// What the tests of whole builds have in common.
#pragma once
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/host.hpp"
#include "tests/support/workspace.hpp"

namespace tests::pipeline {

using support::Process;
using support::Result;
using support::state_of;
using support::states;
using support::Workspace;

inline std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

// `stages`, after one that gives them a root with a shell.
inline std::string with_tools(std::string_view stages) {
    return std::string(support::tools_stage) + std::string(stages);
}

inline bool says(const Result& result, std::string_view text) {
    return result.err.find(text) != std::string::npos || result.out.find(text) != std::string::npos;
}

// `stagebox receipt`; of the newest run, where none is named.
inline Result receipt_of(const Workspace& workspace, const std::vector<std::string>& words = {}) {
    std::vector<std::string> argv{support::stagebox_program(), "receipt", "--store", workspace.store()};
    argv.insert(argv.end(), words.begin(), words.end());
    return support::run({.argv = argv});
}

// Nothing of the builds of this workspace runs, is mounted or waits to be deleted.
inline bool is_at_rest(const Workspace& workspace) {
    return support::processes_with(workspace.path()).empty() && support::mounts_with(workspace.path()).empty() &&
           workspace.names_in("staging").empty() && workspace.names_in("trash").empty() &&
           workspace.names_in("locks").empty();
}

}  // namespace tests::pipeline
