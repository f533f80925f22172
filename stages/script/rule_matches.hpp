// The single tests of rules.cpp: whether a command is of a kind. Each knows one family of programs and its options.
#pragma once
#include <algorithm>
#include <array>
#include <string_view>

#include "stages/script/surroundings.hpp"

namespace stages::script::matches {

template <std::size_t Count>
bool is_one_of(std::string_view word, const std::array<std::string_view, Count>& words) {
    return std::ranges::find(words, word) != words.end();
}

// The command acts on the host itself.
inline bool is_host(const Command& command) {
    return !command.is_in_chroot && !command.is_in_namespaces;
}

bool kills_by_mount(const Command& command, const Surroundings& around);
bool kills_by_name(const Command& command, const Surroundings& around);
bool kills_all(const Command& command, const Surroundings& around);
bool ends_session(const Command& command, const Surroundings& around);

bool unmounts_by_force(const Command& command, const Surroundings& around);
bool unmounts(const Command& command, const Surroundings& around);
bool mounts_host_tree(const Command& command, const Surroundings& around);
bool mounts(const Command& command, const Surroundings& around);
bool makes_block_device(const Command& command, const Surroundings& around);
bool writes_disk(const Command& command, const Surroundings& around);
bool makes_device_node(const Command& command, const Surroundings& around);
bool swaps(const Command& command, const Surroundings& around);
bool removes_mounted_tree(const Command& command, const Surroundings& around);
bool removes_below_variable(const Command& command, const Surroundings& around);

bool steers_service(const Command& command, const Surroundings& around);
bool runs_init_script(const Command& command, const Surroundings& around);
bool runs_init_script_in_chroot(const Command& command, const Surroundings& around);
bool changes_unit_files(const Command& command, const Surroundings& around);

bool enters_chroot(const Command& command, const Surroundings& around);
bool cleans_up_in_trap(const Command& command, const Surroundings& around);
bool ends_who_reads_it(const Command& command, const Surroundings& around);

bool loads_module(const Command& command, const Surroundings& around);
bool registers_format(const Command& command, const Surroundings& around);
bool sets_kernel(const Command& command, const Surroundings& around);
bool changes_network(const Command& command, const Surroundings& around);
bool changes_identity(const Command& command, const Surroundings& around);
bool changes_packages(const Command& command, const Surroundings& around);
bool changes_accounts(const Command& command, const Surroundings& around);
bool writes_host_file(const Command& command, const Surroundings& around);

bool takes_rights(const Command& command, const Surroundings& around);
bool makes_namespaces(const Command& command, const Surroundings& around);
bool runs_container(const Command& command, const Surroundings& around);
bool asks_person(const Command& command, const Surroundings& around);

}  // namespace stages::script::matches
