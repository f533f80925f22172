// `stagebox run` with the probe in it, for both ways of mapping ids.
#pragma once
#include <string>
#include <vector>

#include "tests/support/host.hpp"
#include "tests/support/process.hpp"
#include "tests/support/workspace.hpp"

namespace tests::jail {

using support::Result;
using support::Start;
using Words = std::vector<std::string>;

inline Words join(Words first, const Words& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

// A root of nothing but the probe, /proc and /dev.
inline Words bare() {
    return {"--ro-bind", support::probe_program(), "/probe", "--proc", "/proc", "--dev", "/dev"};
}

// The same with the host's programs.
inline Words with_programs() {
    return join(bare(), {"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
                         "--symlink", "usr/lib64", "/lib64", "--tmpfs", "/tmp"});
}

inline Start start_of(const Words& options, const Words& command) {
    return {.argv = join(join({support::stagebox_program(), "run"}, options), join({"--"}, command))};
}

inline Result run(const Words& options, const Words& command) {
    return support::run(start_of(options, command));
}

// The probe in a bare root.
inline Result probe(const std::string& ids, const Words& command) {
    return run(join({"--ids", ids}, bare()), join({"/probe"}, command));
}

// A shell script among the host's programs.
inline Result shell(const std::string& ids, const std::string& script) {
    return run(join({"--ids", ids}, with_programs()), {"sh", "-c", script});
}

// The same without a jail, to see what the machine itself says.
inline Result probe_outside(const Words& command) {
    return support::run({.argv = join({support::probe_program()}, command)});
}

}  // namespace tests::jail
