// `store gc`: deletes what no record names, failed stages, records that were not used and runs that ended some days
// ago.
#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/store/shared.hpp"
#include "runtime/host/services/restore.hpp"
#include "runtime/store/older_store.hpp"
#include "runtime/store/run_lock.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

enum class OlderStores : bool { kept, deleted };

struct CollectWords {
    std::string store;
    unsigned days = 30;
    OlderStores older = OlderStores::kept;
};

void declare(Options& options, CollectWords& words) {
    declare_store(options, words.store);
    options.push_back({.names = "--days",
                       .into = &words.days,
                       .doc = "Keep results that were used, and runs that ended, within so many days",
                       .type = "N",
                       .shown_default = std::to_string(words.days),
                       .check = check_whole_number});
    options.push_back({.names = "--older",
                       .into = sets(words.older, OlderStores::deleted),
                       .doc = "Delete the store of an older version, too"});
}

// Whether nobody has written to a file for so long, or touched it.
bool is_older(const store::Store& store, const std::string& place, unsigned days) {
    struct stat status {};
    if (::fstatat(store.directory(), place.c_str(), &status, 0) != 0) return false;
    return std::time(nullptr) - status.st_mtim.tv_sec >= static_cast<time_t>(days) * 24 * 3600;
}

// The logs and reports of builds that are long over. Answers how many.
std::size_t discard_old_runs(const store::Store& store, unsigned days) {
    std::size_t dropped = 0;
    const sandbox::os::Fd runs = sandbox::os::open_directory(store.directory(), "runs");
    for (const std::string& run : sandbox::os::list_directory(runs.get())) {
        if (!is_older(store, format("runs/{}/events.jsonl", run), days)) continue;
        store.discard("runs/" + run);
        ++dropped;
    }
    return dropped;
}

int run(const CollectWords& words) {
    const store::Store store = open_store(words.store);
    const sandbox::os::Fd claimed = claim(store);
    host::restore_of_dead_runs(
        store.directory(), [&](const std::string& run) { return store::is_supervised(store.directory(), run); },
        [](const std::string& said) { std::cout << said << "\n"; });
    store.sweep();
    std::size_t dropped = 0;
    for (const store::Record& record : store.list().records) {
        const std::string place = format("records/{}.json", record.key);
        if (!is_older(store, place, words.days)) continue;  // every build that uses it touches it
        store.discard(place);
        ++dropped;
    }
    // Now that those records are gone, so are their names for layers and artifacts.
    const store::Store::Listing listing = store.list();
    for (const std::string& key : listing.failed) store.discard("failed/" + key);
    for (const std::string& place : listing.orphans) store.discard(place);
    for (const std::string& place : listing.damaged) store.discard(place);
    const std::size_t runs = discard_old_runs(store, words.days);
    const auto older = store::find_older_store(store);
    if (older && words.older == OlderStores::deleted) store::discard(*older, store);
    empty_trash(store);
    std::cout << format("deleted: {} results, {} failed stages, {} layers and artifacts, {} runs\n", dropped,
                        listing.failed.size(), listing.orphans.size(), runs);
    if (older && words.older == OlderStores::kept) std::cout << store::describe(*older) << "\n";
    return ExitCode::done;
}

}  // namespace

Command store_gc_command() {
    return make_command<CollectWords>("store gc", "Delete what is not needed any more");
}

}  // namespace runtime::cli
