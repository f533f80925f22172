// A small build that something happens to, and what must hold whatever it was: nothing is left on the host, the store
// is whole, and the next build needs no repair, takes every stage that was committed from the store, and has the same
// result.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tests/support/host.hpp"
#include "tests/support/inject.hpp"
#include "tests/support/workspace.hpp"

namespace tests::faults {

class DisturbedBuild {
  public:
    // Stages: `base`, whose result is there from the beginning; `layer`, which changes its root and has a local input;
    // `last`, on the host's root, whose artifact is copied to a directory. The store is the workspace's, or another
    // one.
    explicit DisturbedBuild(std::string store = {});

    [[nodiscard]] const support::Workspace& workspace() const noexcept { return workspace_; }
    [[nodiscard]] support::Start start() const;
    // Without a fault; what its calls are.
    [[nodiscard]] const support::Traced& undisturbed() const noexcept { return undisturbed_; }
    // As `base` alone had been built.
    void reset() const;
    // The build, traced, with a fault.
    [[nodiscard]] support::Traced disturb(const support::Fault& fault) const;
    // What does not hold now; empty where all does. `said` is what the disturbed build said.
    [[nodiscard]] std::string wrong_afterwards(const std::string& said) const;
    // The stages that have a record now, with the digests of what they made.
    [[nodiscard]] std::map<std::string, std::string> committed() const;

  private:
    [[nodiscard]] support::Result command(std::vector<std::string> words) const;
    [[nodiscard]] std::string wrong_with_next_build() const;

    support::Workspace workspace_;
    std::string store_;
    std::string marker_;
    support::Canary canary_;
    std::map<std::string, std::string> results_;  // of the undisturbed build
    support::Traced undisturbed_;
};

// The calls from the program's first own one on; what comes before is the dynamic loader's.
std::vector<support::CallSite> own_calls(const support::Traced& traced);
// The same, where a row of calls that differ in nothing but an argument counts as its first and last.
std::vector<support::CallSite> turns(const std::vector<support::CallSite>& calls);
// At most so many of them, evenly spread, with a beginning by chance: who tests often tests all.
std::vector<support::CallSite> some_of(const std::vector<support::CallSite>& calls, std::size_t most);
std::string words_for(const support::CallSite& site);

}  // namespace tests::faults
