// The store as a user sees it: where it may be, what is listed, what is deleted.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sandbox/os/sha256.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view two_stages = R"toml(
[stage.a]
from = "tools.root"
run = ["sh", "-c", "mkdir /d; echo a > /d/a; chown -R 42:42 /d"]
[stage.b]
from = "a"
script = "b.sh"
out = { x = "x" }
)toml";

Result store(const Workspace& workspace, std::vector<std::string> words) {
    words.insert(words.begin(), {stagebox_program(), "store"});
    words.insert(words.end(), {"--store", workspace.store()});
    return run({.argv = std::move(words)});
}

Result run_status(const Workspace& workspace, std::vector<std::string> words) {
    words.insert(words.begin(), {stagebox_program(), "status"});
    words.insert(words.end(), {"--store", workspace.store()});
    return run({.argv = std::move(words)});
}

}  // namespace

TEST_CASE("a store in a shared temporary directory is refused", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    for (const std::string path : {"/tmp/stagebox-store-of-a-test", "/var/tmp/stagebox-store-of-a-test"}) {
        const Result refused = workspace.build_in(path);
        INFO(refused.err);
        CHECK(refused.code == 3);
        CHECK(says(refused, "the store cannot be in " + path.substr(0, path.rfind('/'))));
        CHECK(says(refused, "--store or STAGEBOX_STORE"));
        CHECK_FALSE(fs::exists(path));
    }
}

TEST_CASE("the store is where the environment says", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    const std::vector<std::string> build = {stagebox_program(), "build", "-f", workspace.project() + "/stagebox.toml"};
    CHECK(run({.argv = build, .env = {{"STAGEBOX_STORE", workspace.store()}}}).code == 0);
    CHECK(workspace.names_in("records").size() == 1);
    CHECK(run({.argv = build, .env = {{"XDG_CACHE_HOME", workspace.path()}, {"STAGEBOX_STORE", ""}}}).code == 0);
    CHECK(fs::exists(workspace.path() + "/stagebox/v2/records"));
}

TEST_CASE("gc deletes what no result needs, and no more", "[store]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(two_stages));
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x; rm -r /d\n");
    REQUIRE(workspace.build().code == 0);
    const Result listed = store(workspace, {"ls"});
    CHECK(listed.code == 0);
    CHECK(says(listed, "3 results"));
    CHECK(says(listed, "0 failed stages kept; 0 unnamed layers and artifacts"));
    CHECK(says(store(workspace, {"gc"}), "deleted: 0 results, 0 failed stages, 0 layers and artifacts, 0 runs"));
    CHECK(states(workspace.build()) == "tools=cached a=cached b=cached");

    workspace.write("b.sh", "#!/bin/sh\nexit 1\n");
    REQUIRE(workspace.build().code == 1);
    workspace.forget("b");
    std::ofstream(workspace.store() + "/v2/records/abc.json.1.new") << "{ \"half";
    CHECK(says(store(workspace, {"ls"}), "1 failed stages kept; 3 unnamed layers and artifacts"));
    const Result collected = store(workspace, {"gc"});
    INFO(collected.out << collected.err);
    CHECK(collected.code == 0);
    CHECK(says(collected, "deleted: 0 results, 1 failed stages, 3 layers and artifacts"));
    CHECK(collected.err.empty());
    CHECK(workspace.names_in("layers").size() == 1);
    CHECK(workspace.names_in("records").size() == 2);
    CHECK(workspace.names_in("trash").empty());
    CHECK(states(workspace.build({"a"})) == "tools=cached a=cached");
}

