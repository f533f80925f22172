// Stops what builds have started of the host's services and nobody needs any more, so that the host is as it was found.
#pragma once
#include <utility>
#include <vector>

#include "runtime/host/services/service_journal.hpp"
#include "runtime/host/services/unit_managers.hpp"

namespace runtime::host {

// What became of them.
struct PutBack {
    using Reasons = std::vector<std::pair<std::string, std::string>>;  // unit and why
    UnitNames stopped;
    UnitNames ended;  // before, by themselves or by others
    Reasons left;     // as they are, since they are not this build's to stop any more
    Reasons failed;   // the host is not as it was found, and what to do; the journal keeps them
    [[nodiscard]] bool is_as_found() const { return failed.empty(); }
};

// Those of the journal that have no users. It is written before and after each; where the disk is full, what it has too
// many the next run finds inactive.
PutBack restore(ServiceJournal& journal, UnitManagers& managers, PendingJob job = PendingJob::others);

// Of runs that were killed, on the host that they have left behind; `say` gets a sentence for each. Does nothing, and
// asks nobody, where the store's journal names none.
void restore_of_dead_runs(int store, const IsAlive& is_alive, const std::function<void(const std::string&)>& say);

// "foo.service was stopped again; bar.service was left as it is: ..."; empty: there was nothing.
[[nodiscard]] std::string to_text(const PutBack& done);

}  // namespace runtime::host
