#include "runtime/store/tree_listing.hpp"

#include "runtime/store/tree_walk.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sha256.hpp"

namespace runtime::store {

using sandbox::os::format;

namespace {

std::string attributes_of(const struct stat& status) {
    return format("{:04o} {}:{}", status.st_mode & 07777U, status.st_uid, status.st_gid);
}

struct Lister {
    TreeListing& listing;

    void directory(const TreeEntry& entry, int /*descriptor*/) const {
        listing.emplace(entry.path, format("directory {}", attributes_of(entry.status)));
    }
    void other(const TreeEntry& entry) const {
        const std::string attributes = attributes_of(entry.status);
        if (S_ISREG(entry.status.st_mode)) {
            const sandbox::os::Fd file = sandbox::os::open_to_read(entry.parent, entry.name);
            listing.emplace(entry.path, format("file {} {} {}", attributes, entry.status.st_size,
                                               sandbox::os::sha256_of_file(file.get())));
        } else if (S_ISLNK(entry.status.st_mode)) {
            listing.emplace(entry.path, format("link {} to {}", attributes, link_target(entry)));
        } else {
            listing.emplace(entry.path, format("special {} {:o} {}", attributes, entry.status.st_mode & S_IFMT,
                                               entry.status.st_rdev));
        }
    }
};

}  // namespace

TreeListing list_tree(int parent, const std::string& name) {
    TreeListing listing;
    Lister lister{listing};
    const std::string path = ".";
    walk_tree(TreeEntry{parent, name, path, look_at(parent, name)}, lister);
    return listing;
}

TreeDifferences differences(const TreeListing& before, const TreeListing& now, std::size_t most) {
    TreeDifferences found;
    const auto add = [&](const char* how, const std::string& path) {
        if (found.paths.size() == most) {
            ++found.more;
        } else {
            found.paths.push_back(format("{} {}", how, path));
        }
    };
    auto old = before.begin();
    for (const auto& [path, what] : now) {
        for (; old != before.end() && old->first < path; ++old) add("gone", old->first);
        if (old == before.end() || old->first != path) {
            add("new", path);
            continue;
        }
        if (old->second != what) add("changed", path);
        ++old;
    }
    for (; old != before.end(); ++old) add("gone", old->first);
    return found;
}

}  // namespace runtime::store
