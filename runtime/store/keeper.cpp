#include "runtime/store/keeper.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/store/keeper_work.hpp"
#include "sandbox/idmap.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::Json;
using sandbox::os::sys;

namespace {

constexpr std::size_t largest_message = 131072;  // below the default send buffer of a socket

void die_with(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
}

void answer(int line, const std::string& text) {
    const Json request = Json::parse(text);
    Json reply = {{"id", request.at("id")}};
    try {
        reply["answer"] = perform_request(request);
    } catch (const std::exception& error) {
        reply["error"] = sandbox::os::printable(error.what());  // it names files, and a payload chose their names
    }
    const std::string message = reply.dump(-1, ' ', false, Json::error_handler_t::replace);
    static_cast<void>(::send(line, message.data(), message.size(), MSG_NOSIGNAL));
}

// The helper: a fork for every request, until the supervisor closes the line.
[[noreturn]] void serve(int line, int store) {
    ::fchdir(store);  // requests name paths below it
    ::umask(0);
    ::signal(SIGCHLD, SIG_IGN);  // forks are reaped by the kernel
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;  // a deep tree holds a descriptor for each level
    ::setrlimit(RLIMIT_NOFILE, &files);
    std::string message(largest_message, '\0');
    const pid_t self = ::getpid();
    for (;;) {
        const long got = sandbox::os::try_sys([&] { return ::recv(line, message.data(), message.size(), 0); });
        if (got <= 0) ::_exit(0);
        const pid_t worker = ::fork();
        if (worker != 0) continue;
        die_with(self);
        answer(line, message.substr(0, static_cast<std::size_t>(got)));
        ::_exit(0);
    }
}

}  // namespace

Keeper::Keeper(const sandbox::IdMap& ids, int store, sandbox::os::EventLoop& loop) : loop_(loop) {
    int pair[2];
    sys([&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); }, "make the store helper's line");
    line_ = Fd(pair[0]);
    Fd child_line(pair[1]);
    int pidfd = -1;
    const pid_t parent = ::getpid();
    const long pid = sandbox::os::clone_process(CLONE_NEWUSER, pidfd);
    if (pid < 0) throw sandbox::os::SysError(static_cast<int>(-pid), "start the store's helper");
    if (pid == 0) {
        die_with(parent);
        ::setsid();  // the signals of the caller's terminal are for the supervisor, which needs this process to the end
        // Everything else the supervisor had open, its locks above all, must not outlive it here.
        const int low = std::min(child_line.get(), store);
        const int high = std::max(child_line.get(), store);
        ::close_range(3, static_cast<unsigned>(low) - 1, 0);
        ::close_range(static_cast<unsigned>(low) + 1, static_cast<unsigned>(high) - 1, 0);
        ::close_range(static_cast<unsigned>(high) + 1, ~0U, 0);
        char go = 0;
        if (::recv(child_line.get(), &go, 1, 0) != 1) ::_exit(1);  // the maps are written
        serve(child_line.get(), store);
    }
    process_ = sandbox::os::Child(static_cast<pid_t>(pid), Fd(pidfd));
    child_line.reset();
    const sandbox::Caller caller = sandbox::current_caller();
    const sandbox::ExtraId own{caller.uid, caller.gid};
    sandbox::apply_idmap(process_.pid(), ids, &own);
    const char go = 1;
    sys([&] { return ::send(line_.get(), &go, 1, MSG_NOSIGNAL); }, "start the store's helper");
    loop_.watch(line_.get(), [this] { receive(); });
}

Keeper::~Keeper() {
    loop_.forget(line_.get());
}

void Keeper::request(Json body, Answer done) {
    body["id"] = ++last_id_;
    const std::string message = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (message.size() > largest_message) throw KeeperError("a request to the store's helper is too long");
    waiting_[last_id_] = std::move(done);
    sys([&] { return ::send(line_.get(), message.data(), message.size(), MSG_NOSIGNAL); }, "ask the store's helper");
}

void Keeper::receive() {
    std::string message(largest_message, '\0');
    const long got = sandbox::os::try_sys([&] { return ::recv(line_.get(), message.data(), message.size(), 0); });
    if (got <= 0) throw KeeperError("the store's helper process has died");
    const Json reply = Json::parse(message.substr(0, static_cast<std::size_t>(got)));
    auto waiting = waiting_.extract(reply.at("id").get<std::uint64_t>());
    if (waiting.empty()) return;
    if (reply.contains("error")) {
        waiting.mapped()(Json(), reply.at("error").get<std::string>());
    } else {
        waiting.mapped()(reply.at("answer"), {});
    }
}

void Keeper::prepare(const std::string& staging, const std::vector<stages::kinds::MountPoint>& skeleton, Answer done) {
    Json points = Json::array();
    for (const stages::kinds::MountPoint& point : skeleton) {
        const bool is_directory = point.type == stages::kinds::FileType::directory;
        points.push_back({is_directory ? "directory" : "file", point.path});
    }
    request({{"do", "prepare"}, {"staging", staging}, {"skeleton", points}}, std::move(done));
}

namespace {

void add_options(Json& body, const SealOptions& options) {
    body["kind"] = options.kind == TreeKind::layer ? "layer" : "artifact";
    if (options.epoch) body["epoch"] = *options.epoch;
    if (options.owners == Owners::recorded) body["owners"] = "recorded";
}

}  // namespace

void Keeper::seal(const std::string& path, const SealOptions& options, Answer done) {
    Json body = {{"do", "seal"}, {"path", path}};
    add_options(body, options);
    request(std::move(body), std::move(done));
}

void Keeper::take_output(const std::string& staging, const std::string& path, const std::string& part,
                         const SealOptions& options, Answer done) {
    Json body = {{"do", "take"}, {"staging", staging}, {"path", path}, {"part", part}};
    add_options(body, options);
    request(std::move(body), std::move(done));
}

void Keeper::import(const std::string& source, const std::string& target, Answer done) {
    request({{"do", "import"}, {"source", source}, {"target", target}}, std::move(done));
}

void Keeper::export_to(const std::string& artifact, const std::string& destination, Answer done) {
    request({{"do", "export"}, {"artifact", artifact}, {"destination", destination}}, std::move(done));
}

void Keeper::sync(Answer done) {
    request({{"do", "sync"}}, std::move(done));
}

void Keeper::remove(const std::string& path, Answer done) {
    request({{"do", "remove"}, {"path", path}}, std::move(done));
}

TreeFacts facts_of(const Json& answer) {
    return {.digest = answer.at("digest").get<std::string>(),
            .bytes = answer.at("bytes").get<std::uint64_t>(),
            .entries = answer.at("entries").get<std::uint64_t>(),
            .is_directory = answer.at("directory").get<bool>()};
}

}  // namespace runtime::store
