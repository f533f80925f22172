// `store ls`: records, by pipeline and stage.
#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/report/console.hpp"
#include "runtime/store/older_store.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

struct ListWords {
    std::string store;
};

void declare(Options& options, ListWords& words) {
    declare_store(options, words.store);
}

double bytes_of(const store::Record& record) {
    double bytes = record.layer ? static_cast<double>(record.layer->bytes) : 0;
    for (const auto& [name, object] : record.artifacts) bytes += static_cast<double>(object.bytes);
    return bytes;
}

int run(const ListWords& words) {
    const store::Store store = open_store(words.store);
    const store::Store::Listing listing = store.list();
    double total = 0;
    for (const store::Record& record : listing.records) {
        total += bytes_of(record);
        std::cout << format("{}  {:<20}  {:<20}  {:>9}  {}\n", record.key.substr(0, 12), record.pipeline, record.stage,
                            sandbox::os::human_bytes(bytes_of(record)), record.finished);
    }
    std::cout << format("{} results, {}; {} failed stages kept; {} unnamed layers and artifacts\n",
                        listing.records.size(), sandbox::os::human_bytes(total), listing.failed.size(),
                        listing.orphans.size());
    if (const auto older = store::find_older_store(store)) std::cout << store::describe(*older) << "\n";
    return ExitCode::done;
}

}  // namespace

Command store_ls_command() {
    return make_command<ListWords>("store ls", "What is in it");
}

}  // namespace runtime::cli
