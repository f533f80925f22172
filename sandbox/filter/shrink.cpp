#include "sandbox/filter/shrink.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sandbox/filter/bpf.hpp"
#include "sandbox/filter/graph.hpp"

namespace sandbox {
namespace {

// How a list of ranges is searched with the least time: by cutting it in two (JGE), or, where all but a few single
// numbers have one answer, by asking for these (JEQ). The optimal tree by dynamic programming, as for binary search
// trees with weights (Knuth 1971). A weight is how many of the numbers that the kernel tries are in a range.
class SearchTree {
  public:
    explicit SearchTree(const std::vector<FilterRange>& ranges) : ranges_(ranges), size_(ranges.size()) {
        cells_.resize(size_ * size_);
        for (std::size_t length = 1; length <= size_; ++length) {
            for (std::size_t first = 0; first + length <= size_; ++first) solve(first, first + length - 1);
        }
    }

    // Which range begins the upper half; or `first`, where the singles are asked for one after the other.
    [[nodiscard]] std::size_t cut(std::size_t first, std::size_t last) const { return cell(first, last).cut; }

    // The answer that all of first..last have but single numbers; the second is false where there is none.
    [[nodiscard]] std::pair<FilterNodeId, bool> background(std::size_t first, std::size_t last) const {
        for (const std::size_t candidate : {first, first + 1}) {
            if (candidate > last) continue;
            const FilterNodeId node = ranges_[candidate].node;
            bool fits = true;
            for (std::size_t i = first; i <= last && fits; ++i) fits = ranges_[i].node == node || is_single(i);
            if (fits) return {node, true};
        }
        return {0, false};
    }

  private:
    struct Cell {
        std::uint64_t cost = 0;
        std::uint64_t weight = 0;
        std::size_t cut = 0;
    };
    // The kernel tries the numbers of its tables, which end below this one.
    static constexpr std::uint32_t tried = 512;
    // One more instruction costs about as much as forty numbers taking one step more.
    static constexpr std::uint64_t instruction_cost = 40;

    [[nodiscard]] std::size_t index(std::size_t first, std::size_t last) const { return first * size_ + last; }
    [[nodiscard]] const Cell& cell(std::size_t first, std::size_t last) const { return cells_[index(first, last)]; }
    [[nodiscard]] bool is_single(std::size_t i) const {
        return i + 1 < size_ && ranges_[i + 1].first == ranges_[i].first + 1;
    }
    [[nodiscard]] std::uint64_t weight_of(std::size_t i) const {
        const std::uint32_t begin = std::min(ranges_[i].first, tried);
        const std::uint32_t end = i + 1 < size_ ? std::min(ranges_[i + 1].first, tried) : tried;
        return end - begin;
    }

    void solve(std::size_t first, std::size_t last) {
        Cell& solved = cells_[index(first, last)];
        solved.cut = first;
        if (first == last) {
            solved.weight = weight_of(first);
            return;
        }
        solved.weight = cell(first, last - 1).weight + weight_of(last);
        solved.cost = singles_cost(first, last);
        for (std::size_t cut = first + 1; cut <= last; ++cut) {
            const std::uint64_t cost =
                solved.weight + instruction_cost + cell(first, cut - 1).cost + cell(cut, last).cost;
            if (cost < solved.cost) {
                solved.cost = cost;
                solved.cut = cut;
            }
        }
    }

    [[nodiscard]] std::uint64_t singles_cost(std::size_t first, std::size_t last) const {
        const auto [node, is_there] = background(first, last);
        if (!is_there) return std::numeric_limits<std::uint64_t>::max();
        std::uint64_t cost = 0;
        std::uint64_t asked = 0;
        std::uint64_t other_weight = 0;
        for (std::size_t i = first; i <= last; ++i) {
            if (ranges_[i].node == node) {
                other_weight += weight_of(i);
            } else {
                cost += instruction_cost + weight_of(i) * ++asked;
            }
        }
        return cost + asked * other_weight;
    }

    const std::vector<FilterRange>& ranges_;
    std::size_t size_;
    std::vector<Cell> cells_;
};

// A place in the program, counted from its end: jumps only go forward, so the program is laid out from behind.
struct Label {
    std::size_t from_end = 0;
    bool is_answer = false;
};

class Layout {
  public:
    explicit Layout(const FilterGraph& graph) : graph_(graph), needs_load_(graph.nodes().size()) {
        for (const FilterNode& node : graph.nodes()) {
            if (node.is_answer) continue;
            for (const FilterNodeId next : {node.yes, node.no}) {
                if (!shares_word(node, graph.nodes()[next])) needs_load_[next] = true;
            }
        }
        for (const FilterArchitecture& one : graph.architectures()) {
            for (const FilterRange& range : one.ranges) needs_load_[range.node] = true;
        }
    }

