// `receipt`: what a run left on record about the host, before and after.
#include <fcntl.h>

#include <cstdio>
#include <optional>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/open_store.hpp"
#include "runtime/cli/runs.hpp"
#include "runtime/host/receipt/receipt.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;
using sandbox::os::Json;

namespace {

struct ReceiptWords {
    RunWords which;  // no run: the newest that has one
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, ReceiptWords& words) {
    declare_run(options, words.which, "A run's name, or how it begins (default: the newest)");
    declare_json(options, words.format);
}

// 4 where it is not clean, as the build had.
int run(const ReceiptWords& words) {
    const std::string path = store_path(words.which.store) + "/" + store::Store::version_directory() + "/runs";
    if (!sandbox::os::exists(AT_FDCWD, path)) throw std::runtime_error(format("no run is kept in {}", path));
    const sandbox::os::Fd runs = sandbox::os::open_directory(AT_FDCWD, path);
    // They sort by time; the newest may still run, or was killed.
    std::vector<std::string> names = sandbox::os::list_directory(runs.get());
    if (!words.which.run.empty()) names = {named_run(names, words.which.run)};
    std::optional<std::string> text;
    while (!names.empty()) {
        text = sandbox::os::read_file_if_exists(runs.get(), names.back() + "/receipt.json");
        if (text) break;
        names.pop_back();
    }
    if (!text)
        throw std::runtime_error(
            format("{} has no receipt of {}", path, words.which.run.empty() ? "any run" : "run " + words.which.run));
    const Json kept = Json::parse(*text);
    if (words.format == OutputFormat::json) {
        std::fputs(text->c_str(), stdout);
    } else {
        std::printf("run %s\n%s", names.back().c_str(), host::to_long_text(kept).c_str());
    }
    return kept.at("clean").get<bool>() ? ExitCode::done : ExitCode::host_touched;
}

}  // namespace

Command receipt_command() {
    return make_command<ReceiptWords>("receipt", "The receipt of a run: the host before and after");
}

}  // namespace runtime::cli
