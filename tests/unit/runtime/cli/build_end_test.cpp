// The exit code of a build, by what became of its stages and of the host.
#include "runtime/cli/build_end.hpp"

#include <signal.h>

#include <optional>
#include <vector>

#include "tests/support/catch.hpp"

using runtime::cli::exit_code;
using runtime::engine::FailureClass;

namespace {

// A build of two stages that do not need each other; the second may fail.
class Build {
  public:
    Build() {
        pipeline_.stages.resize(2);
        pipeline_.stages[0].name = "first";
        pipeline_.stages[1].name = "second";
        pipeline_.stages[1].on_failure.errors = stages::ErrorMode::permissive;
        pipeline_.stages[1].on_failure.is_optional = true;
        graph_.emplace(pipeline_);
        schedule_.emplace(*graph_, pipeline_, options_.stages);
        for (std::size_t place = 0; place < 2; ++place) {
            status_.emplace_back().stage = &pipeline_.stages[place];
            status_.back().place = place;
        }
    }
    Build(const Build&) = delete;
    Build& operator=(const Build&) = delete;
    ~Build() = default;

    void built(std::size_t place) {
        schedule_->start(place);
        schedule_->finish(place);
    }
    void failed(std::size_t place, FailureClass kind) {
        schedule_->start(place);
        status_[place].failure = {.kind = kind, .problem = {"it failed"}};
        static_cast<void>(schedule_->fail(place));
    }
    runtime::supervisor::BuildEnd end(int signal = 0) {
        return {.build = {.pipeline = pipeline_,
                          .options = options_,
                          .schedule = *schedule_,
                          .stages = status_,
                          .signal = signal,
                          .counted_by = {}},
                .receipt = receipt};
    }

    runtime::host::Receipt receipt;

  private:
    stages::Pipeline pipeline_;
    runtime::supervisor::BuildOptions options_;
    std::optional<stages::Graph> graph_;
    std::optional<stages::Schedule> schedule_;
    std::vector<runtime::supervisor::StageStatus> status_;
};

}  // namespace

TEST_CASE("exit code of a build: all stages are done", "[build-end]") {
    Build build;
    build.built(0);
    build.built(1);
    CHECK(exit_code(build.end()) == 0);
    runtime::supervisor::BuildEnd end = build.end();
    end.export_fault = "the directory is full";
    CHECK(exit_code(end) == 3);
}

TEST_CASE("exit code of a build: a stage that may fail does not count, one that may not does", "[build-end]") {
    Build build;
    SECTION("the one that may") {
        build.built(0);
        build.failed(1, FailureClass::jail);
        CHECK(exit_code(build.end()) == 0);
    }
    SECTION("the one that may not") {
        build.failed(0, FailureClass::script_error);
        CHECK(exit_code(build.end()) == 1);
        runtime::supervisor::BuildEnd end = build.end();
        end.export_fault = "the directory is full";
        CHECK(exit_code(end) == 1);
    }
    SECTION("for want of a jail") {
        build.failed(0, FailureClass::jail);
        CHECK(exit_code(build.end()) == 3);
    }
    SECTION("only the jail of the one that counts") {
        build.failed(1, FailureClass::jail);
        build.failed(0, FailureClass::script_error);
        CHECK(exit_code(build.end()) == 1);
    }
}

TEST_CASE("exit code of a build: a signal comes before a failure, what is left on the host before both",
          "[build-end]") {
    Build build;
    build.failed(0, FailureClass::script_error);
    CHECK(exit_code(build.end(SIGINT)) == 130);
    CHECK(exit_code(build.end(SIGTERM)) == 143);
    CHECK(exit_code(build.end(SIGHUP)) == 129);
    runtime::supervisor::BuildEnd end = build.end(SIGINT);
    end.has_services_as_found = false;
    CHECK(exit_code(end) == 4);
    build.receipt.differences.push_back(
        {.subject = "/mnt", .change = "mounted", .whose = runtime::host::Owner::user, .reason = {}, .stage = {}});
    CHECK(exit_code(build.end(SIGINT)) == 130);
    build.receipt.differences.back().whose = runtime::host::Owner::ours;
    CHECK(exit_code(build.end(SIGINT)) == 4);
}
