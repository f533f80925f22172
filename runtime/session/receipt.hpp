// The proof at the end of a run: what the host looked like before and after, and what of the difference is
// ours. A value, its text and its JSON form. Does not look at the host itself.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "runtime/session/compare.hpp"
#include "sandbox/os/json.hpp"

namespace runtime::session {

struct Counts {
    std::size_t mounts = 0;
    std::size_t loops = 0;
    std::size_t processes = 0;
    bool operator==(const Counts&) const = default;
};

struct Receipt {
    Counts before;
    Counts after;
    std::vector<Difference> differences;

    // Nothing of ours is left. What others did meanwhile is listed and does not count.
    [[nodiscard]] bool clean() const;
};

[[nodiscard]] Receipt make_receipt(const HostState& before, const HostState& after, const Ours& ours,
                                   Scope scope = Scope::essential);

// One to three lines for the end of a run, each ended by a newline: the verdict with the counts; the first
// thing of ours that is left; how much others changed meanwhile.
[[nodiscard]] std::string to_text(const Receipt& receipt);
// {"clean", "before", "after", "differences": [{"kind", "what", "owner", "why"}]}
[[nodiscard]] sandbox::os::Json to_json(const Receipt& receipt);

}  // namespace runtime::session
