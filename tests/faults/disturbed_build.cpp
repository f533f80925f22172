#include "tests/faults/disturbed_build.hpp"

#include <sys/random.h>
#include <sys/syscall.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"

namespace tests::faults {

namespace fs = std::filesystem;
using namespace support;
using namespace std::chrono_literals;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

constexpr const char* stages[] = {"base", "layer", "last"};

// `base` is small: a shell and its libraries.
void write_pipeline(const Workspace& workspace, const std::string& marker) {
    workspace.write("note.txt", "a local input\n");
    workspace.pipeline(format(R"toml(
[defaults]
env = {{ SOURCE_DATE_EPOCH = "1600000000" }}
[stage.base]
from = "host"
run = ["sh", "-c", """
mkdir -p /out/root/bin && cp -L /bin/sh /out/root/bin/
for library in $(ldd /bin/sh | grep -o '/lib[^ :]*'); do
    mkdir -p "/out/root$(dirname "$library")"
    cp -L "$library" "/out/root$library"
done"""]
out = {{ root = "root" }}
[stage.layer]
from = "base.root"
in = {{ "/in/note" = "./note.txt" }}
run = ["sh", "-c", "read -r line < /in/note; echo $line > /made; echo layer; : {0}"]
[stage.last]
from = "host"
in = {{ "/in/root" = "layer" }}
run = ["sh", "-c", "cat /in/root/made > /out/file; echo last; : {0}"]
out = {{ file = "file" }}
[result]
file = "last.file"
)toml",
                              marker));
}

// What a stage made, by digest: its root, its layer, its artifacts.
std::string made_by(const Json& record) {
    std::string text = record.at("tree").get<std::string>();
    if (record.contains("layer")) text += " " + record.at("layer").at("id").get<std::string>();
    for (const auto& [name, object] : record.at("artifacts").items()) text += " " + object.at("id").get<std::string>();
    return text;
}

std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

std::string clip(const std::string& text) {
    return text.size() < 2000 ? text : text.substr(text.size() - 2000);
}

}  // namespace

DisturbedBuild::DisturbedBuild(std::string store)
    : store_(store.empty() ? workspace_.store() : std::move(store)),
      marker_(unique_marker()),
      canary_(workspace_.path() + "/canary") {
    write_pipeline(workspace_, marker_);
    const Result first = support::run(start());
    if (first.code != 0) throw std::runtime_error("the undisturbed build fails: " + first.err);
    results_ = committed();
    reset();
    undisturbed_ = run_traced(start(), std::nullopt, 60s);
    if (undisturbed_.result.code != 0)
        throw std::runtime_error("it fails where it is traced: " + undisturbed_.result.err);
}

Start DisturbedBuild::start() const {
    return {.argv = {stagebox_program(), "build", "-j", "1", "-f", workspace_.project() + "/stagebox.toml", "--store",
                     store_, "--output", workspace_.path() + "/result"}};
}

Result DisturbedBuild::command(std::vector<std::string> words) const {
    words.insert(words.begin(), stagebox_program());
    words.insert(words.end(), {"--store", store_});
    return support::run({.argv = std::move(words)});
}

void DisturbedBuild::reset() const {
    for (const auto& [stage, made] : committed()) {
        if (stage == "base") continue;
        const Result removed = command({"store", "rm", stage});
        if (removed.code != 0) throw std::runtime_error("a stage cannot be forgotten: " + removed.err);
    }
    const Result collected = command({"store", "gc"});  // the copy of the local input
    if (collected.code != 0) throw std::runtime_error("what they left cannot be deleted: " + collected.err);
    fs::remove_all(workspace_.path() + "/result");
}

Traced DisturbedBuild::disturb(const Fault& fault) const {
    return run_traced(start(), fault, 60s);
}

std::map<std::string, std::string> DisturbedBuild::committed() const {
    std::map<std::string, std::string> results;
    for (const char* stage : stages) {
        const Json record = workspace_.record_in(store_, stage);
        if (!record.is_null()) results[stage] = made_by(record);
    }
    return results;
}

std::string DisturbedBuild::wrong_afterwards(const std::string& said) const {
    const auto nothing_runs = [&] {
        return processes_with(marker_).empty() && processes_with(workspace_.path()).empty();
    };
    if (!becomes_true(nothing_runs, 1s)) return "a process is left after a second";
    if (!mounts_with(store_ + "/").empty()) return "a mount is left";
    const Result check = command({"store", "check"});
    if (check.code != 0) return "the store is not whole: " + check.out + check.err;
    for (const char* stage : stages) {
        const bool was_done = said.find(format("{} | done", stage)) != std::string::npos ||
                              said.find(format("{:<5} | done", stage)) != std::string::npos;
        if (was_done && !committed().contains(stage)) return format("stage {} was done, and is lost", stage);
    }
    std::string wrong = wrong_with_next_build();
    if (wrong.empty() && !canary_.is_unchanged()) wrong = "the host's canary is not what it was";
    return wrong;
}

std::string DisturbedBuild::wrong_with_next_build() const {
    const auto before = committed();
    const Result next = support::run(start());
    if (next.code != 0) return format("the next build ends with {}: {}", next.code, clip(next.err));
    if (!has_clean_receipt(next)) return "the next build's receipt is not clean: " + clip(next.err);
    if (committed() != results_) return "the next build has another result";
    for (const char* stage : stages) {
        const char* const state = before.contains(stage) ? "cached" : "built";
        if (state_of(next, stage) != state) return format("stage {} is not {}", stage, state);
    }
    const fs::directory_iterator results(workspace_.path() + "/result");
    if (std::distance(fs::begin(results), fs::end(results)) != 1) return "something is left beside the result";
    if (content_of(workspace_.path() + "/result/file") != "a local input\n") return "the result's file is another";
    for (const char* place : {"staging", "trash", "locks", "damaged"}) {
        if (!fs::is_empty(format("{}/v2/{}", store_, place))) return format("something is left in {}", place);
    }
    return {};
}

std::vector<CallSite> own_calls(const Traced& traced) {
    return {std::ranges::find(traced.calls, CallSite{0, SYS_getuid, 0}), traced.calls.end()};
}

std::vector<CallSite> turns(const std::vector<CallSite>& calls) {
    std::vector<CallSite> turns;
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const auto is_like = [&](std::size_t other) {
            return other < calls.size() && calls[other].process == calls[i].process &&
                   calls[other].number == calls[i].number;
        };
        if (i == 0 || !is_like(i - 1) || !is_like(i + 1)) turns.push_back(calls[i]);
    }
    return turns;
}

std::vector<CallSite> some_of(const std::vector<CallSite>& calls, std::size_t most) {
    if (calls.size() <= most) return calls;
    std::uint32_t number = 0;
    static_cast<void>(::getrandom(&number, sizeof number, 0));
    std::vector<CallSite> some;
    const std::size_t first = number % (calls.size() / most);
    for (std::size_t i = 0; i < most; ++i) some.push_back(calls[first + i * calls.size() / most]);
    return some;
}

std::string words_for(const CallSite& site) {
    return format("call {}, time {}, of {}", site.number, site.count + 1,
                  site.process == 0 ? "the supervisor" : format("process {}", site.process));
}

}  // namespace tests::faults
