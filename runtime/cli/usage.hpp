// `log --usage`: what stages have used, run by run, and how that changes.
#pragma once
#include <string>

#include "runtime/cli/options.hpp"

namespace runtime::cli {

struct UsageOptions {
    std::string store;  // empty: the default
    std::string stage;  // empty: the last run of each; else each run of the stages that are called so
    OutputFormat format = OutputFormat::text;
};

// 0; 1 where a stage is named of which nothing is known.
int show_usage(const UsageOptions& options);

}  // namespace runtime::cli
