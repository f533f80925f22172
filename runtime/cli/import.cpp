// `import SCRIPT`: names what is a hazard to the session in a build script, and writes a first pipeline in its place.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "runtime/cli/commands.hpp"
#include "runtime/script/listing.hpp"
#include "runtime/script/load.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/os/sys.hpp"
#include "stages/script/draft.hpp"

namespace runtime::cli {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;
using stages::script::Draft;
using stages::script::DraftFile;
using stages::script::Script;

namespace {

enum class ImportWrites : unsigned char { pipeline, nothing };

struct ImportWords {
    std::string script;
    std::string output = ".";  // the directory to write to
    ImportWrites writes = ImportWrites::pipeline;
    OutputFormat format = OutputFormat::text;
};

void declare(Options& options, ImportWords& words) {
    options.push_back({.names = "SCRIPT", .into = &words.script, .doc = "The script", .is_required = true});
    options.push_back({.names = "-o,--output",
                       .into = &words.output,
                       .doc = "Write the pipeline and its scripts into this directory",
                       .type = "DIR",
                       .shown_default = words.output});
    options.push_back({.names = "-n,--dry-run",
                       .into = sets(words.writes, ImportWrites::nothing),
                       .doc = "Only name the hazards, write nothing"});
    declare_json(options, words.format);
}

// All of them or none: nothing that is there is written over, and what was begun is taken back.
void write_draft(const Draft& draft, const std::string& output) {
    const bool is_absolute = output.starts_with('/');
    sandbox::os::make_directories(is_absolute ? output : sandbox::os::real_path(".") + "/" + output, 0755);
    const Fd directory = sandbox::os::open_directory(AT_FDCWD, output);
    for (const DraftFile& file : draft.files) {
        if (!sandbox::os::exists(directory.get(), file.name)) continue;
        throw std::invalid_argument(format("{}/{} is there already, and nothing is written over{}", output, file.name,
                                           sandbox::os::help_line("stagebox import --output DIR SCRIPT")));
    }
    std::vector<const DraftFile*> written;
    try {
        for (const DraftFile& file : draft.files) {
            const mode_t mode = file.is_executable ? 0755 : 0644;
            const Fd opened(sandbox::os::sys(
                [&] {
                    return ::openat(directory.get(), file.name.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
                },
                "create {}/{}", output, file.name));
            written.push_back(&file);
            sandbox::os::write_all(opened.get(), file.content, file.name);
        }
    } catch (...) {
        for (const DraftFile* file : written) ::unlinkat(directory.get(), file->name.c_str(), 0);
        throw;
    }
}

Json draft_json(const Draft& draft) {
    Json files = Json::array();
    for (const DraftFile& file : draft.files) files.push_back(file.name);
    return {{"seam", words_of(draft.seam)}, {"stages", draft.phases}, {"files", files}};
}

int run(const ImportWords& words) {
    const std::vector<Script> scripts = script::load(words.script);
    std::vector<script::Found> found;
    found.reserve(scripts.size());
    for (const Script& one : scripts) found.push_back({&one, find_hazards(one)});
    const Draft draft = make_draft(scripts);
    if (words.writes == ImportWrites::pipeline) write_draft(draft, words.output);

    if (words.format == OutputFormat::json) {
        Json all = {{"hazards", script::to_json(found)}};
        if (words.writes == ImportWrites::pipeline) all["draft"] = draft_json(draft);
        std::cout << all.dump(2) << "\n";
        return ExitCode::done;
    }
    std::cout << script::hazards_text(found) << format("{}: {}\n", words.script, script::count_text(found));
    for (const Script& one : scripts) {
        for (const auto& unread : one.unread) {
            std::cout << format("{}:{}: not read: a text for a shell that only becomes one when the script runs\n",
                                one.name, one.at(unread.span.begin).line);
        }
    }
    if (words.writes != ImportWrites::pipeline) return ExitCode::done;
    std::cout << format("{}/stagebox.toml: {} stage{}, cut at {}; with {} scripts\n", words.output, draft.phases,
                        draft.phases == 1 ? "" : "s", words_of(draft.seam), draft.files.size() - 1);
    return ExitCode::done;
}

}  // namespace

Command import_command() {
    return make_command<ImportWords>("import", "Name the hazards of a build script, and draft a pipeline from it");
}

}  // namespace runtime::cli
