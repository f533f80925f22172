#include "sandbox/os/mountinfo.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "sandbox/os/files.hpp"
#include "sandbox/os/memory_file.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"

// The program that asks libmount (embed/mount_tables.cpp), from the file that the build links (CMakeLists.txt).
asm(".section .rodata\n"
    ".globl stagebox_mount_tables_begin\n"
    ".globl stagebox_mount_tables_end\n"
    ".balign 16\n"
    "stagebox_mount_tables_begin:\n"
    ".incbin \"" STAGEBOX_MOUNT_TABLES_PROGRAM
    "\"\n"
    "stagebox_mount_tables_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const char stagebox_mount_tables_begin[];
extern "C" const char stagebox_mount_tables_end[];

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
        return mount;
    }

  private:
    std::string text_;
    std::size_t at_ = 0;
};

Answer ask_libmount(const std::string& tables, const std::vector<std::string>& arguments) {
    const Fd program =
        new_program_file("stagebox-mount-tables", {stagebox_mount_tables_begin, stagebox_mount_tables_end});
    const Fd input = new_memory_file("mount-tables");
    write_all(input.get(), tables, "a mount table");
    sys([&] { return ::lseek(input.get(), 0, SEEK_SET); }, "read a mount table");
    const Fd output = new_memory_file("mount-tables");
    std::vector<std::string> argv{"stagebox-mount-tables"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const Captured captured = finish_helper(start_helper("", argv, {program.get(), input.get(), output.get()}));
    const std::string said = captured.standard_error.substr(0, captured.standard_error.find('\n'));
    if (captured.ending.code == CLD_EXITED && captured.ending.status == not_started) {
        throw LibmountMissing(format(
            "libmount.so.1 cannot be loaded{}{}; it reads the mount table. Install it: sudo apt-get install libmount1",
            said.empty() ? "" : ": ", said));
    }
    if (captured.ending.code != CLD_EXITED || captured.ending.status != 0) {
        throw std::runtime_error(said.empty() ? "the mount table could not be read" : said);
    }
    return Answer(content_of(output));
}

MountChangeKind kind_of(std::string_view word) {
    if (word == "unmounted") return MountChangeKind::unmounted;
    if (word == "moved") return MountChangeKind::moved;
    if (word == "remounted") return MountChangeKind::remounted;
    return MountChangeKind::mounted;
}

MountChange next_change(Answer& answer) {
    MountChange change;
    change.kind = kind_of(answer.next());
    change.mount = answer.next_mount();
    std::string target = answer.next();
    std::string options = answer.next();
    if (change.kind == MountChangeKind::moved) change.moved_from = std::move(target);
    if (change.kind == MountChangeKind::remounted) change.old_options = std::move(options);
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
    MountTable result;
    Answer answer = ask_libmount(text, {});
    while (answer.has_more()) result.mounts.push_back(answer.next_mount());
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

MountTable read_mounts(const MountTable& known) {
    std::string text = read_file(AT_FDCWD, "/proc/self/mountinfo");
    return text == known.text ? known : parse_mounts(std::move(text));
}

std::vector<MountChange> diff(const MountTable& before, const MountTable& after) {
    std::vector<MountChange> changes;
    if (before.text == after.text) return changes;
    Answer answer = ask_libmount(before.text + after.text, {format("{}", before.text.size())});
    while (answer.has_more()) changes.push_back(next_change(answer));
    add_by_id(before, after, changes);
    return changes;
}

}  // namespace sandbox::os
