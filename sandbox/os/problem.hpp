// What is wrong, where, and what to do about it: one shape from where it is found to where it is printed, as a value
// and as the base of our exceptions.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace sandbox::os {

struct Problem {
    std::string what;         // one sentence: "mount overlay on /: Invalid argument"
    std::string remedy = {};  // a command or a step that mends it; empty where none is known
    std::string where = {};   // a file with its line, a path, a stage; empty where `what` says it
    bool operator==(const Problem&) const = default;
};

// The line under a message that says what to do, with the newline before it; empty without a remedy. All messages have
// theirs from here.
std::string help_line(std::string_view remedy);
// "WHERE: WHAT" and the line of help, as a terminal can show them.
std::string to_string(const Problem& problem);

// The base of every exception of ours. what() is the text for whoever prints no more than that.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& what) : Error(Problem{what}) {}
    explicit Error(const Problem& problem) : Error(text_of(problem), problem) {}
    [[nodiscard]] const Problem& problem() const noexcept { return problem_; }

  protected:
    // With a text of its own.
    Error(const std::string& text, Problem problem) : std::runtime_error(text), problem_(std::move(problem)) {}

  private:
    static std::string text_of(const Problem& problem);
    Problem problem_;
};

}  // namespace sandbox::os
