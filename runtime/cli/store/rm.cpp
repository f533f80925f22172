// `store rm`: deletes the results of stages, and what no other result names. Where one of the stages has none, nothing.
#include <iostream>
#include <set>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/store/shared.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

struct RemoveWords {
    std::string store;
    std::vector<std::string> results;
};

void declare(Options& options, RemoveWords& words) {
    declare_store(options, words.store);
    options.push_back({.names = "STAGE",
                       .into = &words.results,
                       .doc = "A stage, PIPELINE/STAGE, or the beginning of a key",
                       .is_required = true});
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

int run(const RemoveWords& words) {
    const store::Store store = open_store(words.store);
    const sandbox::os::Fd claimed = claim(store);
    const store::Store::Listing before = store.list();
    std::set<std::string> keys;
    std::set<std::string> named;
    for (const std::string& name : words.results) {
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
    return ExitCode::done;
}

}  // namespace

Command store_rm_command() {
    return make_command<RemoveWords>("store rm", "Delete results of stages");
}

}  // namespace runtime::cli