TEST_CASE("a store that nothing has happened to is whole", "[store]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(two_stages) + R"toml(
[stage.single]
from = "host"
ids = "single"
in = { "/in/b" = "./b.sh" }
run = ["sh", "-c", "mkdir /out/t; cp /in/b /out/t; ln /out/t/b /out/t/c; chown 5:6 /out/t/b; ln -s b /out/t/l; mkfifo /out/t/f"]
out = { t = "t" }
env = { SOURCE_DATE_EPOCH = "1000" }
)toml");
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x; rm -r /d\n");
    REQUIRE(workspace.build().code == 0);
    const Result checked = store(workspace, {"check"});
    INFO(checked.out << checked.err);
    CHECK(checked.code == 0);
    CHECK(says(checked, "4 results, 2 layers, 4 artifacts"));
    CHECK(says(checked, "read: whole"));
    // The copy of the local input.
    CHECK(says(checked, "left over: 1 places that no result names"));
    const auto json = sandbox::os::Json::parse(store(workspace, {"check", "--json", "--quick"}).out);
    CHECK(json.at("whole") == true);
    CHECK(json.at("bytes") == 0);
    CHECK(states(workspace.build()) == "tools=cached a=cached b=cached single=cached");
}

TEST_CASE("what is damaged in a store is named, never used, and built again", "[store]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo a > /out/x"]
out = { x = "x" }
[stage.b]
from = "host"
in = { "/in/x" = "a.x", "/in/note" = "./note" }
run = ["sh", "-c", "cat /in/note /in/x > /out/y"]
out = { y = "y" }
)toml");
    workspace.write("note", "a note\n");
    REQUIRE(workspace.build().code == 0);
    const std::string id = workspace.record_of("a").at("artifacts").at("x").at("id");
    const std::string made = workspace.artifact_of("b", "y");
    const fs::path artifact = workspace.store() + "/v2/artifacts/" + id;
    struct Case {
        std::string what;
        std::string damage;
        std::string why;
        std::string next;
    };
    const std::string local = R"sh(changed=1; for d in artifacts/*/data; do [ "$(cat $d)" = "a note" ] && )sh";
    const Case one = GENERATE_REF(values<Case>({
        {"its content", "echo b > artifacts/" + id + "/data", "does not have the content it is named for",
         "a=built b=cached"},
        {"it is empty", ": > artifacts/" + id + "/data", "does not have the content it is named for",
         "a=built b=cached"},
        {"its mode", "chmod 4755 artifacts/" + id + "/data", "does not have the content it is named for",
         "a=built b=cached"},
        {"it is gone", "rm -r artifacts/" + id, "is not there", "a=built b=cached"},
        {"it has nothing in it", "rm artifacts/" + id + "/data", "has no content", "a=built b=cached"},
        {"a record", "for r in records/*; do sed -i 's/\"stage\": \"a\"/\"stage\": \"a/' $r; done",
         "cannot be understood", "a=built b=cached"},
        {"a record that names a path",
         "for r in records/*; do sed -i 's,\"id\": \"" + id + "\",\"id\": \"../../../x\",' $r; done", "is not a digest",
         "a=built b=cached"},
        {"another's record", "set records/*; mv $1 spare; mv $2 $1; mv spare $2", "is not the record of that key",
         "a=built b=built"},
        {"a local input's copy", local + "{ echo c > $d; changed=$?; }; done; [ $changed = 0 ]",
         "does not have the content it is named for", "a=cached b=cached"},
    }));
    INFO(one.what);
    // What jails' ids own is changed as root or from within their ids; the store's own directories are the caller's.
    const Result damaged = run({.argv = {"/bin/sh", "-c", "cd " + workspace.store() + "/v2 && " + one.damage}});
    if (::geteuid() != 0 && damaged.code != 0) {
        SUCCEED("of the jail's ids: root's case");
        return;
    }
    REQUIRE(damaged.code == 0);
    const Result checked = store(workspace, {"check"});
    INFO(checked.out << checked.err);
    CHECK(checked.code == 1);
    CHECK(says(checked, "damaged: "));
    CHECK(says(checked, one.why));
    if (one.why == "is not there") CHECK(says(checked, "result of test/a; the next build runs it again"));
    // Found once, and no build takes it.
    CHECK(store(workspace, {"check"}).code == 0);
    const Result next = workspace.build();
    CHECK(states(next) == one.next);
    CHECK(content_of(workspace.artifact_of("a", "x")) == "a\n");
    CHECK(content_of(made) == "a note\na\n");
    CHECK(store(workspace, {"gc"}).code == 0);
    CHECK(workspace.names_in("damaged").empty());
    CHECK(store(workspace, {"check"}).code == 0);
}

