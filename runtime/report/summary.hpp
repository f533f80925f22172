// The end of a build, for people: what became of each stage, what failed and how to go on, and the receipt.
#pragma once
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "runtime/report/console.hpp"
#include "sandbox/os/problem.hpp"

namespace runtime::report {

struct StageLine {
    std::string name;
    std::string state;       // "built", "cached", "failed", "stopped", "skipped"
    double seconds = 0;      // of the run that made it; 0 where there was none
    double layer_bytes = 0;  // of its layer and artifacts
    double cpu_seconds = 0;
    double peak_bytes = 0;  // of memory
    std::string granted;    // how its jail was looser than the strictest: "host-network, devices"
};

struct FailedStage {
    std::string name;
    sandbox::os::Problem problem;
    std::string failure_class;  // "network"
    std::string found_by;       // what told the class; may be empty
    std::string command;
    unsigned attempts = 1;
    double seconds = 0;  // of the last attempt; 0 where its command did not start
    std::string limits;  // in force, and how near it came; may be empty
    std::string log;
    std::deque<std::string> last_lines;
    std::vector<std::string> denials;                          // what its filter denied it, and what would allow that
    std::vector<std::string> skipped;                          // stages, for this failure
    bool is_tolerated = false;                                 // it does not count
    std::vector<std::pair<std::string, std::string>> ways_on;  // a word and a command line
};

// Of the lines that are remembered, those that a report shows.
std::vector<std::string> shown_lines(const std::deque<std::string>& lines);
std::string summary_table(const Console& console, const std::vector<StageLine>& stages);
std::string failure_text(const Console& console, const FailedStage& failed);

}  // namespace runtime::report
