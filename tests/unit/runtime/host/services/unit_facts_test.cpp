#include "runtime/host/services/unit_facts.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;

TEST_CASE("a unit is called with its manager, and the command for it is that manager's", "[host-services]") {
    CHECK(called(Manager::system, "a.service") == "the unit a.service");
    CHECK(called(Manager::user, "a.service") == "the user's unit a.service");
    CHECK(systemctl(Manager::system, "status", "a.service") == "systemctl status a.service");
    INFO("only what changes something takes root's rights");
    CHECK(systemctl(Manager::system, "start", "a.service") == "sudo systemctl start a.service");
    CHECK(systemctl(Manager::user, "start", "a.service") == "systemctl --user start a.service");
    CHECK(name_of(Manager::user) == "user");
}

TEST_CASE("a unit is up in every state but inactive and failed", "[host-services]") {
    UnitFacts unit;
    for (const char* state : {"active", "reloading", "refreshing"}) {
        unit.active = state;
        CHECK(unit.is_active());
        CHECK(unit.is_up());
    }
    for (const char* state : {"activating", "deactivating", "maintenance"}) {
        unit.active = state;
        CHECK_FALSE(unit.is_active());
        CHECK(unit.is_up());
    }
    for (const char* state : {"inactive", "failed"}) {
        unit.active = state;
        CHECK_FALSE(unit.is_up());
    }
}
