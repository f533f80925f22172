// What keeps a jail's limits where there is no cgroup for one of them: rlimits, where they say the same; where they say
// less, only if that was asked for (LimitFallback). Pure.
//   pids: RLIMIT_NPROC counts, since Linux 5.14, the processes of one id in one user namespace (and at most that in
//   those below it). A jail has a user namespace of its own: with one id, that is the whole jail; with a range, each id
//   counts for itself.
//   memory: RLIMIT_DATA counts what one process has written privately, so a jail of N processes can have N times as
//   much; neither files nor what is shared count.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/spec/spec.hpp"

namespace sandbox {

struct KeptLimits {
    std::vector<std::string_view> unkept;  // by name; the jail must not be started
    std::vector<RlimitValue> rlimits;      // to be set for it
    // What is not kept by a cgroup, for people: "pids by RLIMIT_NPROC", "cpu not at all".
    std::vector<std::string> otherwise;
};

// The names of those that need a cgroup.
[[nodiscard]] std::vector<std::string_view> limits_of_cgroup(const Limits& limits);
// `lacking`: those of them for which there is none.
[[nodiscard]] KeptLimits keep_otherwise(const Limits& limits, std::span<const std::string_view> lacking, IdMode ids);
// The rlimits of `more` beside those that are there; of two for the same, the lower one.
void add_rlimits(std::vector<RlimitValue>& rlimits, std::span<const RlimitValue> more);

}  // namespace sandbox
