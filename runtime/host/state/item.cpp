#include "runtime/host/state/item.hpp"

#include "runtime/host/state/processes.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;

bool needs_root(Kind kind) {
    return row_of(kind).changed_by == ChangedBy::root;
}

// The store's path somewhere in a value, as in a core_pattern that pipes into a program of it.
bool names_store(std::string_view value, const Ours& ours) {
    const std::size_t at = ours.store.empty() ? std::string_view::npos : value.find(ours.store);
    return at != std::string_view::npos && lies_under(value.substr(at), ours.store);
}

class Judge {
  public:
    Judge(Kind kind, const Ours& ours, const Lineage& lineage) : kind_(kind), ours_(ours), lineage_(lineage) {}

    [[nodiscard]] Difference judge(const std::string& name, const Item& item) const {
        const Facts& facts = item.facts;
        if (kind_ == Kind::unit && ours_.host_services.contains(name)) return of(declared_verdict());
        for (const std::string& path : facts.paths) {
            if (lies_under(path, ours_.store)) return ours("its file " + plain(path) + " lies under the store", path);
        }
        // The values of other kinds are words of whoever made them.
        if (kind_ == Kind::sysctl && names_store(item.value, ours_))
            return ours("its value names the store", item.value);
        if (const auto* const cgroup = ours_.find_cgroup(facts.cgroup)) {
            return ours("its processes are in this run's cgroup", {}, cgroup->stage);
        }
        if (facts.pid != 0) {
            const std::string why = lineage_.why_ours(facts.pid);
            if (!why.empty()) {
                return ours(format("process {} made or holds it: {}", facts.pid, why), {},
                            lineage_.stage_of(facts.pid));
            }
        }
        if (const Process* inside = lineage_.find_ours_in(facts.cgroup)) {
            return ours(
                format("process {} ({}) is in it: {}", inside->pid, plain(inside->comm), lineage_.why_ours(*inside)),
                {}, lineage_.stage_of(*inside));
        }
        if (facts.uid && (!needs_root(kind_) || ours_.in_range(*facts.uid))) return of(judge_owner(*facts.uid, ours_));
        if (facts.pid != 0) return of(lineage_.judge_other(facts.pid));
        return of(needs_root(kind_) ? judge_rights(ours_) : Verdict{Owner::unknown, "nothing of it tells who"});
    }

  private:
    [[nodiscard]] Difference of(Verdict verdict) const {
        return {kind_, {}, {}, verdict.whose, std::move(verdict.reason), {}};
    }
    [[nodiscard]] Difference ours(std::string reason, std::string_view path, std::string stage = {}) const {
        return {
            kind_, {}, {}, Owner::ours, std::move(reason), stage.empty() ? stage_at(path, ours_) : std::move(stage)};
    }

    Kind kind_;
    const Ours& ours_;
    const Lineage& lineage_;
};

std::string subject_of(const std::string& name, const std::string& value) {
    return plain(value.empty() ? name : format("{} ({})", name, value));
}

}  // namespace

void compare_tables(Kind kind, const Table& before, const Table& after, const Ours& ours, const Lineage& lineage,
                    std::vector<Difference>& differences) {
    if (!before.unreadable.empty() || !after.unreadable.empty()) return;
    const Judge judge(kind, ours, lineage);
    const auto add = [&](const char* change, std::string subject, Difference difference) {
        difference.change = change;
        difference.subject = std::move(subject);
        differences.push_back(std::move(difference));
    };
    for (const auto& [name, item] : after.items) {
        const auto was = before.items.find(name);
        if (was == before.items.end()) {
            add("appeared", subject_of(name, item.value), judge.judge(name, item));
        } else if (was->second.value != item.value) {
            add("changed", plain(format("{}: {} -> {}", name, was->second.value, item.value)), judge.judge(name, item));
        }
    }
    for (const auto& [name, item] : before.items) {
        if (after.items.contains(name)) continue;
        // It was there before the run, so the run did not make it; who took it away is what the rights tell.
        Difference gone{kind, {}, {}, Owner::unknown, "it was there before the run", {}};
        if (needs_root(kind)) {
            Verdict verdict = judge_rights(ours);
            gone.whose = verdict.whose;
            gone.reason = std::move(verdict.reason);
        } else if (item.facts.uid && *item.facts.uid != ours.user && ours.user != 0) {
            gone.whose = Owner::system;
            gone.reason = format("uid {} owned it, and this run has no rights of root", *item.facts.uid);
        }
        add("vanished", subject_of(name, item.value), std::move(gone));
    }
}

}  // namespace runtime::host
