// Spec + Command -> plan: the flat list of operations that makes the jail, ready for a process that may only make
// system calls. Pure: building or printing a plan touches nothing. Knows nothing of processes (launch, init).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/problem.hpp"
#include "sandbox/plan/step.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// A spec that cannot become a jail, found before the first system call.
class PlanError : public os::Error {
  public:
    using Error::Error;
};

// What the plans of both kinds of jail have.
class Plan {
  public:
    IdMap ids;
    std::uint64_t clone_flags = 0;
    std::vector<Step> steps;
    int slots = 0;
    Overlap overlap = Overlap::refused;

    // The payload.
    std::vector<std::string> argv;
    std::vector<std::string> envp;         // "NAME=value"
    std::vector<std::string> executables;  // where the program is looked for, in order
    std::string cwd = "/";
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;

    // What the steps' texts stand for; good until the next is kept.
    [[nodiscard]] const char* text(PlanText text) const { return texts_.c_str() + text.at; }
    [[nodiscard]] std::string_view content(PlanBytes bytes) const { return {text(bytes.first), bytes.size}; }
    PlanText keep(std::string_view text) {
        if (text.empty()) return {};
        const PlanText place{texts_.size()};
        texts_.append(text).push_back('\0');
        return place;
    }
    PlanBytes keep_bytes(std::string_view content) { return {keep(content), content.size()}; }
    // All of them, for who hands the steps to another process.
    [[nodiscard]] std::string_view texts() const { return texts_; }

  private:
    std::string texts_ = std::string(1, '\0');  // one after the other, a NUL behind each; the empty one comes first
};

class BuildPlan : public Plan {
  public:
    int stdio[3] = {-1, -1, -1};  // borrowed
    bool controlling_terminal = false;
    std::vector<RlimitValue> rlimits;
    std::uint64_t capabilities = 0;
    FilterProgram filter;
    Nested nested_namespaces = Nested::forbidden;
    Fence landlock = Fence::on;
    // The filter leaves answers to the supervisor: init hands its listener over (Jail::take_listener).
    bool has_listener = false;
    // Installed in its place where a listener cannot be had, because a filter around this process has one; what it
    // denies goes unreported. Empty: there is no doing without.
    FilterProgram unreported_filter;
    // With Fakeroot::on: what the filter was before the view's questions, which the view asks too.
    Fakeroot fakeroot = Fakeroot::off;
    FilterProgram judged_filter;
    Denials denials = Denials::silent;
    std::vector<FilterProgram> more_filters;
};

class BubblewrapPlan : public Plan {
  public:
    BubblewrapTerms terms;
};

// Lowers what is wanted to what is done. Throws PlanError, with the remedy, for what can be known to fail: no root,
// a target that is relative or has "..", two mounts on one target, a target below a read-only bind that lacks it,
// more layers than one overlay takes, a command that is empty.
BuildPlan make_plan(const BuildSpec& spec, const Command& command);
BubblewrapPlan make_plan(const BubblewrapSpec& spec, const Command& command);

// The plan, one line a step, for `stagebox plan` and golden tests.
std::string describe(const BuildPlan& plan);

// One step of the plan in words: "mount proc on /proc".
std::string describe(const Plan& plan, const Step& step);

}  // namespace sandbox
