#include "sandbox/filter/oci_rules.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "sandbox/os/caps.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::did_you_mean;
using os::format;
using os::Json;
using os::quote;

#if defined(__x86_64__)
constexpr std::string_view native_architecture = "SCMP_ARCH_X86_64";
constexpr std::string_view native_machine = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view native_architecture = "SCMP_ARCH_AARCH64";
constexpr std::string_view native_machine = "arm64";
#else
#error "seccomp files name this machine's architecture in two ways that are not written down here yet"
#endif

// Docker's names for machines, in includes and excludes.
constexpr std::array<std::string_view, 21> machines = {
    "x86",       "amd64",  "x32",      "arm",         "arm64",       "mips",   "mips64",
    "mips64n32", "mipsel", "mipsel64", "mipsel64n32", "mips3l64n32", "ppc",    "ppc64",
    "ppc64le",   "s390",   "s390x",    "riscv64",     "loong64",     "parisc", "parisc64"};

[[noreturn]] void refuse(std::string_view where, const std::string& message) {
    throw FilterError(where.empty() ? message : format("{}: {}", where, message));
}

// A member that is there and is not null: Docker's own writer leaves empty members as null.
const Json* find(const Json& object, const char* key) {
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

void need_object(const Json& value, std::string_view where, std::initializer_list<std::string_view> known) {
    if (!value.is_object()) refuse(where, format("this has to be an object, not {}", value.type_name()));
    for (const auto& [key, ignored] : value.items()) {
        if (std::ranges::find(known, key) != known.end()) continue;
        const std::string hint = did_you_mean(key, {known.begin(), known.size()});
        refuse(where, format("unknown key {}{}{}", quote(key), hint.empty() ? "" : "; ", hint));
    }
}

const std::string& text_of(const Json& value, std::string_view where) {
    if (!value.is_string()) refuse(where, format("this has to be a string, not {}", value.type_name()));
    return value.get_ref<const std::string&>();
}

const std::string& need_text(const Json& object, const char* key, std::string_view where) {
    const Json* value = find(object, key);
    if (value == nullptr) refuse(where, format("\"{}\" is missing", key));
    return text_of(*value, format("{}{}{}", where, where.empty() ? "" : ".", key));
}

std::uint64_t number_of(const Json& value, const std::string& where, std::uint64_t highest) {
    const bool whole = value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    if (!whole || value.get<std::uint64_t>() > highest) {
        refuse(where, format("this has to be a whole number from 0 to {}", highest));
    }
    return value.get<std::uint64_t>();
}

std::vector<std::string> texts_of(const Json* value, const std::string& where) {
    std::vector<std::string> texts;
    if (value == nullptr) return texts;
    if (!value->is_array()) refuse(where, format("this has to be an array, not {}", value->type_name()));
    for (const Json& element : *value) {
        texts.push_back(text_of(element, format("{}[{}]", where, texts.size())));
    }
    return texts;
}

FilterVerdict verdict_of(const std::string& name, std::string_view where) {
    static constexpr std::pair<std::string_view, FilterVerdict> verdicts[] = {
        {"SCMP_ACT_ALLOW", FilterVerdict::allow},
        {"SCMP_ACT_ERRNO", FilterVerdict::fail},
        {"SCMP_ACT_LOG", FilterVerdict::log},
        {"SCMP_ACT_TRACE", FilterVerdict::trace},
        {"SCMP_ACT_TRAP", FilterVerdict::trap},
        {"SCMP_ACT_NOTIFY", FilterVerdict::notify},
        {"SCMP_ACT_KILL", FilterVerdict::kill_thread},
        {"SCMP_ACT_KILL_THREAD", FilterVerdict::kill_thread},
        {"SCMP_ACT_KILL_PROCESS", FilterVerdict::kill_process},
    };
    for (const auto& [known, verdict] : verdicts) {
        if (known == name) return verdict;
    }
    refuse(where, format("unknown action {}", quote(name)));
}

// podman writes an errno as a name beside the number, and in its older files as "EPERM" alone.
std::optional<std::uint16_t> error_by_name(const Json* value, const std::string& where) {
    if (value == nullptr || text_of(*value, where).empty()) return std::nullopt;
    static constexpr std::pair<std::string_view, std::uint16_t> names[] = {{"EPERM", EPERM},
                                                                           {"ENOENT", ENOENT},
                                                                           {"EACCES", EACCES},
                                                                           {"EINVAL", EINVAL},
                                                                           {"ENOSYS", ENOSYS},
                                                                           {"ENOTSUP", ENOTSUP},
                                                                           {"EAFNOSUPPORT", EAFNOSUPPORT}};
    for (const auto& [name, number] : names) {
        if (name == text_of(*value, where)) return number;
    }
    refuse(where, format("unknown error name {}; give its number as errnoRet", quote(text_of(*value, where))));
}

FilterAction action_of(const Json& object, const char* action_key, const char* number_key, const char* name_key,
                       std::string_view where) {
    const FilterVerdict verdict = verdict_of(need_text(object, action_key, where), where);
    const Json* number = find(object, number_key);
    const std::optional<std::uint16_t> named =
        error_by_name(find(object, name_key), format("{}{}{}", where, where.empty() ? "" : ".", name_key));
    const bool has_error = verdict == FilterVerdict::fail || verdict == FilterVerdict::trace;
    if (!has_error) {
        if (number != nullptr || named) {
            refuse(where, format("\"{}\" only goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE", number_key));
        }
        return {verdict, 0};
    }
    std::uint16_t error = named.value_or(EPERM);
    if (number != nullptr) {
        // MAX_ERRNO in the kernel; larger values would be cut down to it.
        const auto given = static_cast<std::uint16_t>(
            number_of(*number, format("{}{}{}", where, where.empty() ? "" : ".", number_key), 4095));
        if (named && given != *named) refuse(where, format("{} and {} are different errors", number_key, name_key));
        error = given;
    }
    return {verdict, error};
}

FilterOperator operator_of(const std::string& name, std::string_view where) {
    static constexpr std::pair<std::string_view, FilterOperator> operators[] = {
        {"SCMP_CMP_NE", FilterOperator::not_equal},          {"SCMP_CMP_LT", FilterOperator::less},
        {"SCMP_CMP_LE", FilterOperator::less_or_equal},      {"SCMP_CMP_EQ", FilterOperator::equal},
        {"SCMP_CMP_GE", FilterOperator::greater_or_equal},   {"SCMP_CMP_GT", FilterOperator::greater},
        {"SCMP_CMP_MASKED_EQ", FilterOperator::masked_equal}};
    for (const auto& [known, op] : operators) {
        if (known == name) return op;
    }
    refuse(where, format("unknown operator {}", quote(name)));
}

FilterCondition condition_of(const Json& object, const std::string& where) {
    need_object(object, where, {"index", "value", "valueTwo", "op"});
    FilterCondition condition;
    condition.op = operator_of(need_text(object, "op", where), where);
    const Json* index = find(object, "index");
    const Json* value = find(object, "value");
    if (index == nullptr || value == nullptr) refuse(where, "\"index\" and \"value\" have to be there");
    condition.argument = static_cast<unsigned>(number_of(*index, where + ".index", 5));
    condition.value = number_of(*value, where + ".value", UINT64_MAX);
    if (const Json* second = find(object, "valueTwo")) {
        condition.value_two = number_of(*second, where + ".valueTwo", UINT64_MAX);
    }
    return condition;
}

KernelVersion version_of(std::string_view text, std::string_view where) {
    KernelVersion version;
    const char* const end = text.data() + text.size();
    const auto major = std::from_chars(text.data(), end, version.major);
    if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') {
        refuse(where, format("{} is not a kernel version", quote(text)));
    }
    if (std::from_chars(major.ptr + 1, end, version.minor).ec != std::errc{}) {
        refuse(where, format("{} is not a kernel version", quote(text)));
    }
    return version;
}

