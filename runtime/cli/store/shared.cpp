#include "runtime/cli/store/shared.hpp"

#include <iostream>
#include <stdexcept>

#include "runtime/store/helper.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

sandbox::os::Fd claim(const store::Store& store) {
    auto claimed = store.claim();
    if (!claimed) throw std::runtime_error("a build or a shell is using the store; try again when it is done");
    return std::move(*claimed);
}

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

}  // namespace runtime::cli
