// The supervisor's side of the service runner (services/runner.cpp): puts it in a command's place, hands it the
// services' logs, and says afterwards what it told of them. Knows nothing of stages.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/wait_status.hpp"
#include "sandbox/spec/services.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// Why the command of a jail with services did not run to its end.
struct ServiceFault {
    enum class What : unsigned char { ended, not_ready, not_executed } what;
    const Service* service;  // null: it is the command itself that could not be executed
    os::WaitStatus how;      // of the service, or of its last check; unseen: there is none
    int error = 0;           // errno where it could not be executed
};

class ServiceRunnerClient {
  public:
    // `logs`: one for each service, open for reading and appending; at most most_services. The services must outlive
    // it.
    ServiceRunnerClient(const std::vector<Service>& services, const std::vector<os::Fd>& logs);

    // The jail then starts the services, and the command when they are ready. Ended, the command leaves them `grace` to
    // end in. The command's standard input becomes the jail's /dev/null.
    void take_over(Spec& spec, Command& command, std::chrono::milliseconds grace) const;
    // Once the jail has it.
    void started() { control_of_runner_.reset(); }

    // After the jail's end, once; the command's end, a fault, or nothing where the jail was killed.
    [[nodiscard]] std::variant<std::monostate, os::WaitStatus, ServiceFault> what_was_told() const;

  private:
    const std::vector<Service>& services_;
    os::Fd control_;
    os::Fd control_of_runner_;
};

}  // namespace sandbox