// Docker's "includes" and "excludes": how many of the conditions named there hold in this jail, on this
// machine.
struct Match {
    unsigned named = 0;
    unsigned held = 0;
    void count(bool holds) {
        ++named;
        held += holds ? 1U : 0U;
    }
};

Match match_of(const Json* object, const std::string& where, const FilterSetting& setting) {
    Match match;
    if (object == nullptr) return match;
    need_object(*object, where, {"caps", "arches", "minKernel"});
    for (const std::string& name : texts_of(find(*object, "caps"), where + ".caps")) {
        const std::optional<int> number = capability_number(name);
        if (!number) refuse(where, format("unknown capability {}", quote(name)));
        match.count((setting.capabilities & capability_bit(*number)) != 0);
    }
    const std::vector<std::string> arches = texts_of(find(*object, "arches"), where + ".arches");
    for (const std::string& name : arches) {
        if (std::ranges::find(machines, name) == machines.end()) {
            refuse(where, format("unknown machine {} in arches", quote(name)));
        }
    }
    if (!arches.empty()) match.count(std::ranges::find(arches, native_machine) != arches.end());
    const Json* kernel = find(*object, "minKernel");
    if (kernel != nullptr && !text_of(*kernel, where + ".minKernel").empty()) {
        match.count(setting.kernel >= version_of(text_of(*kernel, where), where + ".minKernel"));
    }
    return match;
}

