#include "runtime/host/services/host_services.hpp"

#include <algorithm>

#include "runtime/host/services/service_check.hpp"
#include "runtime/host/services/service_problems.hpp"
#include "runtime/host/state/difference.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {

using sandbox::os::Problem;
namespace {

using sandbox::os::BusError;
using sandbox::os::format;
using std::chrono::milliseconds;

// Between two looks at a unit that is being started.
constexpr milliseconds between_looks{200};
constexpr const char* not_there = "the build does not start: what it requires of this host is not there";

std::string name_in_receipt(Manager manager, const std::string& unit) {
    return format("{}{}", manager == Manager::user ? user_mark : "", unit);
}

}  // namespace

HostServices::HostServices(const stages::Pipeline& pipeline, ServiceUser user)
    : pipeline_(pipeline), user_(std::move(user)) {}

HostServices::~HostServices() {
    try {
        end();
    } catch (const std::exception&) {
        // The journal has it, and the next build of the store puts it back.
    }
}

// Its lines stay lines, and nothing in them steers a terminal.
std::string HostServices::problem_text(const Wanted& wanted, const Problem& problem) const {
    using sandbox::os::printable;
    return format("{}:{}:{}: {}{}", printable(pipeline_.file), wanted.at.line, wanted.at.column,
                  printable(problem.what), sandbox::os::help_line(problem.remedy));
}

void HostServices::refuse(const Wanted& wanted, const Problem& problem) const {
    throw HostServiceError(format("{}\n{}", not_there, problem_text(wanted, problem)));
}

void HostServices::begin() {
    if (pipeline_.host_services.empty()) return;
    // All that is wrong at once, and before anything is changed.
    std::string problems;
    for (const Wanted& wanted : pipeline_.host_services) {
        const ServiceDecision decision = decide_or_tell(managers_, wanted);
        if (const auto* problem = std::get_if<Problem>(&decision)) {
            problems += "\n" + problem_text(wanted, *problem);
        }
    }
    if (!problems.empty()) {
        throw HostServiceError(not_there + problems);
    }
    has_begun_ = true;
    try {
        for (const Wanted& wanted : pipeline_.host_services) {
            if (user_.is_interrupted()) return;
            begin_one(wanted);
        }
        check_all_active();
        // While stages run nobody reads what the bus says, and what is critical may be something else afterwards.
        managers_ = {};
    } catch (...) {
        end_by(PendingJob::own);
        done_.ended.clear();  // what did not start is what the error is about
        if (const std::string text = summary(); !text.empty()) user_.say(text);
        throw;
    }
}

void HostServices::begin_one(const Wanted& wanted) {
    try {
        UnitNames group;
        const std::string job = settle(wanted, group);
        if (!group.empty()) await(wanted, job, group);
    } catch (const BusError& error) {
        refuse(wanted, problem_of_bus(wanted, error));
    }
}

std::string HostServices::settle(const Wanted& wanted, UnitNames& group) {
    auto journal = ServiceJournal::lock(user_.store, user_.is_interrupted);
    if (!journal) return {};
    managers_.forget();  // one that was started before may have brought this one
    const ServiceDecision decision = decide_or_tell(managers_, wanted);
    if (const auto* problem = std::get_if<Problem>(&decision)) refuse(wanted, *problem);
    const auto& plan = std::get<ServiceStart>(decision);
    if (plan.act != ServiceStart::Act::none) {
        group = plan.comes_with;
        group.push_back(plan.unit);
    }
    if (plan.act == ServiceStart::Act::start) return start(wanted, plan, *journal);
    share(wanted, plan.unit, *journal);
    return {};
}

std::string HostServices::start(const Wanted& wanted, const ServiceStart& plan, ServiceJournal& journal) {
    user_.say(format("host services: {} is inactive and is started{}", plan.unit,
                     plan.comes_with.empty()
                         ? ""
                         : format("; systemd starts with it: {}", sandbox::os::list_words(plan.comes_with))));
    UnitNames group = plan.comes_with;
    group.push_back(plan.unit);
    note_planned(wanted, group, journal);
    managers_.of(wanted.manager).keep_loaded(plan.unit);
    try {
        // Not "replace": a job that somebody else has on its way, a stop for one, is theirs.
        return managers_.of(wanted.manager).start(plan.unit, Systemd::Mode::fail);
    } catch (const BusError& error) {
        for (const std::string& unit : group) {
            journal.units.erase(wanted.manager, unit);
            started_.erase(name_in_receipt(wanted.manager, unit));
        }
        journal.write();
        refuse(wanted, problem_of_start(wanted, plan.unit, error));
    }
}

// On the disk before systemd is asked.
void HostServices::note_planned(const Wanted& wanted, const UnitNames& group, ServiceJournal& journal) {
    Systemd& systemd = managers_.of(wanted.manager);
    for (const std::string& name : group) {
        const UnitFacts unit = systemd.get(name);
        invocation_before_[name_in_receipt(wanted.manager, name)] = unit.invocation;
        StartedUnit started{.manager = wanted.manager, .unit = name};
        for (const std::string& other : unit.wanted_by) {
            if (systemd.get(other).is_up()) started.wanted_by.push_back(other);
        }
        // Another build's, that has ended meanwhile: who needed it needs it still.
        if (const StartedUnit* const known = journal.units.find(wanted.manager, name)) started.users = known->users;
        journal.units.erase(wanted.manager, name);
        journal.units.add(std::move(started));
        journal.units.add_user(wanted.manager, name, user_.run);
        started_.insert(name_in_receipt(wanted.manager, name));
    }
    journal.write();
}

