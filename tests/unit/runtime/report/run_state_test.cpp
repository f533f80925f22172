#include "runtime/report/run_state.hpp"

#include "tests/support/catch.hpp"

using runtime::report::run_state;
using runtime::report::RunState;

namespace {

const std::string begun =
    R"({"at":"T0","event":"begin","pipeline":"p","file":"f","directory":"/d","pid":7,"stages":["a","b","c"]})"
    "\n";

std::string state_of(const RunState& state, const std::string& stage) {
    for (const auto& one : state.stages) {
        if (one.name == stage) return one.state;
    }
    return "(nothing)";
}

}  // namespace

TEST_CASE("run state: a run that never began is none", "[run-state]") {
    CHECK_FALSE(run_state("r", ""));
    CHECK_FALSE(run_state("r", begun.substr(0, begun.size() - 1)));  // half a line, or not flushed yet
    CHECK(run_state("r", begun));
}

TEST_CASE("run state: stages are where their last event says", "[run-state]") {
    std::string events = begun;
    events += R"({"at":"T1","event":"start","stage":"a","attempt":1})"
              "\n";
    CHECK(state_of(*run_state("r", events), "a") == "running");
    CHECK(state_of(*run_state("r", events), "b") == "waiting");
    events += R"({"at":"T2","event":"pause","stage":"a","class":"network","what":"no route"})"
              "\n";
    CHECK(state_of(*run_state("r", events), "a") == "pausing");
    CHECK(run_state("r", events)->stages[0].what == "network: no route");
    events += R"({"at":"T3","event":"start","stage":"a","attempt":2})"
              "\n";
    events += R"({"at":"T3","event":"wait","stage":"b","holder":"process 9"})"
              "\n";
    CHECK(run_state("r", events)->stages[0].attempt == 2);
    CHECK(run_state("r", events)->stages[0].what.empty());
    CHECK(state_of(*run_state("r", events), "b") == "held");
    events += R"({"at":"T4","event":"stage","stage":"a","state":"failed","failure":{"what":"bad"}})"
              "\n";
    events += R"({"at":"T4","event":"stage","stage":"c","state":"skipped","skipped_for":"a"})"
              "\n";
    // What is not known, or not JSON, is passed over.
    events +=
        "garbage\n"
        R"({"at":"T4","event":"new","stage":"nobody"})"
        "\n";
    const RunState state = *run_state("r", events);
    CHECK(state_of(state, "a") == "failed");
    CHECK(state.stages[0].what == "bad");
    CHECK(state.stages[0].since == "T4");
    CHECK(state_of(state, "c") == "skipped");
    CHECK(state.stages[2].what == "for a");
}

TEST_CASE("run state: one word for the whole", "[run-state]") {
    RunState state = *run_state("r", begun);
    CHECK(state.word() == "killed");
    state.pid = 7;
    CHECK(state.word() == "running");
    state.is_stopping = true;
    CHECK(state.word() == "ending");
    const auto with_end = [](const std::string& exit) {
        return std::string(run_state("r", begun + R"({"at":"T9","event":"end","exit":)" + exit + "}\n")->word());
    };
    CHECK(with_end("0") == "done");
    CHECK(with_end("1") == "failed");
    CHECK(with_end("4") == "failed");
    CHECK(with_end("130") == "interrupted");
}
