// The commands that there are, in the order of the help. Each is made by the function of this name in its own file; a
// new command is a new file and a row here.
#pragma once
#include "runtime/cli/command.hpp"

#define STAGEBOX_COMMANDS(ROW) \
    ROW(build)                 \
    ROW(run)                   \
    ROW(profile_ls)            \
    ROW(profile_show)          \
    ROW(profile_learn)         \
    ROW(shell)                 \
    ROW(check)                 \
    ROW(plan)                  \
    ROW(explain)               \
    ROW(status)                \
    ROW(log)                   \
    ROW(attach)                \
    ROW(store_ls)              \
    ROW(store_gc)              \
    ROW(store_check)           \
    ROW(store_rm)              \
    ROW(session_check)         \
    ROW(session_unmount)       \
    ROW(receipt)               \
    ROW(import)                \
    ROW(schema)                \
    ROW(doctor)

namespace runtime::cli {

#define STAGEBOX_DECLARE(NAME) Command NAME##_command();
STAGEBOX_COMMANDS(STAGEBOX_DECLARE)
#undef STAGEBOX_DECLARE

}  // namespace runtime::cli