TEST_CASE("a result is deleted by stage or key, and with it what no other names", "[store]") {
    const Workspace workspace;
    workspace.pipeline(R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo same > /out/x"]
out = { x = "x" }
[stage.b]
from = "host"
run = ["sh", "-c", "echo same > /out/x; echo more > /out/y"]
out = { x = "x", y = "y" }
)toml");
    REQUIRE(workspace.build().code == 0);
    SECTION("by stage") {
        CHECK(says(store(workspace, {"rm", "b"}), "deleted: 1 results, 1 layers and artifacts"));
    }
    SECTION("by pipeline and stage") {
        CHECK(says(store(workspace, {"rm", "test/b"}), "deleted: 1 results, 1 layers and artifacts"));
    }
    SECTION("by the beginning of its key") {
        const std::string key = workspace.record_of("b").at("key");
        CHECK(says(store(workspace, {"rm", key.substr(0, 12)}), "deleted: 1 results, 1 layers and artifacts"));
    }
    SECTION("one of several that is not there: nothing is deleted") {
        const Result refused = store(workspace, {"rm", "b", "other"});
        CHECK(refused.code == 2);
        CHECK(says(refused, "no result of a stage other"));
        CHECK(states(workspace.build()) == "a=cached b=cached");
        return;
    }
    CHECK(store(workspace, {"check"}).code == 0);
    CHECK(states(workspace.build()) == "a=cached b=built");
}

TEST_CASE("gc deletes results that were not used for long", "[store]") {
    const Workspace workspace;
    workspace.pipeline(with_tools(two_stages));
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x\n");
    REQUIRE(workspace.build().code == 0);
    const std::string key = workspace.record_of("b").at("key");
    const fs::path record = workspace.store() + "/v2/records/" + key + ".json";
    fs::last_write_time(record, fs::last_write_time(record) - std::chrono::hours(24 * 40));
    SECTION("not used") {
        CHECK(says(store(workspace, {"gc"}), "deleted: 1 results, 0 failed stages, 2 layers"));
    }
    SECTION("used since") {
        REQUIRE(workspace.build().code == 0);
        CHECK(says(store(workspace, {"gc"}), "deleted: 0 results"));
    }
}

TEST_CASE("gc deletes runs that ended long ago, and keeps what stages used", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    REQUIRE(workspace.build().code == 0);
    const std::vector<std::string> runs = workspace.names_in("runs");
    REQUIRE(runs.size() == 1);
    const fs::path events = workspace.store() + "/v2/runs/" + runs.front() + "/events.jsonl";
    fs::last_write_time(events, fs::last_write_time(events) - std::chrono::hours(24 * 40));
    REQUIRE(workspace.build().code == 0);
    CHECK(says(store(workspace, {"gc"}), "0 layers and artifacts, 1 runs"));
    CHECK(workspace.names_in("runs").size() == 1);
    CHECK(workspace.names_in("runs") != runs);
    CHECK(workspace.names_in("trash").empty());
    CHECK(run({.argv = {stagebox_program(), "log", "--usage", "a", "--store", workspace.store()}}).out.find("built") !=
          std::string::npos);
    CHECK(states(workspace.build()) == "a=cached");
}

TEST_CASE("nothing is deleted while a build uses the store", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"echo waiting; sleep 1\"]\n");
    Process build(workspace.command({"build"}));
    build.wait_for("a | waiting");
    const Result refused = store(workspace, {"gc"});
    CHECK(refused.code != 0);
    CHECK(says(refused, "a build or a shell is using the store"));
    CHECK(build.finish().code == 0);
    CHECK(store(workspace, {"gc"}).code == 0);
}

TEST_CASE("what a killed build left is swept by the next", "[store][alone]") {
    const Workspace workspace;
    workspace.write("b.sh", "#!/bin/sh\nmkdir /more; chown 7:7 /more; chmod 0 /more; echo waiting; sleep 1000\n");
    workspace.pipeline(with_tools(two_stages));
    Process build(workspace.command({"build"}));
    build.wait_for("b | waiting");
    build.signal(SIGKILL);
    CHECK(build.finish().code == -SIGKILL);
    CHECK(workspace.names_in("staging").size() == 1);
    workspace.write("b.sh", "#!/bin/sh\ncp /d/a /out/x\n");
    const Result next = workspace.build();
    INFO(next.err);
    CHECK(next.code == 0);
    CHECK(states(next) == "tools=cached a=cached b=built");
    CHECK_FALSE(says(next, "could not be deleted"));
    CHECK(workspace.names_in("staging").empty());
    CHECK(workspace.names_in("trash").empty());
}

