#include "runtime/host/state/files.hpp"

#include <sys/stat.h>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;

constexpr int deepest = 2;
// A directory with more than so many entries is somebody's data: only its first are looked at.
constexpr int most_entries = 2000;

const char* type_of(const struct stat& about) {
    switch (about.st_mode & S_IFMT) {
        case S_IFDIR: return "directory";
        case S_IFLNK: return "link";
        case S_IFSOCK: return "socket";
        case S_IFIFO: return "pipe";
        case S_IFREG: return "file";
        default: return "device";
    }
}

void read_folder(const Folder& folder, const std::string& path, dev_t device, int depth, Table& table) {
    if (!folder) return;
    int entries = 0;
    while (const dirent* entry = ::readdir(folder.get())) {
        struct stat about = {};
        if (is_dot(*entry) || ::fstatat(::dirfd(folder.get()), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (++entries > most_entries) return;
        const std::string name = path + "/" + entry->d_name;
        table.items[name] = {format("{} of {}", type_of(about), about.st_uid), {.uid = about.st_uid}};
        // What is mounted there is in the mount table.
        if (S_ISDIR(about.st_mode) && depth < deepest && about.st_dev == device) {
            read_folder(open_folder(::dirfd(folder.get()), entry->d_name, O_NOFOLLOW), name, device, depth + 1, table);
        }
    }
}

void read_tree(const HostFiles& host, const std::string& path, Table& table) {
    const Folder folder = open_folder(host.root(), sandbox::os::below_root(path));
    struct stat about = {};
    if (folder && ::fstat(::dirfd(folder.get()), &about) == 0) read_folder(folder, path, about.st_dev, 1, table);
}

}  // namespace

Table observe_files(const HostFiles& host, const std::string& runtime_directory, const std::string& store) {
    Table table;
    read_tree(host, "/tmp", table);
    read_tree(host, "/run", table);
    if (!runtime_directory.empty()) read_tree(host, runtime_directory, table);
    std::erase_if(table.items, [&](const auto& item) { return lies_under(item.first, store); });
    return table;
}

}  // namespace runtime::host
