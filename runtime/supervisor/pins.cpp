#include "runtime/supervisor/pins.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::supervisor {

using sandbox::os::format;

namespace {

engine::Failure refused(const std::string& what, const std::string& remedy) {
    return {.kind = engine::FailureClass::pin, .problem = {what, remedy}};
}

std::string refresh_words(const stages::Stage& stage) {
    return format("`stagebox build --refresh {}` notes what it yields now", stage.name);
}

}  // namespace

Pins::Pins(const stages::Pipeline& pipeline, const std::vector<std::string>& refresh, engine::LockUse use,
           store::Store& store, report::Console& console)
    : refresh_(refresh), use_(use), store_(store), console_(console), file_(pipeline.directory) {
    if (file_.is_older()) {
        console_.warning(
            "stagebox.lock is of version 1, whose digests cannot be compared with those of now: each stage with a "
            "network is noted anew with what it yields next");
    }
}

bool Pins::is_refreshed(const stages::Stage& stage) const {
    return std::ranges::find(refresh_, stage.name) != refresh_.end();
}

const Pin* Pins::find(const stages::Stage& stage, const std::string& key) const {
    if (stage.network == sandbox::Network::none) return nullptr;
    const Pin* pin = file_.find(stage.name);
    return pin != nullptr && pin->key == key ? pin : nullptr;
}

std::optional<store::Record> Pins::look_up(const stages::Stage& stage, const engine::Resolved& resolved) {
    if (is_refreshed(stage)) return std::nullopt;
    return store_.find(resolved.key);
}

std::optional<engine::Failure> Pins::refusal(const stages::Stage& stage, const std::string& key) const {
    if (use_ != engine::LockUse::locked || stage.network == sandbox::Network::none) return std::nullopt;
    const Pin* pin = find(stage, key);
    if (pin == nullptr) {
        return refused("stagebox.lock notes no result of the stage as it is now, and --locked adds none",
                       format("`stagebox build {}` without --locked notes it", stage.name));
    }
    const auto record = store_.find(key);
    if (!record || !store_.holds(*record) || pin_of(*record) == *pin) return std::nullopt;
    return refused("the store has another result than stagebox.lock notes, and --locked takes no other",
                   refresh_words(stage));
}

std::optional<engine::NotedResult> Pins::noted(const stages::Stage& stage, const std::string& key) const {
    const Pin* pin = is_refreshed(stage) ? nullptr : find(stage, key);
    if (pin == nullptr) return std::nullopt;
    return engine::NotedResult{.layer = pin->layer, .artifacts = pin->artifacts};
}

void Pins::take(const stages::Stage& stage, const store::Record& record) {
    if (stage.network == sandbox::Network::none) return;
    const Pin* pin = find(stage, record.key);
    if (pin == nullptr || is_refreshed(stage)) {
        note(stage, record);
    } else if (*pin != pin_of(record)) {
        console_.warning(format("stage {} has another result than stagebox.lock notes, and that is taken; {}",
                                stage.name, refresh_words(stage)));
    }
}

void Pins::note(const stages::Stage& stage, const store::Record& record) {
    try {
        file_.pin(stage.name, pin_of(record));
    } catch (const sandbox::os::SysError& error) {
        console_.warning(format("stage {} could not be noted in stagebox.lock: {}", stage.name, error.what()));
    }
}

}  // namespace runtime::supervisor
