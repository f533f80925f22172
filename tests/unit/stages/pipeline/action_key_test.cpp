#include "stages/pipeline/action_key.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <set>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/os/sys.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using stages::action_key;
using stages::KeyMaterial;
using stages::Stage;

namespace {

struct Action {
    Stage stage;
    KeyMaterial material;
    [[nodiscard]] std::string key() const { return action_key(stages::key_components(stage, material)); }
};

Action example() {
    Action action;
    action.stage.name = "system";
    action.stage.from = stages::StageTree{"rootfs"};
    action.stage.script = stages::LocalPath{"system.sh"};
    action.stage.inputs = {{"/in/debs", stages::ArtifactTree{"debs", "debs"}, {}},
                           {"/in/overlay", stages::LocalPath{"overlay"}, {}}};
    action.stage.outputs = {{"tree", "tree", {}}, {"list", "list.txt", {}}};
    action.stage.env = {{"LC_ALL", "C"}, {"SUITE", "bookworm"}};
    action.material = {
        "root-1", {{"/in/debs", "debs-1"}, {"/in/overlay", "overlay-1"}}, "script-1", "profile-1", "x86_64", "host-1"};
    return action;
}

sandbox::Service service(const std::string& name, const std::string& program) {
    return {.name = name, .run = {program}, .ready = {}};
}

using Change = std::function<void(Action&)>;

}  // namespace

TEST_CASE("key: every component that can change the result changes the key", "[key]") {
    const std::vector<Change> changes = {
        [](Action& a) { a.material.root = "root-2"; },
        [](Action& a) { a.stage.from = stages::HostRoot{}; },
        [](Action& a) { a.stage.from = stages::HostRoot{}, a.material.host_packages = "host-2"; },
        [](Action& a) { a.stage.from = stages::EmptyRoot{}; },
        [](Action& a) { a.material.script = "script-2"; },
        [](Action& a) { a.stage.script.reset(), a.stage.run = {"true"}; },
        [](Action& a) {
            a.stage.script.reset(), a.stage.run = {"true", ""};
        },
        [](Action& a) {
            a.stage.script.reset(), a.stage.run = {"tr", "ue"};
        },
        [](Action& a) { a.stage.script.reset(), a.stage.run = {"script-1"}; },
        [](Action& a) { a.material.inputs["/in/debs"] = "debs-2"; },
        [](Action& a) { a.stage.inputs[0].target = "/in/other", a.material.inputs["/in/other"] = "debs-1"; },
        [](Action& a) { a.stage.inputs.pop_back(); },
        [](Action& a) { std::swap(a.material.inputs["/in/debs"], a.material.inputs["/in/overlay"]); },
        [](Action& a) { a.stage.outputs[0].path = "tree2"; },
        [](Action& a) { a.stage.outputs[0].name = "tree2"; },
        [](Action& a) { a.stage.outputs.pop_back(); },
        [](Action& a) { a.stage.env[0].second = "C.UTF-8"; },
        [](Action& a) { a.stage.env[0].first = "LANG"; },
        [](Action& a) { a.stage.env.clear(); },
        [](Action& a) { a.stage.network = sandbox::Network::host; },
        [](Action& a) { a.stage.ids = sandbox::IdMode::single; },
        [](Action& a) { a.stage.devices = {"kvm"}; },
        [](Action& a) { a.material.profile = "profile-2"; },
        [](Action& a) { a.material.architecture = "aarch64"; },
        [](Action& a) { a.stage.services = {service("db", "postgres")}; },
        [](Action& a) { a.stage.services = {service("db", "mariadbd")}; },
        [](Action& a) { a.stage.services = {service("bus", "postgres")}; },
        [](Action& a) {
            a.stage.services = {service("db", "postgres"), service("bus", "dbus-daemon")};
        },
        [](Action& a) {
            a.stage.services = {service("bus", "dbus-daemon"), service("db", "postgres")};
        },
        [](Action& a) {
            a.stage.services = {service("db", "postgres")};
            a.stage.services[0].ready = {sandbox::Ready::tcp, "5432", {}};
        },
        [](Action& a) {
            a.stage.services = {service("db", "postgres")};
            a.stage.services[0].ready = {sandbox::Ready::command, {}, {"pg_isready"}};
        },
    };
    std::set<std::string> keys{example().key()};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        INFO("change " << i);
        Action action = example();
        changes[i](action);
        CHECK(keys.insert(action.key()).second);  // differs from the example's and from every other's
    }
}

