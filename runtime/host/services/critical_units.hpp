// The units that the session which builds depends on. They are found by what they are (whose process is the bus, what
// holds an ancestor of ours, what manages the link to the SSH peer), not by names alone; that is
// services/critical_seeds.hpp's. Here: what follows from those that were found. Knows no bus.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "runtime/host/services/unit_facts.hpp"

namespace runtime::host {

struct CriticalUnit {
    std::string unit;
    std::string what;  // "is the message bus", for a sentence
};

// Of one manager: those that were found, what starts them on demand, and all that they require, however far down.
class CriticalUnits {
  public:
    CriticalUnits() = default;
    CriticalUnits(const std::vector<CriticalUnit>& found, UnitSource& source);
    // A sentence, as "it is the message bus"; null where it is none.
    [[nodiscard]] const std::string* why(const std::string& unit) const;

  private:
    void add_what_it_needs(const CriticalUnit& critical, UnitSource& source);

    std::map<std::string, std::string> reasons_;
};

}  // namespace runtime::host
