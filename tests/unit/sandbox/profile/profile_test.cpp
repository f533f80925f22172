// Profiles: how they are read, and what the one that ships allows, call by call.
#include "sandbox/profile/profile.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "sandbox/filter/compile.hpp"
#include "sandbox/os/caps.hpp"
#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/filter.hpp"
#include "sandbox/profile/filter_cache.hpp"
#include "sandbox/profile/permissions.hpp"
#include "sandbox/spec/limits_text.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/sandbox/filter/bpf.hpp"

using namespace sandbox;
using test::allowed;
using test::fails_with;
using test::run_filter;

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native = AUDIT_ARCH_AARCH64;
#endif

const FilterProgram& build_filter() {
    static const Profile profile = load_profile("build", {});
    return profile.filter;
}

// A folder of its own, gone at the end.
class Folder {
  public:
    Folder() { REQUIRE(::mkdtemp(path_) != nullptr); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::ranges::reverse(names_);
        for (const std::string& name : names_) ::remove((path() + name).c_str());
        ::rmdir(path_);
    }
    [[nodiscard]] std::string path() const { return std::string(path_) + "/"; }
    void make(const std::string& name) {
        REQUIRE(::mkdir((path() + name).c_str(), 0700) == 0);
        names_.push_back(name);
    }
    std::string write(const std::string& name, std::string_view text) {
        if (std::ranges::find(names_, name) == names_.end()) names_.push_back(name);
        std::ofstream(path() + name) << text;
        return path() + name;
    }

  private:
    char path_[32] = "/tmp/profile-test-XXXXXX";
    std::vector<std::string> names_;
};

constexpr const char* small_profile = R"(
name = "small"
seccomp = ["small.json"]
capabilities = ["chown", "CAP_KILL"]
[rlimits]
core = 0
nofile = [64, 128]
as = "unlimited"
)";
constexpr const char* small_filter = R"({"defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2}]})";

