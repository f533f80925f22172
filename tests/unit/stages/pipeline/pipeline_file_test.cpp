#include "stages/pipeline/pipeline_file.hpp"
#include "sandbox/spec/limits_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <random>

#include "sandbox/os/sha256.hpp"
#include "sandbox/os/sys.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/words.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using stages::Pipeline;
using stages::read_pipeline;
using stages::Stage;
using tests::TemporaryDirectory;

namespace {

constexpr std::string_view complete = R"(
version = 1
name = "demo"
[vars]
suite = "bookworm"
dollar = "$"
[defaults]
limits = { time = "30m" }
env = { LC_ALL = "C.UTF-8", SUITE = "${suite}" }

[stage.debs]
from = "host"
network = "host"
script = "scripts/debs.sh"
out = { debs = "debs", list = "lists/${suite}" }
needs = { apt-get = "apt", "/usr/lib/grub/i386-pc" = "grub-pc-bin" }
limits.time = "90s"
devices = ["kvm"]

[stage.rootfs]
from = "empty"
in = { "/in/debs" = "debs.debs", "/in/overlay" = "./overlay" }
run = ["sh", "-c", "echo ${suite} $${suite} $HOME $(id) $$ ${dollar}${suite}"]
out = { tree = "tree" }
env = { LC_ALL = "C" }

[stage.system]
from = "rootfs"
in = { "/in/root" = "rootfs", "/in/list" = "./overlay/etc/motd" }
script = "./scripts/debs.sh"
limits = { time = "2h" }

[stage.single]
from = "empty"
ids = "single"
run = ["true"]

[result]
tree = "rootfs.tree"
)";

struct Project {
    TemporaryDirectory directory;
    Project() {
        directory.write("scripts/debs.sh", "#!/bin/sh\n");
        directory.write("overlay/etc/motd", "hello\n");
    }
    Pipeline read(std::string_view text, const stages::Overrides& overrides = {}) const {
        return read_pipeline(directory.write("stagebox.toml", text), overrides, "stagebox.toml");
    }
    std::string error(std::string_view text, const stages::Overrides& overrides = {}) const {
        try {
            read(text, overrides);
        } catch (const sandbox::ConfigError& error) {
            return error.problem().what;
        }
        return "no error";
    }
};

std::string with_stage(std::string_view keys) {
    return "version = 1\nname = \"x\"\n[vars]\nv = \"value\"\n[stage.a]\nfrom = \"host\"\n" + std::string(keys) + "\n";
}

}  // namespace

TEST_CASE("pipeline file: every key arrives", "[pipeline]") {
    const Project project;
    const Pipeline pipeline = project.read(complete);
    CHECK(pipeline.file == "stagebox.toml");
    CHECK(pipeline.directory == project.directory.path().string());
    CHECK(pipeline.name == "demo");
    REQUIRE(pipeline.stages.size() == 4);

    const Stage& debs = pipeline.stages[0];
    CHECK(debs.name == "debs");
    CHECK(debs.at.line == 11);
    CHECK(std::holds_alternative<stages::HostRoot>(debs.from));
    CHECK(debs.network == sandbox::Network::host);
    CHECK(debs.ids == sandbox::IdMode::range);
    CHECK(debs.script->path == "scripts/debs.sh");
    CHECK(debs.run.empty());
    REQUIRE(debs.outputs.size() == 2);
    CHECK(debs.outputs[1].path == "lists/bookworm");
    CHECK(debs.limits.time == std::chrono::seconds(90));
    CHECK(debs.devices == std::vector<std::string>{"kvm"});
    REQUIRE(debs.needs.size() == 2);
    CHECK(debs.needs[1].what == "/usr/lib/grub/i386-pc");
    CHECK(debs.needs[1].package == "grub-pc-bin");
    CHECK(debs.env == decltype(debs.env){{"LC_ALL", "C.UTF-8"}, {"SUITE", "bookworm"}});

    const Stage& rootfs = pipeline.stages[1];
    CHECK(std::holds_alternative<stages::EmptyRoot>(rootfs.from));
    REQUIRE(rootfs.inputs.size() == 2);
    CHECK(std::get<stages::ArtifactTree>(rootfs.inputs[0].source).artifact == "debs");
    CHECK(std::get<stages::LocalPath>(rootfs.inputs[1].source).path == "overlay");
    CHECK(rootfs.run[2] == "echo bookworm ${suite} $HOME $(id) $$ $bookworm");
    CHECK(rootfs.limits.time == std::chrono::minutes(30));
    CHECK(rootfs.env == decltype(rootfs.env){{"LC_ALL", "C"}, {"SUITE", "bookworm"}});

    const Stage& system = pipeline.stages[2];
    CHECK(std::get<stages::StageTree>(system.from).stage == "rootfs");
    CHECK(std::get<stages::StageTree>(system.inputs[0].source).stage == "rootfs");
    CHECK(system.script->path == "scripts/debs.sh");
    CHECK(system.limits.time == std::chrono::hours(2));
    CHECK(pipeline.stages[3].ids == sandbox::IdMode::single);

    REQUIRE(pipeline.results.size() == 1);
    CHECK(pipeline.results[0].stage == "rootfs");
    CHECK(pipeline.results[0].artifact == "tree");
}

