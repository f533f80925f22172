// Who a process of a jail with one uid believes to be: the ids that setuid(2) and its kin set and getuid(2) and its kin
// show, under the kernel's rules (credentials(7)), as values. Knows nothing of processes; fakeroot/server.hpp keeps
// which process has which identity.
//
// Not modelled: capabilities one by one. An identity is privileged as long as its effective uid is 0, or, up to the
// next exec, where it kept its capabilities over a change of uid (PR_SET_KEEPCAPS).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace sandbox {

inline constexpr std::uint32_t unchanged_id = UINT32_MAX;  // -1 as setresuid(2) and chown(2) take it

// Real, effective, saved and file system id: of users, or of groups.
struct IdSet {
    std::uint32_t real = 0;
    std::uint32_t effective = 0;
    std::uint32_t saved = 0;
    std::uint32_t filesystem = 0;
    auto operator<=>(const IdSet&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0
};

enum class Capabilities : std::uint8_t {
    of_root,  // there while the effective uid is 0
    to_keep,  // the same, and they are to outlast the next change to other uids
    kept,     // there whatever the uid
};

struct Identity {
    IdSet users;
    IdSet groups;
    std::vector<std::uint32_t> supplementary;  // sorted, as the kernel keeps them
    Capabilities capabilities = Capabilities::of_root;
    std::uint64_t image = 0;  // the program that asked to keep its capabilities, by any number that an exec changes
    auto operator<=>(const Identity&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0

    [[nodiscard]] bool is_privileged() const noexcept {
        return users.effective == 0 || capabilities == Capabilities::kept;
    }
    [[nodiscard]] bool is_in_group(std::uint32_t group) const;
};

// The calls, each by what its manual page says. Answers 0, or the errno; then nothing has changed.
enum class IdKind : std::uint8_t { users, groups };
[[nodiscard]] int set_id(Identity& identity, IdKind kind, std::uint32_t id);
[[nodiscard]] int set_real_effective(Identity& identity, IdKind kind, std::uint32_t real, std::uint32_t effective);
[[nodiscard]] int set_real_effective_saved(Identity& identity, IdKind kind, const IdSet& wanted);
// setfsuid(2) never fails; it answers with the id that was.
std::uint32_t set_filesystem(Identity& identity, IdKind kind, std::uint32_t id);
[[nodiscard]] int set_supplementary(Identity& identity, std::vector<std::uint32_t> groups);
void keep_capabilities(Identity& identity, std::uint64_t wanted, std::uint64_t image);
// What is left of an identity in a process that runs this program.
void end_with_image(Identity& identity, std::uint64_t image);

// Gives each identity that occurs a number, so that a number is all that has to be remembered of a process.
class Identities {
  public:
    // More than any build makes; a payload that makes more hurts its own calls.
    static constexpr std::size_t most = 65536;

    // std::nullopt when there are too many.
    [[nodiscard]] std::optional<std::uint64_t> number_of(const Identity& identity);
    // Every number that was never given out is the identity of root.
    [[nodiscard]] const Identity& at(std::uint64_t number) const;

  private:
    std::vector<Identity> all_{Identity{}};
    std::map<Identity, std::uint64_t> numbers_{{Identity{}, 0}};
};

}  // namespace sandbox
