#include "sandbox/services/client.hpp"

#include <sys/socket.h>

#include <cstring>

#include "sandbox/os/embedded_program.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/services/message.hpp"

STAGEBOX_EMBED_PROGRAM(stagebox_service_runner, STAGEBOX_SERVICE_RUNNER_PROGRAM);

namespace sandbox {

using os::Fd;
using os::format;
using os::sys;

namespace {

constexpr const char* service_runner_path = "/run/stagebox/service-runner";

void add_words(std::vector<std::string>& arguments, const std::vector<std::string>& words) {
    arguments.push_back(format("{}", words.size()));
    arguments.insert(arguments.end(), words.begin(), words.end());
}

// It waits in the socket until the service runner runs.
void send_logs(const Fd& socket, const std::vector<Fd>& logs) {
    std::vector<int> numbers;
    numbers.reserve(logs.size());
    for (const Fd& log : logs) numbers.push_back(log.get());
    char byte = 0;
    iovec content = {&byte, 1};
    const std::size_t size = sizeof(int) * numbers.size();
    alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int) * most_services)] = {};
    msghdr message = {};
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), numbers.data(), size);
    sys([&] { return ::sendmsg(socket.get(), &message, MSG_NOSIGNAL); }, "hand the services' logs over");
}

}  // namespace

ServiceRunnerClient::ServiceRunnerClient(const std::vector<Service>& services, const std::vector<Fd>& logs)
    : services_(services) {
    if (services.empty() || services.size() > most_services || logs.size() != services.size()) {
        throw PlanError(format("a command has 1 to {} services, each with a log", most_services));
    }
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); },
        "make the services' control socket");
    control_ = Fd(pair[0]);
    control_of_runner_ = Fd(pair[1]);
    send_logs(control_, logs);
}

void ServiceRunnerClient::take_over(Spec& spec, Command& command, std::chrono::milliseconds grace) const {
    spec.mounts.emplace_back(
        File{service_runner_path, {stagebox_service_runner_begin, stagebox_service_runner_end}, 0755});
    std::vector<std::string> arguments = {service_runner_path, format("{}", grace.count()),
                                          format("{}", services_.size())};
    for (const Service& service : services_) {
        const auto time = std::chrono::milliseconds(service.timeout);
        arguments.push_back(format("{}", time.count()));
        arguments.emplace_back(1, static_cast<char>(service.ready.kind));
        arguments.push_back(service.ready.value);
        add_words(arguments, service.ready.command);
        add_words(arguments, service.run);
    }
    arguments.insert(arguments.end(), command.argv.begin(), command.argv.end());
    command.argv = std::move(arguments);
    command.stdin_fd = control_of_runner_.get();
}

std::variant<std::monostate, os::WaitStatus, ServiceFault> ServiceRunnerClient::what_was_told() const {
    using What = ServiceFault::What;
    services::Message message{};
    while (os::try_sys([&] { return ::recv(control_.get(), &message, sizeof message, MSG_DONTWAIT); }) ==
           sizeof message) {
        const bool is_command = message.index == services::command_index;
        // A payload can write here, too: what it says of services that there are not is nothing, nor is an end that
        // cannot be.
        if (!is_command && message.index >= services_.size()) break;
        const Service* const service = is_command ? nullptr : &services_[message.index];
        switch (message.event) {
            case services::Event::ready: continue;
            case services::Event::ended:
                if (!message.how.is_possible()) break;
                if (is_command) return message.how;
                return ServiceFault{What::ended, service, message.how};
            case services::Event::not_ready:
                if (is_command) break;
                return ServiceFault{What::not_ready, service, message.how};
            case services::Event::not_executed: return ServiceFault{What::not_executed, service, {}, message.error};
        }
        break;
    }
    return {};
}

}  // namespace sandbox
