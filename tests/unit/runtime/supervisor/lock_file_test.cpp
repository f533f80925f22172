// What stagebox.lock and a record say is read as what it must be: neither can name a place outside the store.
#include "runtime/supervisor/lock_file.hpp"

#include "tests/support/catch.hpp"

#include "runtime/store/record.hpp"
#include "sandbox/config/config.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sha256.hpp"
#include "tests/unit/temporary_directory.hpp"

namespace {

using runtime::supervisor::LockFile;
using sandbox::os::format;
using sandbox::os::Json;

const std::string key = sandbox::os::sha256_of("key");
const std::string id = sandbox::os::sha256_of("id");

// A lock with a pin of a layer and an artifact.
struct Texts {
    std::string key = ::key;
    std::string tree = sandbox::os::sha256_of("tree");
    std::string layer = id;
    std::string artifact = id;
    [[nodiscard]] std::string lock() const {
        constexpr const char* rest = "bytes = 1, entries = 1, type = \"file\" }";
        return format(
            "version = 2\n\n[stage.dl]\nkey = \"{}\"\ntree = \"{}\"\nlayer = {{ id = \"{}\", {}\n"
            "artifact.tool = {{ id = \"{}\", {}\n",
            key, tree, layer, rest, artifact, rest);
    }
    [[nodiscard]] Json record() const {
        const auto object = [](const std::string& name) {
            return Json{{"id", name}, {"bytes", 1}, {"entries", 1}, {"directory", false}};
        };
        runtime::store::Record record{};
        record.components = Json::object();
        Json json = to_json(record);
        json["key"] = key;
        json["tree"] = tree;
        json["layer"] = object(layer);
        json["artifacts"]["tool"] = object(artifact);
        return json;
    }
};

struct Bad {
    std::string where;
    std::string line;
    std::string Texts::*text;
};

const std::vector<Bad> places = {{"stage.dl.key", "4:7", &Texts::key},
                                 {"stage.dl.tree", "5:8", &Texts::tree},
                                 {"stage.dl.layer.id", "6:16", &Texts::layer},
                                 {"stage.dl.artifact.tool.id", "7:24", &Texts::artifact}};

TEST_CASE("lock file: what must be a digest and is none is an error of its line", "[lock]") {
    const tests::TemporaryDirectory directory;
    for (const Bad& bad : places) {
        for (const char* value : {"../../../victim", "x", "ABCDEF"}) {
            Texts texts;
            texts.*bad.text = value;
            directory.write("stagebox.lock", texts.lock());
            std::string said;
            try {
                const LockFile file(directory.path());
            } catch (const sandbox::ConfigError& error) {
                said = error.what();
            }
            INFO(bad.where << " = " << value << ": " << said);
            CHECK(said.find("stagebox.lock:" + bad.line + ": error: " + bad.where + " must be a digest") !=
                  std::string::npos);
            CHECK(said.find(format("but is the string \"{}\"", value)) != std::string::npos);
            CHECK(said.find("\n  help: ") != std::string::npos);
        }
    }
}

TEST_CASE("lock file: digests are read, and a stage on the host's root has no tree", "[lock]") {
    const tests::TemporaryDirectory directory;
    Texts texts;
    texts.tree = GENERATE(std::string(), sandbox::os::sha256_of("tree"));
    directory.write("stagebox.lock", texts.lock());
    const LockFile file(directory.path());
    const auto* pin = file.find("dl");
    REQUIRE(pin != nullptr);
    CHECK(pin->key == key);
    CHECK(pin->tree == texts.tree);
    REQUIRE(pin->layer);
    CHECK(pin->layer->id.text() == id);
    CHECK(pin->artifacts.at("tool").id.text() == id);
}

TEST_CASE("record: what must be a digest and is none damages it", "[lock]") {
    const auto whole = runtime::store::record_from(Texts{}.record());
    CHECK(whole.layer->id.text() == id);
    CHECK(whole.artifacts.at("tool").id.text() == id);
    for (const Bad& bad : places) {
        INFO(bad.where);
        Texts texts;
        texts.*bad.text = "../../../victim";
        CHECK_THROWS_WITH(runtime::store::record_from(texts.record()),
                          Catch::Contains("\"../../../victim\" is not a digest"));
    }
}

}  // namespace
