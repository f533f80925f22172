// The services of the host that a pipeline requires (requires-services), from before its first stage to after its last:
// looked up, started where that is allowed and harms nothing, and put back as they were found. The rules are
// services/service_plan.hpp's.
#pragma once
#include <set>

#include "runtime/host/services/restore.hpp"
#include "sandbox/os/problem.hpp"

namespace runtime::host {

// What is required is not there, and was not to be had; what() has every one of them with its remedy.
class HostServiceError : public sandbox::os::Error {
  public:
    using Error::Error;
};

// The build, as far as it matters here.
struct ServiceUser {
    int store = -1;   // its directory
    std::string run;  // its place in the store
    IsAlive is_alive;
    std::function<void(const std::string&)> say;
    std::function<bool()> is_interrupted;
};

class HostServices {
  public:
    HostServices(const stages::Pipeline& pipeline, ServiceUser user);
    // Puts back, where end() was not called.
    ~HostServices();
    HostServices(const HostServices&) = delete;
    HostServices& operator=(const HostServices&) = delete;

    // When it returns, all are active, or the build is interrupted. Throws HostServiceError, with everything put back.
    void begin();
    // Puts back what no other build of the store needs.
    void end();

    // For the end of a build; empty: nothing was started.
    [[nodiscard]] std::string summary() const;
    [[nodiscard]] bool is_as_found() const { return done_.is_as_found(); }
    // What was started, as the receipt calls it.
    [[nodiscard]] const std::set<std::string>& started() const noexcept { return started_; }

  private:
    using Wanted = stages::HostService;
    void begin_one(const Wanted& wanted);
    // The job that starts it; empty: there is none.
    std::string settle(const Wanted& wanted, UnitNames& group);
    std::string start(const Wanted& wanted, const ServiceStart& plan, ServiceJournal& journal);
    void note_planned(const Wanted& wanted, const UnitNames& group, ServiceJournal& journal);
    void share(const Wanted& wanted, const std::string& unit, ServiceJournal& journal);
    void await(const Wanted& wanted, const std::string& job, const UnitNames& group);
    void note_invocations(Manager manager, const UnitNames& group);
    void note_late_starts();
    void check_all_active();
    void end_by(PendingJob job);
    [[nodiscard]] std::string problem_text(const Wanted& wanted, const sandbox::os::Problem& problem) const;
    [[noreturn]] void refuse(const Wanted& wanted, const sandbox::os::Problem& problem) const;

    const stages::Pipeline& pipeline_;
    ServiceUser user_;
    UnitManagers managers_;
    std::set<std::string> started_;
    std::set<std::string> seen_;  // invocations that are in the journal
    std::map<std::string, std::string> invocation_before_;
    PutBack done_;
    UnitNames shared_;                     // what this build started and another one needs still
    PendingJob job_ = PendingJob::others;  // own: a start was given up
    bool has_begun_ = false;
};

}  // namespace runtime::host
