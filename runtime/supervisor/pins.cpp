#include "runtime/supervisor/pins.hpp"

#include <algorithm>

#include "runtime/report/events.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::supervisor {

using sandbox::os::format;

Pins::Pins(const stages::Pipeline& pipeline, const std::vector<std::string>& refresh, store::Store& store,
           report::Console& console)
    : pipeline_(pipeline), refresh_(refresh), store_(store), console_(console), file_(pipeline.directory) {
    if (file_.is_older()) {
        console_.warning(
            "stagebox.lock is of version 1, whose digests cannot be compared with those of now: each stage with a "
            "network "
            "is pinned anew to what it yields next");
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

std::optional<store::Record> Pins::look_up(const stages::Stage& stage, const engine::Resolved& resolved,
                                           const std::string& run) {
    if (is_refreshed(stage)) return std::nullopt;
    auto record = store_.find(resolved.key);
    const Pin* pinned = find(stage, resolved.key);
    if (pinned == nullptr || (record && pin_of(*record) == *pinned)) return record;
    store::Record from_pin;
    from_pin.key = resolved.key;
    from_pin.components = resolved.components;
    from_pin.texts = resolved.texts;
    from_pin.pipeline = pipeline_.name;
    from_pin.stage = stage.name;
    from_pin.run = run;
    from_pin.finished = report::now_text();
    from_pin.layer = pinned->layer;
    from_pin.tree = pinned->tree;
    from_pin.artifacts = pinned->artifacts;
    if (!store_.holds(from_pin)) return std::nullopt;
    store_.write(from_pin);
    return from_pin;
}

std::optional<engine::Failure> Pins::check(const stages::Stage& stage, const store::Record& record) const {
    if (is_refreshed(stage)) return std::nullopt;
    const Pin* pinned = find(stage, record.key);
    if (pinned == nullptr || *pinned == pin_of(record)) return std::nullopt;
    return engine::Failure{
        .kind = engine::FailureClass::pin,
        .problem = {"the network gave something else than stagebox.lock has pinned",
                    format("`stagebox build --refresh {}` takes what is there now, and pins it", stage.name)},
        .seconds = record.usage.seconds};
}

void Pins::pin(const stages::Stage& stage, const store::Record& record) {
    if (stage.network == sandbox::Network::none) return;
    try {
        file_.pin(stage.name, pin_of(record));
    } catch (const sandbox::os::SysError& error) {
        console_.warning(format("stage {} could not be pinned: {}", stage.name, error.what()));
    }
}

}  // namespace runtime::supervisor
