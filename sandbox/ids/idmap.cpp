#include "sandbox/ids/idmap.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/memory_file.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

constexpr std::uint64_t free_first = 0x70000000;  // systemd, "Users, Groups, UIDs and GIDs": unused from here
constexpr std::uint64_t free_end = 0x7FFE0000;    // to here
constexpr std::uint64_t user_first = 100000;      // where useradd(8) begins to give out ranges (login.defs(5))
constexpr std::uint64_t user_end = 0x70000000;

// Ids first..end-1, in 64 bits so that an end never wraps.
struct Block {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    [[nodiscard]] bool holds(std::uint64_t id) const { return first <= id && id < end; }
    [[nodiscard]] bool touches(const Block& other) const { return first < other.end && other.first < end; }
};

// One line of subuid(5) or subgid(5).
struct SubLine {
    std::string owner;
    Block ids;
    bool is_plain = false;  // decimal numbers of 32 bits
};

// The text of a file of the administrator's; one that does not exist is empty. `where`: what the folder is called.
std::string read_list(int folder, const char* where, const char* path) {
    try {
        return os::read_file_if_exists(folder, path, os::Links::followed).value_or("");
    } catch (const os::SysError& error) {
        throw os::SysError(error.error(), os::format("open {}/{}", where, path));
    }
}

// Calls use(fields) for each line; the fields are what stands between the colons.
template <class Use>
void for_each_line(std::string_view text, Use use) {
    std::vector<std::string_view> fields;
    for (std::string_view line : os::lines(text)) {
        fields.clear();
        for (;;) {
            const std::size_t colon = line.find(':');
            fields.push_back(line.substr(0, colon));
            if (colon == std::string_view::npos) break;
            line.remove_prefix(colon + 1);
        }
        use(fields);
    }
}

// A number as newuidmap reads it, by strtoul(3): "0x10" and "010" are numbers too, and there are some past 32 bits.
// Nothing for what has a minus sign, which no range can begin with.
std::optional<std::uint64_t> parse_as_newuidmap(std::string_view text) {
    constexpr std::uint64_t most = std::uint64_t{1} << 62U;  // so that the sum of two does not wrap
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.starts_with('+')) text.remove_prefix(1);
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.starts_with('0')) {
        base = 8;
    }
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (text.empty() || error == std::errc::invalid_argument || stop != text.data() + text.size()) return std::nullopt;
    return error == std::errc{} ? std::min(number, most) : most;
}

// Lines that newuidmap would not understand are passed over, as it does.
std::vector<SubLine> read_subids(const os::HostFiles& host, const char* name) {
    std::vector<SubLine> lines;
    for_each_line(read_list(host.etc(), "/etc", name), [&](const std::vector<std::string_view>& fields) {
        if (fields.size() != 3 || fields[0].empty()) return;
        const auto first = parse_as_newuidmap(fields[1]);
        const auto count = parse_as_newuidmap(fields[2]);
        if (!first || !count || *count == 0) return;
        lines.push_back(
            {std::string(fields[0]), {*first, *first + *count}, parse_id(fields[1]) && parse_id(fields[2])});
    });
    return lines;
}

struct SubIds {
    std::vector<SubLine> uids;
    std::vector<SubLine> gids;
};

SubIds read_subids(const os::HostFiles& host) {
    return {read_subids(host, "subuid"), read_subids(host, "subgid")};
}

// Every id that one of the four files speaks of. passwd and group carry an id in their third field, passwd
// the primary group in the fourth.
std::vector<Block> taken_ids(const os::HostFiles& host, const SubIds& subids) {
    std::vector<Block> taken;
    const auto take_field = [&](std::string_view field) {
        if (const auto id = parse_id(field)) taken.push_back({*id, std::uint64_t{*id} + 1});
    };
    for_each_line(read_list(host.etc(), "/etc", "passwd"), [&](const std::vector<std::string_view>& fields) {
        if (fields.size() > 2) take_field(fields[2]);
        if (fields.size() > 3) take_field(fields[3]);
    });
    for_each_line(read_list(host.etc(), "/etc", "group"), [&](const std::vector<std::string_view>& fields) {
        if (fields.size() > 2) take_field(fields[2]);
    });
    for (const std::vector<SubLine>* lines : {&subids.uids, &subids.gids}) {
        for (const SubLine& line : *lines) taken.push_back(line.ids);
    }
    return taken;
}

// What lies between the lines of a map file (user_namespaces(7): inner id, outer id, count) does not exist here.
void take_unmapped(const os::HostFiles& host, const char* map_file, std::vector<Block>& taken) {
    std::vector<Block> mapped;
    const std::string text = read_list(host.proc(), "/proc", map_file);
    const char* at = text.data();
    const char* const end = at + text.size();
    const auto next = [&](std::uint64_t& number) {
        while (at != end && (*at == ' ' || *at == '\n')) ++at;
        const auto [stop, error] = std::from_chars(at, end, number);
        at = stop;
        return error == std::errc{};
    };
    for (std::uint64_t inner = 0, outer = 0, count = 0; next(inner) && next(outer) && next(count);) {
        if (inner >= UINT32_MAX) continue;
        // There are 32 bits of ids, whatever a file says.
        mapped.push_back({inner, inner + std::min(count, std::uint64_t{UINT32_MAX})});
    }
    std::ranges::sort(mapped, {}, &Block::first);
    std::uint64_t reached = 0;
    for (const Block& block : mapped) {
        if (block.first > reached) taken.push_back({reached, block.first});
        reached = std::max(reached, block.end);
    }
    if (reached < UINT32_MAX) taken.push_back({reached, UINT32_MAX});
}

