// Which stages have a network, and how what it gave is noted.
#include <filesystem>

#include "sandbox/os/format.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;

namespace fs = std::filesystem;

namespace {

// What a network gives: something else each time.
constexpr std::string_view fetch = R"toml(
[stage.fetch]
from = "host"
network = "host"
run = ["sh", "-c", "head -c 16 /dev/urandom > /out/x"]
out = { x = "x" }
[stage.use]
from = "host"
in = { "/in/x" = "fetch.x" }
run = ["cp", "/in/x", "/out/y"]
out = { y = "y" }
)toml";

// What a pipeline with a stage on the host's network is granted.
const std::vector<std::string> granted = {"--allow", "host-network"};

std::vector<std::string> granted_and(std::vector<std::string> words) {
    words.insert(words.begin(), granted.begin(), granted.end());
    return words;
}

std::string id_of(const Workspace& workspace, const std::string& store) {
    return workspace.record_in(store, "fetch").at("artifacts").at("x").at("id");
}

}  // namespace

TEST_CASE("a stage without a network reaches nobody, one with it does", "[network]") {
    const Workspace workspace;
    const Listener listener;
    workspace.add_probe();
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.without]
from = "empty"
in = {{ "/in/probe" = "./probe" }}
run = ["/in/probe", "connect-inet", "127.0.0.1", "{0}"]
[stage.with]
from = "empty"
network = "host"
in = {{ "/in/probe" = "./probe" }}
run = ["/in/probe", "connect-inet", "127.0.0.1", "{0}"]
)toml",
                                           listener.port()));
    const Result built = workspace.build(granted);
    INFO(built.err);
    REQUIRE(built.code == 0);
    CHECK(says(built, "without | connect=ECONNREFUSED"));
    CHECK(says(built, "   with | connect=ok"));
}

TEST_CASE("what the network gave is noted beside the pipeline", "[network][lock]") {
    const Workspace workspace;
    workspace.pipeline(fetch);
    const std::string lock = workspace.project() + "/stagebox.lock";
    REQUIRE(workspace.build(granted).code == 0);
    const std::string first = content_of(lock);
    const std::string first_id = id_of(workspace, workspace.store());
    CHECK(first.find("[stage.fetch]") != std::string::npos);
    CHECK(first.find(first_id) != std::string::npos);
    CHECK(first.find("[stage.use]") == std::string::npos);
    CHECK(states(workspace.build(granted)) == "fetch=cached use=cached");
    CHECK(content_of(lock) == first);

    SECTION("another store gets another result: it is taken and told, and --refresh notes it") {
        const Result differs = workspace.build_in(workspace.other_store(), granted);
        INFO(differs.err);
        CHECK(differs.code == 0);
        CHECK(states(differs) == "fetch=built use=built");
        CHECK(says(differs,
                   "warning: stage fetch has another result than stagebox.lock notes, and that is taken; "
                   "`stagebox build --refresh fetch` notes what it yields now\n"));
        // What is noted is not in this store, so nothing can be compared.
        CHECK_FALSE(says(differs, "not as noted"));
        CHECK(content_of(lock) == first);
        CHECK(says(workspace.build_in(workspace.other_store(), granted), "another result than stagebox.lock notes"));

        const Result refreshed = workspace.build_in(workspace.other_store(), granted_and({"--refresh", "fetch"}));
        CHECK(refreshed.code == 0);
        CHECK(states(refreshed) == "fetch=built use=built");
        CHECK(content_of(lock) != first);
        CHECK(content_of(lock).find(id_of(workspace, workspace.other_store())) != std::string::npos);
        CHECK(states(workspace.build_in(workspace.other_store(), granted)) == "fetch=cached use=cached");
    }
    SECTION("a note makes no record: what the store made last is taken, and told") {
        REQUIRE(workspace.build(granted_and({"--refresh", "fetch"})).code == 0);
        const std::string last_id = id_of(workspace, workspace.store());
        CHECK(last_id != first_id);
        workspace.write("stagebox.lock", first);
        const Result back = workspace.build(granted);
        INFO(back.err);
        CHECK(back.code == 0);
        CHECK(states(back) == "fetch=cached use=cached");
        CHECK(says(back, "stage fetch has another result than stagebox.lock notes"));
        CHECK(id_of(workspace, workspace.store()) == last_id);
        CHECK(content_of(lock) == first);
        const Result locked = workspace.build(granted_and({"--locked"}));
        INFO(locked.err);
        CHECK(locked.code == 1);
        CHECK(states(locked) == "fetch=failed use=skipped");
        CHECK(says(locked, "the store has another result than stagebox.lock notes"));
        // The record gone, what is noted is in the store still, and taken for nothing.
        workspace.forget("fetch");
        const Result again = workspace.build(granted);
        INFO(again.err);
        CHECK(state_of(again, "fetch") == "built");
        CHECK(says(again, "fetch | not as noted: changed /out/x\n"));
    }
    SECTION("a stage that asks for something else is not held to the note") {
        std::string other(fetch);
        other.replace(other.find("-c 16"), 5, "-c 17");
        workspace.pipeline(other);
        CHECK(states(workspace.build(granted)) == "fetch=built use=built");
        CHECK(content_of(lock) != first);
    }
}

