// What the store's helper does for a request: the other end of store/helper.hpp. Runs in the jails' id mapping, with
// the store as its working directory.
#pragma once
#include "runtime/store/tree.hpp"
#include "sandbox/os/json.hpp"

namespace runtime::store {

// Throws what went wrong.
sandbox::os::Json perform_request(const sandbox::os::Json& request);

// As StoreHelper's facts_of() reads it.
sandbox::os::Json to_json(const TreeFacts& facts);

}  // namespace runtime::store
