// A script's text as a stage can run it: what does not work in a jail, or is Stagebox's own part there, does nothing
// any more. Its words stay where they are, so that the text is still the script's.
#pragma once
#include <string>
#include <vector>

#include "stages/script/hazards.hpp"

namespace stages::script {

class Editor {
  public:
    explicit Editor(const Script& script);
    // The text at these places, with their edits.
    [[nodiscard]] std::string text_of(const std::vector<Span>& spans) const;
    // What was edited there, or should have been; comments, each line beginning with "# ".
    [[nodiscard]] std::string notes_on(const std::vector<Span>& spans) const;
    [[nodiscard]] const std::vector<Finding>& findings() const noexcept { return findings_; }
    // Whether the command does nothing after the edits.
    [[nodiscard]] bool is_stilled(const Command& command) const;

  private:
    struct Edit {
        Span span;
        std::string text;  // in its place
    };
    void edit_call(const Call& call);
    void edit_write(const Write& write);
    void edit_source(const Command& command);
    void replace(Span span, std::string text);

    const Script& script_;
    std::vector<Finding> findings_;  // those that are not carried over as they are
    std::vector<Edit> edits_;        // by place
    std::vector<Span> stilled_;
};

}  // namespace stages::script
