// D-Bus with a real daemon of the test's own.
#include "sandbox/os/bus.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "sandbox/os/process.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using namespace sandbox::os;
using tests::TemporaryDirectory;

namespace {

// What the variable was, when the object is gone.
class Variable {
  public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* const before = std::getenv(name)) before_ = before;
        ::setenv(name, value.c_str(), 1);
    }
    ~Variable() {
        if (before_) {
            ::setenv(name_, before_->c_str(), 1);
        } else {
            ::unsetenv(name_);
        }
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

  private:
    const char* name_;
    std::optional<std::string> before_;
};

constexpr BusTarget broker{"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"};

}  // namespace

TEST_CASE("where no bus is, its address is named", "[bus]") {
    const TemporaryDirectory directory;
    const Variable runtime("XDG_RUNTIME_DIR", directory.path().string());
    CHECK_THROWS_WITH(Bus(BusKind::user),
                      Catch::Contains(directory.path().string() + "/bus: No such file or directory") &&
                          Catch::Contains(directory.path().string() + "/systemd/private"));
}

TEST_CASE("calls are answered, errors have their names, signals are kept", "[bus]") {
    const TemporaryDirectory directory;
    const Variable runtime("XDG_RUNTIME_DIR", directory.path().string());
    const std::string address = directory.path().string() + "/bus";
    const Helper server = start_helper("/usr/bin/dbus-daemon",
                                       {"dbus-daemon", "--session", "--nofork", "--address=unix:path=" + address});
    for (int tries = 0; tries < 1000 && ::access(address.c_str(), F_OK) != 0; ++tries) ::usleep(5000);

    Bus bus(BusKind::user);
    BusMessage listing = bus.call(bus.new_call(broker, "ListNames"));
    REQUIRE(listing.enter('a', "s"));
    CHECK(listing.read_text() == "org.freedesktop.DBus");
    listing.skip("s");  // this connection's own
    listing.leave();

    BusMessage all = bus.new_call({broker.destination, broker.path, "org.freedesktop.DBus.Properties"}, "GetAll");
    all.add(broker.interface);
    const Json properties = bus.call(all).read_values();
    REQUIRE(properties.size() == 1);
    CHECK(properties[0].at("Interfaces").is_array());
    BusMessage credentials = bus.new_call(broker, "GetConnectionCredentials");
    credentials.add("org.freedesktop.DBus");
    const Json known = bus.call(credentials).read_values().at(0);
    CHECK(known.at("UnixUserID") == ::geteuid());
    CHECK(known.at("ProcessID").is_number());

    BusMessage question = bus.new_call(broker, "NameHasOwner");
    question.add("org.freedesktop.DBus");
    CHECK(bus.call(question).read_truth());

    BusMessage wrong = bus.new_call(broker, "GetNameOwner");
    wrong.add("org.example.Nobody");
    try {
        bus.call(wrong);
        FAIL("a name that nobody has was found");
    } catch (const BusError& error) {
        CHECK(error.name() == "org.freedesktop.DBus.Error.NameHasNoOwner");
        CHECK(std::string(error.what()).find("org.example.Nobody") != std::string::npos);
    }

    bus.listen("org.freedesktop.DBus", "NameOwnerChanged");
    BusMessage request = bus.new_call(broker, "RequestName");
    request.add("org.example.Stagebox").add_number(4);  // DBUS_NAME_FLAG_DO_NOT_QUEUE
    CHECK(bus.call(request).read_number() == 1);        // DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER
    bool has_come = false;
    while (auto signal = bus.next_signal(std::chrono::seconds(5))) {
        if (signal->read_text() != "org.example.Stagebox") continue;
        CHECK(signal->read_text().empty());
        CHECK(signal->read_text().starts_with(":"));
        has_come = true;
        break;
    }
    CHECK(has_come);
    CHECK_FALSE(bus.next_signal(std::chrono::milliseconds(0)));
    CHECK_THROWS_AS(request.read_number(), BusError);  // it is one to be written
}
