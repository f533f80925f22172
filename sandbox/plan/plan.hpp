// Spec + Command -> Plan: the flat list of operations that makes the jail, ready for a process that may only make
// system calls. Pure: building or printing a plan touches nothing. Knows nothing of processes (launch, child).
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "sandbox/os/problem.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// What one step does. Steps before `become_root` run with the caller's own identity, so that they can open what only
// the caller may reach (a store below a home directory of mode 0700); steps after it as the jail's root, so that
// what they create belongs to the jail.
enum class StepKind : std::uint8_t {
    map_ids,     // the process maps its own ids (slot: /proc; text: uid_map, aux: gid_map)
    nest,        // a user namespace in the one there is, with ids of its own; as map_ids (value: 1: the last one ever)
    no_nesting,  // checks that no further user namespace can be made
    join,        // the user namespace of descriptor `slot`, by its own number
    make_private,   // no mount event leaves or enters any more (value: MS_SLAVE: none leaves)
    open_path,      // slot = the host's `path`, as a handle (O_PATH)
    open_device,    // the same for a character device; refused if it is anything else
    clone_tree,     // slot = a detached copy of the host's mounts at `path`
    clone_device,   // a detached copy of a character device; refused if it is anything else
    verify,         // what is in slot is the file with device `value`, inode `size`
    become_root,    // the jail's uid 0 and gid 0, no supplementary groups
    deny_userns,    // the limit of user namespaces below the jail's own (text: "0\n", or "1\n" where `nest` follows)
    keep_identity,  // the caller's own ids and groups, under whatever numbers
    base,           // a scratch tmpfs on slot, out of sight after `pivot`
    root_tmpfs,     // new root: an empty tmpfs (text: size, aux and value: mode)
    root_overlay,   // new root: an overlay (text: options, aux: the same without what came with Linux 6.6)
    root_tree,      // new root: the tree in slot, with attributes `value`
    tmpfs,          // tmpfs on `path` (text: size, aux: mode)
    overlay,        // overlay on `path`
    attach,         // the tree in slot on `path`, with attributes `value`
    proc,           // fresh procfs on `path`
    sysfs,          // sysfs on `path`, read-only
    devpts,         // own devpts on `path` (text: gid or nothing)
    mqueue,         // mqueue on `path`
    directory,      // mkdir `path`, mode `value`
    link,           // symlink `path` -> text
    file,           // file of `text` on `path`, mode `value` (aux: its name in `base`; slot 0: writable)
    write_file,     // `text` written into the root at `path`, mode `value`
    chmod,          // `path` gets mode `value`
    read_only,      // the mount at `path` alone becomes read-only
    make_upper,     // directories for an overlay's changes in `base` (text and aux: their names)
    protect,        // `path` read-only, where it exists (value: 1: only if the caller could write)
    mask,           // `path` hidden by an empty object, where it exists (slot: the host's /dev/null)
    pivot,          // the new root becomes /, the old one goes away
    loopback,       // network interface lo up
    hostname,       // text
};

// Slot N of a plan is descriptor first_slot_fd + N in the child, so that overlay options can name it beforehand as
// /proc/self/fd/N.
inline constexpr int first_slot_fd = 300;

struct Step {
    StepKind kind;
    int slot = -1;
    const char* path = nullptr;
    const char* text = nullptr;
    const char* aux = nullptr;
    std::uint64_t size = 0;        // bytes of text, for `file` and `hostname`
    std::uint64_t value = 0;       // mode or MOUNT_ATTR_* flags
    std::uint64_t parents = 0755;  // mode of the directories above `path` that are missing
};

// A spec that cannot become a jail, found before the first system call.
class PlanError : public os::Error {
  public:
    using Error::Error;
};

class Plan {
  public:
    IdMap ids;
    std::uint64_t clone_flags = 0;
    std::vector<Step> steps;
    int slots = 0;
    Overlap overlap = Overlap::refused;
    std::optional<BubblewrapTerms> bubblewrap;

    // The payload.
    std::vector<const char*> argv;         // null-terminated
    std::vector<const char*> envp;         // null-terminated
    std::vector<const char*> executables;  // where argv[0] is looked for, in order
    const char* cwd = "/";
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    int stdio[3] = {-1, -1, -1};  // borrowed
    bool controlling_terminal = false;
    std::vector<RlimitValue> rlimits;
    std::uint64_t capabilities = 0;
    FilterProgram filter;
    Nested nested_namespaces = Nested::forbidden;
    Fence landlock = Fence::on;
    // The filter leaves answers to the supervisor: init hands its listener over (Jail::take_listener).
    bool has_listener = false;
    // Installed in its place where a listener cannot be had, because a filter around this process has one; what it
    // denies goes unreported. Empty: there is no doing without.
    FilterProgram unreported_filter;
    // With Fakeroot::on: what the filter was before the view's questions, which the view asks too.
    Fakeroot fakeroot = Fakeroot::off;
    FilterProgram judged_filter;
    Denials denials = Denials::silent;
    std::vector<FilterProgram> more_filters;

    Plan() = default;
    Plan(Plan&&) = default;
    Plan& operator=(Plan&&) = default;
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    ~Plan() = default;

    // The terms of a jail in bubblewrap mode, as its child needs them.
    std::vector<const char*> directories;
    std::vector<const char*> locks;

    // Keeps a copy of `text` for the life of the plan.
    const char* keep(std::string text) { return texts_.emplace_back(std::move(text)).c_str(); }

  private:
    std::deque<std::string> texts_;  // a deque never moves its elements
};

// Lowers what is wanted to what is done. Throws PlanError, with the remedy, for what can be known to fail: no root,
// a target that is relative or has "..", two mounts on one target, a target below a read-only bind that lacks it,
// more layers than one overlay takes, a command that is empty.
Plan make_plan(const Spec& spec, const Command& command);

// The plan, one line a step, for `stagebox plan` and golden tests.
std::string describe(const Plan& plan);

// One step in words: "mount proc on /proc".
std::string describe(const Step& step);

}  // namespace sandbox
