// The commands behind the command line, each with its options as a value. `build` is supervisor/build.hpp's, `doctor`
// doctor.hpp's, `run` run/run.hpp's.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "runtime/cli/output_format.hpp"
#include "runtime/engine/stage_jail.hpp"
#include "runtime/store/store_check.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/spec/spec.hpp"
#include "stages/lower/lower.hpp"
#include "stages/pipeline/pipeline_file.hpp"

namespace runtime::cli {

using engine::PipelineOptions;

// `check`: validates; says what the host lacks, and what of the stages' scripts a jail will refuse. 0, or what the exception's exit code is.
int check(const PipelineOptions& options);
enum class ImportWrites : unsigned char { pipeline, nothing };
struct ImportOptions {
    std::string script;
    std::string output = ".";  // the directory to write to
    ImportWrites writes = ImportWrites::pipeline;
    OutputFormat format = OutputFormat::text;
};
// `import SCRIPT`: names what is a hazard to the session in a build script, and writes a first pipeline in its place.
int import(const ImportOptions& options);

// `plan STAGE`: prints the operations that would make the named stage's jail.
int plan(const PipelineOptions& options, const std::string& name);

// `explain STAGE`: why a build would run it, or why it would not.
int explain(const PipelineOptions& options, const std::string& name);

using engine::ShellAt;
// `shell STAGE`: the stage's jail with a terminal, as it was before its command, or as the command left it.
int shell(const PipelineOptions& options, const std::string& name, ShellAt at);
// `store ls`: records, by pipeline and stage. An empty path: the default store.
int store_list(const std::string& path);
// `store gc`: deletes what no record names, failed stages, and records that were not used for so many days.
int store_collect(const std::string& path, unsigned days);
// `store rm`: deletes the results of these stages (STAGE, PIPELINE/STAGE, or the beginning of a key), and what no other
// result names. Throws std::invalid_argument where there is none, and deletes nothing then.
int store_remove(const std::string& path, const std::vector<std::string>& names);
// `store check`: 0 where the store is whole, 1 where it is not.
struct StoreCheckOptions {
    std::string path;
    store::CheckDepth depth = store::CheckDepth::contents;
    enum class Format : unsigned char { text, json } format = Format::text;
};
int store_check(const StoreCheckOptions& options);

}  // namespace runtime::cli
