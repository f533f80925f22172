// What the commands that delete from a store share.
#pragma once
#include "runtime/cli/open_store.hpp"
#include "sandbox/os/fd.hpp"

namespace runtime::cli {

// For this process alone, as long as it is open. Throws where a build or a shell is using the store.
sandbox::os::Fd claim(const store::Store& store);
// Deletes what was discarded, in a helper that has the ids of what is there. What cannot be deleted is told.
void empty_trash(const store::Store& store);

}  // namespace runtime::cli