TEST_CASE("pipeline file: variables of the command line", "[pipeline]") {
    const Project project;
    CHECK(project.read(complete, {{"suite", "sid"}}).stages[0].outputs[1].path == "lists/sid");
    CHECK(project.read(complete, {{"suite", "sid"}, {"suite", "trixie"}}).stages[0].outputs[1].path == "lists/trixie");
    CHECK(project.error(complete, {{"siute", "x"}}) == "\"--var siute=x\": no variable is called so in [vars]");
    CHECK(project.error(complete, {{"suite", "\xff"}}).find("is not UTF-8 text") != std::string::npos);
    // What a variable brings in is checked like what is written.
    CHECK(project.error(complete, {{"suite", ".."}}).find("must not contain") != std::string::npos);
    CHECK(project.read(complete, {{"suite", "${dollar}"}}).stages[1].run[2].starts_with("echo ${dollar} "));
}

TEST_CASE("pipeline file: variables stand in from, in, script and result", "[pipeline]") {
    const Project project;
    const Pipeline pipeline = project.read(R"(
version = 1
name = "x"
vars = { base = "a", file = "debs", top = "overlay" }
[stage.a]
from = "host"
script = "scripts/${file}.sh"
in = { "/in/o" = "./${top}/etc" }
out = { tree = "tree" }
[stage.b]
from = "${base}.tree"
run = ["true"]
out = { tree = "tree" }
[result]
tree = "${base}.tree"
)");
    CHECK(std::get<stages::ArtifactTree>(pipeline.stages[1].from).stage == "a");
    CHECK(std::get<stages::LocalPath>(pipeline.stages[0].inputs[0].source).path == "overlay/etc");
    CHECK(pipeline.results[0].stage == "a");
}

TEST_CASE("pipeline file: what lies beside it must be of the right kind", "[pipeline]") {
    const Project project;
    const std::string fifo = (project.directory.path() / "fifo").string();
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(project.error(with_stage("script = \"fifo\"")) == "the script \"fifo\" is not a regular file");
    CHECK(project.error(with_stage("run = [\"true\"]\nin = { \"/in/x\" = \"./fifo\" }")) ==
          "the input \"./fifo\" is neither a regular file nor a directory");
    std::filesystem::create_symlink("scripts/debs.sh", project.directory.path() / "inside.sh");
    CHECK(project.error(with_stage("script = \"inside.sh\"")) == "no error");
    std::filesystem::create_symlink("/etc", project.directory.path() / "away");
    CHECK(project.error(with_stage("run = [\"true\"]\nin = { \"/in/x\" = \"./away/passwd\" }")) ==
          "the input \"./away/passwd\" leads out of the project's directory through a symbolic link");
    project.directory.write("relative.sh", "#!sh\n");
    CHECK(project.error(with_stage("script = \"relative.sh\"")) ==
          "the script \"relative.sh\" names no interpreter by its full path after \"#!\"");
    project.directory.write("empty.sh", "");
    CHECK(project.error(with_stage("script = \"empty.sh\"")).find("does not begin with \"#!\"") != std::string::npos);
}

TEST_CASE("pipeline file: a relative path means the directory one stands in", "[pipeline]") {
    const Project project;
    project.directory.write("stagebox.toml", complete);
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(project.directory.path());
    const Pipeline pipeline = read_pipeline("stagebox.toml");
    std::filesystem::current_path(before);
    CHECK(pipeline.file == "stagebox.toml");
    CHECK(pipeline.directory == project.directory.path().string());
}

