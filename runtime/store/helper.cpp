#include "runtime/store/helper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/store/helper_work.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::Json;
using sandbox::os::sys;

namespace {

constexpr std::size_t largest_message = 131072;  // below the default send buffer of a socket

// In the place of a request's id: the helper itself cannot go on.
constexpr std::uint64_t nobodys_request = 0;

void die_with(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
}

void send_reply(int line, const Json& reply) {
    const std::string message = reply.dump(-1, ' ', false, Json::error_handler_t::replace);
    static_cast<void>(::send(line, message.data(), message.size(), MSG_NOSIGNAL));
}

void answer(int line, const Json& request) {
    Json reply = {{"id", request.at("id")}};
    try {
        reply["answer"] = perform_request(request);
    } catch (const std::exception& error) {
        reply["error"] = sandbox::os::printable(error.what());  // it names files, and a payload chose their names
        if (const auto* failed = dynamic_cast<const sandbox::os::SysError*>(&error)) reply["errno"] = failed->error();
    }
    send_reply(line, reply);
}

// The helper: a fork for every request, until the supervisor closes the line.
class Server {
  public:
    explicit Server(int line) : line_(line), self_(::getpid()), message_(largest_message, '\0') {
        sigset_t child;
        ::sigemptyset(&child);
        ::sigaddset(&child, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &child, nullptr);
        ended_ = Fd(sys([&] { return ::signalfd(-1, &child, SFD_CLOEXEC); }, "wait for the store helper's workers"));
    }

    [[noreturn]] void run() {
        for (;;) {
            pollfd waiting[2] = {{line_, POLLIN, 0}, {ended_.get(), POLLIN, 0}};
            static_cast<void>(sandbox::os::try_sys([&] { return ::poll(waiting, 2, -1); }));
            if (waiting[1].revents != 0) reap();
            if (waiting[0].revents != 0) take_request();
        }
    }

  private:
    void take_request() {
        const long got = sandbox::os::try_sys([&] { return ::recv(line_, message_.data(), message_.size(), 0); });
        if (got <= 0) ::_exit(0);
        const Json request = Json::parse(message_.substr(0, static_cast<std::size_t>(got)));
        const pid_t worker = ::fork();
        if (worker == 0) {
            die_with(self_);
            answer(line_, request);
            ::_exit(0);
        }
        if (worker > 0) {
            workers_[worker] = request.at("id");
            return;
        }
        const int error = errno;
        send_reply(line_, {{"id", request.at("id")},
                           {"error", sandbox::os::SysError(error, "fork the store's helper").what()},
                           {"errno", error}});
    }

    // A worker that did not come to its answer, killed for want of memory perhaps, is answered for.
    void reap() {
        signalfd_siginfo news{};
        static_cast<void>(::read(ended_.get(), &news, sizeof news));
        for (;;) {
            int status = 0;
            const pid_t worker = ::waitpid(-1, &status, WNOHANG);
            if (worker <= 0) return;
            const Json id = workers_[worker];
            workers_.erase(worker);
            if (status == 0) continue;
            const std::string how = WIFSIGNALED(status) ? sandbox::os::format("signal {}", WTERMSIG(status)) : "itself";
            send_reply(line_, {{"id", id}, {"error", "the store's helper was ended by " + how}, {"errno", EINTR}});
        }
    }

    int line_;
    pid_t self_;
    std::string message_;
    Fd ended_;
    std::map<pid_t, Json> workers_;
};

// Nothing that is thrown may leave the process: above are the frames of the supervisor that it was cloned from.
[[noreturn]] void serve(int line, int store) noexcept {
    ::fchdir(store);  // requests name paths below it
    ::umask(0);
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;  // a deep tree holds a descriptor for each level
    ::setrlimit(RLIMIT_NOFILE, &files);
    try {
        Server(line).run();
    } catch (const std::exception& error) {
        send_reply(line, {{"id", nobodys_request}, {"error", error.what()}});
        ::_exit(1);
    }
}

}  // namespace

StoreHelper::StoreHelper(const sandbox::IdMap& ids, int store, sandbox::os::EventLoop& loop) : loop_(loop) {
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

StoreHelper::~StoreHelper() {
    loop_.forget(line_.get());
}

void StoreHelper::request(Json body, Answer done) {
    body["id"] = ++last_id_;
    const std::string message = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (message.size() > largest_message) throw StoreHelperError("a request to the store's helper is too long");
    waiting_[last_id_] = std::move(done);
    sys([&] { return ::send(line_.get(), message.data(), message.size(), MSG_NOSIGNAL); }, "ask the store's helper");
}

void StoreHelper::receive() {
    std::string message(largest_message, '\0');
    const long got = sandbox::os::try_sys([&] { return ::recv(line_.get(), message.data(), message.size(), 0); });
    if (got <= 0) throw StoreHelperError("the store's helper process has died");
    const Json reply = Json::parse(message.substr(0, static_cast<std::size_t>(got)));
    const auto id = reply.at("id").get<std::uint64_t>();
    if (id == nobodys_request) throw StoreHelperError("the store's helper: " + reply.at("error").get<std::string>());
    auto waiting = waiting_.extract(id);
    if (waiting.empty()) return;
    if (reply.contains("error")) {
        waiting.mapped()(Json(), {reply.at("error").get<std::string>(), reply.value("errno", 0)});
    } else {
        waiting.mapped()(reply.at("answer"), {});
    }
}

void StoreHelper::prepare(const std::string& staging, const std::vector<stages::kinds::MountPoint>& skeleton,
                          Answer done) {
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

void StoreHelper::seal(const std::string& path, const SealOptions& options, Answer done) {
    Json body = {{"do", "seal"}, {"path", path}};
    add_options(body, options);
    request(std::move(body), std::move(done));
}

void StoreHelper::digest(const std::string& path, const SealOptions& options, Answer done) {
    Json body = {{"do", "digest"}, {"path", path}};
    add_options(body, options);
    request(std::move(body), std::move(done));
}

void StoreHelper::take_output(const std::string& staging, const std::string& path, const std::string& part,
                              const SealOptions& options, Answer done) {
    Json body = {{"do", "take"}, {"staging", staging}, {"path", path}, {"part", part}};
    add_options(body, options);
    request(std::move(body), std::move(done));
}

void StoreHelper::import(const std::string& source, const std::string& target, Answer done) {
    request({{"do", "import"}, {"source", source}, {"target", target}}, std::move(done));
}

void StoreHelper::export_to(const std::string& artifact, const std::string& destination, Answer done) {
    request({{"do", "export"}, {"artifact", artifact}, {"destination", destination}}, std::move(done));
}

void StoreHelper::sync(Answer done) {
    request({{"do", "sync"}}, std::move(done));
}

void StoreHelper::remove(const std::string& path, Answer done) {
    request({{"do", "remove"}, {"path", path}}, std::move(done));
}

TreeFacts facts_of(const Json& answer) {
    return {.digest = answer.at("digest").get<std::string>(),
            .bytes = answer.at("bytes").get<std::uint64_t>(),
            .entries = answer.at("entries").get<std::uint64_t>(),
            .is_directory = answer.at("directory").get<bool>()};
}

}  // namespace runtime::store