// What a map can be made of.
struct Room {
    std::vector<Block> unmapped;  // no such ids here
    std::vector<Block> taken;     // these and those that somebody has
    [[nodiscard]] bool is_part() const { return !unmapped.empty(); }
};

Room find_room(const os::HostFiles& host, const SubIds& subids) {
    Room room;
    take_unmapped(host, "self/uid_map", room.unmapped);
    take_unmapped(host, "self/gid_map", room.unmapped);
    room.taken = taken_ids(host, subids);
    room.taken.insert(room.taken.end(), room.unmapped.begin(), room.unmapped.end());
    return room;
}

bool is_mapped(const Room& room, std::uint32_t base) {
    const Block block{base, std::uint64_t{base} + range_size};
    return std::ranges::none_of(room.unmapped, [&](const Block& gap) { return block.touches(gap); });
}

// The first of first, first + range_size, … whose whole block is free.
std::optional<std::uint32_t> find_free_block(const std::vector<Block>& taken, std::uint64_t first, std::uint64_t end) {
    for (; first + range_size <= end; first += range_size) {
        const Block block{first, first + range_size};
        const auto in_the_way = [&](const Block& other) { return block.touches(other); };
        if (std::none_of(taken.begin(), taken.end(), in_the_way)) return static_cast<std::uint32_t>(first);
    }
    return std::nullopt;
}

// Of a user whom passwd(5) does not list (LDAP, homed). By getent(1), because the name service's libraries are only for
// programs that are linked dynamically. Empty where nobody knows.
std::string name_from_services(const std::string& number) {
    const os::Fd output = os::new_memory_file("getent");
    const os::Captured ended =
        os::finish_helper(os::start_helper("/usr/bin/getent", {"getent", "passwd", number}, {-1, -1, output.get()}));
    if (!ended.how.has_exited(0)) return {};
    const std::string line = os::content_of(output);
    return line.substr(0, line.find(':'));
}

std::string name_of(const Caller& caller, const os::HostFiles& host) {
    if (!caller.name.empty()) return caller.name;
    std::string name;
    for_each_line(read_list(host.etc(), "/etc", "passwd"), [&](const std::vector<std::string_view>& fields) {
        if (name.empty() && fields.size() > 2 && parse_id(fields[2]) == caller.uid) name = fields[0];
    });
    if (!name.empty()) return name;
    const std::string number = os::format("{}", caller.uid);
    name = name_from_services(number);
    return name.empty() ? number : name;
}

// newuidmap takes a line by the user's name or by the number; the first that is large enough wins.
std::optional<std::uint32_t> own_range(const std::vector<SubLine>& lines, const std::string& user, std::uint32_t uid) {
    const std::string number = os::format("{}", uid);
    for (const SubLine& line : lines) {
        if (!line.is_plain || (line.owner != user && line.owner != number)) continue;
        // The kernel's last id is 4294967294; the caller's own id or the host's root in the block would hand
        // the jail what it is fenced off from.
        const Block block{line.ids.first, line.ids.first + range_size};
        if (block.end > line.ids.end || block.end > UINT32_MAX) continue;
        if (block.holds(0) || block.holds(uid)) continue;
        return static_cast<std::uint32_t>(block.first);
    }
    return std::nullopt;
}

const char* name_missing(bool has_uids, bool has_gids) {
    if (has_uids) return "/etc/subgid";
    return has_gids ? "/etc/subuid" : "/etc/subuid and /etc/subgid";
}

[[noreturn]] void refuse_without_range(const std::string& user, std::uint32_t uid, std::string_view missing,
                                       const os::HostFiles& host) {
    os::Problem flaw{os::format("no range of {} ids for user {} (uid {}) in {}", range_size, user, uid, missing), {}};
    if (const auto free = find_free_block(taken_ids(host, read_subids(host)), user_first, user_end)) {
        const std::string span = os::format("{}-{}", *free, *free + range_size - 1);
        flaw.remedy = os::format("sudo usermod --add-subuids {} --add-subgids {} {}", span, span, user);
    }
    throw IdMapError(std::move(flaw));
}

