#include "runtime/host/services/critical_units.hpp"

#include <map>

#include "tests/support/catch.hpp"

using namespace runtime::host;

namespace {

class Units : public UnitSource {
  public:
    UnitFacts& at(const std::string& name) {
        units_[name].name = name;
        return units_[name];
    }
    const UnitFacts& get(const std::string& name) override { return at(name); }

  private:
    std::map<std::string, UnitFacts> units_;
};

}  // namespace

TEST_CASE("what a critical unit requires is critical, however far down, and what starts it on demand",
          "[host-services]") {
    Units units;
    units.at("ssh.service").requires_ = {"net.target"};
    units.at("ssh.service").triggered_by = {"ssh.socket"};
    units.at("net.target").requires_ = {"driver.service"};
    units.at("driver.service").requires_ = {"net.target"};  // a circle
    const CriticalUnits critical({{"ssh.service", "is the SSH server"}}, units);
    const auto why = [&](const std::string& unit) {
        const std::string* reason = critical.why(unit);
        return reason == nullptr ? "nothing" : *reason;
    };
    CHECK(why("ssh.service") == "it is the SSH server");
    CHECK(why("ssh.socket") == "it starts ssh.service, which is the SSH server");
    CHECK(why("driver.service") == "ssh.service requires it, and is the SSH server");
    CHECK(why("other.service") == "nothing");
    CHECK(CriticalUnits().why("ssh.service") == nullptr);
}

TEST_CASE("a unit's own reason comes before that of what needs it", "[host-services]") {
    Units units;
    units.at("a.service").requires_ = {"b.service"};
    const CriticalUnits critical({{"a.service", "is first"}, {"b.service", "is second"}}, units);
    CHECK(*critical.why("b.service") == "it is second");
}