TEST_CASE("a locked build takes what is noted and nothing else, and keeps what it refused", "[network][lock]") {
    const Workspace workspace;
    workspace.pipeline(fetch);
    const Result unnoted = workspace.build(granted_and({"--locked"}));
    INFO(unnoted.err);
    CHECK(unnoted.code == 1);
    CHECK(says(unnoted,
               "fetch | failed: stagebox.lock notes no result of the stage as it is now, and --locked adds none"));
    CHECK_FALSE(says(unnoted, "fetch | starts"));
    CHECK_FALSE(fs::exists(workspace.project() + "/stagebox.lock"));

    REQUIRE(workspace.build(granted).code == 0);
    const std::string noted = content_of(workspace.project() + "/stagebox.lock");
    CHECK(states(workspace.build(granted_and({"--locked"}))) == "fetch=cached use=cached");
    const Result refused = workspace.build_in(workspace.other_store(), granted_and({"--locked"}));
    INFO(refused.err);
    CHECK(refused.code == 1);
    CHECK(states(refused) == "fetch=failed use=skipped");
    CHECK(says(refused, "it yielded another result than stagebox.lock notes, and --locked takes no other"));
    CHECK(says(refused, "class: pin"));
    CHECK(content_of(workspace.project() + "/stagebox.lock") == noted);
    CHECK(workspace.record_in(workspace.other_store(), "fetch").is_null());

    // What was refused is kept, as the command left it, and listed.
    fs::path failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(workspace.other_store() + "/v2/failed"))
        failed = entry;
    CHECK(fs::file_size(failed / "out/x") == 16);
    const std::string listing = content_of((failed / "listing").string());
    INFO(listing);
    CHECK(listing.starts_with("/out/x file 0644 0:0 16 "));
    CHECK(says(refused, (failed / "listing").string()));
    Start shell{.argv = {stagebox_program(), "shell", "-f", workspace.project() + "/stagebox.toml", "--store",
                         workspace.other_store(), "--allow", "host-network", "--failed", "fetch"}};
    shell.input = "wc -c < /out/x\n";
    const Result inside = run(shell);
    INFO(inside.err);
    CHECK(inside.out == "16\n");
    CHECK(workspace.build(granted_and({"--refresh", "fetch", "--locked"})).code == 2);
}

