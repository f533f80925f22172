// The store that a command is told to use.
#pragma once
#include <string>

#include "runtime/store/store.hpp"

namespace runtime::cli {

// `path`: as --store says it; empty: the default.
inline std::string store_path(const std::string& path) {
    return path.empty() ? store::Store::default_path() : path;
}

inline store::Store open_store(const std::string& path) {
    return store::Store(store_path(path));
}

}  // namespace runtime::cli
