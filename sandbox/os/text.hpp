// Text from outside, made fit for a terminal.
#pragma once
#include <string>
#include <string_view>

namespace sandbox::os {

// Control characters other than tabs, the high ones of Unicode too, become "?": neither a payload's output nor the name of
// a file that it made gets to steer the user's terminal. For one line: a newline is a control character.
std::string printable(std::string_view line);

}  // namespace sandbox::os
