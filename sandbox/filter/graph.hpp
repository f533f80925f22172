// What a compiled filter decides, apart from the instructions it is written in: for each architecture, ranges of system
// call numbers, and for each range an answer or a graph of questions about the arguments. Equal parts are one node, so
// two filters, or two numbers, that decide alike are seen to be alike. Knows nothing of rules and names.
#pragma once
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "sandbox/os/problem.hpp"
#include "sandbox/spec/spec.hpp"

namespace sandbox {

// A program that cannot be told apart this way: it computes with the number, or has too many cases.
class FilterGraphError : public os::Error {
  public:
    using Error::Error;
};

using FilterNodeId = std::uint32_t;

struct FilterNode {
    bool is_answer = false;
    std::uint32_t value = 0;   // the answer, SECCOMP_RET_*; or what the word is compared with
    std::uint32_t offset = 0;  // in struct seccomp_data: the word that is asked about,
    std::uint32_t mask = 0;    // of which these bits
    std::uint16_t test = 0;    // BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET
    FilterNodeId yes = 0;
    FilterNodeId no = 0;
    auto operator<=>(const FilterNode&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0
};

// Numbers from `first` to the next range's, or to the last number there is.
struct FilterRange {
    std::uint32_t first = 0;
    FilterNodeId node = 0;
    bool operator==(const FilterRange&) const = default;
};

// Architectures (AUDIT_ARCH_*) from `first` on, likewise. The ranges begin at 0, and neighbours differ.
struct FilterArchitecture {
    std::uint32_t first = 0;
    std::vector<FilterRange> ranges;
};

class FilterGraph {
  public:
    // Throws FilterGraphError for what it cannot represent, std::logic_error for what the kernel would not run either.
    explicit FilterGraph(const FilterProgram& program);

    [[nodiscard]] const std::vector<FilterNode>& nodes() const noexcept { return nodes_; }
    [[nodiscard]] const std::vector<FilterArchitecture>& architectures() const noexcept { return architectures_; }

  private:
    friend class FilterWalk;
    FilterNodeId add(const FilterNode& node);
    std::vector<FilterNode> nodes_;
    std::map<FilterNode, FilterNodeId> known_;
    std::vector<FilterArchitecture> architectures_;
};

}  // namespace sandbox
