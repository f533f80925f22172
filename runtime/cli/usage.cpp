#include "runtime/cli/usage.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

#include "runtime/cli/open_store.hpp"
#include "runtime/report/console.hpp"
#include "runtime/store/ledger.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;
using store::LedgerEntry;
using store::Usage;

namespace {

struct StageRuns {
    std::string pipeline;
    std::string stage;
    std::vector<LedgerEntry> runs;  // at least one
};

std::vector<StageRuns> read_runs(const store::Ledger& ledger, const std::string& wanted) {
    std::vector<StageRuns> all;
    for (const auto& [pipeline, stage] : ledger.stages()) {
        if (!wanted.empty() && stage != wanted) continue;
        StageRuns one{pipeline, stage, ledger.entries(pipeline, stage)};
        if (!one.runs.empty()) all.push_back(std::move(one));
    }
    return all;
}

using Row = std::vector<std::string>;

std::string bytes(std::uint64_t number) {
    return number == 0 ? "-" : sandbox::os::human_bytes(static_cast<double>(number));
}

// "1.2 s +15%": against the run before.
std::string with_change(const std::string& text, double now, const double* before) {
    if (before == nullptr || *before <= 0) return text;
    const long percent = std::lround((now - *before) / *before * 100);
    return percent == 0 ? text + " =" : format("{} {:+}%", text, percent);
}

std::string memory_of(const Usage& usage) {
    const bool is_whole = usage.peak_of == store::PeakOf::whole_jail;
    return bytes(usage.peak_bytes) + (is_whole || usage.peak_bytes == 0 ? "" : "*");
}

std::string network_of(const Usage& usage) {
    if (!usage.received_bytes) return "-";
    return format("{}/{}", bytes(*usage.received_bytes), bytes(usage.sent_bytes.value_or(0)));
}

// `before`: the run before it; may be null. Peaks of different kinds are not compared.
Row row_of(const std::string& first, const LedgerEntry& entry, const LedgerEntry* before) {
    const Usage& now = entry.usage;
    const Usage* const old = before == nullptr ? nullptr : &before->usage;
    const double peak_before = old != nullptr && old->peak_of == now.peak_of ? static_cast<double>(old->peak_bytes) : 0;
    return {first,
            entry.result,
            with_change(sandbox::os::human_seconds(now.seconds), now.seconds, old == nullptr ? nullptr : &old->seconds),
            with_change(sandbox::os::human_seconds(now.cpu_seconds), now.cpu_seconds,
                        old == nullptr ? nullptr : &old->cpu_seconds),
            with_change(memory_of(now), static_cast<double>(now.peak_bytes), &peak_before),
            bytes(now.read_bytes),
            bytes(now.written_bytes),
            bytes(entry.made_bytes),
            now.processes ? format("{}", *now.processes) : "-",
            network_of(now)};
}

void print_table(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths(rows.front().size());
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i < 2 ? format("{:<{}}  ", row[i], widths[i]) : format("{:>{}}  ", row[i], widths[i]);
        }
        std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << "\n";
    }
}

Row heading(const char* first) {
    return {first, "result", "time", "cpu", "memory", "read", "written", "made", "processes", "network in/out"};
}

void print_stages(const std::vector<StageRuns>& all) {
    std::vector<Row> rows{heading("stage")};
    for (const StageRuns& one : all) {
        const LedgerEntry* const before = one.runs.size() > 1 ? &one.runs[one.runs.size() - 2] : nullptr;
        rows.push_back(row_of(format("{}/{}", one.pipeline, one.stage), one.runs.back(), before));
    }
    print_table(rows);
}

void print_runs(const StageRuns& one) {
    std::cout << format("{}/{}\n", one.pipeline, one.stage);
    std::vector<Row> rows{heading("finished")};
    const LedgerEntry* before = nullptr;
    for (const LedgerEntry& entry : one.runs) {
        rows.push_back(row_of(entry.finished, entry, before));
        before = &entry;
    }
    print_table(rows);
}

Json to_json(const std::vector<StageRuns>& all) {
    Json stages = Json::array();
    for (const StageRuns& one : all) {
        Json runs = Json::array();
        for (const LedgerEntry& entry : one.runs) runs.push_back(store::to_json(entry));
        stages.push_back({{"pipeline", one.pipeline}, {"stage", one.stage}, {"runs", std::move(runs)}});
    }
    return stages;
}

bool has_peak_of_process(const std::vector<StageRuns>& all) {
    return std::ranges::any_of(all, [](const StageRuns& one) {
        return std::ranges::any_of(one.runs, [](const LedgerEntry& entry) {
            return entry.usage.peak_of == store::PeakOf::largest_process && entry.usage.peak_bytes > 0;
        });
    });
}

}  // namespace

int show_usage(const UsageOptions& options) {
    const store::Store store = open_store(options.store);
    const std::vector<StageRuns> all = read_runs(store::Ledger(store.directory()), options.stage);
    if (options.format == OutputFormat::json) {
        std::cout << to_json(all).dump(2) << "\n";
    } else if (all.empty()) {
        std::cout << (options.stage.empty() ? "no stage has run yet\n"
                                            : format("no stage {} has run yet\n", options.stage));
    } else {
        if (options.stage.empty()) {
            print_stages(all);
        } else {
            for (const StageRuns& one : all) print_runs(one);
        }
        if (has_peak_of_process(all)) std::cout << "* of its largest process: there was no cgroup that counts memory\n";
    }
    return all.empty() && !options.stage.empty() ? 1 : 0;
}

}  // namespace runtime::cli