TEST_CASE("pipeline file: an error found later looks like one found while reading", "[pipeline]") {
    const Project project;
    const Pipeline pipeline = project.read(complete);
    const stages::Position at = pipeline.stages[0].needs[0].at;
    CHECK(std::string(stages::error_at(pipeline, at, "apt-get is missing", "install apt").what()) ==
          "stagebox.toml:16:11: error: apt-get is missing\n"
          "   16 | needs = { apt-get = \"apt\", \"/usr/lib/grub/i386-pc\" = \"grub-pc-bin\" }\n"
          "      |           ^\n"
          "  help: install apt");
    std::filesystem::remove(project.directory.path() / "stagebox.toml");
    CHECK(std::string(stages::error_at(pipeline, at, "m").what()) == "stagebox.toml:16:11: error: m");
}

TEST_CASE("pipeline file: a thousand stages are read in no time", "[pipeline]") {
    const Project project;
    std::string text = "version = 1\nname = \"many\"\n";
    for (int i = 0; i < 1000; ++i) {
        text += "[stage.s" + std::to_string(i) + "]\nfrom = \"" + (i == 0 ? "empty" : "s" + std::to_string(i - 1)) +
                "\"\nrun = [\"true\"]\nout = { x = \"x\" }\n";
    }
    const auto begin = std::chrono::steady_clock::now();
    const Pipeline pipeline = project.read(text);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(pipeline.stages.size() == 1000);
    CHECK(took < std::chrono::seconds(2));  // some tens of milliseconds; wide enough for a loaded, sanitized run
}

TEST_CASE("pipeline file: whatever is written, nothing but a ConfigError comes of it", "[pipeline]") {
    const Project project;
    std::mt19937 random(7);
    constexpr std::string_view bytes = "\"'[]{}=.,$#\\\n\t\x1b\xff-_/ a1\r";
    for (int round = 0; round < 500; ++round) {
        std::string text(complete);
        for (std::size_t change = 1 + random() % 3; change > 0; --change) {
            const std::size_t place = random() % text.size();
            switch (random() % 3) {
                case 0: text[place] = bytes[random() % bytes.size()]; break;
                case 1: text.erase(place, 1 + random() % 8); break;
                default: text.insert(place, text.substr(random() % text.size(), random() % 16)); break;
            }
        }
        INFO(text);
        CHECK_NOTHROW(project.error(text));
    }
}

TEST_CASE("local files: opening stays beneath the directory", "[pipeline]") {
    const Project project;
    const stages::LocalFiles files(project.directory.path().string());
    const sandbox::os::Fd fd = files.open("overlay/etc/motd", O_RDONLY);
    CHECK(sandbox::os::sha256_of_file(fd.get()) == sandbox::os::sha256_of("hello\n"));
    CHECK_THROWS_AS(files.open("../x", O_RDONLY), sandbox::os::SysError);
    CHECK_THROWS_AS(files.open("/etc/passwd", O_RDONLY), sandbox::os::SysError);
}

TEST_CASE("words: names", "[pipeline]") {
    CHECK(stages::name_fault("a").empty());
    CHECK(stages::name_fault("a-1-b").empty());
    CHECK(stages::name_fault("a" + std::string(62, 'b')).empty());
    for (const std::string_view bad : {"", "A", "1a", "-a", "a.b", "a/b", "a b", "a_b", "a\nb", "ä", "..", "a\x7f"}) {
        INFO("name " << bad);
        CHECK_FALSE(stages::name_fault(bad).empty());
    }
    CHECK_FALSE(stages::name_fault(std::string_view("a\0b", 3)).empty());
    CHECK_FALSE(stages::name_fault("a" + std::string(63, 'b')).empty());
}

TEST_CASE("words: the places of inputs", "[pipeline]") {
    for (const std::string_view good :
         {"/in", "/in/a", "/usr/share/x", "/outer", "/device", "/in/.hidden", "/in/a..b"}) {
        INFO("target " << good);
        CHECK(stages::target_fault(good).empty());
    }
    for (const std::string_view bad : {"", "/", "in", "./in", "//in", "/in/", "/in//a", "/in/./a", "/in/..", "/../in",
                                       "/out", "/out/a", "/dev", "/dev/x", "/proc/1", "/sys", "/run/x", "/in/a\nb"}) {
        INFO("target " << bad);
        CHECK_FALSE(stages::target_fault(bad).empty());
    }
}

