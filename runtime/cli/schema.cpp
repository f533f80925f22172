// `schema`: prints the JSON Schema of pipeline files.
#include "stages/pipeline/schema.hpp"

#include <cstdio>

#include "runtime/cli/commands.hpp"

namespace runtime::cli {
namespace {

struct SchemaWords {};

void declare(Options& /*options*/, SchemaWords& /*words*/) {}

int run(const SchemaWords& /*words*/) {
    std::fputs((stages::pipeline_schema().dump(2) + "\n").c_str(), stdout);
    return ExitCode::done;
}

}  // namespace

Command schema_command() {
    return make_command<SchemaWords>("schema", "Print the JSON Schema of pipeline files, for editors");
}

}  // namespace runtime::cli
