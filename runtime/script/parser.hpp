// The shell grammar: shfmt, a program of the Debian package of that name, started for each text. Knows what it prints,
// not what scripts mean.
#pragma once
#include <string_view>

#include "sandbox/os/json.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/probe/probe.hpp"

namespace runtime::script {

// shfmt is not there; what() names its package.
class ParserMissing : public sandbox::os::Error {
  public:
    using Error::Error;
};

[[nodiscard]] bool has_parser();
// Whether scripts can be read here, for doctor: no jail needs it.
[[nodiscard]] sandbox::Finding probe_parser();

// The syntax tree of a script. Throws stages::script::SyntaxFault where the text is no shell script, ParserMissing,
// SysError.
sandbox::os::Json parse(std::string_view text);

}  // namespace runtime::script
