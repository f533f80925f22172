#include "runtime/engine/stage_services.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "sandbox/os/format.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::engine {

using sandbox::Service;
using sandbox::ServiceFault;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;

namespace {

// The service runner reads in them for what a service says when it is ready.
std::vector<Fd> open_logs(const stages::Stage& stage, const store::Store& store, const std::string& run) {
    std::vector<Fd> logs;
    for (const Service& service : stage.services) {
        const std::string place = format("{}/{}.{}.log", run, stage.name, service.name);
        constexpr int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
        logs.emplace_back(
            sys([&] { return ::openat(store.directory(), place.c_str(), flags, 0644); }, "open {}", place));
    }
    return logs;
}

std::string shown(const sandbox::ReadyCheck& ready) {
    switch (ready.kind) {
        case sandbox::Ready::at_once: return "it was started";
        case sandbox::Ready::tcp: return format("nobody took a connection to port {}", ready.value);
        case sandbox::Ready::unix_socket: return format("nobody took a connection to {}", ready.value);
        case sandbox::Ready::log: return format("it did not write \"{}\"", ready.value);
        case sandbox::Ready::command: return format("{} did not end with 0", ready.command.front());
    }
    return {};
}

}  // namespace

StageServices::StageServices(const stages::Stage& stage, const store::Store& store, const std::string& run)
    : stage_(stage), store_(store), run_(run), logs_(open_logs(stage, store, run)), runner_(stage.services, logs_) {}

void StageServices::take_over(sandbox::Spec& spec, sandbox::Command& command) const {
    runner_.take_over(spec, command, stage_.on_failure.grace);
}

void StageServices::look_back(sandbox::Outcome& outcome) {
    const auto told = runner_.what_was_told();
    if (const auto* end = std::get_if<sandbox::os::WaitStatus>(&told)) {
        // Where the jail was killed at the end of the services' grace, the command has ended before all the same.
        outcome.how = *end;
    } else if (const auto* fault = std::get_if<ServiceFault>(&told)) {
        failure_ = failure_of(*fault);
        if (fault->service != nullptr) last_lines_ = tail_of(*fault->service);
    }
}

Failure StageServices::failure_of(const ServiceFault& fault) const {
    if (fault.service == nullptr) {
        return {.kind = FailureClass::command_not_found,
                .problem = {format("execute {}: {}", stage_.script ? stage_.script->path : stage_.run.front(),
                                   std::strerror(fault.error)),
                            std::string(stages::advice_for(FailureClass::command_not_found, stages::HasNetwork::no))}};
    }
    const Service& service = *fault.service;
    Failure failure = {.kind = FailureClass::service,
                       .problem = {{}, std::string(stages::advice_for(FailureClass::service, stages::HasNetwork::no))},
                       .found_by = "log " + store_.path() + "/" + log_place(service)};
    switch (fault.what) {
        case ServiceFault::What::ended:
            failure.problem.what =
                format("its service {} {} before the command did", service.name, sandbox::os::in_words(fault.how));
            break;
        case ServiceFault::What::not_ready:
            failure.problem.what = format("its service {} was not ready after {} s: {}", service.name,
                                          service.timeout.count(), shown(service.ready));
            if (fault.how.is_seen()) failure.problem.what += format("; it {} last", sandbox::os::in_words(fault.how));
            break;
        case ServiceFault::What::not_executed:
            failure.problem.what = format("its service {} could not be started: execute {}: {}", service.name,
                                          service.run.front(), std::strerror(fault.error));
            break;
    }
    return failure;
}

std::string StageServices::log_place(const Service& service) const {
    return format("{}/{}.{}.log", run_, stage_.name, service.name);
}

std::deque<std::string> StageServices::tail_of(const Service& service) const {
    constexpr off_t most = 16384;
    const auto& log = logs_.at(static_cast<std::size_t>(&service - stage_.services.data()));
    const off_t size = ::lseek(log.get(), 0, SEEK_END);
    std::string text(static_cast<std::size_t>(std::min(std::max<off_t>(size, 0), most)), '\0');
    const long got = sandbox::os::try_sys(
        [&] { return ::pread(log.get(), text.data(), text.size(), std::max<off_t>(size - most, 0)); });
    text.resize(static_cast<std::size_t>(std::max(got, 0L)));
    std::deque<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

}  // namespace runtime::engine
