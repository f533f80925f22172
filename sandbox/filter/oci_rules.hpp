// A seccomp file in the OCI format, as values: strictly read, with the rules left out that do not apply to
// this jail or machine. Knows nothing of libseccomp or BPF, so system call names and architectures are still
// text. See filter/compile.hpp.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sandbox/os/json.hpp"
#include "sandbox/os/problem.hpp"

namespace sandbox {

// A seccomp file that cannot be used. what() says where in the file: `syscalls[3]: unknown key "argz"`.
class FilterError : public os::Error {
  public:
    using Error::Error;
};

// notify: denied with EPERM, and reported where denials are. The supervising process that the file means, and that
// would decide call by call, is not asked.
enum class FilterVerdict : std::uint8_t { allow, log, fail, trace, trap, notify, kill_thread, kill_process };

struct FilterAction {
    FilterVerdict verdict = FilterVerdict::kill_process;
    std::uint16_t error = 0;  // what `fail` answers, or what `trace` tells the tracer
    bool operator==(const FilterAction&) const = default;
};

// The operators of seccomp_rule_add(3), which compare all 64 bits of an argument on a 64-bit machine.
// masked_equal: (argument & value) == value_two.
enum class FilterOperator : std::uint8_t {
    not_equal,
    less,
    less_or_equal,
    equal,
    greater_or_equal,
    greater,
    masked_equal
};

struct FilterCondition {
    unsigned argument = 0;  // 0 to 5
    FilterOperator op = FilterOperator::equal;
    std::uint64_t value = 0;
    std::uint64_t value_two = 0;
};

struct FilterRule {
    std::string where;  // for errors: "syscalls[3]"
    std::vector<std::string> names;
    FilterAction action;
    std::vector<FilterCondition> conditions;
};

struct FilterRules {
    FilterAction otherwise;
    std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64", beside the native one; may repeat it
    std::vector<FilterRule> rules;
};

struct KernelVersion {
    unsigned major = 0;
    unsigned minor = 0;
    auto operator<=>(const KernelVersion&) const = default;  // NOLINT(modernize-use-nullptr): the tool's own mistake
};

// uname(2)'s release.
KernelVersion running_kernel();

// What decides which rules apply.
struct FilterSetting {
    std::uint64_t capabilities = 0;
    KernelVersion kernel;
};

FilterRules read_filter_rules(const os::Json& oci_seccomp, const FilterSetting& setting);

// Makes these calls allowed whatever their arguments: rules for them go, and one that allows them comes.
void allow_calls(FilterRules& rules, std::span<const std::string> names);

}  // namespace sandbox