IdMapChoice range_for_user(const std::string& user, std::uint32_t uid, const os::HostFiles& host) {
    const SubIds subids = read_subids(host);
    const auto uids = own_range(subids.uids, user, uid);
    const auto gids = own_range(subids.gids, user, uid);
    if (!uids || !gids) {
        const char* missing = name_missing(uids.has_value(), gids.has_value());
        refuse_without_range(user, uid, missing, host);
    }
    const std::uint32_t last = range_size - 1;
    return {{IdMode::range, *uids, *gids, range_size},
            os::format("uids {}-{} and gids {}-{}: the lines of {} in /etc/subuid and /etc/subgid", *uids, *uids + last,
                       *gids, *gids + last, user)};
}

IdMapChoice range_for_root(const os::HostFiles& host) {
    const SubIds subids = read_subids(host);
    const Room room = find_room(host, subids);
    const auto mapped_line = [&](const std::vector<SubLine>& lines) {
        const auto line = own_range(lines, "root", 0);
        return line && is_mapped(room, *line) ? line : std::nullopt;
    };
    const auto uids = mapped_line(subids.uids);
    const auto gids = mapped_line(subids.gids);
    if (uids && gids) return range_for_user("root", 0, host);

    auto free = find_free_block(room.taken, free_first, free_end);
    if (!free && room.is_part()) free = find_free_block(room.taken, range_size, free_first);
    if (!free && room.is_part()) {
        throw IdMapError(
            {os::format("root is root of a user namespace, a container's, whose ids (/proc/self/uid_map and "
                        "/proc/self/gid_map) have no free block of {} for a jail",
                        range_size),
             "start the container with twice as many ids (a line of 131072 in /etc/subuid and /etc/subgid "
             "outside), or take one id: --ids single, in a pipeline ids = \"single\""});
    }
    if (!free) {
        throw IdMapError({os::format("no free block of {} ids between {} and {} in {}", range_size, free_first,
                                     free_end - 1, "/etc/passwd, /etc/group, /etc/subuid and /etc/subgid"),
                          {}});
    }
    const IdMap map{IdMode::range, uids.value_or(*free), gids.value_or(*free), range_size};
    const std::uint32_t last = range_size - 1;
    const char* missing = name_missing(uids.has_value(), gids.has_value());
    const char* nobody =
        room.is_part() ? "which this user namespace has" : "which lies in a part that systemd's rules give to nobody";
    return {map, os::format("root has no line in {}; taken: uids {}-{} and gids {}-{}; free because no line of "
                            "/etc/passwd, /etc/group, /etc/subuid or /etc/subgid touches {}-{}, {}",
                            missing, map.uid_base, map.uid_base + last, map.gid_base, map.gid_base + last, *free,
                            *free + last, nobody)};
}

// A user namespace, a container's or that of `unshare --map-root-user`, which is too small for a range.
IdMapChoice single_in_small_namespace(const os::HostFiles& host) {
    const Room room = find_room(host, read_subids(host));
    constexpr std::uint32_t first_reserved = 65000;  // Debian Policy, section 9.2.2: reserved, up to 65533
    for (std::uint32_t id = first_reserved; id < 65534; ++id) {
        if (std::ranges::any_of(room.taken, [&](const Block& block) { return block.holds(id); })) continue;
        return {{IdMode::single, id, id, 1},
                os::format("uid {} and gid {} alone: mapped in this user namespace, and nobody's", id, id)};
    }
    return {{IdMode::single, 0, 0, 1},
            "uid 0 and gid 0 alone: root of this user namespace, which has no other ids; not the machine's root"};
}

IdMapChoice single_for_root(const os::HostFiles& host) {
    try {
        IdMapChoice choice = range_for_root(host);
        choice.map.mode = IdMode::single;
        choice.map.count = 1;
        choice.why = os::format("uid {} and gid {} alone: the first of root's range, never the host's root; {}",
                                choice.map.uid_base, choice.map.gid_base, choice.why);
        return choice;
    } catch (const IdMapError&) {
        if (!find_room(host, read_subids(host)).is_part()) throw;
        return single_in_small_namespace(host);
    }
}

}  // namespace

IdMapError::IdMapError(os::Problem problem)
    : Error(problem.remedy.empty() ? problem.what : os::format("{}; to mend it: {}", problem.what, problem.remedy),
            problem) {}

std::optional<std::uint32_t> parse_id(std::string_view text) {
    std::uint32_t id = 0;
    const char* end = text.data() + text.size();
    // from_chars takes no blank and no plus sign; for an unsigned type no minus sign either.
    const auto [stop, error] = std::from_chars(text.data(), end, id);
    if (error != std::errc{} || stop != end || id == UINT32_MAX) return std::nullopt;
    return id;
}

Caller current_caller() {
    return {::geteuid(), ::getegid(), {}};
}

IdMapChoice resolve_idmap(IdMode mode, Caller caller, const os::HostFiles& host) {
    if (caller.uid == 0) return mode == IdMode::single ? single_for_root(host) : range_for_root(host);
    if (mode == IdMode::single) {
        return {{IdMode::single, caller.uid, caller.gid, 1},
                os::format("uid {} and gid {} alone: the caller's own", caller.uid, caller.gid)};
    }
    return range_for_user(name_of(caller, host), caller.uid, host);
}

}  // namespace sandbox
