#include "runtime/host/services/service_problems.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;

namespace {

UnitFacts ended(const std::string& active, const std::string& sub) {
    UnitFacts unit;
    unit.name = "db.service";
    unit.active = active;
    unit.sub = sub;
    return unit;
}

}  // namespace

TEST_CASE("a service that did not become active is told with its state and how it ended", "[host-services]") {
    UnitFacts unit = ended("failed", "failed");
    unit.result = "exit-code";
    unit.exit = "exit status 3";
    CHECK(problem_of_end(Manager::system, unit, "failed", {}).what ==
          "the unit db.service did not become active: it is failed (failed, exit-code, exit status 3)");
    CHECK(problem_of_end(Manager::user, unit, "failed", {}).remedy ==
          "systemctl --user status db.service; journalctl --user -u db.service");
    CHECK(problem_of_end(Manager::system, unit, "dependency", {"a.mount", "b.mount"}).what ==
          "the unit db.service was not started, since what it requires failed: a.mount and b.mount");
}

TEST_CASE("a service that is over, or whose condition is not met, is told of as such", "[host-services]") {
    UnitFacts unit = ended("inactive", "dead");
    unit.is_met = false;
    CHECK(problem_of_end(Manager::system, unit, "done", {}).what ==
          "the unit db.service was not started: a condition that it has is not met");
    unit.is_met = true;
    unit.remains = false;
    unit.result = "success";
    CHECK(problem_of_end(Manager::system, unit, "done", {}).what ==
          "the unit db.service has run and is over: it is no service that stays (Type=oneshot)");
}
