// A build script from its file, with the files beside it that it reads into itself.
#pragma once
#include <string>
#include <vector>

#include "stages/script/syntax.hpp"

namespace runtime::script {

// The script first, then those that it and they read with "." or "source" and that lie beside it. Throws ConfigError
// for a fault in one of them, at its line; ParserMissing; SysError.
std::vector<stages::script::Script> load(const std::string& path);

// One script from its text. `name` is what errors call it.
stages::script::Script read(const std::string& name, std::string text);

}  // namespace runtime::script
