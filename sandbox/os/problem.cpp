#include "sandbox/os/problem.hpp"

#include "sandbox/os/text.hpp"

namespace sandbox::os {
namespace {

std::string placed(const Problem& problem) {
    return problem.where.empty() ? problem.what : problem.where + ": " + problem.what;
}

}  // namespace

std::string help_line(std::string_view remedy) {
    return remedy.empty() ? std::string() : "\n  help: " + printable(remedy);
}

std::string to_string(const Problem& problem) {
    return printable(placed(problem)) + help_line(problem.remedy);
}

std::string Error::text_of(const Problem& problem) {
    return placed(problem) + help_line(problem.remedy);
}

}  // namespace sandbox::os
