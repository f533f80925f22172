// What the parts that make a plan have in common: they add steps to it. Inside plan/ only.
#pragma once
#include <string>
#include <string_view>

#include "sandbox/os/format.hpp"
#include "sandbox/plan/plan.hpp"

namespace sandbox {

// Throws PlanError for a text that system calls would see only a part of.
void check_text(std::string_view what, std::string_view text);

class PlanWriter {
  public:
    explicit PlanWriter(Plan& plan) : plan_(plan) {}

    void add(const Step& step) { plan_.steps.push_back(step); }
    PlanText keep(std::string_view text) { return plan_.keep(text); }
    PlanBytes keep_bytes(std::string_view content) { return plan_.keep_bytes(content); }
    [[nodiscard]] int slots() const { return plan_.slots; }
    // step::OpenPath and the like: `source` of the host in the slot that is the next.
    template <class Opening>
    Slot open(std::string_view source) {
        check_source(source);
        const Slot slot{plan_.slots++};
        add(Opening{slot, keep(source)});
        return slot;
    }

  private:
    static void check_source(std::string_view source);

    Plan& plan_;
};

// The network namespace's interface and the host's name, where the jail has its own.
void add_names(PlanWriter& to, const Spec& spec);
// The command of the plan. Its program is looked for in `standard_path` where its environment has no PATH.
void add_command(Plan& plan, const Command& command, std::string_view standard_path);

}  // namespace sandbox
