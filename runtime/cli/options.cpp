#include "runtime/cli/options.hpp"

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

void declare_json(Options& options, OutputFormat& output, const std::string& needs) {
    options.push_back(
        {.names = "--json", .into = sets(output, OutputFormat::json), .doc = "For programs", .needs = needs});
}

void declare_store(Options& options, std::string& store) {
    options.push_back({.names = "--store", .into = &store, .doc = "The store", .type = "DIR"});
}

std::string check_whole_number(const std::string& text) {
    const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    return is_number ? std::string() : sandbox::os::format("{} is not a whole number", sandbox::os::quote(text));
}

}  // namespace runtime::cli