TEST_CASE("what a killed build left is also swept by a build of other ids", "[store][alone]") {
    const Workspace workspace;
    workspace.write("b.sh", "#!/bin/sh\nmkdir /more; touch /more/x; chown -R 7:7 /more; echo waiting; sleep 1000\n");
    workspace.pipeline(with_tools(two_stages));
    Process build(workspace.command({"build"}));
    build.wait_for("b | waiting");
    build.signal(SIGKILL);
    static_cast<void>(build.finish());
    workspace.pipeline("[stage.single]\nfrom = \"host\"\nids = \"single\"\nrun = [\"true\"]\n");
    const Result next = workspace.build();
    INFO(next.err);
    CHECK(next.code == 0);
    CHECK_FALSE(says(next, "could not be deleted"));
    CHECK(workspace.names_in("trash").empty());
}

TEST_CASE("a store belongs to one range of ids", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    REQUIRE(workspace.build().code == 0);
    const std::string format_file = workspace.store() + "/v2/format.json";
    const std::string mine = content_of(format_file);
    auto other = sandbox::os::Json::parse(mine);
    other["ids"]["uid_base"] = 12345;
    std::ofstream(format_file) << other.dump();
    workspace.forget("a");
    const Result refused = workspace.build();
    INFO(refused.err);
    CHECK(refused.code == 3);
    CHECK(says(refused, "belongs to the ids 12345 onwards"));
    std::ofstream(format_file) << mine;
    CHECK(workspace.build().code == 0);
}

TEST_CASE("a store that cannot be used is told as such", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    workspace.write("file", "x");
    const Result refused = workspace.build_in(workspace.project() + "/file");
    CHECK(refused.code == 3);
    CHECK(says(refused, "the store " + workspace.project() + "/file cannot be used: "));
    CHECK(workspace.build_in("/proc/no-store").code == 3);
}

TEST_CASE("a record that this version cannot read is a stage that runs again", "[store]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    REQUIRE(workspace.build().code == 0);
    const std::string key = workspace.record_of("a").at("key");
    std::ofstream(workspace.store() + "/v2/records/" + key + ".json") << "{ \"format\": ";
    CHECK(states(workspace.build()) == "a=built");
    CHECK(states(workspace.build()) == "a=cached");
}

TEST_CASE("a store of a newer version is refused, and one that cannot be read too", "[store][version]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    REQUIRE(workspace.build().code == 0);
    const std::string file = workspace.store() + "/v2/format.json";
    const std::string written = content_of(file);
    std::ofstream(file) << R"({"format": 3})";
    const Result newer = workspace.build();
    CHECK(newer.code == 3);
    CHECK(says(newer, workspace.store() + "/v2 is of version 3, and this program knows version 2"));
    CHECK(says(newer, "help: use the program that made it, or another store with --store"));
    CHECK(content_of(file) == R"({"format": 3})");
    for (const char* wrong : {"", "{", "[]", R"({"format": "2"})", "\xff"}) {
        CAPTURE(wrong);
        std::ofstream(file) << wrong;
        const Result unreadable = workspace.build();
        CHECK(unreadable.code == 3);
        CHECK(says(unreadable, "its format.json cannot be read"));
    }
    std::ofstream(file) << written;
    CHECK(workspace.build().code == 0);
}

