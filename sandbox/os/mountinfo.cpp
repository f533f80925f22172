#include "sandbox/os/mountinfo.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "sandbox/os/embedded_program.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/memory_file.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"

// The program that asks libmount (embed/mount_tables.cpp).
STAGEBOX_EMBED_PROGRAM(stagebox_mount_tables, STAGEBOX_MOUNT_TABLES_PROGRAM);

namespace sandbox::os {
namespace {

// What its dynamic loader, or the kernel for want of one, ends a program with that cannot be started.
constexpr int not_started = 127;

// What the program answers: the fields of all its records.
class Answer {
  public:
    explicit Answer(std::string text) : text_(std::move(text)) {}

    [[nodiscard]] bool has_more() const { return at_ < text_.size(); }
    std::string next() {
        const std::size_t end = text_.find('\0', at_);
        if (end == std::string::npos) throw std::runtime_error("the answer about a mount table is cut short");
        std::string field = text_.substr(at_, end - at_);
        at_ = end + 1;
        return field;
    }
    template <class Number>
    Number next_number() {
        const std::string field = next();
        Number number = 0;
        const auto [stop, error] = std::from_chars(field.data(), field.data() + field.size(), number);
        if (error != std::errc{} || stop != field.data() + field.size()) {
            throw std::runtime_error("the answer about a mount table is not a number: " + field);
        }
        return number;
    }
    MountEntry next_mount() {
        MountEntry mount;
        mount.id = next_number<int>();
        mount.parent = next_number<int>();
        mount.major = next_number<std::uint32_t>();
        mount.minor = next_number<std::uint32_t>();
        mount.root = next();
        mount.target = next();
        mount.source = next();
        mount.fstype = next();
        mount.options = next();
        mount.optional_fields = next();
        return mount;
    }

  private:
    std::string text_;
    std::size_t at_ = 0;
};

Answer ask_libmount(const std::string& table) {
    const Fd program =
        new_program_file("stagebox-mount-tables", {stagebox_mount_tables_begin, stagebox_mount_tables_end});
    const Fd input = new_memory_file("mount-tables");
    write_all(input.get(), table, "a mount table");
    sys([&] { return ::lseek(input.get(), 0, SEEK_SET); }, "read a mount table");
    const Fd output = new_memory_file("mount-tables");
    const Captured captured =
        finish_helper(start_helper("", {"stagebox-mount-tables"}, {program.get(), input.get(), output.get()}));
    const std::string said = captured.standard_error.substr(0, captured.standard_error.find('\n'));
    if (captured.how.has_exited(not_started)) {
        throw LibmountMissing(format(
            "libmount.so.1 cannot be loaded{}{}; it reads the mount table. Install it: sudo apt-get install libmount1",
            said.empty() ? "" : ": ", said));
    }
    if (!captured.how.has_exited(0)) {
        throw std::runtime_error(said.empty() ? "the mount table could not be read" : said);
    }
    return Answer(content_of(output));
}

using MountsById = std::map<int, const MountEntry*>;

MountsById by_id(const MountTable& table) {
    MountsById mounts;
    for (const MountEntry& mount : table.mounts) mounts.emplace(mount.id, &mount);
    return mounts;
}

// The kernel gives an id out again once its mount is gone: then it shows something else.
const MountEntry* find_same(const MountsById& mounts, const MountEntry& mount) {
    const auto found = mounts.find(mount.id);
    if (found == mounts.end()) return nullptr;
    const MountEntry& other = *found->second;
    const bool is_same = other.major == mount.major && other.minor == mount.minor && other.root == mount.root &&
                         other.fstype == mount.fstype && other.source == mount.source;
    return is_same ? &other : nullptr;
}

}  // namespace

MountTable parse_mounts(std::string text) {
    MountTable result;
    Answer answer = ask_libmount(text);
    while (answer.has_more()) result.mounts.push_back(answer.next_mount());
    // libmount passes over a line that it cannot read; a receipt must not.
    if (result.mounts.size() != static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'))) {
        throw std::runtime_error("this is not a mount table: " + text.substr(0, 80));
    }
    result.text = std::move(text);
    return result;
}

MountTable read_mounts(const HostFiles& host) {
    return parse_mounts(read_file(host.proc(), "self/mountinfo"));
}

MountTable read_mounts(const HostFiles& host, const MountTable& known) {
    std::string text = read_file(host.proc(), "self/mountinfo");
    return text == known.text ? known : parse_mounts(std::move(text));
}

std::vector<MountChange> diff(const MountTable& before, const MountTable& after) {
    std::vector<MountChange> changes;
    if (before.text == after.text) return changes;
    const MountsById old_mounts = by_id(before);
    const MountsById new_mounts = by_id(after);
    for (const MountEntry& mount : after.mounts) {
        const MountEntry* was = find_same(old_mounts, mount);
        if (was == nullptr) {
            changes.push_back({MountChangeKind::mounted, mount, {}, {}});
        } else if (was->target != mount.target) {
            changes.push_back({MountChangeKind::moved, mount, was->target, {}});
        } else if (was->options != mount.options) {
            changes.push_back({MountChangeKind::remounted, mount, {}, was->options});
        }
    }
    for (const MountEntry& mount : before.mounts) {
        if (find_same(new_mounts, mount) == nullptr) changes.push_back({MountChangeKind::unmounted, mount, {}, {}});
    }
    return changes;
}

}  // namespace sandbox::os
