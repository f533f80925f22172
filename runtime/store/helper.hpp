// The store's helper process. It sits in a user namespace with the jails' id mapping (and the caller's own id beside
// it), so that what a jail's root owns can be made, digested, copied and deleted by an ordinary user; user namespaces
// give it power over exactly those ids. Each request is answered by a fork of it, so that requests run side by side,
// and each can be given up. A message is as long as `longest_message` at the most, whatever names a payload gave its
// files.
//
// Knows trees and places below the store's directory; knows nothing of stages, keys and records.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/store/tree.hpp"
#include "sandbox/os/event_loop.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/spec/spec.hpp"
#include "stages/lower/lower.hpp"

namespace runtime::store {

// A request that failed in the helper: its reason in words.
class StoreHelperError : public sandbox::os::Error {
  public:
    using Error::Error;
};

// Why a request was not done.
struct StoreHelperFault {
    std::string what;  // empty: it was done
    // The errno of a system call that failed; EINTR: whoever did it was killed; 0: something else was wrong.
    int error = 0;
    [[nodiscard]] explicit operator bool() const noexcept { return !what.empty(); }
};

// A tree by its path in the store, and what stands before the paths in it where they are shown.
struct LabelledTree {
    std::string label;
    std::string path;
};
struct TreePair {
    LabelledTree now;
    std::string before;
};

class StoreHelper {
  public:
    // Called with the answer; it is null where there is a fault.
    using Answer = std::function<void(const sandbox::os::Json& answer, const StoreHelperFault& fault)>;
    // Names a request that is not answered yet.
    using Request = std::uint64_t;

    // Starts the process. `store` is the store's directory. Throws where the mapping cannot be made.
    StoreHelper(const sandbox::IdMap& ids, int store, sandbox::os::EventLoop& loop);
    ~StoreHelper();
    StoreHelper(const StoreHelper&) = delete;
    StoreHelper& operator=(const StoreHelper&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
    // Kills what works on the request. Its answer is a fault, ECANCELED, in the loop's next turn: whoever waits need
    // not wait for the kernel, which may be at a call that nothing interrupts. Does nothing where the answer has come.
    void cancel(Request request);

    // Paths are relative to the store, `source` and `destination` absolute paths of the caller's.
    Request prepare(const std::string& staging, const std::vector<stages::kinds::MountPoint>& skeleton, Answer done);
    Request seal(const std::string& path, const SealOptions& options, Answer done);
    // Of a tree that was sealed with these options; changes nothing.
    Request digest(const std::string& path, const SealOptions& options, Answer done);
    // Moves `path` below `staging`/out to `staging`/`part`/data and seals it there.
    Request take_output(const std::string& staging, const std::string& path, const std::string& part,
                        const SealOptions& options, Answer done);
    // Moves what take_output() took back to where it was.
    Request return_output(const std::string& staging, const std::string& path, const std::string& part, Answer done);
    // Writes a file `into` that lists the trees, each line with the tree's label before the path.
    Request list(const std::vector<LabelledTree>& trees, const std::string& into, Answer done);
    // How trees differ from others: "lines", the first 20, and "more", a number.
    Request compare(const std::vector<TreePair>& pairs, Answer done);
    // The copy is on the disk when this is answered.
    Request import(const std::string& source, const std::string& target, Answer done);
    Request export_to(const std::string& artifact, const std::string& destination, Answer done);
    // Answered when all that is in the store now is on the disk.
    Request sync(Answer done);
    Request remove(const std::string& path, Answer done);

  private:
    Request request(sandbox::os::Json body, Answer done);
    void receive();

    sandbox::os::EventLoop& loop_;
    sandbox::os::Child process_;
    sandbox::os::Fd line_;
    std::map<Request, Answer> waiting_;
    Request last_ = 0;
};

// What seal, take_output and import answer with.
TreeFacts facts_of(const sandbox::os::Json& answer);

}  // namespace runtime::store
