#include "runtime/host/state/devices.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/host/state/small_files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::HostFiles;

// Relative to `block`, a directory with block devices. The file exists only while something is attached.
std::optional<LoopDevice> read_loop(int block, const std::string& name, Buffer& buffer) {
    const auto text = read_small(block, name + "/loop/backing_file", buffer);
    if (!text) return std::nullopt;
    constexpr std::string_view mark = " (deleted)";
    const bool deleted = text->ends_with(mark);
    return LoopDevice{name, std::string(text->substr(0, text->size() - (deleted ? mark.size() : 0))), deleted};
}

// The files at the bottom of a stack of devices: of loop devices and their partitions, also below further devices of
// the mapper. A stack is a few devices high.
void add_files_below(int sys, const std::string& place, int depth, std::vector<std::string>& files) {
    constexpr int deepest = 32;
    const std::string below = place + "/slaves";
    const Folder slaves = open_folder(sys, below);
    Buffer buffer{};
    while (const dirent* entry = slaves && depth < deepest ? ::readdir(slaves.get()) : nullptr) {
        if (is_dot(*entry)) continue;
        const std::string name = entry->d_name;
        // The directory of a partition lies in that of its device.
        for (const std::string& device : {name, name + "/.."}) {
            if (auto loop = read_loop(::dirfd(slaves.get()), device, buffer)) files.push_back(std::move(loop->backing));
        }
        add_files_below(sys, sandbox::os::format("{}/{}", below, name), depth + 1, files);
    }
}

// The devices in /sys/block whose names begin so.
std::vector<std::string> block_devices(const HostFiles& host, std::string_view start) {
    std::vector<std::string> names;
    const Folder folder = open_folder(host.sys(), "block");
    if (!folder) return names;
    while (const dirent* entry = ::readdir(folder.get())) {
        if (std::string_view(entry->d_name).starts_with(start)) names.emplace_back(entry->d_name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::vector<LoopDevice> read_loops(const HostFiles& host) {
    std::vector<LoopDevice> loops;
    Buffer buffer{};
    for (const std::string& name : block_devices(host, "loop")) {
        if (auto loop = read_loop(host.sys(), "block/" + name, buffer)) {
            loop->name = name;
            loops.push_back(std::move(*loop));
        }
    }
    return loops;
}

Table observe_loops(const HostFiles& host) {
    Table table;
    for (const LoopDevice& loop : read_loops(host)) {
        table.items["/dev/" + loop.name] = {loop.backing + (loop.deleted ? ", deleted" : ""),
                                            {.paths = {loop.backing}}};
    }
    return table;
}

Table observe_mapper(const HostFiles& host) {
    Table table;
    Buffer buffer{};
    for (const std::string& name : block_devices(host, "dm-")) {
        const std::string place = "block/" + name;
        Item item{std::string(read_small(host.sys(), place + "/dm/name", buffer).value_or("")), {}};
        add_files_below(host.sys(), place, 0, item.facts.paths);
        table.items["/dev/" + name] = std::move(item);
    }
    return table;
}

}  // namespace runtime::host
