// Depth-first through a tree by descriptors, names sorted by byte. Shared by the parts of tree.hpp.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "runtime/store/tree.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::store {

// One name in an open directory. `path` is for digests and messages: relative to the tree's root, "." for the root.
struct TreeEntry {
    int parent;
    const std::string& name;
    const std::string& path;
    struct stat status;

    // The path in an error: a payload chose it.
    [[nodiscard]] std::string shown() const { return sandbox::os::shortened(path == "." ? name : path, 200); }
};

inline struct stat look_at(int parent, const std::string& name) {
    struct stat status {};
    sandbox::os::sys([&] { return ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW); }, "look at {}", name);
    return status;
}

inline std::string link_target(const TreeEntry& entry) {
    std::string target(4096, '\0');
    const long size =
        sandbox::os::sys([&] { return ::readlinkat(entry.parent, entry.name.c_str(), target.data(), target.size()); },
                         "read link {}", entry.shown());
    target.resize(static_cast<std::size_t>(size));
    return target;
}

// Calls visitor.directory(entry, descriptor) before what is in a directory, visitor.leave(entry) after it where there
// is such a function, and visitor.other(entry) for the rest. All may change the entry's attributes but not its name.
template <class Visitor>
void walk_tree(const TreeEntry& entry, Visitor& visitor, int depth = 0) {
    if (entry.path.size() > longest_path) {
        throw TreeError(sandbox::os::format("the path {} is longer than {} bytes", entry.shown(), longest_path));
    }
    if (!S_ISDIR(entry.status.st_mode)) {
        visitor.other(entry);
        return;
    }
    if (depth > deepest_tree) {
        throw TreeError(sandbox::os::format("{} is nested deeper than {} directories", entry.shown(), deepest_tree));
    }
    const sandbox::os::Fd directory = sandbox::os::open_directory(entry.parent, entry.name);
    visitor.directory(entry, directory.get());
    for (const std::string& name : sandbox::os::list_directory(directory.get())) {
        const std::string path = entry.path == "." ? name : entry.path + "/" + name;
        walk_tree(TreeEntry{directory.get(), name, path, look_at(directory.get(), name)}, visitor, depth + 1);
    }
    if constexpr (requires { visitor.leave(entry); }) visitor.leave(entry);
}

}  // namespace runtime::store
