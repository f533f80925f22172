#include "sandbox/os/mountinfo.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox::os {
namespace {

// libmount is loaded when a mount table is first read, not linked: Debian ships no static libmount, and
// linked dynamically it brings libblkid, libselinux and pcre2 into every start of a jail, which uses none of
// them.
class Libmount {
  public:
    Libmount() {
        // NODELETE: the library stays, so the second table of a run costs nothing.
        handle_ = ::dlopen("libmount.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (handle_ == nullptr) {
            throw LibmountMissing(
                format("libmount.so.1 cannot be loaded ({}); it reads the mount table. Install it: sudo "
                       "apt-get install "
                       "libmount1",
                       ::dlerror()));
        }
        find(new_table, "mnt_new_table");
        find(unref_table, "mnt_unref_table");
        find(parse_stream, "mnt_table_parse_stream");
        find(next_fs, "mnt_table_next_fs");
        find(new_iter, "mnt_new_iter");
        find(free_iter, "mnt_free_iter");
        find(new_tabdiff, "mnt_new_tabdiff");
        find(free_tabdiff, "mnt_free_tabdiff");
        find(diff_tables, "mnt_diff_tables");
        find(next_change, "mnt_tabdiff_next_change");
        find(get_id, "mnt_fs_get_id");
        find(get_parent_id, "mnt_fs_get_parent_id");
        find(get_devno, "mnt_fs_get_devno");
        find(get_root, "mnt_fs_get_root");
        find(get_target, "mnt_fs_get_target");
        find(get_source, "mnt_fs_get_source");
        find(get_fstype, "mnt_fs_get_fstype");
        find(get_options, "mnt_fs_get_options");
    }
    Libmount(const Libmount&) = delete;
    Libmount& operator=(const Libmount&) = delete;
    ~Libmount() { ::dlclose(handle_); }

    decltype(&::mnt_new_table) new_table = nullptr;
    decltype(&::mnt_unref_table) unref_table = nullptr;
    decltype(&::mnt_table_parse_stream) parse_stream = nullptr;
    decltype(&::mnt_table_next_fs) next_fs = nullptr;
    decltype(&::mnt_new_iter) new_iter = nullptr;
    decltype(&::mnt_free_iter) free_iter = nullptr;
    decltype(&::mnt_new_tabdiff) new_tabdiff = nullptr;
    decltype(&::mnt_free_tabdiff) free_tabdiff = nullptr;
    decltype(&::mnt_diff_tables) diff_tables = nullptr;
    decltype(&::mnt_tabdiff_next_change) next_change = nullptr;
    decltype(&::mnt_fs_get_id) get_id = nullptr;
    decltype(&::mnt_fs_get_parent_id) get_parent_id = nullptr;
    decltype(&::mnt_fs_get_devno) get_devno = nullptr;
    decltype(&::mnt_fs_get_root) get_root = nullptr;
    decltype(&::mnt_fs_get_target) get_target = nullptr;
    decltype(&::mnt_fs_get_source) get_source = nullptr;
    decltype(&::mnt_fs_get_fstype) get_fstype = nullptr;
    decltype(&::mnt_fs_get_options) get_options = nullptr;

  private:
    template <class Function>
    void find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(::dlsym(handle_, name));
        if (function == nullptr) throw LibmountMissing(format("libmount.so.1 has no {}: it is too old", name));
    }
    void* handle_ = nullptr;
};

template <class Object, class Free>
std::unique_ptr<Object, Free> owned(Object* object, Free free) {
    if (object == nullptr) throw std::bad_alloc();
    return {object, free};
}

auto parse_table(const Libmount& library, const std::string& text) {
    auto table = owned(library.new_table(), library.unref_table);
    if (text.empty()) return table;  // fmemopen(3) refuses an empty buffer
    const std::unique_ptr<FILE, int (*)(FILE*)> stream(
        // Opened for reading, it is never written to.
        sys([&] { return ::fmemopen(const_cast<char*>(text.data()), text.size(), "re"); }, "read a mount table"),
        ::fclose);
    if (library.parse_stream(table.get(), stream.get(), "mountinfo") != 0) {
        throw std::runtime_error("libmount cannot read the mount table");
    }
    return table;
}

