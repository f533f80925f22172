#include "runtime/supervisor/needs.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "sandbox/os/format.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::supervisor {

using sandbox::os::format;

namespace {

bool is_there(const std::string& what) {
    if (what.starts_with("/")) return ::access(what.c_str(), F_OK) == 0;
    constexpr const char* directories[] = {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};
    return std::ranges::any_of(directories,
                               [&](const char* directory) { return ::access((directory + what).c_str(), X_OK) == 0; });
}

}  // namespace

std::vector<MissingNeed> missing_needs(const std::vector<const stages::Stage*>& stages) {
    std::vector<MissingNeed> missing;
    for (const stages::Stage* stage : stages) {
        for (const stages::HostNeed& need : stage->needs) {
            if (!is_there(need.what)) missing.push_back({stage->name, need.what, need.package});
        }
    }
    return missing;
}

std::string to_text(const std::vector<MissingNeed>& missing) {
    std::string text;
    std::set<std::string> packages;
    for (const MissingNeed& need : missing) {
        text += format("stage {} needs {}, which this host does not have (package {})\n", need.stage, need.what,
                       need.package);
        packages.insert(need.package);
    }
    text.pop_back();  // the newline, which comes with the line of help
    return text + sandbox::os::help_line("sudo apt-get install " + sandbox::os::join(packages, " "));
}

}  // namespace runtime::supervisor
