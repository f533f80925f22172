// Trees of files that a payload wrote, or that a user hands in: sealing (normalise and digest), removing, copying in
// and out. Only *at calls on descriptors, no symbolic link is ever followed; std::filesystem never touches these.
//
// Everything here runs in a helper process inside the jails' id mapping (store/helper.hpp): owners are the jail's, and
// the helper's capabilities reach nothing but what the mapping owns. Knows nothing of where in the store a tree
// belongs.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "sandbox/os/problem.hpp"

namespace runtime::store {

// A tree that is refused; what() says which path, and why.
class TreeError : public sandbox::os::Error {
  public:
    using Error::Error;
};

struct TreeFacts {
    std::string digest;         // 64 hexadecimal characters
    std::uint64_t bytes = 0;    // content of regular files
    std::uint64_t entries = 0;  // including the root
    bool is_directory = true;
};

enum class TreeKind : std::uint8_t {
    layer,     // an overlay's upper directory: whiteouts and opaque directories mean something
    artifact,  // plain files
};

// Who owns the files of a tree.
enum class Owners : std::uint8_t {
    of_files,  // the files' own
    recorded,  // those that a fakeroot wrote down beside them (sandbox/fakeroot/owner.hpp), devices included
};

struct SealOptions {
    TreeKind kind = TreeKind::artifact;
    // SOURCE_DATE_EPOCH, seconds: every directory gets this time, and everything newer. Without it times stay as
    // they are, and are not part of the digest.
    std::optional<std::int64_t> epoch;
    Owners owners = Owners::of_files;
};

// The deepest nesting that is digested and kept. No tool that works with paths gets as far.
inline constexpr int deepest_tree = 1000;
// The longest path in a tree, in bytes: of a longer one no system call can be asked (PATH_MAX).
inline constexpr std::size_t longest_path = 4095;

// Strips what overlayfs leaves in extended attributes, sets times, and digests: path, type, mode, owner, time, size,
// content, link target, extended attributes, which names are one file. Access times and inode numbers are no part.
// Recorded owners are digested as the owners they stand for; where they are not asked for, their attributes are
// removed. `name` in `parent` is a directory or a regular file; anything else is refused.
TreeFacts seal_tree(int parent, const std::string& name, const SealOptions& options);

// What seal_tree() answered for a tree that has not changed since, with the same options (of the epoch only that there
// is one). Changes nothing.
TreeFacts digest_sealed(int parent, const std::string& name, const SealOptions& options);

// Removes whatever `name` in `parent` is, however deep and whatever its modes. Nothing there: nothing done.
void remove_tree(int parent, const std::string& name);

// Copies a user's file or directory (relative to `from`) to `name` in `to`: owner 0:0 in the jail, mode 0755 for
// directories and what is executable, else 0644, as git keeps them, so that neither umask nor checkout show. Times are
// 1980-01-01, the earliest that archives of every kind can hold. Devices, sockets and FIFOs are refused.
// The digest is that of digest_import() for the same content.
TreeFacts import_tree(int from, const std::string& path, int to, const std::string& name);
TreeFacts digest_import(int from, const std::string& path);

// Copies an artifact out to `name` in `to`, which must not exist: files and directories of the caller, modes without
// set-id bits. Devices, also recorded ones, sockets and FIFOs are refused.
void export_tree(int from, const std::string& path, int to, const std::string& name);

}  // namespace runtime::store
