#include "sandbox/filter/graph.hpp"

#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "sandbox/filter/bpf.hpp"

namespace sandbox {
namespace {

// Far above what a filter of the kernel's greatest length needs if it is written as a list of rules.
constexpr std::size_t most_steps = 4'000'000;
constexpr std::size_t most_nodes = 4096;
constexpr std::size_t most_ranges = 4096;

constexpr std::uint64_t beyond = std::uint64_t{1} << 32U;

bool compare(std::uint16_t test, std::uint32_t word, std::uint32_t with) {
    switch (test) {
        case BPF_JEQ: return word == with;
        case BPF_JGT: return word > with;
        case BPF_JGE: return word >= with;
        default: return (word & with) != 0;
    }
}

// What is known of (word & mask) on the way to a place in the program.
struct Known {
    std::uint32_t lowest = 0;
    std::uint32_t highest = UINT32_MAX;
    std::set<std::uint32_t> other_than;
    auto operator<=>(const Known&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0

    [[nodiscard]] std::optional<bool> answer(std::uint16_t test, std::uint32_t with) const {
        if (lowest == highest) return compare(test, lowest, with);
        if (test == BPF_JEQ && (with < lowest || with > highest || other_than.contains(with))) return false;
        if (test == BPF_JGT && lowest > with) return true;
        if (test == BPF_JGT && highest <= with) return false;
        if (test == BPF_JGE && lowest >= with) return true;
        if (test == BPF_JGE && highest < with) return false;
        return std::nullopt;
    }

    void learn(std::uint16_t test, std::uint32_t with, bool outcome) {
        if (test == BPF_JEQ && outcome) lowest = highest = with;
        if (test == BPF_JEQ && !outcome) other_than.insert(with);
        while (lowest < highest && other_than.contains(lowest)) ++lowest;
        if (test == BPF_JGT && outcome) lowest = std::max(lowest, with + 1);
        if (test == BPF_JGT && !outcome) highest = std::min(highest, with);
        if (test == BPF_JGE && outcome) lowest = std::max(lowest, with);
        if (test == BPF_JGE && !outcome) highest = std::min(highest, with - 1);
    }
};

// The accumulator: a number, or some bits of a word of the arguments.
struct Accumulator {
    enum class Kind : std::uint8_t { constant, number, architecture, argument } kind = Kind::constant;
    std::uint32_t value = 0;  // for an argument: its offset
    std::uint32_t mask = UINT32_MAX;
    auto operator<=>(const Accumulator&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0
};

using Facts = std::map<std::pair<std::uint32_t, std::uint32_t>, Known>;

}  // namespace

// Follows the program for one number and one architecture, and through both outcomes of every question about arguments.
class FilterWalk {
  public:
    FilterWalk(FilterGraph& graph, const FilterProgram& program) : graph_(graph), program_(program) {}

    void walk_all() {
        for (std::uint64_t architecture = 0; architecture < beyond; architecture = architecture_end_) {
            architecture_end_ = beyond;
            graph_.architectures_.push_back({static_cast<std::uint32_t>(architecture), ranges_of(architecture)});
            if (graph_.architectures_.size() > most_ranges) throw FilterGraphError("too many architectures");
        }
    }

  private:
    std::vector<FilterRange> ranges_of(std::uint64_t architecture) {
        std::vector<FilterRange> ranges;
        architecture_ = static_cast<std::uint32_t>(architecture);
        for (std::uint64_t number = 0; number < beyond; number = number_end_) {
            number_ = static_cast<std::uint32_t>(number);
            number_end_ = beyond;
            seen_.clear();
            const FilterNodeId node = follow(0, {}, {});
            if (ranges.empty() || ranges.back().node != node) ranges.push_back({number_, node});
            if (ranges.size() > most_ranges) throw FilterGraphError("too many ranges of numbers");
        }
        return ranges;
    }

