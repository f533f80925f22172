#include "runtime/host/state/difference.hpp"

#include <algorithm>
#include <array>

#include "sandbox/os/format.hpp"

namespace runtime::host {

using sandbox::os::format;

std::string_view name_of(Owner owner) {
    constexpr std::array<std::string_view, 5> names{"ours", "user", "system", "declared", "unknown"};
    return names.at(static_cast<std::size_t>(owner));
}

bool Ours::in_range(std::uint32_t uid) const {
    return uid >= ids.uid_base && uid - ids.uid_base < ids.count;
}

const OfStage<std::string>* Ours::find_cgroup(std::string_view cgroup) const {
    const OfStage<std::string>* innermost = nullptr;
    for (const OfStage<std::string>& one : cgroups) {
        if (lies_under(cgroup, one.fact) && (innermost == nullptr || one.fact.size() > innermost->fact.size()))
            innermost = &one;
    }
    return innermost;
}

bool Ours::declares_cgroup(std::string_view cgroup) const {
    return std::ranges::any_of(host_services, [&](std::string_view unit) {
        unit.remove_prefix(unit.starts_with(user_mark) ? user_mark.size() : 0);
        return format("{}/", cgroup).find(format("/{}/", unit)) != std::string::npos;
    });
}

bool lies_under(std::string_view path, std::string_view folder) {
    if (folder.empty() || !path.starts_with(folder)) return false;
    return path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/';
}

Verdict declared_verdict() {
    return {Owner::declared, "the pipeline's requires-services has it started"};
}

Verdict judge_owner(std::uint32_t uid, const Ours& ours) {
    if (ours.in_range(uid) && ours.range_tells()) {
        if (!ours.is_range_shared) return {Owner::ours, format("its owner {} is an id of this run's jails", uid)};
        return {Owner::unknown,
                format("its owner {} is an id of this run's jails, and of others that ran meanwhile", uid)};
    }
    if (uid == 0) return {Owner::system, "root owns it"};
    if (uid == ours.user)
        return {Owner::user, format("its owner is the user {}, and nothing of it names this run", uid)};
    return {Owner::system, format("another user, {}, owns it", uid)};
}

Verdict judge_rights(const Ours& ours) {
    if (ours.user != 0) return {Owner::system, "only root can change it, and this run has no rights of root"};
    return {Owner::unknown, "root changed it, and nothing of it names who"};
}

std::string stage_at(std::string_view path, const Ours& ours) {
    for (const auto& place : ours.places) {
        if (lies_under(path, place.fact)) return place.stage;
    }
    return {};
}

}  // namespace runtime::host
