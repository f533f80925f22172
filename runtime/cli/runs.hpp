// The runs that a store knows: builds that go on somewhere else, or are over. What `status`, `log`, `attach` and
// `receipt` share.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/cli/options.hpp"
#include "runtime/report/run_state.hpp"
#include "runtime/store/run_lock.hpp"
#include "runtime/store/store.hpp"

namespace runtime::cli {

// Which run, as these commands are told.
struct RunWords {
    std::string run;    // its name, or how that begins; empty: see the commands
    std::string store;  // empty: the default
};
void declare_run(Options& options, RunWords& words, const char* doc = "A run's name, or how it begins");

// Their names, the oldest first.
std::vector<std::string> run_names(const store::Store& store);
// Of the names of runs, the one that is `name`, or else the only one that begins with it. Throws std::invalid_argument.
std::string named_run(const std::vector<std::string>& names, const std::string& name);

// Who supervises it; nothing where it is over.
using Holder = std::optional<store::RunHolder>;
Holder holder_of(const store::Store& store, const std::string& run);

// Nothing where it never began. The holder was asked for before: a run that ends in between has said so in its events.
std::optional<report::RunState> read_state(const store::Store& store, const std::string& run, const Holder& holder);
std::optional<report::RunState> read_state(const store::Store& store, const std::string& run);

// Of a run that is over. Says on standard error where it has none.
int exit_code_of(const store::Store& store, const std::string& run);

}  // namespace runtime::cli
