#include "runtime/host/state/settings.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/host/state/small_files.hpp"

namespace runtime::host {
namespace {

using sandbox::os::HostFiles;

// Kept short: what scripts that build images change and forget.
constexpr const char* sysctls[] = {
    "kernel/hostname",  // a chroot has no host name of its own
    "kernel/domainname",
    "kernel/core_pattern",               // where crashed programs go
    "kernel/randomize_va_space",         // old compilers' bootstraps want it off
    "kernel/yama/ptrace_scope",          // debuggers
    "kernel/unprivileged_userns_clone",  // "make rootless builds work"
    "kernel/apparmor_restrict_unprivileged_userns",
    "user/max_user_namespaces",
    "vm/overcommit_memory",  // large links
    "vm/max_map_count",      // databases and JVMs that run while something is built
    "net/ipv4/ip_forward",   // a chroot's or a container's way out
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/ip_unprivileged_port_start",
    "fs/inotify/max_user_watches",  // watchers of source trees
};

}  // namespace

Table observe_sysctls(const HostFiles& host) {
    Table table;
    Buffer buffer{};
    const Folder folder = open_folder(host.proc(), "sys");
    if (!folder) {
        table.unreadable = std::strerror(errno);
        return table;
    }
    for (const char* path : sysctls) {
        const auto value = read_small(::dirfd(folder.get()), path, buffer);
        if (!value) continue;  // not in this kernel
        std::string name = path;
        std::replace(name.begin(), name.end(), '/', '.');
        table.items[name] = {std::string(*value), {}};
    }
    return table;
}

Table observe_modules(const HostFiles& host) {
    Table table;
    const auto text = read_whole(host.proc(), "modules");
    if (!text) {
        table.unreadable = errno == ENOENT ? "this kernel has no modules" : std::strerror(errno);
        return table;
    }
    // "name size users ..."; the numbers change by themselves.
    for (std::string_view rest = *text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::string_view name = line.substr(0, line.find(' '));
        if (!name.empty()) table.items[std::string(name)] = {};
    }
    return table;
}

Table observe_binfmt(const HostFiles& host) {
    Table table;
    Buffer buffer{};
    const Folder folder = open_folder(host.proc(), "sys/fs/binfmt_misc");
    // An empty directory until it is mounted; to look into an automount would mount it.
    if (!folder || !read_small(::dirfd(folder.get()), "status", buffer)) {
        table.unreadable = "binfmt_misc is not mounted";
        return table;
    }
    while (const dirent* entry = ::readdir(folder.get())) {
        if (is_dot(*entry) || std::string_view(entry->d_name) == "register") continue;
        const auto text = read_small(::dirfd(folder.get()), entry->d_name, buffer);
        if (!text) continue;
        // "enabled\ninterpreter /path\n..."; of "status" the first line is all.
        Item item{std::string(text->substr(0, text->find('\n'))), {}};
        constexpr std::string_view mark = "interpreter ";
        if (const std::size_t at = text->find(mark); at != std::string_view::npos) {
            const std::string_view path = text->substr(at + mark.size());
            item.facts.paths.emplace_back(path.substr(0, path.find('\n')));
            item.value += ", " + item.facts.paths.back();
        }
        table.items[entry->d_name] = std::move(item);
    }
    return table;
}

}  // namespace runtime::host
