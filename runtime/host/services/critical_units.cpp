#include "runtime/host/services/critical_units.hpp"

#include <deque>

#include "sandbox/os/format.hpp"

namespace runtime::host {

using sandbox::os::format;

CriticalUnits::CriticalUnits(const std::vector<CriticalUnit>& found, UnitSource& source) {
    // Those first: their own reason is better than that something else needs them.
    for (const CriticalUnit& one : found) reasons_.emplace(source.get(one.unit).name, format("it {}", one.what));
    for (const CriticalUnit& one : found) add_what_it_needs({source.get(one.unit).name, one.what}, source);
}

void CriticalUnits::add_what_it_needs(const CriticalUnit& critical, UnitSource& source) {
    const UnitFacts& top = source.get(critical.unit);
    const UnitNames triggers = top.triggered_by;
    for (const std::string& trigger : triggers) {
        reasons_.emplace(trigger, format("it starts {}, which {}", critical.unit, critical.what));
    }
    std::deque<std::string> waiting(top.requires_.begin(), top.requires_.end());
    const std::string why = format("{} requires it, and {}", critical.unit, critical.what);
    while (!waiting.empty()) {
        const UnitFacts& unit = source.get(waiting.front());
        waiting.pop_front();
        if (!reasons_.emplace(unit.name, why).second) continue;
        waiting.insert(waiting.end(), unit.requires_.begin(), unit.requires_.end());
    }
}

const std::string* CriticalUnits::why(const std::string& unit) const {
    const auto found = reasons_.find(unit);
    return found == reasons_.end() ? nullptr : &found->second;
}

}  // namespace runtime::host
