// The cgroups of a run's jails: looked for once, when the first jail needs one. Says what keeps the limits of a jail,
// and what counts its use. Knows nothing of stages.
#pragma once
#include <memory>
#include <string>

#include "sandbox/cgroup/tree.hpp"
#include "sandbox/probe/probe.hpp"
#include "sandbox/spec/limits.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::jail {

class JailCgroups {
  public:
    // How limits are kept that need a cgroup, for a jail with such ids; looks for cgroups only where there are any.
    // What is unkept has its remedy.
    struct Kept {
        sandbox::KeptLimits limits;
        std::string remedy;
    };
    [[nodiscard]] Kept keep(const sandbox::Limits& limits, sandbox::IdMode ids);
    // The same before the start of the jail: its rlimits go into `spec`. Throws where a limit is unkept.
    void apply(sandbox::BuildSpec& spec);
    // A cgroup with these limits, as far as there are controllers for them; empty where none can be had.
    [[nodiscard]] sandbox::Cgroup make(const sandbox::Limits& limits);
    // For the end of a run: "a cgroup for each jail, in ...", or why there were none. Empty where nobody has looked.
    [[nodiscard]] std::string words() const;
    // Lets go of all; the cgroups must be gone. Once they are, no directory of this run is left.
    void close() { tree_.reset(); }

  private:
    void look();

    std::unique_ptr<sandbox::CgroupTree> tree_;
    bool has_looked_ = false;
    std::string words_;
    std::string remedy_;  // where there is none
    unsigned last_ = 0;
};

// Whether jails can have cgroups here, found out by starting a process in one with limits. The process must have one
// thread.
[[nodiscard]] sandbox::Finding probe_cgroups();

}  // namespace runtime::jail
