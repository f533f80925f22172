// What a command was seen to call, and the profile that allows just that. Values only: knows nothing of jails.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace runtime::jail {

class Lesson {
  public:
    // `call` as sandbox::call_name() has it; the same call in another ABI is the same lesson. `process`: who made it.
    void saw(std::string_view call, const std::string& process);
    // The calls and who made each first, in alphabetical order; without always_allowed().
    [[nodiscard]] const std::map<std::string, std::string>& calls() const noexcept { return calls_; }

  private:
    std::map<std::string, std::string> calls_;
};

// In every learned profile. Without some no command starts (sandbox/filter/denials.hpp: they are not observed), some
// the kernel makes by itself after a signal, and some are answered without the kernel on most machines and in most
// moments (vdso(7)), so that not having seen them says nothing.
std::vector<std::string> always_allowed();

// What the profile is made from.
struct LearnedFrom {
    std::string name;                       // of the new profile
    std::string base;                       // the profile under which the command ran, as it was named
    std::vector<std::string> base_filters;  // its seccomp files
    std::string own_filter;                 // the seccomp file of the new profile, beside it
    std::string command;                    // in words
    std::vector<std::string> denied;        // what the base denied meanwhile, one line each
};

// The two files: the profile in TOML, and its seccomp file. Fit for a terminal, whatever the payload's names are.
std::string profile_text(const LearnedFrom& from);
std::string filter_text(const Lesson& lesson);

}  // namespace runtime::jail
