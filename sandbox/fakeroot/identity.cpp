#include "sandbox/fakeroot/identity.hpp"

#include <algorithm>
#include <cerrno>

namespace sandbox {
namespace {

IdSet& ids_of(Identity& identity, IdKind kind) {
    return kind == IdKind::users ? identity.users : identity.groups;
}

bool is_one_of(const IdSet& ids, std::uint32_t id) {
    return id == ids.real || id == ids.effective || id == ids.saved;
}

// capabilities(7), "Effect of user ID changes on capabilities".
void change(Identity& identity, IdKind kind, const IdSet& ids) {
    ids_of(identity, kind) = ids;
    if (kind == IdKind::groups) return;
    const bool has_root = ids.real == 0 || ids.effective == 0 || ids.saved == 0;
    if (!has_root && identity.capabilities == Capabilities::to_keep) identity.capabilities = Capabilities::kept;
}

}  // namespace

bool Identity::is_in_group(std::uint32_t group) const {
    return group == groups.filesystem || std::ranges::binary_search(supplementary, group);
}

int set_id(Identity& identity, IdKind kind, std::uint32_t id) {
    if (id == unchanged_id) return EINVAL;
    const IdSet now = ids_of(identity, kind);
    if (identity.is_privileged()) {
        change(identity, kind, {id, id, id, id});
    } else if (id == now.real || id == now.saved) {
        change(identity, kind, {now.real, id, now.saved, id});
    } else {
        return EPERM;
    }
    return 0;
}

int set_real_effective(Identity& identity, IdKind kind, std::uint32_t real, std::uint32_t effective) {
    const IdSet now = ids_of(identity, kind);
    const bool may_real = real == unchanged_id || real == now.real || real == now.effective;
    const bool may_effective = effective == unchanged_id || is_one_of(now, effective);
    if (!identity.is_privileged() && (!may_real || !may_effective)) return EPERM;
    IdSet next = now;
    if (real != unchanged_id) next.real = real;
    if (effective != unchanged_id) next.effective = effective;
    const bool saves = real != unchanged_id || (effective != unchanged_id && effective != now.real);
    if (saves) next.saved = next.effective;
    next.filesystem = next.effective;
    change(identity, kind, next);
    return 0;
}

int set_real_effective_saved(Identity& identity, IdKind kind, const IdSet& wanted) {
    IdSet next = ids_of(identity, kind);
    const IdSet now = next;
    const auto take = [&](std::uint32_t& field, std::uint32_t id) {
        if (id == unchanged_id) return true;
        field = id;
        return identity.is_privileged() || is_one_of(now, id);
    };
    const bool may =
        take(next.real, wanted.real) && take(next.effective, wanted.effective) && take(next.saved, wanted.saved);
    if (!may) return EPERM;
    next.filesystem = next.effective;
    change(identity, kind, next);
    return 0;
}

std::uint32_t set_filesystem(Identity& identity, IdKind kind, std::uint32_t id) {
    IdSet& ids = ids_of(identity, kind);
    const std::uint32_t before = ids.filesystem;
    const bool may = identity.is_privileged() || is_one_of(ids, id) || id == ids.filesystem;
    if (id != unchanged_id && may) ids.filesystem = id;
    return before;
}

int set_supplementary(Identity& identity, std::vector<std::uint32_t> groups) {
    if (!identity.is_privileged()) return EPERM;
    if (std::ranges::find(groups, unchanged_id) != groups.end()) return EINVAL;
    std::ranges::sort(groups);
    identity.supplementary = std::move(groups);
    return 0;
}

void keep_capabilities(Identity& identity, std::uint64_t wanted, std::uint64_t image) {
    if (identity.capabilities == Capabilities::kept) return;
    identity.capabilities = wanted == 1 ? Capabilities::to_keep : Capabilities::of_root;
    identity.image = wanted == 1 ? image : 0;
}

void end_with_image(Identity& identity, std::uint64_t image) {
    if (identity.image == image) return;
    identity.capabilities = Capabilities::of_root;
    identity.image = 0;
}

std::optional<std::uint64_t> Identities::number_of(const Identity& identity) {
    const auto found = numbers_.find(identity);
    if (found != numbers_.end()) return found->second;
    if (all_.size() == most) return std::nullopt;
    const std::uint64_t number = all_.size();
    all_.push_back(identity);
    numbers_.emplace(identity, number);
    return number;
}

const Identity& Identities::at(std::uint64_t number) const {
    return all_[number < all_.size() ? number : 0];
}

}  // namespace sandbox
