// `store check`: whether the store is whole; what is damaged is set aside.
#include <cstdio>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/report/console.hpp"
#include "runtime/store/store_check.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

struct StoreCheckWords {
    std::string store;
    store::CheckDepth depth = store::CheckDepth::contents;
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, StoreCheckWords& words) {
    declare_store(options, words.store);
    options.push_back({.names = "--quick",
                       .into = sets(words.depth, store::CheckDepth::names),
                       .doc = "Look at names only, and read no contents"});
    declare_json(options, words.format);
}

const char* word_for(store::LeftOver::Until until) {
    return until == store::LeftOver::Until::next_build ? "next build" : "gc";
}

Json to_json(const store::CheckReport& report, const std::string& path) {
    Json damaged = Json::array();
    for (const store::Damage& damage : report.damaged) {
        Json one = {{"place", damage.place}, {"why", damage.why}, {"stages", damage.stages}};
        if (!damage.kept.empty()) one["still_there"] = damage.kept;
        damaged.push_back(std::move(one));
    }
    Json left_over = Json::array();
    for (const store::LeftOver& left : report.left_over) {
        left_over.push_back({{"place", left.place}, {"until", word_for(left.until)}});
    }
    return {{"store", path},           {"whole", report.damaged.empty()}, {"records", report.records},
            {"layers", report.layers}, {"artifacts", report.artifacts},   {"bytes", report.bytes},
            {"damaged", damaged},      {"left_over", left_over}};
}

std::string to_text(const store::Damage& damage) {
    std::string text = format("damaged: {} {}\n", damage.place, sandbox::os::printable(damage.why));
    if (!damage.kept.empty()) {
        text += format("    it could not be set aside ({}): delete it before the next build\n", damage.kept);
    }
    if (!damage.stages.empty()) {
        text += format("    result of {}; the next build runs it again\n", sandbox::os::join(damage.stages));
    }
    return text;
}

std::string to_text(const store::CheckReport& report, const std::string& path) {
    std::string text;
    for (const store::Damage& damage : report.damaged) text += to_text(damage);
    std::size_t for_build = 0;
    for (const store::LeftOver& left : report.left_over)
        for_build += left.until == store::LeftOver::Until::next_build ? 1 : 0;
    const std::size_t for_gc = report.left_over.size() - for_build;
    if (for_build > 0) text += format("left over: {} places that the next build sweeps\n", for_build);
    if (for_gc > 0)
        text += format("left over: {} places that no result names; `stagebox store gc` deletes them\n", for_gc);
    text += format("{}: {} results, {} layers, {} artifacts, {} read: ", path, report.records, report.layers,
                   report.artifacts, sandbox::os::human_bytes(static_cast<double>(report.bytes)));
    text += report.damaged.empty()
                ? "whole\n"
                : format("{} damaged, set aside in damaged/ until `stagebox store gc`\n", report.damaged.size());
    return text;
}

int run(const StoreCheckWords& words) {
    store::Store store = open_store(words.store);
    const sandbox::os::Fd shared = store.share();
    const store::CheckReport report = store::check(store, words.depth);
    const std::string text = words.format == OutputFormat::json ? to_json(report, store.path()).dump(2) + "\n"
                                                                : to_text(report, store.path());
    std::fputs(text.c_str(), stdout);
    return report.damaged.empty() ? ExitCode::done : ExitCode::answer_is_no;
}

}  // namespace

Command store_check_command() {
    return make_command<StoreCheckWords>("store check", "Whether it is whole; what is damaged is set aside");
}

}  // namespace runtime::cli