std::string text_or_empty(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

MountEntry to_entry(const Libmount& library, libmnt_fs* fs) {
    const dev_t device = library.get_devno(fs);
    return {library.get_id(fs),
            library.get_parent_id(fs),
            gnu_dev_major(device),
            gnu_dev_minor(device),
            text_or_empty(library.get_root(fs)),
            text_or_empty(library.get_target(fs)),
            text_or_empty(library.get_source(fs)),
            text_or_empty(library.get_fstype(fs)),
            text_or_empty(library.get_options(fs))};
}

MountChange to_change(const Libmount& library, libmnt_fs* before, libmnt_fs* after, int operation) {
    MountChange change;
    change.mount = to_entry(library, after != nullptr ? after : before);
    switch (operation) {
        case MNT_TABDIFF_UMOUNT: change.kind = MountChangeKind::unmounted; break;
        case MNT_TABDIFF_MOVE:
            change.kind = MountChangeKind::moved;
            if (before != nullptr) change.moved_from = text_or_empty(library.get_target(before));
            break;
        case MNT_TABDIFF_REMOUNT:
            change.kind = MountChangeKind::remounted;
            if (before != nullptr) change.old_options = text_or_empty(library.get_options(before));
            break;
        default: break;
    }
    return change;
}

bool same_mount(const MountEntry& a, const MountEntry& b) {
    return a.id == b.id && a.target == b.target;
}

bool has_mount(const std::vector<MountEntry>& list, const MountEntry& mount) {
    return std::any_of(list.begin(), list.end(), [&](const MountEntry& other) { return same_mount(other, mount); });
}

// libmount pairs the lines of two tables by source and target. A second mount of the same thing on the same
// place, or one that was taken away and made again, is a pair to it: only the mount's id tells.
void add_by_id(const MountTable& old_table, const MountTable& new_table, std::vector<MountChange>& changes) {
    const auto add_missing = [&](const std::vector<MountEntry>& from, const std::vector<MountEntry>& in,
                                 MountChangeKind kind) {
        for (const MountEntry& mount : from) {
            const bool told = std::any_of(changes.begin(), changes.end(), [&](const MountChange& change) {
                return same_mount(change.mount, mount) ||
                       (change.kind == MountChangeKind::moved && change.moved_from == mount.target);
            });
            if (!told && !has_mount(in, mount)) changes.push_back({kind, mount, {}, {}});
        }
    };
    add_missing(new_table.mounts, old_table.mounts, MountChangeKind::mounted);
    add_missing(old_table.mounts, new_table.mounts, MountChangeKind::unmounted);
}

}  // namespace

MountTable parse_mounts(std::string text) {
    const Libmount library;
    MountTable result;
    const auto table = parse_table(library, text);
    const auto iterator = owned(library.new_iter(MNT_ITER_FORWARD), library.free_iter);
    libmnt_fs* fs = nullptr;
    while (library.next_fs(table.get(), iterator.get(), &fs) == 0) result.mounts.push_back(to_entry(library, fs));
    // libmount passes over a line that it cannot read; a receipt must not.
    if (result.mounts.size() != static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'))) {
        throw std::runtime_error("this is not a mount table: " + text.substr(0, 80));
    }
    result.text = std::move(text);
    return result;
}

MountTable read_mounts() {
    return parse_mounts(read_file(AT_FDCWD, "/proc/self/mountinfo"));
}

std::vector<MountChange> diff(const MountTable& before, const MountTable& after) {
    std::vector<MountChange> changes;
    if (before.text == after.text) return changes;
    const Libmount library;
    const auto old_table = parse_table(library, before.text);
    const auto new_table = parse_table(library, after.text);
    const auto tabdiff = owned(library.new_tabdiff(), library.free_tabdiff);
    if (library.diff_tables(tabdiff.get(), old_table.get(), new_table.get()) < 0) {
        throw std::runtime_error("libmount cannot compare two mount tables");
    }
    const auto iterator = owned(library.new_iter(MNT_ITER_FORWARD), library.free_iter);
    libmnt_fs* was = nullptr;
    libmnt_fs* is = nullptr;
    int operation = 0;
    while (library.next_change(tabdiff.get(), iterator.get(), &was, &is, &operation) == 0) {
        changes.push_back(to_change(library, was, is, operation));
    }
    add_by_id(before, after, changes);
    return changes;
}

}  // namespace sandbox::os
