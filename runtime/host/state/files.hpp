// Files where programs leave them: /tmp, /run, the user's runtime directory; two levels deep, by name, kind and owner.
#pragma once
#include "runtime/host/state/item.hpp"
#include "sandbox/os/host_files.hpp"

namespace runtime::host {

// `runtime_directory`: $XDG_RUNTIME_DIR; empty: there is none. `store`: what lies in it is the build's own.
[[nodiscard]] Table observe_files(const sandbox::os::HostFiles& host, const std::string& runtime_directory,
                                  const std::string& store);

}  // namespace runtime::host
