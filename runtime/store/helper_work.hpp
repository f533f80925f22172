// What the store's helper does for a request: the other end of store/helper.hpp. Runs in the jails' id mapping, with
// the store as its working directory.
#pragma once
#include "sandbox/os/json.hpp"

namespace runtime::store {

// Throws what went wrong.
sandbox::os::Json perform_request(const sandbox::os::Json& request);

}  // namespace runtime::store
