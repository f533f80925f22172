// The proof at the end of a run: what the host looked like before and after, and what of the difference is ours. A
// value, its text and its JSON form. Does not look at the host itself.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "runtime/host/state/host_state.hpp"
#include "sandbox/os/json.hpp"

namespace runtime::host {

using Counts = std::map<Kind, std::size_t>;

struct Receipt {
    Counts before;
    Counts after;
    std::map<std::string, std::string> unreadable;                    // what could not be seen, and why
    std::map<std::string, std::map<std::string, std::size_t>> files;  // directory -> owner -> how many, afterwards
    std::vector<Difference> differences;
    std::size_t samples = 0;  // looks at the host while stages ran
    double milliseconds = 0;  // what all looks took together

    // Nothing of ours is left. What others did meanwhile is listed and does not count.
    [[nodiscard]] bool clean() const;
};

[[nodiscard]] Receipt make_receipt(const HostState& before, const HostState& after,
                                   std::vector<Difference> differences);

// Two or three lines for the end of a run, each ended by a newline: the verdict with the counts; the first thing of
// ours that is left; what others changed meanwhile, and what could not be seen.
[[nodiscard]] std::string to_text(const Receipt& receipt);
// All of it.
[[nodiscard]] sandbox::os::Json to_json(const Receipt& receipt);
// The verdict and what is ours: for the events of a run.
[[nodiscard]] sandbox::os::Json to_short_json(const Receipt& receipt);
// The whole receipt for people, from its JSON form as it is kept. Throws sandbox::os::Json::exception on anything else.
[[nodiscard]] std::string to_long_text(const sandbox::os::Json& kept);

}  // namespace runtime::host
