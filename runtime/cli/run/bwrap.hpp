// The program under the name bwrap: it takes bubblewrap's place for programs that call that (bwrap(1), version 0.11).
// What stagebox run does more by default it does not do here: a caller of bwrap has written its own contract with it.
#pragma once
#include <string>
#include <vector>

namespace runtime::cli {

// Whether argv[0] is a path to bwrap.
bool is_bwrap(const std::string& program);

// The command's own exit code; 128+N for signal N; 1 for everything that went wrong before it started.
int bwrap(const std::vector<std::string>& arguments);

}  // namespace runtime::cli