// A rule applies where all that it includes holds, and nothing that it excludes.
bool applies(const Json& rule, const std::string& where, const FilterSetting& setting) {
    const Match includes = match_of(find(rule, "includes"), where + ".includes", setting);
    const Match excludes = match_of(find(rule, "excludes"), where + ".excludes", setting);
    return includes.held == includes.named && excludes.held == 0;
}

FilterRule rule_of(const Json& object, const std::string& where) {
    FilterRule rule;
    rule.where = where;
    rule.action = action_of(object, "action", "errnoRet", "errno", where);
    rule.names = texts_of(find(object, "names"), where + ".names");
    if (find(object, "name") != nullptr) {
        if (!rule.names.empty()) refuse(where, "\"name\" and \"names\" are both given");
        rule.names.push_back(need_text(object, "name", where));
    }
    if (rule.names.empty()) refuse(where, "there is no system call in \"names\"");
    if (const Json* args = find(object, "args")) {
        if (!args->is_array()) refuse(where + ".args", "this has to be an array");
        for (const Json& arg : *args) {
            rule.conditions.push_back(condition_of(arg, format("{}.args[{}]", where, rule.conditions.size())));
        }
    }
    return rule;
}

std::vector<std::string> architectures_of(const Json& file) {
    std::vector<std::string> names = texts_of(find(file, "architectures"), "architectures");
    const Json* map = find(file, "archMap");
    if (map == nullptr) return names;
    if (!names.empty()) refuse({}, "\"architectures\" and \"archMap\" are both given");
    if (!map->is_array()) refuse("archMap", "this has to be an array");
    for (std::size_t i = 0; i < map->size(); ++i) {
        const std::string where = format("archMap[{}]", i);
        const Json& entry = (*map)[i];
        need_object(entry, where, {"architecture", "subArchitectures"});
        std::vector<std::string> others = texts_of(find(entry, "subArchitectures"), where + ".subArchitectures");
        if (need_text(entry, "architecture", where) == native_architecture) names = std::move(others);
    }
    return names;
}

// Flags of seccomp(2) that change how a filter is loaded. Ours is loaded by a process of one thread, so TSYNC
// changes nothing; without SPEC_ALLOW the payload is only guarded better; WAIT_KILLABLE_RECV is about a listener.
void check_flags(const Json& file) {
    for (const std::string& flag : texts_of(find(file, "flags"), "flags")) {
        if (flag == "SECCOMP_FILTER_FLAG_TSYNC" || flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW" ||
            flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") {
            continue;
        }
        refuse("flags", format("{} cannot be kept in this version", quote(flag)));
    }
}

}  // namespace

KernelVersion running_kernel() {
    utsname name{};
    os::sys([&] { return ::uname(&name); }, "ask for the kernel's version");
    return version_of(name.release, "uname");
}

FilterRules read_filter_rules(const Json& oci_seccomp, const FilterSetting& setting) {
    need_object(oci_seccomp, {},
                {"defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags", "syscalls",
                 // Where a container engine would send the calls of SCMP_ACT_NOTIFY to: not used.
                 "listenerPath", "listenerMetadata"});
    check_flags(oci_seccomp);
    FilterRules rules;
    rules.otherwise = action_of(oci_seccomp, "defaultAction", "defaultErrnoRet", "defaultErrno", {});
    rules.architectures = architectures_of(oci_seccomp);
    const Json* syscalls = find(oci_seccomp, "syscalls");
    if (syscalls == nullptr) return rules;
    if (!syscalls->is_array()) refuse("syscalls", "this has to be an array");
    for (std::size_t i = 0; i < syscalls->size(); ++i) {
        const std::string where = format("syscalls[{}]", i);
        const Json& entry = (*syscalls)[i];
        need_object(entry, where,
                    {"name", "names", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes"});
        // Read in full before it is left out: an error is one on every machine.
        FilterRule rule = rule_of(entry, where);
        if (applies(entry, where, setting)) rules.rules.push_back(std::move(rule));
    }
    return rules;
}

void allow_calls(FilterRules& rules, std::span<const std::string> names) {
    for (FilterRule& rule : rules.rules) {
        std::erase_if(rule.names,
                      [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); });
    }
    std::erase_if(rules.rules, [](const FilterRule& rule) { return rule.names.empty(); });
    if (names.empty()) return;
    rules.rules.push_back({"seccomp-allow", {names.begin(), names.end()}, {FilterVerdict::allow, 0}, {}});
}

}  // namespace sandbox
