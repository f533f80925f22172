#include "sandbox/filter/compile.hpp"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "sandbox/filter/bpf.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::format;
using os::printable;
using os::quote;

struct ReleaseFilter {
    void operator()(void* context) const noexcept { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseFilter>;
static_assert(std::is_same_v<scmp_filter_ctx, void*>);

std::string in_words(int rc) {
    return std::generic_category().message(-rc);
}

std::uint32_t raw_action(const FilterAction& action) {
    switch (action.verdict) {
        case FilterVerdict::allow: return SCMP_ACT_ALLOW;
        case FilterVerdict::log: return SCMP_ACT_LOG;
        case FilterVerdict::fail: return SCMP_ACT_ERRNO(action.error);
        case FilterVerdict::trace: return SCMP_ACT_TRACE(action.error);
        case FilterVerdict::trap: return SCMP_ACT_TRAP;
        case FilterVerdict::notify: return SCMP_ACT_ERRNO(EPERM);
        case FilterVerdict::kill_thread: return SCMP_ACT_KILL_THREAD;
        case FilterVerdict::kill_process: return SCMP_ACT_KILL_PROCESS;
    }
    return SCMP_ACT_KILL_PROCESS;
}

bool permits(const FilterAction& action) {
    return action.verdict == FilterVerdict::allow || action.verdict == FilterVerdict::log;
}

scmp_arg_cmp raw_condition(const FilterCondition& condition) {
    scmp_compare op = SCMP_CMP_EQ;
    switch (condition.op) {
        case FilterOperator::not_equal: op = SCMP_CMP_NE; break;
        case FilterOperator::less: op = SCMP_CMP_LT; break;
        case FilterOperator::less_or_equal: op = SCMP_CMP_LE; break;
        case FilterOperator::equal: op = SCMP_CMP_EQ; break;
        case FilterOperator::greater_or_equal: op = SCMP_CMP_GE; break;
        case FilterOperator::greater: op = SCMP_CMP_GT; break;
        case FilterOperator::masked_equal: op = SCMP_CMP_MASKED_EQ; break;
    }
    return {condition.argument, op, condition.value, condition.value_two};
}

// "SCMP_ARCH_X86_64" -> libseccomp's "x86_64".
std::uint32_t architecture_token(const std::string& name) {
    static constexpr std::string_view prefix = "SCMP_ARCH_";
    if (!name.starts_with(prefix)) throw FilterError(format("unknown architecture {}", quote(name)));
    std::string bare = name.substr(prefix.size());
    std::ranges::transform(bare, bare.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    const std::uint32_t token = seccomp_arch_resolve_name(bare.c_str());
    if (token == 0) throw FilterError(format("unknown architecture {}", quote(name)));
    return token;
}

// A permission without conditions makes libseccomp drop every conditional rule for the same call, whatever it
// says.
void check_shadows(const FilterRules& rules) {
    std::unordered_map<std::string, bool> permitted;  // by the first rule without conditions
    for (const FilterRule& rule : rules.rules) {
        if (!rule.conditions.empty()) continue;
        for (const std::string& name : rule.names) permitted.try_emplace(name, permits(rule.action));
    }
    for (const FilterRule& rule : rules.rules) {
        if (rule.conditions.empty() || permits(rule.action)) continue;
        for (const std::string& name : rule.names) {
            const auto it = permitted.find(name);
            if (it == permitted.end() || !it->second) continue;
            throw FilterError(
                format("{}: \"{}\" is also allowed without conditions, so this denial would never be "
                       "asked; put it into a filter of its own",
                       rule.where, printable(name)));
        }
    }
}

class Compiler {
  public:
    explicit Compiler(const FilterRules& rules);
    [[nodiscard]] FilterProgram program() const;

  private:
    void set(scmp_filter_attr attribute, std::uint32_t value, const char* what);
    void add_architectures(const std::vector<std::string>& names);
    void add(const FilterRule& rule);
    void add(const FilterRule& rule, const std::string& name, int number, const std::vector<scmp_arg_cmp>& all);

    std::uint32_t otherwise_;
    Context context_;
};

Compiler::Compiler(const FilterRules& rules)
    : otherwise_(raw_action(rules.otherwise)), context_(seccomp_init(otherwise_)) {
    if (context_ == nullptr) throw FilterError("libseccomp refuses the default action");
    set(SCMP_FLTATR_ACT_BADARCH, permits(rules.otherwise) ? SCMP_ACT_KILL_PROCESS : otherwise_,
        "the action for other architectures");
    // A binary search by number in place of one comparison after the other: shorter for the payload, and
    // above all for the kernel, which walks the program once for every number when it is installed.
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2, "the binary tree");
    add_architectures(rules.architectures);
    for (const FilterRule& rule : rules.rules) add(rule);
}

void Compiler::set(scmp_filter_attr attribute, std::uint32_t value, const char* what) {
    const int rc = seccomp_attr_set(context_.get(), attribute, value);
    if (rc != 0) throw FilterError(format("libseccomp refuses {}: {}", what, in_words(rc)));
}

void Compiler::add_architectures(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const int rc = seccomp_arch_add(context_.get(), architecture_token(name));
        if (rc != 0 && rc != -EEXIST) {
            throw FilterError(format("architecture {} cannot be filtered on this machine: {}", name, in_words(rc)));
        }
    }
}

void Compiler::add(const FilterRule& rule) {
    // libseccomp refuses a rule that says what happens anyway.
    if (raw_action(rule.action) == otherwise_) return;
    std::vector<scmp_arg_cmp> conditions;
    unsigned seen = 0;
    bool repeated = false;
    for (const FilterCondition& condition : rule.conditions) {
        repeated = repeated || (seen >> condition.argument & 1U) != 0;
        seen |= 1U << condition.argument;
        conditions.push_back(raw_condition(condition));
    }
    for (const std::string& name : rule.names) {
        const int number = seccomp_syscall_resolve_name(name.c_str());
        if (number == __NR_SCMP_ERROR) continue;
        if (!repeated) {
            add(rule, name, number, conditions);
            continue;
        }
        for (const scmp_arg_cmp& one : conditions) add(rule, name, number, {one});
    }
}

void Compiler::add(const FilterRule& rule, const std::string& name, int number, const std::vector<scmp_arg_cmp>& all) {
    const int rc = seccomp_rule_add_array(context_.get(), raw_action(rule.action), number,
                                          static_cast<unsigned>(all.size()), all.data());
    if (rc == 0) return;
    if (rc == -EEXIST) {
        throw FilterError(
            format("{}: \"{}\" already has a rule for the same case with another action", rule.where, printable(name)));
    }
    throw FilterError(format("{}: libseccomp refuses \"{}\": {}", rule.where, printable(name), in_words(rc)));
}

FilterProgram Compiler::program() const {
    const os::Fd file(os::sys([] { return ::memfd_create("filter", MFD_CLOEXEC); }, "make memory for a filter"));
    const int rc = seccomp_export_bpf(context_.get(), file.get());
    if (rc != 0) throw FilterError(format("libseccomp cannot write the filter: {}", in_words(rc)));
    struct stat status {};
    os::sys([&] { return ::fstat(file.get(), &status); }, "measure a filter");
    FilterProgram program;
    program.instructions.resize(static_cast<std::size_t>(status.st_size) / sizeof(sock_filter));
    const std::size_t bytes = program.instructions.size() * sizeof(sock_filter);
    const auto got =
        os::sys([&] { return ::pread(file.get(), program.instructions.data(), bytes, 0); }, "read a filter");
    if (static_cast<std::size_t>(got) != bytes) throw FilterError("the filter was cut short");
    if (program.instructions.size() > BPF_MAXINSNS) {
        throw FilterError(
            format("the filter has {} instructions; the kernel takes {}", program.instructions.size(), BPF_MAXINSNS));
    }
    return program;
}

}  // namespace

