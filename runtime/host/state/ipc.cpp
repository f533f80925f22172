#include "runtime/host/state/ipc.hpp"

#include <sys/stat.h>

#include <charconv>
#include <sstream>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::HostFiles;

// The columns of proc_sysvipc(5) by their heading: the kernel adds new ones at the end.
void read_system_v(const HostFiles& host, const char* kind, const char* id_heading, Table& table) {
    const auto text = read_whole(host.proc(), format("sysvipc/{}", kind));
    if (!text) return;
    std::istringstream lines(*text);
    std::string line;
    std::getline(lines, line);
    std::vector<std::string> headings;
    std::istringstream words(line);
    for (std::string word; words >> word;) headings.push_back(word);
    while (std::getline(lines, line)) {
        std::map<std::string, std::string> row;
        std::istringstream values(line);
        std::string word;
        for (std::size_t column = 0; values >> word && column < headings.size(); ++column) row[headings[column]] = word;
        // The creator stays what it was when the owner is changed. What is no number is no owner.
        const auto owner = sandbox::parse_id(row["uid"]);
        Item item{format("owner {}", owner ? format("{}", *owner) : "unknown"),
                  {.uid = sandbox::parse_id(row["cuid"])}};
        const std::string& maker = row["cpid"];
        std::from_chars(maker.data(), maker.data() + maker.size(), item.facts.pid);
        const std::string& id = row[id_heading];
        if (!id.empty()) table.items[format("{} {}", kind, id)] = std::move(item);
    }
}

void read_files(const HostFiles& host, const std::string& path, Table& table) {
    const Folder folder = open_folder(host.root(), sandbox::os::below_root(path));
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        struct stat about = {};
        if (is_dot(*entry) || ::fstatat(::dirfd(folder.get()), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        table.items[path + "/" + entry->d_name] = {format("owner {}", about.st_uid), {.uid = about.st_uid}};
    }
}

}  // namespace

Table observe_ipc(const HostFiles& host, const sandbox::os::MountTable& mounts) {
    Table table;
    read_system_v(host, "shm", "shmid", table);
    read_system_v(host, "sem", "semid", table);
    read_system_v(host, "msg", "msqid", table);
    read_files(host, "/dev/shm", table);
    for (const sandbox::os::MountEntry& mount : mounts.mounts) {
        if (mount.fstype == "mqueue") read_files(host, mount.target, table);
    }
    return table;
}

}  // namespace runtime::host
