#include "runtime/engine/store_helpers.hpp"

#include <unistd.h>

#include "sandbox/os/format.hpp"

namespace runtime::engine {

using sandbox::os::format;
using sandbox::os::Json;

const sandbox::IdMap& Keepers::ids(sandbox::IdMode mode) {
    const auto found = ids_.find(mode);
    if (found != ids_.end()) return found->second;
    const sandbox::IdMapChoice choice = sandbox::resolve_idmap(mode);
    if (::geteuid() == 0) console_.note(choice.why);
    if (mode == sandbox::IdMode::range) store_.bind_to(choice.map);
    return ids_[mode] = choice.map;
}

sandbox::IdMap Keepers::ids_in_use() const {
    const auto range = ids_.find(sandbox::IdMode::range);
    if (range != ids_.end()) return range->second;
    return ids_.empty() ? sandbox::IdMap{.uid_base = ::geteuid(), .gid_base = ::getegid()} : ids_.begin()->second;
}

store::Keeper& Keepers::of(sandbox::IdMode mode) {
    const auto found = keepers_.find(mode);
    if (found != keepers_.end()) return *found->second;
    auto made = std::make_unique<store::Keeper>(ids(mode), store_.directory(), loop_);
    return *(keepers_[mode] = std::move(made));
}

std::vector<pid_t> Keepers::pids() const {
    std::vector<pid_t> pids;
    for (const auto& [mode, keeper] : keepers_) pids.push_back(keeper->pid());
    return pids;
}

// The mapping of the range can delete what any jail made, because it has the caller's own id too; that of one id cannot.
store::Keeper& Keepers::cleaner() {
    try {
        return of(sandbox::IdMode::range);
    } catch (const sandbox::IdMapError&) {
        return of(sandbox::IdMode::single);
    }
}

void Keepers::empty_trash() {
    for (const std::string& place : store_.trash()) {
        bool answered = false;
        cleaner().remove(place, [&](const Json&, const store::KeeperFault& fault) {
            answered = true;
            if (fault) console_.warning(format("{} could not be deleted: {}", place, fault.what));
        });
        while (!answered) loop_.run_once();
    }
}

}  // namespace runtime::engine