bool is_system_call(const std::string& name) {
    return seccomp_syscall_resolve_name(name.c_str()) != __NR_SCMP_ERROR;
}

std::string filter_compiler() {
    const scmp_version* version = seccomp_version();
    return format("libseccomp {}.{}.{}", version->major, version->minor, version->micro);
}

std::string call_name(std::uint32_t arch, int number) {
    constexpr std::uint32_t x32_bit = 0x40000000;
    std::uint32_t token = arch;
    if (arch == SCMP_ARCH_X86_64 && (static_cast<std::uint32_t>(number) & x32_bit) != 0) token = SCMP_ARCH_X32;
    struct FreeText {
        void operator()(char* text) const noexcept { ::free(text); }  // NOLINT: from malloc, by libseccomp's contract
    };
    const std::unique_ptr<char, FreeText> name(seccomp_syscall_resolve_num_arch(token, number));
    if (name == nullptr) return format("system call {}", number);
    if (token == seccomp_arch_native()) return name.get();
    const std::string_view abi = token == SCMP_ARCH_X86 ? "x86" : token == SCMP_ARCH_X32 ? "x32" : "other ABI";
    return format("{} ({})", name.get(), abi);
}

FilterProgram compile_rules(const FilterRules& rules) {
    check_shadows(rules);
    return Compiler(rules).program();
}

FilterProgram compile_filter(const os::Json& oci_seccomp, std::uint64_t capabilities) {
    return compile_rules(read_filter_rules(oci_seccomp, {capabilities, running_kernel()}));
}

FilterProgram chain_filters(std::span<const FilterProgram> programs) {
    FilterProgram chain;
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const std::vector<std::uint64_t>& part = programs[i].instructions;
        const bool last = i + 1 == programs.size();
        for (std::size_t at = 0; at < part.size(); ++at) {
            const sock_filter instruction = decode_bpf(part[at]);
            if (last || BPF_CLASS(instruction.code) != BPF_RET) {
                chain.instructions.push_back(part[at]);
                continue;
            }
            if (instruction.k == SECCOMP_RET_LOG) {
                throw FilterError(
                    "a filter that answers SCMP_ACT_LOG has to be the last one: what it permits, the "
                    "others would not be asked about");
            }
            // The start of the next program: a jump is relative to the instruction after it.
            const sock_filter jump = {BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(part.size() - at - 1)};
            chain.instructions.push_back(instruction.k == SECCOMP_RET_ALLOW ? encode_bpf(jump) : part[at]);
        }
    }
    if (chain.instructions.size() > BPF_MAXINSNS) {
        throw FilterError(format("the filters together have {} instructions; the kernel takes {}",
                                 chain.instructions.size(), BPF_MAXINSNS));
    }
    return chain;
}

}  // namespace sandbox