TEST_CASE("a store of the version before is left alone, named with its size, and deleted on demand",
          "[store][version]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    const std::string old = workspace.store() + "/v1";
    fs::create_directories(old + "/records");
    fs::create_directories(old + "/layers/x/fs");
    std::ofstream(old + "/records/one.json")
        << R"({"format": 1, "layer": {"id": "x", "bytes": 1500000}, "artifacts": {}})";
    std::ofstream(old + "/records/two.json")
        << R"({"format": 1, "layer": {"id": "x", "bytes": 1500000}, "artifacts": {"a": {"id": "y", "bytes": 500000}}})";
    std::ofstream(old + "/records/three.json") << "half a rec";
    const std::string sentence = fs::canonical(old).string() +
                                 " is a store of an older version, 2.0 MB, and is not used any more; to delete it: "
                                 "stagebox store gc --older";
    const Result first = workspace.build();
    CHECK(first.code == 0);
    CHECK(says(first, sentence));
    CHECK_FALSE(says(workspace.build(), "older version"));
    CHECK(says(store(workspace, {"ls"}), sentence));
    CHECK(says(store(workspace, {"gc"}), sentence));
    CHECK(fs::exists(old + "/layers/x/fs"));
    CHECK(store(workspace, {"gc", "--older"}).code == 0);
    CHECK_FALSE(fs::exists(old));
    CHECK(states(workspace.build()) == "a=cached");
    CHECK(is_at_rest(workspace));
}

TEST_CASE("lock and events of other versions are told in words", "[store][version]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"true\"]\n");
    workspace.write("stagebox.lock", "version = 3\n");
    const Result newer = workspace.build();
    CHECK(newer.code == 2);
    CHECK(says(newer,
               "stagebox.lock:1:11: error: a lock file of version 3 is not known to this program, which knows "
               "version 2"));
    workspace.write("stagebox.lock", "version = 1\n[stage.a]\nkey = \"" + std::string(64, 'a') + "\"\ntree = \"\"\n");
    const Result older = workspace.build();
    CHECK(older.code == 0);
    CHECK(says(older, "stagebox.lock is of version 1, whose digests cannot be compared"));

    const std::string run = workspace.names_in("runs").back();
    const std::string events = workspace.store() + "/v2/runs/" + run + "/events.jsonl";
    CHECK(says({.code = 0, .out = content_of(events), .err = {}}, R"("version":1)"));
    std::ofstream(events) << R"({"at": "2030-01-01T00:00:00Z", "event": "begin", "version": 2})"
                          << "\n";
    const Result of_run = run_status(workspace, {run});
    CHECK(of_run.code == 3);
    CHECK(says(of_run, "are of version 2, and this program knows version 1"));
    const Result all = run_status(workspace, {});
    CHECK(all.code == 0);
    CHECK(says(all, "are of version 2, and this program knows version 1"));

    // That it pins nothing is no reason to believe what is in it.
    workspace.write("stagebox.lock", "version = 1\n[stage.a]\nkey = \"../../x\"\ntree = \"\"\n");
    const Result wrong = workspace.build();
    CHECK(wrong.code == 2);
    CHECK(says(wrong, "stagebox.lock:3:7: error: stage.a.key must be a digest"));
}

TEST_CASE("a record keeps the texts that its key has the digests of, and a signature that it was given", "[store]") {
    const Workspace workspace;
    workspace.write("a.sh", "#!/bin/sh\ntrue\n");
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nscript = \"a.sh\"\n");
    REQUIRE(workspace.build().code == 0);
    sandbox::os::Json record = workspace.record_of("a");
    CHECK(record.at("texts").at("script") == "#!/bin/sh\ntrue\n");
    CHECK(sandbox::os::sha256_of(record.at("texts").at("profile").get<std::string>()) ==
          record.at("components").at("profile"));
    record["signature"] = {{"by", "somebody"}};
    const std::string key = record.at("key");
    std::ofstream(workspace.store() + "/v2/records/" + key + ".json") << record.dump();
    CHECK(states(workspace.build()) == "a=cached");
    CHECK(workspace.record_of("a").at("signature").at("by") == "somebody");
}

TEST_CASE("a script that is not UTF-8 is built, and its record goes without its text", "[store]") {
    const Workspace workspace;
    workspace.write("a.sh", "#!/bin/sh\n# caf\xe9\ntrue\n");
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nscript = \"a.sh\"\n");
    const Result built = workspace.build();
    INFO(built.err);
    CHECK(built.code == 0);
    CHECK_FALSE(workspace.record_of("a").at("texts").contains("script"));
    CHECK(states(workspace.build()) == "a=cached");
}
