#include "sandbox/spec/limits.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace sandbox {
namespace {

RlimitValue rlimit(int resource, std::uint64_t value) {
    return {.resource = resource, .soft = value, .hard = value};
}

}  // namespace

std::vector<std::string_view> limits_of_cgroup(const Limits& limits) {
    std::vector<std::string_view> names;
    if (limits.pids) names.emplace_back("pids");
    if (limits.memory) names.emplace_back("memory");
    if (limits.cpu) names.emplace_back("cpu");
    if (limits.io_weight) names.emplace_back("io-weight");
    return names;
}

KeptLimits keep_otherwise(const Limits& limits, std::span<const std::string_view> lacking, IdMode ids) {
    const bool less_is_fine = limits.fallback == LimitFallback::rlimits;
    KeptLimits kept;
    for (const std::string_view name : lacking) {
        if (name == "pids" && (less_is_fine || ids == IdMode::single)) {
            kept.rlimits.push_back(rlimit(RLIMIT_NPROC, *limits.pids + 1));  // init is ours
            kept.otherwise.emplace_back(ids == IdMode::single ? "pids by RLIMIT_NPROC"
                                                              : "pids by RLIMIT_NPROC, for each id of the jail");
        } else if (!less_is_fine) {
            kept.unkept.push_back(name);
        } else if (name == "memory") {
            kept.rlimits.push_back(rlimit(RLIMIT_DATA, *limits.memory));
            kept.otherwise.emplace_back("memory by RLIMIT_DATA, for each process");
        } else {
            kept.otherwise.push_back(std::string(name) + " not at all");
        }
    }
    return kept;
}

void add_rlimits(std::vector<RlimitValue>& rlimits, std::span<const RlimitValue> more) {
    for (const RlimitValue& one : more) {
        const auto there =
            std::ranges::find_if(rlimits, [&](const RlimitValue& other) { return other.resource == one.resource; });
        if (there == rlimits.end()) {
            rlimits.push_back(one);
        } else {
            there->soft = std::min(there->soft, one.soft);
            there->hard = std::min(there->hard, one.hard);
        }
    }
}

}  // namespace sandbox