TEST_CASE("words: times", "[pipeline]") {
    const auto time = [](const std::string& text) {
        return sandbox::read_duration(sandbox::parse_config("t = \"" + text + "\"", "t").require("t"));
    };
    CHECK(time("1s") == std::chrono::seconds(1));
    CHECK(time("90m") == std::chrono::seconds(5400));
    CHECK(time("9999999h").count() == 9999999LL * 3600);
    for (const std::string bad : {"", "s", "0s", "-1s", "1", "1.5h", "1d", "1h30m", " 1s", "1s ", "99999999h", "1S"}) {
        INFO("time " << bad);
        CHECK_THROWS_AS(time(bad), sandbox::ConfigError);
    }
}

TEST_CASE("words: text is UTF-8 without NUL", "[pipeline]") {
    CHECK(stages::is_text("plain ä → 𝄞"));
    CHECK_FALSE(stages::is_text(std::string_view("a\0", 2)));
    for (const std::string_view bad :
         {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80"}) {
        CHECK_FALSE(stages::is_text(bad));
    }
}

TEST_CASE("pipeline file: services, and what shows that they are ready", "[pipeline]") {
    const Project project;
    const Pipeline pipeline = project.read(with_stage(R"(run = ["true"]
services = [
    { name = "one", run = ["one", "${v}", "$HOME"] },
    { name = "two", run = ["two"], ready = { tcp = 5432 }, timeout = "2m" },
    { name = "three", run = ["three"], ready = { unix = "/run/${v}" } },
    { name = "four", run = ["four"], ready = { log = "is ${v}" } },
    { name = "five", run = ["five"], ready = { command = ["check", "${v}"] } },
])"));
    const std::vector<sandbox::Service>& services = pipeline.stages[0].services;
    REQUIRE(services.size() == 5);
    CHECK(services[0].run == std::vector<std::string>{"one", "value", "$HOME"});
    CHECK(services[0].ready.kind == sandbox::Ready::at_once);
    CHECK(services[0].timeout == std::chrono::seconds(30));
    CHECK(services[1].ready.kind == sandbox::Ready::tcp);
    CHECK(services[1].ready.value == "5432");
    CHECK(services[1].timeout == std::chrono::minutes(2));
    CHECK(services[2].ready.value == "/run/value");
    CHECK(services[3].ready.value == "is value");
    CHECK(services[4].ready.command == std::vector<std::string>{"check", "value"});
}

TEST_CASE("pipeline file: a hangup ends a build, unless the file says otherwise", "[pipeline]") {
    const Project project;
    CHECK(project.read(with_stage("run = [\"true\"]")).on_disconnect == stages::OnDisconnect::end);
    const std::string goes_on =
        "version = 1\nname = \"x\"\n[defaults]\non-disconnect = \"continue\"\n[stage.a]\nfrom = \"host\"\nrun = "
        "[\"true\"]\n";
    CHECK(project.read(goes_on).on_disconnect == stages::OnDisconnect::go_on);
}

TEST_CASE("pipeline file: what is required of the host's services", "[pipeline]") {
    const Project project;
    const Pipeline pipeline = project.read(R"(
version = 1
name = "p"
requires-services = [
    "postgresql.service",
    { name = "${which}.socket", allow-start = true, manager = "user", timeout = "2m" },
]
[vars]
which = "podman"
[stage.a]
from = "host"
run = ["true"]
)");
    using stages::HostService;
    REQUIRE(pipeline.host_services.size() == 2);
    const HostService& first = pipeline.host_services[0];
    CHECK(first.unit == "postgresql.service");
    CHECK(first.manager == HostService::Manager::system);
    CHECK_FALSE(first.may_start);
    CHECK(first.timeout == std::chrono::seconds(30));
    CHECK(first.at.line == 5);
    const HostService& second = pipeline.host_services[1];
    CHECK(second.unit == "podman.socket");
    CHECK(second.manager == HostService::Manager::user);
    CHECK(second.may_start);
    CHECK(second.timeout == std::chrono::minutes(2));
}
