// What the rows of the keys say, for others: the JSON Schema of pipeline files, and the manual's list of all keys.
#pragma once
#include <string>

#include "sandbox/config/keys.hpp"
#include "sandbox/os/json.hpp"

namespace stages {

// JSON Schema, draft 2020-12, of a pipeline file. What it accepts can still be wrong: it knows nothing of the stages
// that others name, nor of what a variable stands for.
sandbox::os::Json pipeline_schema();

// The table of the manual, in Markdown: a line for each key there is, in the order of the rows.
std::string key_list();

// "string", "array of strings", "table": as the manual names what may be written.
std::string type_name(const sandbox::Shape& shape);

}  // namespace stages
