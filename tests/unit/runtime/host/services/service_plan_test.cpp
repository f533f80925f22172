// What is done about the services that a pipeline requires of its host, decided over described units: no bus is asked.
#include <algorithm>
#include <map>

#include "runtime/host/services/service_plan.hpp"

#include "tests/support/catch.hpp"

using namespace runtime::host;
using stages::HostService;
using Act = ServiceStart::Act;

namespace {

UnitFacts unit(const std::string& name, const std::string& active) {
    UnitFacts facts;
    facts.name = name;
    facts.load = "loaded";
    facts.active = active;
    facts.sub = active == "active" ? "running" : active == "inactive" ? "dead" : active;
    if (active == "active") facts.invocation = "of " + name;
    return facts;
}

class Described : public UnitSource {
  public:
    UnitFacts& add(const std::string& name, const std::string& active = "inactive") {
        return units_[name] = unit(name, active);
    }
    // The other way round, too, as systemd has it.
    void require(const std::string& above, const std::string& below) {
        units_.at(above).requires_.push_back(below);
        units_.at(below).required_by.push_back(above);
    }
    void want(const std::string& above, const std::string& below) {
        units_.at(above).wants.push_back(below);
        if (units_.contains(below)) units_.at(below).wanted_by.push_back(above);
    }
    UnitFacts& at(const std::string& name) { return units_.at(name); }
    const UnitFacts& get(const std::string& name) override {
        const auto alias = aliases.find(name);
        const std::string& own = alias == aliases.end() ? name : alias->second;
        if (!units_.contains(own)) add(own).load = "not-found";
        return units_.at(own);
    }

    std::map<std::string, std::string> aliases;

  private:
    std::map<std::string, UnitFacts> units_;
};

// A host with a few of the units that every one has.
struct Host {
    Host() {
        units.add("sysinit.target", "active");
        units.add("dbus.service", "active").triggered_by = {"dbus.socket"};
        units.add("dbus.socket", "active");
        units.add("ssh.service", "active");
        units.add("shutdown.target");
        units.add("foo.service").conflicts = {"shutdown.target"};
        units.require("dbus.service", "dbus.socket");
        units.require("ssh.service", "sysinit.target");
        units.require("foo.service", "sysinit.target");
    }

    ServiceDecision decide(const HostService& wanted) {
        return runtime::host::decide(wanted, units, [this]() -> const CriticalUnits& { return find_critical(); });
    }
    ServiceStart start(const std::string& name) {
        const ServiceDecision decision = decide({.unit = name, .may_start = true, .at = {}});
        if (const auto* problem = std::get_if<sandbox::os::Problem>(&decision)) FAIL(problem->what);
        return std::get<ServiceStart>(decision);
    }
    sandbox::os::Problem problem(const std::string& name, bool may_start = true) {
        const ServiceDecision decision = decide({.unit = name, .may_start = may_start, .at = {}});
        REQUIRE(std::holds_alternative<sandbox::os::Problem>(decision));
        return std::get<sandbox::os::Problem>(decision);
    }
    StopDecision stop(const StartedUnit& started, PendingJob job = PendingJob::others) {
        return decide_stop(
            started, units, [this]() -> const CriticalUnits& { return find_critical(); }, job);
    }
    const CriticalUnits& find_critical() {
        critical.emplace(std::vector<CriticalUnit>{{"dbus.service", "is the message bus"},
                                                   {"ssh.service", "is the SSH server of this session"}},
                         units);
        return *critical;
    }

