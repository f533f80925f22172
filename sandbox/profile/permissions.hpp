// The one table of permissions: each word, what it lets a jail or a build do, where it comes from, and the system calls
// that it opens. Whatever a seccomp file says, these calls are open with the word and closed without it: so one search
// for the word finds every use. Knows nothing of profile files.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/filter/oci_rules.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// What a permission is read from.
//   allow_list: a profile's list `allow`.
//   comparison: a profile that allows more than those that ship (profile/loosening.hpp).
//   pipeline:   what the pipeline file asks of the host, beside its profiles.
enum class PermissionSource : std::uint8_t { allow_list, comparison, pipeline };

struct PermissionWord {
    Permission which;
    PermissionSource source;
    std::string_view word;
    std::string_view meaning;  // half a sentence: "the host's network"
    std::span<const std::string_view> calls;
};

// In the order of the manual.
std::span<const PermissionWord> permission_words();
const PermissionWord& row_of(Permission which);
// The words alone; of one source.
std::vector<std::string_view> words_from(PermissionSource source);
std::string_view word_of(Permission which);
std::optional<Permission> permission_named(std::string_view word);
// The word that opens a system call; nothing for a call that seccomp files alone decide about.
std::optional<Permission> permission_of_call(std::string_view call);
std::vector<std::string_view> words_of(const Permissions& granted);

// What closes the calls of every word that is not there: EPERM, and ENOSYS for clone3, on which libc uses clone.
FilterRules deny_rules(const Permissions& allowed);
// The calls of the words that are there.
std::vector<std::string> granted_calls(const Permissions& allowed);

// What a jail makes use of: network and devices where its spec has them, the others as they are allowed.
Permissions permissions_in_force(const BuildSpec& spec);

// A jail that would reach further than its profile allows.
class PermissionError : public os::Error {
  public:
    using Error::Error;
};
// Throws PermissionError where the spec has a network or a device that its allowance does not. `profile`: for the
// message.
void check_permissions(const BuildSpec& spec, std::string_view profile);

}  // namespace sandbox
