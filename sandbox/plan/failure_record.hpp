// The 8 bytes in which a jail's first process says that it cannot go on. Nothing of the standard library, since init
// has none.
#pragma once
#include <stdint.h>

namespace sandbox {

// Where the child was. `step` is an index into the plan; the others are fixed points.
enum class Point : uint16_t {
    step,
    clone,  // these three happen before init's program runs
    start_init,
    id_maps,
    network,  // only by launch's before_start
    cgroup,
    handshake,
    parent_death_signal,
    descriptors,
    start_payload,
    drop_init,
    session,
    terminal,
    standard_streams,
    working_directory,
    rlimit,
    bounding_set,
    identity,
    capabilities,
    no_new_privileges,
    nested_namespaces,
    keyring,
    landlock,
    filter,
    execute,
    lock,  // a jail in bubblewrap mode's, index: which
};

// Written by the child in one write(2) to a pipe that closes on exec: nothing read means that the payload runs.
struct FailureRecord {
    Point point;
    uint16_t index;  // which step, rlimit, capability or executable
    int32_t error;   // errno
};
static_assert(sizeof(FailureRecord) == 8);

}  // namespace sandbox