    FilterProgram program() {
        const auto& all = graph_.architectures();
        // Single values among others that are all treated alike, as every filter of libseccomp is.
        Label* otherwise = architecture(all.front());
        std::vector<std::pair<std::uint32_t, Label*>> tests;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].ranges == all.front().ranges) continue;
            if (i + 1 == all.size() || all[i + 1].first != all[i].first + 1) {
                throw FilterGraphError("the filter looks at ranges of architectures");
            }
            if (all[i].first != native_architecture) tests.emplace_back(all[i].first, architecture(all[i]));
        }
        // Laid out last, so that it comes first.
        for (const FilterArchitecture& one : all) {
            if (one.first == native_architecture && one.ranges != all.front().ranges)
                tests.emplace_back(native_architecture, architecture(one));
        }
        Label* next = otherwise;
        for (const auto& [value, target] : tests) next = jump(BPF_JEQ, value, target, next);
        bring_near(*next);
        if (!tests.empty())
            push(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
        else if (next->from_end != reversed_.size())
            push(go_to(*next));
        FilterProgram program;
        program.instructions.assign(reversed_.rbegin(), reversed_.rend());
        return program;
    }

  private:
    struct Block {
        Label whole;
        Label loaded;  // where the word is in the accumulator already
    };

    static bool shares_word(const FilterNode& a, const FilterNode& b) {
        return !b.is_answer && a.offset == b.offset && a.mask == b.mask;
    }

    void push(const sock_filter& instruction) { reversed_.push_back(encode_bpf(instruction)); }

    // To be pushed next.
    [[nodiscard]] sock_filter go_to(const Label& label) const {
        return BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(reversed_.size() - label.from_end));
    }

    // A jump with a condition reaches 255 instructions: what is further away gets a stop on the way. An answer is
    // repeated, which is no longer than a jump to it.
    void bring_near(Label& label) {
        constexpr std::size_t reach = 250;  // a second label may be brought near after this one
        if (reversed_.size() - label.from_end <= reach) return;
        push(label.is_answer ? decode_bpf(reversed_[label.from_end - 1]) : go_to(label));
        label.from_end = reversed_.size();
    }

    Label* jump(std::uint16_t test, std::uint32_t with, Label* yes, Label* no) {
        bring_near(*yes);
        bring_near(*no);
        const auto distance = [&](const Label* label) {
            return static_cast<std::uint8_t>(reversed_.size() - label->from_end);
        };
        push({static_cast<std::uint16_t>(BPF_JMP | BPF_K | test), distance(yes), distance(no), with});
        return &labels_.emplace_back(Label{reversed_.size(), false});
    }

    Label* architecture(const FilterArchitecture& one) {
        if (one.ranges.size() == 1) return node(one.ranges.front().node);
        const SearchTree tree(one.ranges);
        Label* top = search(one.ranges, tree, 0, one.ranges.size() - 1);
        if (top->from_end != reversed_.size()) push(go_to(*top));
        push(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
        return &labels_.emplace_back(Label{reversed_.size(), false});
    }

    Label* search(const std::vector<FilterRange>& ranges, const SearchTree& tree, std::size_t first, std::size_t last) {
        if (first == last) return node(ranges[first].node);
        const std::size_t cut = tree.cut(first, last);
        if (cut != first) {
            Label* upper = search(ranges, tree, cut, last);
            Label* lower = search(ranges, tree, first, cut - 1);
            return jump(BPF_JGE, ranges[cut].first, upper, lower);
        }
        const FilterNodeId background = tree.background(first, last).first;
        Label* next = node(background);
        // From behind: the lowest number is asked for first.
        for (std::size_t i = last + 1; i-- > first;) {
            if (ranges[i].node != background) next = jump(BPF_JEQ, ranges[i].first, node(ranges[i].node), next);
        }
        return next;
    }

    Label* node(FilterNodeId id) {
        const FilterNode& node = graph_.nodes()[id];
        if (node.is_answer) return answer(node.value);
        return &block(id).whole;
    }

    Label* answer(std::uint32_t value) {
        const auto [it, is_new] = answers_.try_emplace(value);
        if (is_new) {
            push(BPF_STMT(BPF_RET | BPF_K, value));
            it->second = {reversed_.size(), true};
        }
        return &it->second;
    }

    Label* after(const FilterNode& node, FilterNodeId next) {
        const FilterNode& target = graph_.nodes()[next];
        if (target.is_answer) return answer(target.value);
        Block& there = block(next);
        return shares_word(node, target) ? &there.loaded : &there.whole;
    }

    Block& block(FilterNodeId id) {
        if (const auto it = blocks_.find(id); it != blocks_.end()) return it->second;
        const FilterNode& node = graph_.nodes()[id];
        Label* no = after(node, node.no);
        Label* yes = after(node, node.yes);
        Block made;
        made.loaded = *jump(node.test, node.value, yes, no);
        if (needs_load_[id]) {
            if (node.mask != UINT32_MAX) push(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, node.mask));
            push(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, node.offset));
            made.whole = {reversed_.size(), false};
        }
        return blocks_[id] = made;
    }

    const FilterGraph& graph_;
    std::vector<bool> needs_load_;
    std::vector<std::uint64_t> reversed_;
    std::map<std::uint32_t, Label> answers_;
    std::map<FilterNodeId, Block> blocks_;
    std::deque<Label> labels_;  // they stay where they are
};

}  // namespace

FilterProgram shrink_filter(const FilterProgram& program) {
    if (program.instructions.empty()) return program;
    try {
        const FilterGraph graph(program);
        FilterProgram small = Layout(graph).program();
        return small.instructions.size() < program.instructions.size() ? small : program;
    } catch (const FilterGraphError&) {
        return program;
    }
}

}  // namespace sandbox
