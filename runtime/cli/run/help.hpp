// What `stagebox run --help` and `bwrap --help` say.
#pragma once
#include <string>

namespace runtime::cli {

std::string run_help();
std::string bwrap_help();

}  // namespace runtime::cli