TEST_CASE("key: what cannot change the result does not change the key", "[key]") {
    const std::vector<Change> changes = {
        [](Action& a) { a.stage.name = "other"; },
        [](Action& a) { a.stage.limits.time = std::chrono::seconds(1); },
        [](Action& a) {
            a.stage.needs = {{"apt-get", "apt", {}}};
        },
        [](Action& a) { a.stage.script = stages::LocalPath{"elsewhere/system.sh"}; },
        [](Action& a) {
            a.stage.from = stages::ArtifactTree{"other", "tree"};
        },  // the same digest from elsewhere
        [](Action& a) { a.stage.inputs[0].source = stages::LocalPath{"debs"}; },
        [](Action& a) { std::swap(a.stage.inputs[0], a.stage.inputs[1]); },
        [](Action& a) { std::swap(a.stage.outputs[0], a.stage.outputs[1]); },
        [](Action& a) { std::swap(a.stage.env[0], a.stage.env[1]); },
        [](Action& a) {
            a.stage.at = {7, 7}, a.stage.from_at = {8, 8}, a.stage.inputs[0].at = {9, 9};
        },
        [](Action& a) { a.material.host_packages = "host-2"; },  // the root is not the host
        [](Action& a) { a.material.inputs["/in/unused"] = "x"; },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        INFO("change " << i);
        Action action = example();
        changes[i](action);
        CHECK(action.key() == example().key());
    }
}

TEST_CASE("key: components are flat, and named for people", "[key]") {
    const Action action = example();
    const sandbox::os::Json components = stages::key_components(action.stage, action.material);
    CHECK(components.at("input /in/debs") == "debs-1");
    CHECK(components.at("output tree") == "tree");
    CHECK(components.at("env SUITE") == "bookworm");
    CHECK(components.at("script") == "script-1");
    CHECK(components.at("root") == "root-1");
    CHECK(components.at("network") == "none");
    CHECK_FALSE(components.contains("host-packages"));
    CHECK_FALSE(components.contains("name"));
    for (const auto& [name, value] : components.items()) CHECK_FALSE(value.is_object());
}

TEST_CASE("key: a missing digest is a fault of the program, not an empty word", "[key]") {
    const std::vector<Change> changes = {
        [](Action& a) { a.material.root.clear(); },
        [](Action& a) { a.material.script.clear(); },
        [](Action& a) { a.material.profile.clear(); },
        [](Action& a) { a.material.architecture.clear(); },
        [](Action& a) { a.material.inputs.erase("/in/debs"); },
        [](Action& a) { a.material.inputs["/in/debs"].clear(); },
        [](Action& a) { a.stage.from = stages::HostRoot{}, a.material.host_packages.clear(); },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        INFO("change " << i);
        Action action = example();
        changes[i](action);
        CHECK_THROWS_AS(action.key(), std::logic_error);
    }
}

TEST_CASE("digest: the vectors of FIPS 180-4", "[digest]") {
    CHECK(sandbox::os::sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sandbox::os::sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sandbox::os::sha256_of(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("digest: in pieces, and of files", "[digest]") {
    const std::string bytes(700'001, 'x');
    sandbox::os::Sha256 digest;
    for (std::size_t i = 0; i < bytes.size(); i += 9973) digest.update(std::string_view(bytes).substr(i, 9973));
    CHECK(digest.finish() == sandbox::os::sha256_of(bytes));

    const tests::TemporaryDirectory directory;
    const std::string path = directory.write("file", bytes);
    const sandbox::os::Fd fd(
        sandbox::os::sys([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }, "open {}", path));
    REQUIRE(::lseek(fd.get(), 5, SEEK_SET) == 5);
    CHECK(sandbox::os::sha256_of_file(fd.get()) == sandbox::os::sha256_of(bytes));
    CHECK(::lseek(fd.get(), 0, SEEK_CUR) == 5);
    CHECK_THROWS_AS(sandbox::os::sha256_of_file(-1), sandbox::os::SysError);
}
