// Services of a command: programs that run beside it in its jail, are started before it, and are gone with the jail.
// The service runner (services/client.hpp) starts them, so a service is fenced as the command is, by the same fence.
// Values only.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "sandbox/spec/ready.hpp"

namespace sandbox {

struct ReadyCheck {
    Ready kind = Ready::at_once;
    std::string value;  // port, path or text
    std::vector<std::string> command;
};

struct Service {
    std::string name;
    std::vector<std::string> run;
    ReadyCheck ready;
    std::chrono::seconds timeout{30};  // for it to be ready
};

}  // namespace sandbox
