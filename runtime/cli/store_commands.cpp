// `store ls`, `store gc` and `store rm`.
#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <iostream>
#include <set>

#include "runtime/cli/commands.hpp"
#include "runtime/host/services/restore.hpp"
#include "runtime/report/console.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/store/run_lock.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

store::Store open_store(const std::string& path) {
    return store::Store(path.empty() ? store::Store::default_path() : path);
}

double bytes_of(const store::Record& record) {
    double bytes = record.layer ? static_cast<double>(record.layer->bytes) : 0;
    for (const auto& [name, object] : record.artifacts) bytes += static_cast<double>(object.bytes);
    return bytes;
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

// Deletes in a helper that has the ids of what is there.
void empty_trash(const store::Store& store) {
    const std::vector<std::string> places = store.trash();
    if (places.empty()) return;
    sandbox::IdMap ids;
    try {
        ids = sandbox::resolve_idmap(sandbox::IdMode::range).map;
    } catch (const sandbox::IdMapError&) {
        ids = sandbox::resolve_idmap(sandbox::IdMode::single).map;
    }
    sandbox::os::EventLoop loop;
    store::StoreHelper helper(ids, store.directory(), loop);
    std::size_t answered = 0;
    for (const std::string& place : places) {
        helper.remove(place, [&, place](const Json&, const store::StoreHelperFault& fault) {
            if (fault) std::cerr << format("{} could not be deleted: {}\n", place, fault.what);
            ++answered;
        });
    }
    while (answered < places.size()) loop.run_once();
}

sandbox::os::Fd claim(const store::Store& store) {
    auto claimed = store.claim();
    if (!claimed) throw std::runtime_error("a build or a shell is using the store; try again when it is done");
    return std::move(*claimed);
}

constexpr std::size_t shortest_key = 6;

// The records of a stage, or the one whose key begins so.
std::vector<const store::Record*> records_of(const store::Store::Listing& listing, const std::string& name) {
    std::vector<const store::Record*> found;
    for (const store::Record& record : listing.records) {
        if (record.stage == name || format("{}/{}", record.pipeline, record.stage) == name) found.push_back(&record);
    }
    if (!found.empty()) return found;
    for (const store::Record& record : listing.records) {
        if (name.size() >= shortest_key && record.key.starts_with(name)) found.push_back(&record);
    }
    if (found.empty()) {
        throw std::invalid_argument(
            format("the store has no result of a stage {0}, and none whose key begins with {0}; `stagebox store ls` "
                   "lists what it has; nothing is deleted",
                   name));
    }
    return found;
}

}  // namespace

int store_list(const std::string& path) {
    const store::Store store = open_store(path);
    const store::Store::Listing listing = store.list();
    double total = 0;
    for (const store::Record& record : listing.records) {
        total += bytes_of(record);
        std::cout << format("{}  {:<20}  {:<20}  {:>9}  {}\n", record.key.substr(0, 12), record.pipeline, record.stage,
                            report::human_bytes(bytes_of(record)), record.finished);
    }
    std::cout << format("{} results, {}; {} failed stages kept; {} unnamed layers and artifacts\n",
                        listing.records.size(), report::human_bytes(total), listing.failed.size(),
                        listing.orphans.size());
    return 0;
}

int store_collect(const std::string& path, unsigned days) {
    const store::Store store = open_store(path);
    const sandbox::os::Fd claimed = claim(store);
    host::restore_of_dead_runs(
        store.directory(), [&](const std::string& run) { return store::is_supervised(store.directory(), run); },
        [](const std::string& words) { std::cout << words << "\n"; });
    store.sweep();
    std::size_t dropped = 0;
    for (const store::Record& record : store.list().records) {
        const std::string place = format("records/{}.json", record.key);
        if (!is_older(store, place, days)) continue;  // every build that uses it touches it
        store.discard(place);
        ++dropped;
    }
    // Now that those records are gone, so are their names for layers and artifacts.
    const store::Store::Listing listing = store.list();
    for (const std::string& key : listing.failed) store.discard("failed/" + key);
    for (const std::string& place : listing.orphans) store.discard(place);
    for (const std::string& place : listing.damaged) store.discard(place);
    const std::size_t runs = discard_old_runs(store, days);
    empty_trash(store);
    std::cout << format("deleted: {} results, {} failed stages, {} layers and artifacts, {} runs\n", dropped,
                        listing.failed.size(), listing.orphans.size(), runs);
    return 0;
}

int store_remove(const std::string& path, const std::vector<std::string>& names) {
    const store::Store store = open_store(path);
    const sandbox::os::Fd claimed = claim(store);
    const store::Store::Listing before = store.list();
    std::set<std::string> keys;
    std::set<std::string> named;
    for (const std::string& name : names) {
        for (const store::Record* record : records_of(before, name)) {
            keys.insert(record->key);
            if (record->layer) named.insert("layers/" + record->layer->id.text());
            for (const auto& [artifact, object] : record->artifacts) named.insert("artifacts/" + object.id.text());
        }
    }
    for (const std::string& key : keys) store.discard(format("records/{}.json", key));
    // Of what they named, what no other record names.
    std::size_t dropped = 0;
    for (const std::string& place : store.list().orphans) {
        if (!named.contains(place)) continue;
        store.discard(place);
        ++dropped;
    }
    empty_trash(store);
    std::cout << format("deleted: {} results, {} layers and artifacts\n", keys.size(), dropped);
    return 0;
}

}  // namespace runtime::cli
