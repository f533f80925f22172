#include "runtime/engine/store_helpers.hpp"

#include <unistd.h>

#include "sandbox/os/format.hpp"

namespace runtime::engine {

using sandbox::os::format;
using sandbox::os::Json;

const sandbox::IdMap& StoreHelpers::ids(sandbox::IdMode mode) {
    const auto found = ids_.find(mode);
    if (found != ids_.end()) return found->second;
    const sandbox::IdMapChoice choice = sandbox::resolve_idmap(mode);
    if (::geteuid() == 0) console_.note(choice.why);
    if (mode == sandbox::IdMode::range) store_.bind_to(choice.map);
    return ids_[mode] = choice.map;
}

sandbox::IdMap StoreHelpers::ids_in_use() const {
    const auto range = ids_.find(sandbox::IdMode::range);
    if (range != ids_.end()) return range->second;
    return ids_.empty() ? sandbox::IdMap{.uid_base = ::geteuid(), .gid_base = ::getegid()} : ids_.begin()->second;
}

store::StoreHelper& StoreHelpers::of(sandbox::IdMode mode) {
    const auto found = helpers_.find(mode);
    if (found != helpers_.end()) return *found->second;
    auto made = std::make_unique<store::StoreHelper>(ids(mode), store_.directory(), loop_);
    return *(helpers_[mode] = std::move(made));
}

std::vector<pid_t> StoreHelpers::pids() const {
    std::vector<pid_t> pids;
    for (const auto& [mode, helper] : helpers_) pids.push_back(helper->pid());
    return pids;
}

// The mapping of the range can delete what any jail made, because it has the caller's own id too; that of one id
// cannot.
store::StoreHelper& StoreHelpers::cleaner() {
    try {
        return of(sandbox::IdMode::range);
    } catch (const sandbox::IdMapError&) {
        return of(sandbox::IdMode::single);
    }
}

void StoreHelpers::empty_trash(const std::function<bool()>& is_enough) {
    for (const std::string& place : store_.trash()) {
        if (is_enough()) return;
        bool is_answered = false;
        store::StoreHelper& helper = cleaner();
        const auto request = helper.remove(place, [&](const Json&, const store::StoreHelperFault& fault) {
            is_answered = true;
            if (fault && !is_enough()) console_.warning(format("{} could not be deleted: {}", place, fault.what));
        });
        while (!is_answered) {
            loop_.run_once();
            if (is_enough()) helper.cancel(request);
        }
    }
}

}  // namespace runtime::engine