    FilterNodeId follow(std::size_t at, Accumulator a, const Facts& facts) {
        for (;; ++at) {
            if (++steps_ > most_steps) throw FilterGraphError("too many ways through the filter");
            if (at >= program_.instructions.size()) throw std::logic_error("a filter ends without an answer");
            const sock_filter op = decode_bpf(program_.instructions[at]);
            switch (op.code) {
                case BPF_LD | BPF_W | BPF_ABS: a = load(op.k); continue;
                case BPF_ALU | BPF_AND | BPF_K: mask(a, op.k); continue;
                case BPF_JMP | BPF_JA: at += op.k; continue;
                case BPF_RET | BPF_K: return graph_.add({.is_answer = true, .value = op.k});
                case BPF_JMP | BPF_JEQ | BPF_K:
                case BPF_JMP | BPF_JGT | BPF_K:
                case BPF_JMP | BPF_JGE | BPF_K:
                case BPF_JMP | BPF_JSET | BPF_K: break;
                default: throw std::logic_error("a filter has an instruction that seccomp does not know");
            }
            const std::uint16_t test = BPF_OP(op.code);
            const std::optional<bool> outcome = known_outcome(a, test, op.k, facts);
            if (!outcome) return ask(at, op, a, facts);
            at += *outcome ? op.jt : op.jf;
        }
    }

    FilterNodeId ask(std::size_t at, const sock_filter& op, const Accumulator& a, const Facts& facts) {
        const auto place = std::make_tuple(at, a, facts);
        if (const auto it = seen_.find(place); it != seen_.end()) return it->second;
        const std::uint16_t test = BPF_OP(op.code);
        const auto learned = [&](bool outcome) {
            Facts more = facts;
            if (test != BPF_JSET) more[{a.value, a.mask}].learn(test, op.k, outcome);
            return more;
        };
        FilterNode node{.value = op.k, .offset = a.value, .mask = a.mask, .test = test};
        node.yes = follow(at + 1 + op.jt, a, learned(true));
        node.no = follow(at + 1 + op.jf, a, learned(false));
        const FilterNodeId id = node.yes == node.no ? node.yes : graph_.add(node);
        seen_.emplace(place, id);
        return id;
    }

    static Accumulator load(std::uint32_t offset) {
        using enum Accumulator::Kind;
        if (offset % 4 != 0 || offset > sizeof(seccomp_data) - 4) {
            throw std::logic_error("a filter loads outside of its data");
        }
        if (offset == offsetof(seccomp_data, nr)) return {number, 0};
        if (offset == offsetof(seccomp_data, arch)) return {architecture, 0};
        return {argument, offset};
    }

    static void mask(Accumulator& a, std::uint32_t with) {
        if (a.kind == Accumulator::Kind::constant)
            a.value &= with;
        else if (a.kind == Accumulator::Kind::argument)
            a.mask &= with;
        else if (with != UINT32_MAX)
            throw FilterGraphError("the filter computes with the number");
    }

    std::optional<bool> known_outcome(const Accumulator& a, std::uint16_t test, std::uint32_t with,
                                      const Facts& facts) {
        switch (a.kind) {
            case Accumulator::Kind::constant: return compare(test, a.value, with);
            case Accumulator::Kind::number: return bounded(test, number_, with, number_end_);
            case Accumulator::Kind::architecture: return bounded(test, architecture_, with, architecture_end_);
            case Accumulator::Kind::argument: break;
        }
        const auto it = facts.find({a.value, a.mask});
        return it == facts.end() ? std::nullopt : it->second.answer(test, with);
    }

    // The outcome for `word`, which is the same for those after it up to `end`.
    static bool bounded(std::uint16_t test, std::uint32_t word, std::uint64_t with, std::uint64_t& end) {
        if (test == BPF_JSET) throw FilterGraphError("the filter looks at bits of the number");
        const std::uint64_t changes_at = test == BPF_JGT || (test == BPF_JEQ && word == with) ? with + 1 : with;
        if (changes_at > word) end = std::min(end, changes_at);
        return compare(test, word, static_cast<std::uint32_t>(with));
    }

    FilterGraph& graph_;
    const FilterProgram& program_;
    std::uint32_t number_ = 0;
    std::uint32_t architecture_ = 0;
    std::uint64_t number_end_ = beyond;
    std::uint64_t architecture_end_ = beyond;
    std::size_t steps_ = 0;
    std::map<std::tuple<std::size_t, Accumulator, Facts>, FilterNodeId> seen_;
};

FilterGraph::FilterGraph(const FilterProgram& program) {
    FilterWalk(*this, program).walk_all();
}

FilterNodeId FilterGraph::add(const FilterNode& node) {
    const auto [it, is_new] = known_.try_emplace(node, static_cast<FilterNodeId>(nodes_.size()));
    if (is_new) nodes_.push_back(node);
    if (nodes_.size() > most_nodes) throw FilterGraphError("too many cases");
    return it->second;
}

}  // namespace sandbox