    Described units;
    std::optional<CriticalUnits> critical;
};

bool has(const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a required service that is active needs nothing, whatever else is the matter", "[host-services]") {
    Host host;
    host.units.at("foo.service").active = "active";
    host.units.at("foo.service").conflicts = {"dbus.service"};
    CHECK(host.start("foo.service").act == Act::none);
    host.units.at("foo.service").active = "reloading";
    CHECK(host.start("foo.service").act == Act::none);
    host.units.at("foo.service").active = "activating";
    CHECK(host.start("foo.service").act == Act::await);
    host.units.aliases["bar.service"] = "dbus.service";
    CHECK(host.start("bar.service").unit == "dbus.service");
}

TEST_CASE("a required service that cannot be had is an error with its state and the remedy", "[host-services]") {
    Host host;
    has(host.problem("none.service").what, "the unit none.service is not on this host");
    has(host.problem("none.service").remedy, "install the package");
    host.units.at("foo.service").load = "masked";
    has(host.problem("foo.service").what, "is masked");
    CHECK(host.problem("foo.service").remedy == "sudo systemctl unmask foo.service");
    host.units.at("foo.service").load = "bad-setting";
    host.units.at("foo.service").load_error = "Unit has no ExecStart=";
    has(host.problem("foo.service").what, "cannot be loaded (bad-setting): Unit has no ExecStart=");

    UnitFacts& foo = host.units.at("foo.service");
    foo = unit("foo.service", "failed");
    foo.result = "exit-code";
    foo.exit = "exit status 3";
    has(host.problem("foo.service").what, "failed (failed, exit-code, exit status 3)");
    has(host.problem("foo.service").remedy, "systemctl status foo.service");
    foo = unit("foo.service", "deactivating");
    has(host.problem("foo.service").what, "somebody is just stopping it");
}

TEST_CASE("an inactive service is not started without leave, and the error has the key", "[host-services]") {
    Host host;
    const sandbox::os::Problem problem = host.problem("foo.service", false);
    has(problem.what, "the unit foo.service is inactive (dead), and the build may not start it");
    has(problem.remedy, "sudo systemctl start foo.service");
    has(problem.remedy, "{ name = \"foo.service\", allow-start = true }");

    host.units.add("foo.socket", "active");
    host.units.at("foo.service").triggered_by = {"foo.socket"};
    has(host.problem("foo.service", false).remedy, "require \"foo.socket\" instead");

    const ServiceDecision users =
        host.decide({.unit = "foo.service", .manager = HostService::Manager::user, .may_start = false, .at = {}});
    has(std::get<sandbox::os::Problem>(users).what, "the user's unit foo.service");
    has(std::get<sandbox::os::Problem>(users).remedy, "systemctl --user start foo.service");
}

TEST_CASE("a start names what comes with it, what others need first", "[host-services]") {
    Host host;
    Described& units = host.units;
    for (const char* name : {"db.service", "db.socket", "log.service", "up.service", "below-up.service"})
        units.add(name);
    units.at("up.service").active = "active";
    units.require("foo.service", "db.service");
    units.require("db.service", "db.socket");
    units.want("foo.service", "log.service");
    units.want("foo.service", "missing.service.not-there");
    units.require("foo.service", "up.service");
    units.want("up.service", "below-up.service");  // systemd does not go beyond what is up
    units.require("db.socket", "foo.service");     // a circle ends
    const ServiceStart start = host.start("foo.service");
    CHECK(start.act == Act::start);
    CHECK(start.unit == "foo.service");
    CHECK(start.comes_with == UnitNames{"db.socket", "db.service", "log.service"});

    units.at("db.socket").load = "masked";
    has(host.problem("foo.service").what, "db.service requires db.socket, and the unit db.socket is masked");
    units.at("db.socket").load = "loaded";
    units.at("db.service").active = "failed";
    has(host.problem("foo.service").what, "foo.service requires db.service, and the unit db.service is failed");
}

TEST_CASE("a start that would stop something is refused, and says what and by what", "[host-services]") {
    Host host;
    Described& units = host.units;
    units.add("other.service", "active");
    units.add("user-of-other.service", "active");
    units.require("user-of-other.service", "other.service");
    units.at("foo.service").conflicts = {"other.service"};
    has(host.problem("foo.service").what, "starting the unit foo.service would stop other.service");
    has(host.problem("foo.service").remedy, "sudo systemctl stop other.service");

    // What is critical is named first, and by what it is.
    units.at("foo.service").conflicts = {"other.service", "dbus.service"};
    has(host.problem("foo.service").what, "would stop dbus.service");
    has(host.problem("foo.service").what, "this session depends on dbus.service: it is the message bus");

    // Not by its own conflicts: by those of what it brings.
    units.at("foo.service").conflicts = {};
    units.add("brought.service").conflicts = {"dbus.socket"};
    units.want("foo.service", "brought.service");
    has(host.problem("foo.service").what, "starting the unit brought.service would stop dbus.socket");
    has(host.problem("foo.service").what, "it starts dbus.service, which is the message bus");

    // Nor only those: what systemd stops with what it stops.
    units.at("brought.service").conflicts = {"base.service"};
    units.add("base.service", "active");
    units.at("base.service").required_by = {"ssh.service"};  // PartOf=: it is stopped with it, and does without it
    has(host.problem("foo.service").what, "would stop ssh.service, which is active: they conflict by base.service");

    units.at("base.service").active = "inactive";
    CHECK(host.start("foo.service").act == Act::start);
}

TEST_CASE("what the session depends on is not started, either", "[host-services]") {
    Host host;
    host.units.at("ssh.service").active = "inactive";
    has(host.problem("ssh.service").what, "is inactive, and this session depends on it: it is the SSH server");
    has(host.problem("ssh.service").remedy, "never starts or stops such a unit");
    host.units.add("keys.service");
    host.units.require("ssh.service", "keys.service");
    host.units.require("foo.service", "keys.service");
    has(host.problem("foo.service").what, "the unit keys.service is inactive, and this session depends on it");
    CHECK(host.find_critical().why("foo.service") == nullptr);
    CHECK(*host.find_critical().why("sysinit.target") ==
          "ssh.service requires it, and is the SSH server of this session");
}

TEST_CASE("after the build only what is as it was started is stopped", "[host-services]") {
    Host host;
    Described& units = host.units;
    UnitFacts& foo = units.at("foo.service");
    units.add("multi-user.target", "active");
    units.want("multi-user.target", "foo.service");
    const StartedUnit started{
        .unit = "foo.service", .invocation = "of foo.service", .wanted_by = {"multi-user.target"}};
    CHECK(host.stop(started).act == StopDecision::Act::none);

    foo.active = "active";
    foo.invocation = "of foo.service";
    CHECK(host.stop(started).act == StopDecision::Act::stop);
    foo.active = "activating";
    CHECK(host.stop(started).act == StopDecision::Act::stop);
    foo.active = "active";

    const auto left = [&](const StartedUnit& one, const std::string& why) {
        const StopDecision decision = host.stop(one);
        CHECK(decision.act == StopDecision::Act::leave);
        has(decision.why, why);
    };
    foo.has_job = true;
    left(started, "somebody else has just given systemd a job");
    CHECK(host.stop(started, PendingJob::own).act == StopDecision::Act::stop);
    foo.active = "activating";  // by the start that is meant
    CHECK(host.stop(started).act == StopDecision::Act::stop);
    foo.active = "active";
    foo.has_job = false;
    StartedUnit unseen = started;
    unseen.invocation.clear();
    left(unseen, "nobody has seen");
    foo.invocation = "another";
    left(started, "started anew meanwhile");
    foo.invocation = "of foo.service";

    units.add("late.service", "active");
    units.require("late.service", "foo.service");
    left(started, "late.service needs it by now");
    units.add("later.target", "active");
    units.want("later.target", "foo.service");
    left(started, "late.service and later.target need it by now");
    units.at("late.service").active = units.at("later.target").active = "inactive";
    CHECK(host.stop(started).act == StopDecision::Act::stop);

    units.require("ssh.service", "foo.service");
    units.at("ssh.service").active = "inactive";
    left(started, "this session depends on it: ssh.service requires it");

    // A start that was given up before it began.
    Host other;
    other.units.at("foo.service").has_job = true;
    CHECK(other.stop(unseen, PendingJob::own).act == StopDecision::Act::stop);
    CHECK(other.stop(unseen).act == StopDecision::Act::none);
}
