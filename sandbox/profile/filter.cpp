#include "sandbox/profile/filter.hpp"

#include <linux/audit.h>
#include <sys/syscall.h>

#include <algorithm>
#include <string_view>

#include "sandbox/filter/bpf.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/eval.hpp"
#include "sandbox/filter/shrink.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/profile/permissions.hpp"

namespace sandbox {
namespace {

using os::format;

FilterRules rules_of(const FilterText& file, std::uint64_t capabilities) {
    return read_filter_rules(os::Json::parse(file.text), {capabilities, running_kernel()});
}

FilterProgram compile(const FilterText& file, std::uint64_t capabilities, const std::vector<std::string>& opened) {
    try {
        FilterRules rules = rules_of(file, capabilities);
        allow_calls(rules, opened);
        return compile_rules(rules);
    } catch (const os::Json::exception& error) {
        throw FilterError(format("{}: {}", file.name, error.what()));
    } catch (const FilterError& error) {
        throw FilterError(format("{}: {}", file.name, error.what()));
    }
}

FilterProgram closing(const std::vector<std::string>& calls) {
    FilterRules rules = deny_rules({});  // for its architectures
    rules.rules = {{"seccomp-deny", calls, {FilterVerdict::fail, EPERM}, {}}};
    return compile_rules(rules);
}

// What a program of the jail's init does: one execve(2), with all of its arguments unknown here.
void check_start(const FilterProgram& program) {
    seccomp_data data{};
    data.arch = native_architecture;
    data.nr = SYS_execve;
    if (evaluate(program, data).permits()) return;
    throw FilterError("the filter does not allow execve, so no command could ever start; add it to the allowed calls");
}

}  // namespace

std::string recipe_text(const FilterRecipe& recipe) {
    std::string text = format("capabilities {:x}\n", recipe.capabilities);
    for (const std::string_view word : words_of(recipe.allowed)) text += format("allow {}\n", word);
    for (const std::string& call : recipe.opened) text += format("open {}\n", call);
    for (const std::string& call : recipe.closed) text += format("close {}\n", call);
    bool asks_for_kernel = false;
    const auto add = [&](const FilterText& file) {
        text += format("file {}\n{}", file.text.size(), file.text);
        asks_for_kernel = asks_for_kernel || file.text.find("minKernel") != std::string::npos;
    };
    add(recipe.mandatory);
    for (const FilterText& file : recipe.files) add(file);
    if (asks_for_kernel) text += format("kernel {}.{}\n", running_kernel().major, running_kernel().minor);
    return text;
}

std::string filter_id(const std::string& recipe_text) {
    return os::sha256_of(recipe_text);
}

FilterProgram compile_recipe(const FilterRecipe& recipe) {
    std::vector<FilterProgram> programs;
    if (!recipe.closed.empty()) programs.push_back(closing(recipe.closed));
    programs.push_back(compile(recipe.mandatory, recipe.capabilities, {}));
    if (const FilterRules fences = deny_rules(recipe.allowed); !fences.rules.empty()) {
        programs.push_back(compile_rules(fences));
    }
    std::vector<std::string> opened = granted_calls(recipe.allowed);
    opened.insert(opened.end(), recipe.opened.begin(), recipe.opened.end());
    for (const FilterText& file : recipe.files) programs.push_back(compile(file, recipe.capabilities, opened));
    FilterProgram program = shrink_filter(chain_filters(programs));
    check_start(program);
    return program;
}

}  // namespace sandbox