// Active, and another build of the store has started it: that one leaves it to us. And what came with it.
void HostServices::share(const Wanted& wanted, const std::string& unit, ServiceJournal& journal) {
    UnitNames waiting{unit};
    std::set<std::string> shared;
    Systemd& systemd = managers_.of(wanted.manager);
    while (!waiting.empty()) {
        const std::string name = std::move(waiting.back());
        waiting.pop_back();
        if (journal.units.find(wanted.manager, name) == nullptr || !shared.insert(name).second) continue;
        journal.units.add_user(wanted.manager, name, user_.run);
        const UnitFacts& facts = systemd.get(name);
        waiting.insert(waiting.end(), facts.requires_.begin(), facts.requires_.end());
        waiting.insert(waiting.end(), facts.wants.begin(), facts.wants.end());
    }
    if (!shared.empty()) journal.write();
}

void HostServices::await(const Wanted& wanted, const std::string& job, const UnitNames& group) {
    Systemd& systemd = managers_.of(wanted.manager);
    const std::string& unit = group.back();
    const auto deadline = std::chrono::steady_clock::now() + wanted.timeout;
    std::optional<std::string> result;
    for (;;) {
        // Without a job of ours it is a pause.
        if (auto ended = systemd.wait_for(job, between_looks)) result = std::move(ended);
        systemd.forget();
        if (!job.empty()) note_invocations(wanted.manager, group);
        const UnitFacts facts = systemd.get(unit);
        // What comes with it may come later; the journal is to have all of it before the first stage.
        const bool is_settled = job.empty() || std::ranges::none_of(group, [&](const std::string& one) {
                                    return systemd.get(one).has_job;
                                });
        const bool is_late = std::chrono::steady_clock::now() >= deadline;
        if (facts.is_active() && (is_settled || is_late)) return;
        if ((result && !facts.is_active()) || (job.empty() && !facts.is_up() && !facts.has_job)) {
            UnitNames failed;
            for (const std::string& other : group) {
                if (other != unit && systemd.get(other).active == "failed") failed.push_back(other);
            }
            refuse(wanted, problem_of_end(wanted.manager, facts, result.value_or(""), failed));
        }
        if (user_.is_interrupted()) {
            job_ = PendingJob::own;
            return;
        }
        if (is_late) refuse(wanted, problem_of_timeout(wanted, facts));
    }
}

// The sooner the better: a start that the journal does not know after a crash is left as it is.
void HostServices::note_invocations(Manager manager, const UnitNames& group) {
    std::map<std::string, std::string> fresh;
    for (const std::string& name : group) {
        const UnitFacts& unit = managers_.of(manager).get(name);
        const bool is_new = unit.invocation != invocation_before_[name_in_receipt(manager, name)];
        if (is_new && !seen_.contains(unit.invocation)) fresh[name] = unit.invocation;
    }
    if (fresh.empty()) return;
    auto journal = ServiceJournal::lock(user_.store, [] { return false; });
    for (const auto& [name, invocation] : fresh) {
        if (StartedUnit* const unit = journal->units.find(manager, name)) unit->invocation = invocation;
        seen_.insert(invocation);
    }
    journal->write();
}

// What is only wanted may come up when the unit that wants it is active already.
void HostServices::note_late_starts() {
    const StartedUnits known = ServiceJournal::peek(user_.store);
    for (const Manager manager : {Manager::system, Manager::user}) {
        UnitNames unseen;
        for (const StartedUnit& unit : known.all()) {
            const bool is_ours = started_.contains(name_in_receipt(manager, unit.unit));
            if (unit.manager == manager && is_ours && unit.invocation.empty()) unseen.push_back(unit.unit);
        }
        if (unseen.empty()) continue;
        try {
            managers_.of(manager).forget();
            note_invocations(manager, unseen);
        } catch (const std::exception&) {
            // No bus any more, or a full disk: then it is left, and restore() says so.
        }
    }
}

// A service whose program ends at once was active for a moment.
void HostServices::check_all_active() {
    managers_.forget();
    for (const Wanted& wanted : pipeline_.host_services) {
        if (user_.is_interrupted()) return;
        const UnitFacts& unit = managers_.of(wanted.manager).get(wanted.unit);
        if (!unit.is_active()) refuse(wanted, problem_of_end(wanted.manager, unit, "", {}));
    }
}

void HostServices::end() {
    end_by(job_);
}

void HostServices::end_by(PendingJob job) {
    if (!std::exchange(has_begun_, false)) return;
    note_late_starts();
    auto journal = ServiceJournal::lock(user_.store, [] { return false; });
    journal->units.drop_user(user_.run);
    journal->units.drop_dead_users([&](const std::string& run) { return user_.is_alive(run); });
    for (const StartedUnit& unit : journal->units.all()) {
        const bool is_ours = started_.contains(name_in_receipt(unit.manager, unit.unit));
        if (is_ours && !unit.users.empty()) shared_.push_back(unit.unit);
    }
    done_ = restore(*journal, managers_, job);
}

std::string HostServices::summary() const {
    std::string text = to_text(done_);
    if (!shared_.empty()) {
        const bool is_one = shared_.size() == 1;
        sandbox::os::append_part(
            text, "; ",
            format("{} {} left to another build of this store, which needs {}", sandbox::os::list_words(shared_),
                   is_one ? "is" : "are", is_one ? "it" : "them"));
    }
    return text.empty() ? text : format("host services, started for this build: {}", text);
}

}  // namespace runtime::host
