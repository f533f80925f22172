// The store of an older version beside this one. Nothing of it is read or served: its objects are named by digests of
// another kind. It stays until its user says that it may go.
#pragma once
#include <optional>
#include <string>

#include "runtime/store/store.hpp"

namespace runtime::store {

struct OlderStore {
    std::string path;         // absolute
    std::uint64_t bytes = 0;  // of what its records name
};

std::optional<OlderStore> find_older_store(const Store& store);
// A sentence with its place, its size, and the command that deletes it.
std::string describe(const OlderStore& older);
// Moves it to the trash of this store. Throws StoreError where a build of an older version is using it.
void discard(const OlderStore& older, const Store& store);

}  // namespace runtime::store
