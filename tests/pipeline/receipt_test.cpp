// The receipt: clean after a build, and not when something of ours is left.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view waiting = R"toml(
[stage.a]
from = "host"
run = ["sh", "-c", "echo waiting; sleep 1"]
)toml";

// A mount that somebody makes, and removes at the latest here.
class ForeignMount {
  public:
    explicit ForeignMount(std::string place) : place_(std::move(place)) {
        fs::create_directories(place_);
        is_there_ = ::mount("tmpfs", place_.c_str(), "tmpfs", 0, nullptr) == 0;
    }
    ForeignMount(const ForeignMount&) = delete;
    ForeignMount& operator=(const ForeignMount&) = delete;
    ~ForeignMount() {
        if (is_there_) ::umount2(place_.c_str(), MNT_DETACH);
    }
    [[nodiscard]] bool is_there() const { return is_there_; }

  private:
    std::string place_;
    bool is_there_ = false;
};

}  // namespace

TEST_CASE("every build prints a receipt and keeps it", "[receipt]") {
    const Workspace workspace;
    workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"exit 1\"]\n");
    CHECK(has_clean_receipt(workspace.build()));
    const std::vector<std::string> runs = workspace.names_in("runs");
    REQUIRE(runs.size() == 1);
    std::ifstream events(workspace.store() + "/v2/runs/" + runs.front() + "/events.jsonl");
    std::vector<sandbox::os::Json> all;
    for (std::string line; std::getline(events, line);) all.push_back(sandbox::os::Json::parse(line));
    REQUIRE(all.size() == 6);
    CHECK(all[0].at("event") == "begin");
    CHECK(all[0].at("stages") == sandbox::os::Json::array({"a"}));
    CHECK(all[1].at("event") == "start");
    CHECK(all[2].at("event") == "stage");
    CHECK(all[2].at("state") == "failed");
    CHECK(all[2].at("failure").at("class") == "script-error");
    CHECK(all[3].at("event") == "usage");
    CHECK(all[4].at("event") == "receipt");
    CHECK(all[4].at("clean") == true);
    CHECK(all[5].at("event") == "end");
    CHECK(all[5].at("exit") == 1);

    const Result report = receipt_of(workspace);
    CHECK(report.code == 0);
    CHECK(report.out.starts_with("run " + runs.front() + "\nreceipt: host session untouched"));
    const auto whole = sandbox::os::Json::parse(receipt_of(workspace, {runs.front(), "--json"}).out);
    CHECK(whole.at("clean") == true);
    CHECK(whole.at("before").at("mount") > 0);
    CHECK(receipt_of(workspace, {"../records"}).code == 2);
    CHECK(receipt_of(workspace, {"20200101T000000Z-1"}).code == 2);
    // By the beginning of its name, as `status` and `log` take it.
    CHECK(receipt_of(workspace, {runs.front().substr(0, 9)}).out == report.out);
}

TEST_CASE("a mount below the store that a build did not find is ours, one elsewhere is not", "[receipt][alone]") {
    if (::geteuid() != 0) {
        SUCCEED("root's test: nobody else can make a mount that the host sees");
        return;
    }
    const Workspace workspace;
    workspace.pipeline(waiting);
    const bool is_below = GENERATE(true, false);
    Process build(workspace.command({"build"}));
    build.wait_for("a | waiting");
    const ForeignMount mount(is_below ? workspace.store() + "/v2/layers/mounted" : workspace.path() + "/elsewhere");
    if (!mount.is_there()) {
        CHECK(build.finish().code == 0);
        unavailable("making a mount");
        return;
    }
    const Result ended = build.finish();
    INFO(ended.err);
    CHECK(states(ended) == "a=built");
    if (is_below) {
        CHECK(ended.code == 4);
        CHECK(says(ended, "receipt: host session TOUCHED BY THIS RUN"));
        CHECK(says(ended, "its target lies under the store"));
    } else {
        CHECK(ended.code == 0);
        CHECK(has_clean_receipt(ended));
        CHECK(says(ended, "not ours, meanwhile: mount 1 (1 of unknown origin)"));
    }
}
