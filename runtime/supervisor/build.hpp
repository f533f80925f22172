// `stagebox build`: a pipeline, or some of its stages, from the file to the receipt. One thread, one event loop.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "runtime/host/receipt/receipt.hpp"
#include "runtime/report/console.hpp"
#include "runtime/supervisor/build_view.hpp"

namespace runtime::supervisor {

// One of the pipeline's results, in the store.
struct BuiltResult {
    std::string name;
    std::string path;
};

// How a build ended.
struct BuildEnd {
    BuildView build;
    const host::Receipt& receipt;
    std::vector<BuiltResult> results = {};  // those that are there
    std::string receipt_fault = {};         // why it is not kept; empty: it is
    std::string services = {};  // what became of those of the host that it required; empty: none was started
    bool has_services_as_found = true;
    std::string export_fault = {};  // why the results are not where they were asked for; empty: they are
};

// Tells of it; the answer is the build's exit code.
using TellEnd = std::function<int(const BuildEnd& end, report::Console& console)>;

// Throws ConfigError and the like for what is wrong before the first stage; main turns them into exit codes. With a
// session of its own: returns when the build has begun, in the caller with 0 and in the process that builds when it is
// over.
int build(const BuildOptions& options, const TellEnd& tell_end);

}  // namespace runtime::supervisor
