// `store ls` and `store gc`.
#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <iostream>
#include <set>

#include "runtime/cli/commands.hpp"
#include "runtime/report/console.hpp"
#include "runtime/store/keeper.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/idmap.hpp"
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

// The records' files are touched whenever a build uses them.
bool is_unused(const store::Store& store, const store::Record& record, unsigned days) {
    struct stat status {};
    const std::string place = format("records/{}.json", record.key);
    if (::fstatat(store.directory(), place.c_str(), &status, 0) != 0) return false;
    return std::time(nullptr) - status.st_mtim.tv_sec >= static_cast<time_t>(days) * 24 * 3600;
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
    store::Keeper keeper(ids, store.directory(), loop);
    std::size_t answered = 0;
    for (const std::string& place : places) {
        keeper.remove(place, [&, place](const Json&, const std::string& error) {
            if (!error.empty()) std::cerr << format("{} could not be deleted: {}\n", place, error);
            ++answered;
        });
    }
    while (answered < places.size()) loop.run_once();
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
    const auto claimed = store.claim();
    if (!claimed) throw std::runtime_error("a build or a shell is using the store; try again when it is done");
    store.sweep();
    std::size_t dropped = 0;
    for (const store::Record& record : store.list().records) {
        if (!is_unused(store, record, days)) continue;
        store.discard(format("records/{}.json", record.key));
        ++dropped;
    }
    // Now that those records are gone, so are their names for layers and artifacts.
    const store::Store::Listing listing = store.list();
    for (const std::string& key : listing.failed) store.discard("failed/" + key);
    for (const std::string& place : listing.orphans) store.discard(place);
    empty_trash(store);
    std::cout << format("deleted: {} results, {} failed stages, {} layers and artifacts\n", dropped,
                        listing.failed.size(), listing.orphans.size());
    return 0;
}

}  // namespace runtime::cli
