#include "runtime/host/services/service_journal.hpp"

#include <fcntl.h>

#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/machine.hpp"

using namespace runtime::host;
using tests::TemporaryDirectory;

TEST_CASE("the journal: shared by runs, kept on the disk, and nothing of another boot", "[host-services]") {
    const TemporaryDirectory directory;
    const auto store = sandbox::os::open_directory(AT_FDCWD, directory.path().string());
    const auto never = [] { return false; };
    CHECK(ServiceJournal::peek(store.get()).all().empty());
    {
        auto journal = ServiceJournal::lock(store.get(), never);
        REQUIRE(journal);
        journal->units.add(
            {.manager = Manager::system, .unit = "db.service", .invocation = "1", .wanted_by = {"a.target"}});
        journal->units.add({.manager = Manager::user, .unit = "db.service", .invocation = "2"});
        journal->units.add({.manager = Manager::system, .unit = "foo.service"});
        journal->units.add_user(Manager::system, "db.service", "runs/1");
        journal->units.add_user(Manager::system, "db.service", "runs/2");
        journal->units.add_user(Manager::system, "db.service", "runs/2");
        journal->units.add_user(Manager::system, "foo.service", "runs/1");
        journal->units.add_user(Manager::user, "db.service", "runs/1");
        journal->write();
        // Whoever has it lets nobody else; and who is told to end does not wait.
        CHECK_FALSE(ServiceJournal::lock(store.get(), [] { return true; }));
    }
    auto journal = ServiceJournal::lock(store.get(), never);
    REQUIRE(journal);
    REQUIRE(journal->units.all().size() == 3);
    CHECK(journal->units.all()[0] ==
          StartedUnit{Manager::system, "db.service", "1", {"a.target"}, {"runs/1", "runs/2"}});
    CHECK(journal->units.find(Manager::user, "db.service")->invocation == "2");
    CHECK(journal->units.unneeded().empty());

    journal->units.drop_user("runs/1");
    const std::vector<StartedUnit> unneeded = journal->units.unneeded();
    REQUIRE(unneeded.size() == 2);
    CHECK(unneeded[0].unit == "foo.service");  // the last first
    CHECK(unneeded[1].manager == Manager::user);
    journal->units.drop_dead_users([](const std::string& run) { return run == "runs/2"; });
    CHECK(journal->units.unneeded().size() == 2);
    journal->units.drop_dead_users([](const std::string&) { return false; });
    CHECK(journal->units.unneeded().size() == 3);

    for (const StartedUnit& one : unneeded) journal->units.erase(one.manager, one.unit);
    journal->units.erase(Manager::system, "db.service");
    journal->write();
    CHECK_FALSE(sandbox::os::exists(store.get(), "host-services.json"));

    sandbox::os::write_file_atomically(store.get(), "host-services.json",
                                       R"({"boot": "another", "units": [{"unit": "of an older form"}]})");
    CHECK(ServiceJournal::peek(store.get()).all().empty());
    sandbox::os::write_file_atomically(store.get(), "host-services.json", "{");
    CHECK_THROWS_WITH(ServiceJournal::peek(store.get()),
                      Catch::Contains("host-services.json in the store cannot be read"));
}

TEST_CASE("what was started before the machine was is not started any more", "[host-services]") {
    const tests::Machine machine;
    machine.file("proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
    const TemporaryDirectory directory;
    const auto store = sandbox::os::open_directory(AT_FDCWD, directory.path().string());
    {
        auto journal = ServiceJournal::lock(
            store.get(), [] { return false; }, machine.files());
        REQUIRE(journal);
        journal->units.add({.manager = Manager::system, .unit = "db.service"});
        journal->write();
    }
    CHECK(ServiceJournal::peek(store.get(), machine.files()).all().size() == 1);
    machine.file("proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-666666666666\n");
    CHECK(ServiceJournal::peek(store.get(), machine.files()).all().empty());
    INFO("a machine that does not say which boot it is in is an error, since all boots would be one");
    CHECK_THROWS_WITH(ServiceJournal::peek(store.get(), tests::Machine().files()), Catch::Contains("boot_id"));
}
