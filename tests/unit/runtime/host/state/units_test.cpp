#include "runtime/host/state/units.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;
using sandbox::os::Json;

TEST_CASE("units are told by name and state, timers apart from them", "[session][units]") {
    UnitTables tables;
    add_units(Json::parse(R"([[
        ["ssh.service", "OpenBSD Secure Shell server", "loaded", "active", "running", "", "/o/ssh", 0, "", "/"],
        ["apt-daily.timer", "Daily apt", "loaded", "active", "waiting", "", "/o/apt", 0, "", "/"],
        ["odd\u001b[2J.service", "", "loaded", "failed", "failed", "", "/o/odd", 0, "", "/"]]])"),
              user_mark, 1000, tables);
    REQUIRE(tables.units.items.size() == 2);
    CHECK(tables.units.items.at("user: ssh.service") == Item{"active running", {.uid = 1000}});
    CHECK(tables.units.items.at("user: odd\x1b[2J.service").value == "failed failed");
    CHECK(tables.timers.items.at("user: apt-daily.timer").value == "active");
}

TEST_CASE("logind's sessions and inhibitors are told with their users", "[session][units]") {
    Table logins;
    add_logins(Json::parse(R"([[["3", 1000, "ann", "seat0", "/o/3"], ["c1", 0, "root", "", "/o/c1"]]])"), logins);
    CHECK(logins.items.at("session 3") == Item{"ann on seat0", {.uid = 1000}});
    CHECK(logins.items.at("session c1") == Item{"root", {.uid = 0}});
    Table inhibitors;
    add_inhibitors(Json::parse(R"([[["sleep", "GNOME", "copies a file", "block", 1000, 77]]])"), inhibitors);
    CHECK(inhibitors.items.at("GNOME: sleep (block), process 77") == Item{"copies a file", {.uid = 1000, .pid = 77}});
}

TEST_CASE("an answer of another form is an error, and no table of half of it", "[session][units]") {
    for (const char* answer :
         {"[]", "[[[]]]", "[[[1, 2, 3, 4, 5]]]", "{}", "null", R"([[["a.service", "", "loaded"]]])"}) {
        CAPTURE(answer);
        UnitTables tables;
        Table table;
        CHECK_THROWS_AS(add_units(Json::parse(answer), "", 0, tables), Json::exception);
        CHECK(tables.units.items.empty());
        CHECK_THROWS_AS(add_logins(Json::parse(answer), table), Json::exception);
        CHECK_THROWS_AS(add_inhibitors(Json::parse(answer), table), Json::exception);
    }
}