std::string refusal(const std::string& text) {
    try {
        read_profile_file(parse_config(text, "p.toml"));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("the profiles that ship are compiled in, and equal a compilation now", "[profile]") {
    REQUIRE(embedded_profiles().size() == profile_names().size());
    CHECK(profile_names() == std::vector<std::string_view>{"build", "fetch", "permissive", "shell", "strict"});
    for (const std::string_view name : profile_names()) {
        INFO(name);
        REQUIRE(shipped_profile(std::string(name), {}) != nullptr);
        const Profile profile = load_profile(std::string(name), {});
        CHECK(profile.file.name == name);
        CHECK(profile.file == find_profile(std::string(name), {}).file);
        CHECK(profile.origin == "ships with Stagebox");
        CHECK(profile.notes.empty());
        CHECK_FALSE(profile.file.description.empty());
        FilterRecipe recipe{
            profile.file.capabilities, profile.file.allowed, profile.file.opened, profile.file.closed, {}, {}};
        recipe.mandatory = {"guard", std::string(*shipped_text("seccomp/mandatory.json"))};
        for (const SeccompFile& file : profile.file.filters) {
            recipe.files.push_back({file.name, std::string(*shipped_text(file.name))});
        }
        CHECK(filter_id(recipe_text(recipe)) == profile.filter_id);
        CHECK(compile_recipe(recipe).instructions == profile.filter.instructions);
        CHECK(profile.filter.instructions.size() <= 400);
    }
}

TEST_CASE("a profile that ships is read from files where one of them stands in for a part of it", "[profile]") {
    Folder folder;
    const ProfilePlaces places{{folder.path()}, {}};
    CHECK(shipped_profile("fetch", places) != nullptr);
    CHECK(shipped_profile("no-such", places) == nullptr);
    CHECK(shipped_profile("./build.toml", places) == nullptr);
    folder.write("build.toml", std::string(*shipped_text("build.toml")) + "\n[limits]\npids = 77\n");
    CHECK(shipped_profile("fetch", places) == nullptr);
    CHECK(shipped_profile("build", places) == nullptr);
    CHECK(shipped_profile("fetch", {}) != nullptr);
    CHECK(load_profile("build", places).file.limits.pids == 77U);
    CHECK(load_profile("build", {}).file.limits.pids != 77U);
}

TEST_CASE("a profile of one's own is read from its file", "[profile]") {
    Folder folder;
    folder.write("small.json", small_filter);
    const Profile profile = load_profile(folder.write("small.toml", small_profile));
    CHECK(profile.file.name == "small");
    CHECK(profile.file.hostname == "stagebox");
    CHECK(describe_capabilities(profile.file.capabilities) == "chown, kill");
    REQUIRE(profile.file.rlimits.size() == 3);
    CHECK(profile.file.rlimits[1].resource == RLIMIT_NOFILE);
    CHECK(profile.file.rlimits[1].soft == 64);
    CHECK(profile.file.rlimits[1].hard == 128);
    CHECK(profile.file.rlimits[2].hard == RLIM_INFINITY);
    CHECK_FALSE(profile.filter.instructions.empty());
}

TEST_CASE("what decides about a profile is in its material", "[profile]") {
    Folder folder;
    folder.write("small.json", small_filter);
    const std::string path = folder.write("small.toml", small_profile);
    const std::string first = profile_material(path);
    CHECK(first == profile_material(path));
    folder.write("small.json", std::string(small_filter) + "\n");
    const std::string second = profile_material(path);
    CHECK(first != second);
    folder.write("small.toml", std::string(small_profile) + "cpu = 1\n");
    CHECK(second != profile_material(path));
}

TEST_CASE("a profile may name the filters that ship, with other capabilities", "[profile]") {
    Folder folder;
    const Profile profile = load_profile(folder.write("p.toml", R"(
        name = "mine"
        seccomp = ["seccomp/build.json"]
        capabilities = []
    )"));
    CHECK(profile.file.capabilities == 0);
    CHECK(profile.filter.instructions == build_filter().instructions);
}

TEST_CASE("a profile that cannot be found or used says why", "[profile]") {
    Folder folder;
    CHECK_THROWS_WITH(load_profile("biuld"), Catch::Contains("did you mean \"build\""));
    CHECK_THROWS_WITH(load_profile("xyzzy"),
                      Catch::Contains("there is \"build\"") || Catch::Contains("there is build"));
    CHECK_THROWS_AS(load_profile(folder.path() + "none.toml"), ConfigError);
    const std::string path = folder.write("small.toml", small_profile);
    CHECK_THROWS_WITH(load_profile(path), Catch::Contains("there is no seccomp file \"small.json\""));
    folder.write("small.json", "{");
    CHECK_THROWS_WITH(load_profile(path), Catch::Contains("small.json: ") && Catch::Contains("parse error"));
    folder.write("small.json", "{}");
    CHECK_THROWS_WITH(load_profile(path), Catch::Contains("small.json: \"defaultAction\" is missing"));
}

TEST_CASE("a profile file is read strictly", "[profile]") {
    const std::string good = "name = \"p\"\nseccomp = [\"a.json\"]\ncapabilities = []\n";
    CHECK(refusal(good) == "no error");
    const auto [text, message] = GENERATE_COPY(table<std::string, std::string>({
        {"name = \"p\"\ncapabilities = []\n", "seccomp"},
        {good + "hostnane = \"x\"\n", "p.toml:4:1: error: "},
        {good + "read-only = [\"proc\"]\n", "absolute path"},
        {good + "masked = [\"/proc/../etc\"]\n", "absolute path"},
        {good + "[rlimits]\nnofiles = 3\n", "did you mean \"nofile\""},
        {good + "[rlimits]\nnofile = -1\n", "a limit is 0 or more"},
        {good + "[rlimits]\nnofile = [2, 1]\n", "above the hard one"},
        {good + "[rlimits]\nnofile = [1, 2, 3]\n", "one number"},
        {good + "[rlimits]\nnofile = \"many\"\n", "unlimited"},
        {"name = \"p\"\nseccomp = [\"../a.json\"]\ncapabilities = []\n", "below the profile's folder"},
        {"name = \"p\"\nseccomp = [\"a.json\"]\ncapabilities = [\"fly\"]\n", "there is no capability \"fly\""},
        {good + "allow = [\"ptarce\"]\n", "did you mean \"ptrace\"?"},
        {good + "allow = [\"everything\"]\n", "what can be allowed is host-network, devices"},
        {good + "allow-add = [\"ptrace\"]\n", "this profile extends none"},
        {good + "seccomp-allow = [\"ptrace\"]\n", "write allow-add = [\"ptrace\"]"},
        {good + "seccomp-allow = [\"mount\"]\n", "write allow-add = [\"mounts\"]"},
        {good + "seccomp-allow = [\"no_such_call\"]\n", "there is no system call \"no_such_call\""},
        {good + "seccomp-allow = [\"sync\"]\nseccomp-deny = [\"sync\"]\n", "\"sync\" is in seccomp-allow too"},
        {good + "[limits]\nmemory = \"much\"\n", "p.toml:5:10: error: limits.memory cannot be the string \"much\""},
        {good + "[limits]\nmemroy = \"3G\"\n", "did you mean \"memory\"?"},
        {good + "[limits]\nidle = 30\n", "needs a unit"},
    }));
    INFO(text);
    CHECK_THAT(refusal(text), Catch::Contains(message));
}

TEST_CASE("the keys of profiles are described in profiles/README.md, and no other", "[profile][keys]") {
    std::ifstream page(STAGEBOX_SOURCE_DIR "/profiles/README.md");
    const std::string text{std::istreambuf_iterator<char>(page), {}};
    // The names in the first column of the table below the heading.
    const auto described = [&](const std::string& heading) {
        std::set<std::string> names;
        std::istringstream lines(text.substr(text.find(heading)));
        for (std::string line; std::getline(lines, line) && (names.empty() || line.starts_with('|'));) {
            if (!line.starts_with("| `")) continue;
            std::istringstream cell(line.substr(0, line.find('|', 1)));
            for (std::string word; std::getline(cell, word, '`') && std::getline(cell, word, '`');) names.insert(word);
        }
        return names;
    };
    std::set<std::string> keys;
    for (const KeyInfo& key : profile_infos()) {
        CHECK(is_complete(key));
        // The page has a paragraph on the two endings.
        if (!key.name.ends_with("-add") && !key.name.ends_with("-drop")) keys.emplace(key.name);
    }
    CHECK(described("\n## Keys\n") == keys);
    std::set<std::string> limits;
    for (const KeyInfo& key : limit_infos()) limits.emplace(key.name);
    CHECK(described("\n### Limits\n") == limits);
}

TEST_CASE("a profile extends another: tables merge, lists are replaced or changed", "[profile]") {
    Folder folder;
    folder.write("small.json", small_filter);
    folder.write("small.toml", std::string(small_profile) + R"(
[limits]
pids = 100
time = "1h"
)");
    const Profile child = load_profile(folder.write("child.toml", R"(
name = "child"
extends = "./small.toml"
hostname = "there"
capabilities-add = ["setuid"]
capabilities-drop = ["chown"]
allow = ["devices"]
masked = ["/proc/a", "/proc/b"]
rlimits = { nofile = 32 }
limits = { time = "2m", cpu = "250%" }
)"));
    CHECK(child.file.name == "child");
    CHECK(child.file.hostname == "there");
    CHECK(describe_capabilities(child.file.capabilities) == "kill, setuid");
    CHECK(child.file.allowed.has(Permission::devices));
    REQUIRE(child.file.rlimits.size() == 3);
    CHECK(child.file.rlimits[1].hard == 32);
    CHECK(child.file.limits.pids == 100);
    CHECK(child.file.limits.time == std::chrono::minutes(2));
    CHECK(child.file.limits.cpu == 2500);
    REQUIRE(child.file.filters.size() == 1);
    const Profile grandchild = load_profile(folder.write("grandchild.toml", R"(
name = "grandchild"
extends = "./child.toml"
allow-drop = ["devices"]
allow-add = ["host-network", "no-landlock"]
masked-drop = ["/proc/a"]
masked-add = ["/proc/c"]
read-only-add = ["/proc/d"]
)"));
    CHECK(words_of(grandchild.file.allowed) == std::vector<std::string_view>{"host-network", "no-landlock"});
    CHECK(grandchild.file.masked_paths == std::vector<std::string>{"/proc/b", "/proc/c"});
    CHECK(grandchild.file.read_only_paths == std::vector<std::string>{"/proc/d"});
    CHECK(grandchild.filter.instructions == child.filter.instructions);
    // A change of the eldest is a change of all.
    const std::string material = profile_material(folder.path() + "grandchild.toml");
    folder.write("small.toml", std::string(small_profile) + "cpu = 1\n");
    CHECK(profile_material(folder.path() + "grandchild.toml") != material);
}

TEST_CASE("profiles are looked for beside the pipeline, at the user's, and among those that ship", "[profile]") {
    Folder folder;
    folder.make("pipeline");
    folder.make("user");
    const ProfilePlaces places{{folder.path() + "pipeline", folder.path() + "user"}, {}};
    const auto write = [&](const std::string& name, const std::string& extends, const std::string& hostname) {
        folder.write(name, "name = \"mine\"\nextends = \"" + extends + "\"\nhostname = \"" + hostname + "\"\n");
    };
    CHECK(load_profile("build", places).notes.empty());
    write("user/mine.toml", "build", "user");
    CHECK(load_profile("mine", places).file.hostname == "user");
    CHECK(load_profile("mine", places).notes.empty());
    write("pipeline/mine.toml", "strict", "pipeline");
    CHECK(load_profile("mine", places).file.hostname == "pipeline");
    CHECK(load_profile("mine", places).origin == folder.path() + "pipeline/mine.toml");
    CHECK(load_profile("mine", places).file.capabilities == 0);
    // In place of one that ships, and with it as the parent: its own name means the next one in the search.
    write("user/build.toml", "build", "shadow");
    const Profile shadow = load_profile("build", places);
    CHECK(shadow.file.hostname == "shadow");
    CHECK(shadow.filter.instructions == build_filter().instructions);
    REQUIRE(shadow.notes.size() == 1);
    CHECK(shadow.notes[0] == "profile build is " + folder.path() + "user/build.toml, not the one that ships");
    write("pipeline/build.toml", "build", "top");
    CHECK(load_profile("build", places).file.hostname == "top");
    CHECK(load_profile("build", places).notes.size() == 2);
    // Names lead nowhere else.
    CHECK_THROWS_AS(load_profile("..", places), ConfigError);
    CHECK_THROWS_WITH(load_profile("mien", places), Catch::Contains("did you mean \"mine\"?"));
}

TEST_CASE("a profile that extends itself, or nobody, is an error at its place", "[profile]") {
    Folder folder;
    const ProfilePlaces places{{folder.path()}, {}};
    folder.write("a.toml", "name = \"a\"\nextends = \"b\"\n");
    folder.write("b.toml", "name = \"b\"\nextends = \"c\"\n");
    folder.write("c.toml", "name = \"c\"\nextends = \"a\"\n");
    CHECK_THROWS_WITH(load_profile("a", places),
                      Catch::Contains("c.toml:2:11: error: ") && Catch::Contains("a extends b extends c extends a"));
    folder.write("d.toml", "name = \"d\"\nextends = \"d\"\n");
    CHECK_THROWS_WITH(load_profile("d", places), Catch::Contains("there is no profile \"d\""));
    folder.write("e.toml", "name = \"e\"\nextends = \"./e.toml\"\n");
    CHECK_THROWS_WITH(load_profile("e", places), Catch::Contains("cannot extend itself"));
    folder.write("f.toml", "name = \"f\"\nextends = \"biuld\"\n");
    CHECK_THROWS_WITH(load_profile("f", places),
                      Catch::Contains("f.toml:2:11: error: ") && Catch::Contains("did you mean \"build\"?"));
    folder.write("g.toml", "name = \"g\"\nextends = \"./none.toml\"\n");
    CHECK_THROWS_WITH(load_profile("g", places), Catch::Contains("g.toml:2:11: error: "));
    folder.write("h.toml", "name = \"h\"\nextends = \"build\"\ncapabilities = []\ncapabilities-add = [\"kill\"]\n");
    CHECK_THROWS_WITH(load_profile("h", places), Catch::Contains("already written as a whole"));
    folder.write("i.toml", "name = \"i\"\nextends = \"build\"\nmasked-drop = [\"/proc/none\"]\n");
    CHECK_THROWS_WITH(load_profile("i", places), Catch::Contains("has no such path"));
}

TEST_CASE("a profile opens and closes single system calls, and the last word counts", "[profile]") {
    Folder folder;
    const ProfilePlaces places{{folder.path()}, {}};
    folder.write("a.toml", "name = \"a\"\nextends = \"build\"\nseccomp-allow = [\"bpf\"]\nseccomp-deny = [\"sync\"]\n");
    folder.write("b.toml",
                 "name = \"b\"\nextends = \"a\"\nseccomp-allow = [\"sync\"]\nseccomp-deny = [\"bpf\", \"read\"]\n");
    const FilterProgram a = load_profile("a", places).filter;
    const FilterProgram b = load_profile("b", places).filter;
    CHECK(run_filter(a, native, SYS_bpf) == allowed);
    CHECK(run_filter(a, native, SYS_sync) == fails_with(EPERM));
    CHECK(run_filter(a, native, SYS_read) == allowed);
    CHECK(run_filter(b, native, SYS_bpf) == fails_with(EPERM));
    CHECK(run_filter(b, native, SYS_sync) == allowed);
    CHECK(run_filter(b, native, SYS_read) == fails_with(EPERM));
    CHECK(run_filter(b, native, SYS_ptrace) == fails_with(EPERM));
    // The guard stays, whatever is opened.
    folder.write("c.toml", "name = \"c\"\nextends = \"permissive\"\nseccomp-allow = [\"ioctl\"]\n");
    CHECK(run_filter(load_profile("c", places).filter, native, SYS_ioctl, {0, 0x5412}) == fails_with(EPERM));
}

TEST_CASE("a word in allow opens its calls whatever the files say, and closes them where it is not", "[profile]") {
    const auto [word, call, first] = GENERATE(table<const char*, long, std::uint64_t>({
        {"ptrace", SYS_ptrace, 0},
        {"ptrace", SYS_process_vm_readv, 0},
        {"mounts", SYS_mount, 0},
        {"mounts", SYS_move_mount, 0},
        {"nested-namespaces", SYS_unshare, 0},
        {"nested-namespaces", SYS_setns, 0},
        {"nested-namespaces", SYS_clone, 0x10000000},
        {"new-keyrings", SYS_keyctl, 0},
    }));
    INFO(word << " " << call);
    Folder folder;
    const ProfilePlaces places{{folder.path()}, {}};
    folder.write("open.json", R"({"defaultAction": "SCMP_ACT_ALLOW"})");
    const auto answer = [&, number = static_cast<std::uint32_t>(call), argument = first](const std::string& text) {
        folder.write("p.toml", "name = \"p\"\n" + text);
        return run_filter(load_profile("p", places).filter, native, number, {argument});
    };
    const std::string build = "extends = \"build\"\n";
    const std::string open = "seccomp = [\"open.json\"]\ncapabilities = []\n";
    CHECK(answer(build) == fails_with(EPERM));
    CHECK(answer(open) == fails_with(EPERM));
    CHECK(answer(build + "allow = [\"" + word + "\"]\n") == allowed);
    CHECK(answer(open + "allow = [\"" + word + "\"]\n") == allowed);
}

TEST_CASE("a profile under which no command could start is refused", "[profile]") {
    Folder folder;
    const ProfilePlaces places{{folder.path()}, {}};
    folder.write("p.toml", "name = \"p\"\nextends = \"build\"\nseccomp-deny = [\"execve\"]\n");
    CHECK_THROWS_WITH(load_profile("p", places), Catch::Contains("no command could ever start"));
    folder.write("p.toml", "name = \"p\"\nseccomp = [\"p.json\"]\ncapabilities = []\n");
    for (const char* action : {"SCMP_ACT_NOTIFY", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"}) {
        folder.write("p.json", std::string(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["execve"], "action": ")") +
                                   action + "\"}]}");
        CHECK_THROWS_AS(load_profile("p", places), FilterError);
    }
    folder.write("p.json", R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["execve"], "action": "SCMP_ACT_LOG"}]})");
    CHECK(run_filter(load_profile("p", places).filter, native, SYS_execve) == SECCOMP_RET_LOG);
}

TEST_CASE("the filter of a profile of one's own is kept, and believed only where it is whole and ours", "[profile]") {
    Folder folder;
    folder.make("cache");
    const std::string cache = folder.path() + "cache";
    folder.write("mine.toml", "name = \"mine\"\nextends = \"build\"\nseccomp-deny = [\"sync\"]\n");
    const ProfilePlaces places{{folder.path()}, cache};
    const Profile first = load_profile("mine", places);
    const std::string entry = "cache/" + first.filter_id;
    struct stat status {};
    REQUIRE(::stat((folder.path() + entry).c_str(), &status) == 0);
    CHECK((status.st_mode & 022U) == 0);
    std::ifstream file(folder.path() + entry, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(file), {}};
    const auto loaded_with = [&](const std::string& content) {
        folder.write(entry, content);
        return load_profile("mine", places).filter.instructions == first.filter.instructions;
    };
    CHECK(loaded_with(whole));
    CHECK(loaded_with(""));
    CHECK(loaded_with(whole.substr(0, whole.size() / 2)));
    // One byte of the program, before the 64 of the sum, where the sum no longer fits: compiled anew, and mended.
    std::string broken = whole;
    broken[whole.size() - 92] = static_cast<char>(broken[whole.size() - 92] ^ 1);
    CHECK(loaded_with(broken));
    std::ifstream again(folder.path() + entry, std::ios::binary);
    CHECK(std::string{std::istreambuf_iterator<char>(again), {}} == whole);
    // An entry that is believed is used: one with another, whole program shows it.
    const FilterCache direct(cache);
    FilterRecipe recipe{first.file.capabilities, first.file.allowed, first.file.opened, first.file.closed, {}, {}};
    recipe.mandatory = {"", std::string(*shipped_text("seccomp/mandatory.json"))};
    recipe.files = {{"", std::string(*shipped_text("seccomp/build.json"))}};
    const std::string text = recipe_text(recipe);
    REQUIRE(filter_id(text) == first.filter_id);
    const FilterProgram other{{first.filter.instructions.back()}};
    direct.keep(text, other);
    CHECK(load_profile("mine", places).filter.instructions == other.instructions);
    // Where others may write, nothing is believed.
    REQUIRE(::chmod((folder.path() + entry).c_str(), 0666) == 0);
    CHECK(load_profile("mine", places).filter.instructions == first.filter.instructions);
    direct.keep(text, other);
    REQUIRE(::chmod(cache.c_str(), 0777) == 0);
    CHECK(load_profile("mine", places).filter.instructions == first.filter.instructions);
    REQUIRE(::chmod(cache.c_str(), 0700) == 0);
    CHECK(load_profile("mine", places).filter.instructions == other.instructions);
    CHECK_FALSE(direct.find(text + " "));
    // A link instead of the file is not followed.
    const std::string target = folder.write("cache/elsewhere", "");
    REQUIRE(::rename((folder.path() + entry).c_str(), target.c_str()) == 0);
    REQUIRE(::symlink(target.c_str(), (folder.path() + entry).c_str()) == 0);
    CHECK_FALSE(direct.find(text));
}

TEST_CASE("a profile's limits stay within the caller's own", "[profile]") {
    rlimit own{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &own) == 0);
    Profile profile;
    profile.file.hostname = "there";
    profile.file.capabilities = 3;
    profile.file.rlimits = {{RLIMIT_NOFILE, RLIM_INFINITY, RLIM_INFINITY}, {RLIMIT_CORE, 0, 0}};
    profile.file.masked_paths = {"/proc/kcore"};
    profile.file.limits.pids = 7;
    profile.file.allowed.add(Permission::nested_namespaces);
    BuildSpec spec;
    spec.limits.time = std::chrono::seconds(5);
    profile.file.limits.time = std::chrono::seconds(9);
    apply_profile(profile, spec);
    CHECK(spec.limits.time == std::chrono::seconds(5));
    CHECK(spec.allow.rlimits[0].soft == own.rlim_max);
    CHECK(spec.allow.rlimits[0].hard == own.rlim_max);
    CHECK(spec.allow.rlimits[1].hard == 0);
    CHECK(spec.allow.capabilities == 3);
    CHECK(spec.hostname == "there");
    CHECK(spec.masked_paths == std::vector<std::string>{"/proc/kcore"});
    CHECK(spec.limits.pids == 7);
    CHECK(spec.allow.nested_namespaces == Nested::allowed);
    CHECK(spec.allow.landlock == Fence::on);
    CHECK(spec.allow.granted.has(Permission::nested_namespaces));
}

TEST_CASE("the build profile keeps no capability that reaches beyond files and users", "[profile]") {
    CHECK(describe_capabilities(load_profile("build").file.capabilities) ==
          "chown, dac_override, fowner, fsetid, kill, setgid, setuid, sys_chroot, setfcap");
}

#if defined(__x86_64__)
namespace {

// Numbers of the 64-bit and of the 32-bit table; -1: not there.
struct Forbidden {
    const char* name;
    int native;
    int i386;
};
constexpr Forbidden forbidden[] = {
    {"mount", 165, 21},
    {"umount2", 166, 52},
    {"umount", -1, 22},
    {"pivot_root", 155, 217},
    {"open_tree", 428, 428},
    {"move_mount", 429, 429},
    {"fsopen", 430, 430},
    {"fsconfig", 431, 431},
    {"fsmount", 432, 432},
    {"fspick", 433, 433},
    {"mount_setattr", 442, 442},
    {"setns", 308, 346},
    {"unshare", 272, 310},
    {"add_key", 248, 286},
    {"request_key", 249, 287},
    {"keyctl", 250, 288},
    {"bpf", 321, 357},
    {"userfaultfd", 323, 374},
    {"perf_event_open", 298, 336},
    {"fanotify_init", 300, 338},
    {"fanotify_mark", 301, 339},
    {"lookup_dcookie", 212, 253},
    {"vmsplice", 278, 316},
    {"io_uring_setup", 425, 425},
    {"io_uring_enter", 426, 426},
    {"io_uring_register", 427, 427},
    {"ptrace", 101, 26},
    {"process_vm_readv", 310, 347},
    {"process_vm_writev", 311, 348},
    {"kcmp", 312, 349},
    {"pidfd_getfd", 438, 438},
    {"process_madvise", 440, 440},
    {"open_by_handle_at", 304, 342},
    {"kexec_load", 246, 283},
    {"kexec_file_load", 320, -1},
    {"init_module", 175, 128},
    {"finit_module", 313, 350},
    {"delete_module", 176, 129},
    {"create_module", 174, 127},
    {"query_module", 178, 167},
    {"get_kernel_syms", 177, 130},
    {"reboot", 169, 88},
    {"swapon", 167, 87},
    {"swapoff", 168, 115},
    {"syslog", 103, 103},
    {"acct", 163, 51},
    {"quotactl", 179, 131},
    {"quotactl_fd", 443, 443},
    {"settimeofday", 164, 79},
    {"clock_settime", 227, 264},
    {"clock_settime64", -1, 404},
    {"stime", -1, 25},
    {"sethostname", 170, 74},
    {"setdomainname", 171, 121},
    {"iopl", 172, 110},
    {"ioperm", 173, 101},
    {"modify_ldt", 154, 123},
    {"vhangup", 153, 111},
    {"uselib", 134, 86},
    {"ustat", 136, 62},
    {"sysfs", 139, 135},
    {"_sysctl", 156, 149},
    {"nfsservctl", 180, 169},
    {"migrate_pages", 256, 294},
    {"move_pages", 279, 317},
    {"bdflush", -1, 134},
    {"vm86", -1, 166},
    {"vm86old", -1, 113},
    {"socketcall", -1, 102},
};

// What the tables have and nobody answers: never built, gone, or not needed by a build. clone3 is the one
// that matters. 64-bit: getpmsg, putpmsg, afs_syscall, tuxcall, security, vserver, set_mempolicy,
// get_mempolicy, mbind, clone3, ...
const std::set<int> absent_native = {181, 182, 183, 184, 185, 236, 237, 238, 239, 435, 447, 450};
const std::set<int> absent_i386 = {17,  18,  28,  31,  32,  35,  44,  53,  56,  58,  59,  68,  69,  84,  89,  98,
                                   109, 112, 137, 188, 189, 222, 223, 251, 273, 274, 275, 276, 285, 435, 447, 450};
// Answers that depend on arguments are tested below.
const std::set<int> by_argument_native = {16, 41, 53, 56, 135};
const std::set<int> by_argument_i386 = {54, 120, 136, 359, 360};
constexpr int last_known = 450;

std::uint32_t documented(int number, bool is_forbidden, const std::set<int>& absent, const std::set<int>& holes) {
    if (is_forbidden) return fails_with(EPERM);
    const bool unknown = number > last_known || absent.contains(number) || holes.contains(number);
    return unknown ? fails_with(ENOSYS) : allowed;
}

std::uint32_t native_answer(std::uint32_t number, std::initializer_list<std::uint64_t> args = {}) {
    return run_filter(build_filter(), AUDIT_ARCH_X86_64, number, args);
}
std::uint32_t i386_answer(std::uint32_t number, std::initializer_list<std::uint64_t> args = {}) {
    return run_filter(build_filter(), AUDIT_ARCH_I386, number, args);
}

}  // namespace

TEST_CASE("build profile: every number from 0 to 1023 answers as documented, native", "[profile]") {
    std::set<int> denied;
    for (const Forbidden& call : forbidden) denied.insert(call.native);
    std::set<int> holes;  // the table jumps from 334 to 424
    for (int number = 335; number < 424; ++number) holes.insert(number);
    for (int number = 0; number < 1024; ++number) {
        if (by_argument_native.contains(number)) continue;
        INFO(number);
        CHECK(native_answer(static_cast<std::uint32_t>(number)) ==
              documented(number, denied.contains(number), absent_native, holes));
    }
}

TEST_CASE("build profile: every number from 0 to 1023 answers as documented, i386", "[profile]") {
    std::set<int> denied;
    for (const Forbidden& call : forbidden) denied.insert(call.i386);
    std::set<int> holes = {387, 388, 389, 390, 391, 392, 415};
    for (int number = 0; number < 1024; ++number) {
        if (by_argument_i386.contains(number)) continue;
        INFO(number);
        CHECK(i386_answer(static_cast<std::uint32_t>(number)) ==
              documented(number, denied.contains(number), absent_i386, holes));
    }
}

TEST_CASE("build profile: x32 is not there, nor is any other ABI", "[profile]") {
    constexpr std::uint32_t x32 = 0x40000000;
    for (std::uint32_t number = 0; number < 1024; ++number) {
        INFO(number);
        const std::uint32_t answer = native_answer(x32 | number, {0x10000000, 0x5413});
        // The guard and the fences come first and know x32, so that their answers are the same everywhere: clone, the
        // mounts, namespaces, keyrings and ptrace, by their numbers there.
        static const std::set<std::uint32_t> closed = {56,  155, 165, 166, 248, 249, 250, 272, 308, 312, 428,
                                                       429, 430, 431, 432, 433, 438, 442, 521, 539, 540};
        CHECK(answer == (closed.contains(number) ? fails_with(EPERM) : fails_with(ENOSYS)));
        CHECK(run_filter(build_filter(), AUDIT_ARCH_S390X, number) != allowed);
    }
    CHECK(native_answer(0x80000000) == fails_with(ENOSYS));
    CHECK(native_answer(0xffffffff) == fails_with(ENOSYS));
}

TEST_CASE("build profile: no new namespace by clone", "[profile]") {
    for (const std::uint64_t flag : {0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000}) {
        for (const std::uint64_t with : {0ULL, 17ULL, 0x3d0f00ULL, 1ULL << 40U}) {
            INFO(flag << " " << with);
            CHECK(native_answer(56, {flag | with}) == fails_with(EPERM));
            CHECK(i386_answer(120, {flag | (with & 0xffffffff)}) == fails_with(EPERM));
        }
    }
    // fork, vfork and a thread, as libc makes them; and the one flag in the upper bits that is no namespace.
    for (const std::uint64_t flags : {0x1200011ULL, 0x4111ULL, 0x3d0f00ULL, 0x80000000ULL}) {
        CHECK(native_answer(56, {flags}) == allowed);
        CHECK(i386_answer(120, {flags}) == allowed);
    }
}

TEST_CASE("build profile: terminals are not typed into", "[profile]") {
    for (const std::uint64_t request : {0x5412, 0x541c, 0x5423}) {
        for (const std::uint64_t high : {0ULL, 1ULL << 32U, 1ULL << 63U, 0xffffffffULL << 32U}) {
            INFO(request << " " << high);
            CHECK(native_answer(16, {0, request | high}) == fails_with(EPERM));
        }
        CHECK(i386_answer(54, {0, request}) == fails_with(EPERM));
    }
    // TCGETS, TIOCSCTTY (apt gives dpkg a terminal of its own), TIOCGWINSZ, FICLONE, and a negative one.
    for (const std::uint64_t request : {0x5401ULL, 0x540eULL, 0x5413ULL, 0x40049409ULL, 0xffffffff80045430ULL}) {
        CHECK(native_answer(16, {0, request}) == allowed);
        CHECK(i386_answer(54, {0, request & 0xffffffff}) == allowed);
    }
}

TEST_CASE("build profile: only the families that builds use have sockets", "[profile]") {
    std::map<std::pair<int, int>, bool> fine;  // family and protocol
    for (int protocol = 0; protocol < 300; ++protocol) fine[{AF_UNIX, protocol}] = true;
    for (const int protocol : {0, 1, 6, 17}) fine[{AF_INET, protocol}] = true;
    for (const int protocol : {0, 6, 17, 58}) fine[{AF_INET6, protocol}] = true;
    fine[{AF_NETLINK, 0}] = true;
    for (int family = 0; family < 64; ++family) {
        for (int protocol = 0; protocol < 300; ++protocol) {
            INFO(family << " " << protocol);
            const bool expected = fine.contains({family, protocol});
            const auto args = {static_cast<std::uint64_t>(family), std::uint64_t{2},
                               static_cast<std::uint64_t>(protocol)};
            CHECK((native_answer(41, args) == allowed) == expected);
            CHECK((i386_answer(359, args) == allowed) == expected);
            if (family != AF_INET && family != AF_INET6 && !expected) {
                CHECK(native_answer(41, args) == fails_with(EAFNOSUPPORT));
                CHECK(i386_answer(359, args) == fails_with(EAFNOSUPPORT));
            }
        }
        const auto pair = {static_cast<std::uint64_t>(family)};
        CHECK(native_answer(53, pair) == (family == AF_UNIX ? allowed : fails_with(EAFNOSUPPORT)));
        CHECK(i386_answer(360, pair) == (family == AF_UNIX ? allowed : fails_with(EAFNOSUPPORT)));
    }
    CHECK(native_answer(41, {AF_INET, 1, 132}) == fails_with(EPROTONOSUPPORT));
    CHECK(native_answer(41, {(1ULL << 32U) | AF_UNIX, 1, 0}) == fails_with(EAFNOSUPPORT));
    CHECK(native_answer(41, {AF_NETLINK, 3, (1ULL << 32U)}) == fails_with(EAFNOSUPPORT));
    for (std::uint64_t call = 0; call < 24; ++call) CHECK(i386_answer(102, {call}) == fails_with(EPERM));
}

TEST_CASE("build profile: personality keeps to the usual ones", "[profile]") {
    for (const std::uint64_t persona : {0ULL, 8ULL, 0x20000ULL, 0x20008ULL, 0x40000ULL, 0x40008ULL, 0xffffffffULL}) {
        CHECK(native_answer(135, {persona}) == allowed);
        CHECK(i386_answer(136, {persona}) == allowed);
    }
    // READ_IMPLIES_EXEC, MMAP_PAGE_ZERO.
    for (const std::uint64_t persona : {0x400000ULL, 0x100000ULL, 1ULL}) {
        CHECK(native_answer(135, {persona}) == fails_with(ENOSYS));
    }
}
#endif

// The interpreter above and the kernel agree, and a libc lives under the filter. In a child: a filter stays.
TEST_CASE("build profile: the kernel takes the filter", "[profile]") {
    const std::vector<std::uint64_t> instructions = build_filter().instructions;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const sock_fprog program = {static_cast<unsigned short>(instructions.size()),
                                    reinterpret_cast<sock_filter*>(const_cast<std::uint64_t*>(instructions.data()))};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(10);
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) ::_exit(11);
        if (::syscall(SYS_unshare, 0x10000000) != -1 || errno != EPERM) ::_exit(12);
        if (::syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) ::_exit(13);
        if (::socket(AF_ALG, SOCK_SEQPACKET, 0) != -1 || errno != EAFNOSUPPORT) ::_exit(14);
        if (::socket(AF_UNIX, SOCK_STREAM, 0) < 0) ::_exit(15);
        const pid_t grandchild = ::fork();
        if (grandchild == 0) ::execl("/bin/true", "true", nullptr);
        int status = -1;
        if (::waitpid(grandchild, &status, 0) != grandchild || status != 0) ::_exit(16);
        ::_exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the words of permissions are described in the manuals, each where it belongs", "[profile][keys]") {
    const auto text_of = [](const std::string& name) {
        std::ifstream page(STAGEBOX_SOURCE_DIR + ("/" + name));
        return std::string{std::istreambuf_iterator<char>(page), {}};
    };
    const std::string manual = text_of("runtime/cli/stagebox.1.md");
    const std::string table = manual.substr(manual.find("\n# PERMISSIONS\n"), 3000);
    const std::string profiles = text_of("profiles/README.md");
    for (const PermissionWord& word : permission_words()) {
        INFO(word.word);
        const std::string quoted = "`" + std::string(word.word) + "`";
        CHECK(table.find(quoted) != std::string::npos);
        const bool is_of_profiles = word.source != PermissionSource::pipeline;
        CHECK((profiles.find("\n| " + quoted + " |") != std::string::npos) == is_of_profiles);
        CHECK(permission_named(word.word) == word.which);
        CHECK_FALSE(word.meaning.empty());
    }
}

TEST_CASE("what is granted by comparison or by the pipeline cannot stand in a profile's list", "[profile]") {
    Folder folder;
    for (const std::string word : {"capabilities", "host-services", "container-proc"}) {
        const std::string path =
            folder.write("p.toml", "name = \"p\"\nextends = \"build\"\nallow = [\"" + word + "\"]\n");
        CHECK_THROWS_WITH(load_profile(path, {}), Catch::Contains("there is no \"" + word + "\" to allow"));
    }
}

TEST_CASE("no profile that ships is wider than those that ship, and a copy of one is not either", "[profile]") {
    for (const std::string_view name : profile_names()) {
        INFO(name);
        CHECK(load_profile(std::string(name), {}).widened.empty());
        Folder folder;
        const std::string path =
            folder.write("copy.toml", "name = \"copy\"\nextends = \"" + std::string(name) + "\"\n");
        CHECK(load_profile(path, {}).widened.empty());
    }
}

TEST_CASE("a seccomp file beside a profile stands in for one that ships by its name, and is compared by its content",
          "[profile]") {
    Folder folder;
    folder.make("seccomp");
    const std::string path =
        folder.write("p.toml", "name = \"p\"\nextends = \"build\"\nseccomp = [\"seccomp/build.json\"]\n");
    CHECK(load_profile(path, {}).widened.empty());
    folder.write("seccomp/build.json", small_filter);
    CHECK(words_of(load_profile(path, {}).widened) == std::vector<std::string_view>{"system-calls"});
}