TEST_CASE("a refused tree is kept whole, with its layer, and what differs is named", "[network][lock]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(R"toml(
[stage.fetch]
from = "tools.root"
network = "host"
run = ["sh", "-c", "mkdir -p /out/a/tree; echo same > /out/a/tree/same; date +%N > /out/a/tree/log; date +%N > /x"]
out = { tree = "a/tree" }
[stage.use]
from = "fetch"
in = { "/in/tree" = "fetch.tree" }
run = ["sh", "-c", "cat /in/tree/same > /out/y"]
out = { y = "y" }
)toml"));
    REQUIRE(workspace.build(granted).code == 0);
    workspace.forget("fetch");
    const Result refused = workspace.build(granted_and({"--locked"}));
    INFO(refused.err);
    CHECK(refused.code == 1);
    CHECK(says(refused, "fetch | not as noted: changed /x\n"));
    CHECK(says(refused, "fetch | not as noted: changed /out/a/tree/log\n"));
    CHECK_FALSE(says(refused, "changed /out/a/tree/same"));
    const std::vector<std::string> failed = workspace.names_in("failed");
    REQUIRE(failed.size() == 1);
    const std::string place = workspace.store() + "/v2/failed/" + failed.front();
    CHECK(content_of(place + "/out/a/tree/same") == "same\n");
    const std::string listing = content_of(place + "/listing");
    INFO(listing);
    CHECK(listing.find("\n/x file 0644 0:0 10 ") != std::string::npos);
    CHECK(listing.find("\n/out/a/tree directory 0755 0:0\n") != std::string::npos);
    // Taken without --locked, it is compared in the same way.
    const Result taken = workspace.build(granted);
    INFO(taken.err);
    CHECK(taken.code == 0);
    CHECK(says(taken, "fetch | not as noted: changed /out/a/tree/log\n"));
    CHECK(workspace.names_in("failed").empty());
}

TEST_CASE("a lock of somebody else makes no result, for the pipeline that it came with or for another",
          "[network][lock][threat]") {
    const Workspace workspace;
    workspace.pipeline(std::string(fetch) +
                       "[stage.evil]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"echo evil > /out/x\"]\n"
                       "out = { x = \"x\" }\n");
    REQUIRE(workspace.build(granted).code == 0);
    // The lock now says that the key of `fetch` yields what `evil` made.
    std::string lock = content_of(workspace.project() + "/stagebox.lock");
    const std::string genuine = id_of(workspace, workspace.store());
    const std::string evil = workspace.record_of("evil").at("artifacts").at("x").at("id");
    lock.replace(lock.find(genuine), genuine.size(), evil);
    workspace.write("stagebox.lock", lock);
    workspace.forget("fetch");
    const Result built = workspace.build(granted);
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK(state_of(built, "fetch") == "built");
    CHECK(id_of(workspace, workspace.store()) != evil);
}

TEST_CASE("a lock file that is wrong is told with its line", "[network][lock]") {
    const Workspace workspace;
    workspace.pipeline(fetch);
    workspace.write("stagebox.lock", "version = 2\n[stage.fetch]\nkye = \"x\"\n");
    const Result wrong = workspace.build(granted);
    INFO(wrong.err);
    CHECK(wrong.code == 2);
    CHECK(says(wrong, "stagebox.lock:3:1: error: "));

    const std::string lines = "version = 2\n[stage.fetch]\nkey = \"" + std::string(64, 'a') + "\"\ntree = \"\"\n";
    const std::string outside = "artifact.x = { id = \"../../../x\", bytes = 1, entries = 1, type = \"file\" }\n";
    workspace.write("stagebox.lock", lines + outside);
    const Result path = workspace.build(granted);
    INFO(path.err);
    CHECK(path.code == 2);
    CHECK(says(path, "stagebox.lock:5:21: error: stage.fetch.artifact.x.id must be a digest"));
    CHECK(says(path, "help: "));
    CHECK(path.out.find("fetch") == std::string::npos);
}

TEST_CASE("a stage with the host's network does not see more of the host", "[network]") {
    const Workspace workspace;
    const Canary canary(workspace.path() + "/canary");
    workspace.pipeline(sandbox::os::format(R"toml(
[stage.a]
from = "host"
network = "host"
run = ["sh", "-c", "test ! -e {} && test ! -e /etc/shadow && test ! -e /home && test -z \"$(ls /run | grep -v stagebox)\""]
)toml",
                                           canary.path()));
    const Result built = workspace.build(granted);
    INFO(built.err);
    CHECK(built.code == 0);
}
