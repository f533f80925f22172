// `stagebox profile`: what profiles there are, what one says, and a new one from what a command does.
#pragma once
#include <string>
#include <vector>

namespace runtime::cli {

// `arguments`: what follows the word "profile". 0; of `learn`, the exit code of the command that was run. Throws
// std::invalid_argument for what is no option.
int profile(const std::vector<std::string>& arguments);

}  // namespace runtime::cli
