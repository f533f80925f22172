#include "runtime/host/state/settings.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using namespace runtime::host;
using tests::Machine;

namespace {

std::vector<std::string> names(const Table& table) {
    std::vector<std::string> all;
    for (const auto& [name, item] : table.items) all.push_back(name);
    return all;
}

}  // namespace

TEST_CASE("settings are those that a kernel has, by their names with dots", "[session][settings]") {
    const Machine debian;
    make_debian_11(debian);
    const Table old = observe_sysctls(debian.files());
    CHECK(names(old) == std::vector<std::string>{"kernel.hostname", "kernel.unprivileged_userns_clone",
                                                 "user.max_user_namespaces", "vm.max_map_count"});
    CHECK(old.items.at("kernel.unprivileged_userns_clone").value == "0");

    const Machine ubuntu;
    make_ubuntu_24_04(ubuntu);
    const Table newer = observe_sysctls(ubuntu.files());
    CHECK(newer.items.at("kernel.apparmor_restrict_unprivileged_userns").value == "1");
    CHECK(newer.items.at("vm.max_map_count").value == "1048576");

    const Machine arch;
    make_arch(arch);
    CHECK_FALSE(observe_sysctls(arch.files()).items.contains("kernel.unprivileged_userns_clone"));
}

TEST_CASE("a setting's value is all of it but the newline at the end", "[session][settings]") {
    const Machine machine;
    machine.file("proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P %u \xff\x1b[2J\n");
    machine.file("proc/sys/kernel/hostname", "");
    machine.file("proc/sys/vm/max_map_count", "65530");
    const Table table = observe_sysctls(machine.files());
    CHECK(table.items.at("kernel.core_pattern").value == "|/usr/lib/systemd/systemd-coredump %P %u \xff\x1b[2J");
    CHECK(table.items.at("kernel.hostname").value.empty());
    CHECK(table.items.at("vm.max_map_count").value == "65530");
}

TEST_CASE("where /proc/sys cannot be opened, it is said why", "[session][settings]") {
    const Machine machine;
    CHECK(observe_sysctls(machine.files()).unreadable == "No such file or directory");
    machine.folder("proc");
    CHECK(observe_sysctls(machine.files()).unreadable == "No such file or directory");
}

TEST_CASE("modules are told by their names, whatever else is in the line", "[session][settings]") {
    const Machine machine;
    make_debian_11(machine);
    CHECK(names(observe_modules(machine.files())) == std::vector<std::string>{"libcrc32c", "nf_tables", "virtio_net"});
    machine.file("proc/modules", "\n\none\ntwo 16384 0\r\n\n three\nlast 1 2 3");
    CHECK(names(observe_modules(machine.files())) == std::vector<std::string>{"last", "one", "two"});
    machine.file("proc/modules", "");
    CHECK(observe_modules(machine.files()).items.empty());
    CHECK(observe_modules(machine.files()).unreadable.empty());
}

TEST_CASE("a kernel without modules says so", "[session][settings]") {
    const Machine machine;
    machine.folder("proc");
    CHECK(observe_modules(machine.files()).unreadable == "this kernel has no modules");
}

TEST_CASE("binfmt_misc has the interpreters, and nothing where only its automount is", "[session][settings]") {
    const Machine machine;
    CHECK(observe_binfmt(machine.files()).unreadable == "binfmt_misc is not mounted");
    machine.folder("proc/sys/fs/binfmt_misc");
    INFO("an empty directory is an automount, or nothing at all");
    CHECK(observe_binfmt(machine.files()).unreadable == "binfmt_misc is not mounted");

    machine.file("proc/sys/fs/binfmt_misc/status", "enabled\n");
    machine.file("proc/sys/fs/binfmt_misc/register", "");
    machine.file("proc/sys/fs/binfmt_misc/qemu-aarch64",
                 "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n"
                 "magic 7f454c460201010000000000000000000200b700\n");
    machine.file("proc/sys/fs/binfmt_misc/odd\nname", "disabled\nextension .odd");
    const Table table = observe_binfmt(machine.files());
    CHECK(table.unreadable.empty());
    CHECK(names(table) == std::vector<std::string>{"odd\nname", "qemu-aarch64", "status"});
    CHECK(table.items.at("qemu-aarch64").value == "enabled, /usr/libexec/qemu-binfmt/aarch64-binfmt-P");
    CHECK(table.items.at("qemu-aarch64").facts.paths ==
          std::vector<std::string>{"/usr/libexec/qemu-binfmt/aarch64-binfmt-P"});
    CHECK(table.items.at("odd\nname").value == "disabled");
}
