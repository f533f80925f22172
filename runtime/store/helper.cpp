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

#include <cstring>

#include "runtime/store/helper_work.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::sys;

namespace {

constexpr std::size_t longest_message = 131072;  // below the default send buffer of a socket
constexpr std::size_t longest_error = 4096;

// In the place of a request: the helper itself cannot go on.
constexpr StoreHelper::Request nobodys_request = 0;

// A message: which request it is about, then JSON.
using Head = StoreHelper::Request;

std::string message_of(Head request, const Json& body) {
    std::string message(sizeof request, '\0');
    std::memcpy(message.data(), &request, sizeof request);
    return message + body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What came over the line.
class Message {
  public:
    explicit Message(int line) : text_(longest_message, '\0') {
        size_ = sandbox::os::try_sys([&] { return ::recv(line, text_.data(), text_.size(), MSG_TRUNC); });
    }
    // False: the other side has gone.
    [[nodiscard]] bool is_there() const { return size_ >= static_cast<long>(sizeof(Head)); }
    [[nodiscard]] Head request() const {
        Head request = 0;
        std::memcpy(&request, text_.data(), sizeof request);
        return request;
    }
    // Throws where it is none: a message that is too long, above all.
    [[nodiscard]] Json body() const {
        const auto size = static_cast<std::size_t>(size_);
        if (size > text_.size()) throw StoreHelperError(format("a message of {} bytes is too long", size));
        return Json::parse(std::string_view(text_).substr(sizeof(Head), size - sizeof(Head)));
    }

  private:
    std::string text_;
    long size_ = 0;
};

void die_with(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
}

// Whether it is sent.
bool send_reply(int line, Head request, const Json& reply) {
    const std::string message = message_of(request, reply);
    return sandbox::os::try_sys([&] { return ::send(line, message.data(), message.size(), MSG_NOSIGNAL); }) >= 0;
}

// A payload chose the names of the files that it says something of.
Json error_reply(std::string_view what, int error) {
    return {{"error", sandbox::os::shortened(sandbox::os::printable(what), longest_error)}, {"errno", error}};
}

bool answer(int line, Head request, const Json& body) {
    Json reply;
    try {
        reply = {{"answer", perform_request(body)}};
    } catch (const sandbox::os::SysError& error) {
        reply = error_reply(error.what(), error.error());
    } catch (const std::exception& error) {
        reply = error_reply(error.what(), 0);
    }
    return send_reply(line, request, reply);
}

// The helper: a fork for every request, until the supervisor closes the line.
class Server {
  public:
    explicit Server(int line) : line_(line), self_(::getpid()) {
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
        const Message message(line_);
        if (!message.is_there()) ::_exit(0);
        const Json body = message.body();
        if (body.at("do") == "cancel") {
            cancel(message.request());
            return;
        }
        const pid_t worker = ::fork();
        if (worker == 0) {
            die_with(self_);
            ::_exit(answer(line_, message.request(), body) ? 0 : 1);
        }
        if (worker > 0) {
            workers_[worker] = message.request();
            return;
        }
        const int error = errno;
        const std::string what = sandbox::os::SysError(error, "fork the store's helper").what();
        send_reply(line_, message.request(), error_reply(what, error));
    }

    // A worker that is not reaped yet still has its number.
    void cancel(Head request) {
        for (const auto& [worker, works_on] : workers_) {
            if (works_on == request) ::kill(worker, SIGKILL);
        }
    }

    // A worker that did not come to its answer, killed for want of memory perhaps, is answered for.
    void reap() {
        signalfd_siginfo news{};
        static_cast<void>(::read(ended_.get(), &news, sizeof news));
        for (;;) {
            int status = 0;
            const pid_t worker = ::waitpid(-1, &status, WNOHANG);
            if (worker <= 0) return;
            const Head request = workers_[worker];
            workers_.erase(worker);
            if (status == 0) continue;
            const std::string how = WIFSIGNALED(status) ? format("signal {}", WTERMSIG(status)) : "itself";
            send_reply(line_, request, error_reply("the store's helper was ended by " + how, EINTR));
        }
    }

    int line_;
    pid_t self_;
    Fd ended_;
    std::map<pid_t, Head> workers_;
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
        send_reply(line, nobodys_request, error_reply(error.what(), 0));
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

StoreHelper::Request StoreHelper::request(Json body, Answer done) {
    const std::string message = message_of(++last_, body);
    if (message.size() > longest_message) throw StoreHelperError("a request to the store's helper is too long");
    waiting_[last_] = std::move(done);
    sys([&] { return ::send(line_.get(), message.data(), message.size(), MSG_NOSIGNAL); }, "ask the store's helper");
    return last_;
}

void StoreHelper::cancel(Request request) {
    auto waiting = waiting_.extract(request);
    if (waiting.empty()) return;
    const std::string message = message_of(request, {{"do", "cancel"}});
    // One that cannot be sent is not needed: the helper's workers end with it.
    static_cast<void>(::send(line_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    loop_.after(std::chrono::milliseconds(0), [done = std::move(waiting.mapped())] {
        done(Json(), {"stopped", ECANCELED});
    });
}

void StoreHelper::receive() {
    const Message message(line_.get());
    if (!message.is_there()) throw StoreHelperError("the store's helper process has died");
    Json reply;
    try {
        reply = message.body();
    } catch (const std::exception& error) {
        reply = {{"error", format("the store's helper gave no answer: {}", error.what())}};
    }
    if (message.request() == nobodys_request) {
        throw StoreHelperError("the store's helper: " + reply.at("error").get<std::string>());
    }
    auto waiting = waiting_.extract(message.request());
    if (waiting.empty()) return;
    if (reply.contains("error")) {
        waiting.mapped()(Json(), {reply.at("error").get<std::string>(), reply.value("errno", 0)});
    } else {
        waiting.mapped()(reply.at("answer"), {});
    }
}

StoreHelper::Request StoreHelper::prepare(const std::string& staging,
                                          const std::vector<stages::kinds::MountPoint>& skeleton, Answer done) {
    Json points = Json::array();
    for (const stages::kinds::MountPoint& point : skeleton) {
        const bool is_directory = point.type == stages::kinds::FileType::directory;
        points.push_back({is_directory ? "directory" : "file", point.path});
    }
    return request({{"do", "prepare"}, {"staging", staging}, {"skeleton", points}}, std::move(done));
}

namespace {

void add_options(Json& body, const SealOptions& options) {
    body["kind"] = options.kind == TreeKind::layer ? "layer" : "artifact";
    if (options.epoch) body["epoch"] = *options.epoch;
    if (options.owners == Owners::recorded) body["owners"] = "recorded";
}

}  // namespace

StoreHelper::Request StoreHelper::seal(const std::string& path, const SealOptions& options, Answer done) {
    Json body = {{"do", "seal"}, {"path", path}};
    add_options(body, options);
    return request(std::move(body), std::move(done));
}

StoreHelper::Request StoreHelper::digest(const std::string& path, const SealOptions& options, Answer done) {
    Json body = {{"do", "digest"}, {"path", path}};
    add_options(body, options);
    return request(std::move(body), std::move(done));
}

StoreHelper::Request StoreHelper::take_output(const std::string& staging, const std::string& path,
                                              const std::string& part, const SealOptions& options, Answer done) {
    Json body = {{"do", "take"}, {"staging", staging}, {"path", path}, {"part", part}};
    add_options(body, options);
    return request(std::move(body), std::move(done));
}

StoreHelper::Request StoreHelper::return_output(const std::string& staging, const std::string& path,
                                                const std::string& part, Answer done) {
    return request({{"do", "return"}, {"staging", staging}, {"path", path}, {"part", part}}, std::move(done));
}

StoreHelper::Request StoreHelper::list(const std::vector<LabelledTree>& trees, const std::string& into, Answer done) {
    Json all = Json::array();
    for (const LabelledTree& tree : trees) all.push_back({{"label", tree.label}, {"path", tree.path}});
    return request({{"do", "list"}, {"trees", std::move(all)}, {"into", into}}, std::move(done));
}

StoreHelper::Request StoreHelper::compare(const std::vector<TreePair>& pairs, Answer done) {
    Json all = Json::array();
    for (const TreePair& pair : pairs) {
        all.push_back({{"label", pair.now.label}, {"path", pair.now.path}, {"before", pair.before}});
    }
    return request({{"do", "compare"}, {"pairs", std::move(all)}}, std::move(done));
}

StoreHelper::Request StoreHelper::import(const std::string& source, const std::string& target, Answer done) {
    return request({{"do", "import"}, {"source", source}, {"target", target}}, std::move(done));
}

StoreHelper::Request StoreHelper::export_to(const std::string& artifact, const std::string& destination, Answer done) {
    return request({{"do", "export"}, {"artifact", artifact}, {"destination", destination}}, std::move(done));
}

StoreHelper::Request StoreHelper::sync(Answer done) {
    return request({{"do", "sync"}}, std::move(done));
}

StoreHelper::Request StoreHelper::remove(const std::string& path, Answer done) {
    return request({{"do", "remove"}, {"path", path}}, std::move(done));
}

TreeFacts facts_of(const Json& answer) {
    return {.digest = answer.at("digest").get<std::string>(),
            .bytes = answer.at("bytes").get<std::uint64_t>(),
            .entries = answer.at("entries").get<std::uint64_t>(),
            .is_directory = answer.at("directory").get<bool>()};
}

}  // namespace runtime::store
