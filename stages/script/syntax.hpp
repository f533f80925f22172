// A shell script as values: what it calls, which functions it has, what stands at its top. Made from the syntax tree of
// a real shell grammar, never by looking for words in text. Starts no parser, and does not know what a call does.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/json.hpp"
#include "sandbox/os/problem.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages::script {

// Bytes of the script's text.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
    [[nodiscard]] bool holds(Span other) const noexcept { return begin <= other.begin && other.end <= end; }
    bool operator==(const Span&) const = default;
};

struct Word {
    std::string text;  // as it is written
    // What it can stand for, without quotes; never empty. Variables that the script sets once, or to the words of one
    // loop, are replaced; any other expansion stays as it is written, a plain one as $NAME.
    std::vector<std::string> values;
    Span span;
    [[nodiscard]] const std::string& value() const { return values.front(); }
};

// A simple command with its arguments, its assignments left out.
struct Call {
    std::vector<Word> words;  // never empty
    Span span;                // from the first word to the last
    std::string function;     // the function whose body has it; empty: none
    // In a text that the script hands to a shell inside a chroot.
    bool is_in_chroot = false;
    // Whether the script's bytes at `span` are the command as it runs: not so where a string had escapes in it.
    bool is_verbatim = true;
};

// A redirection that writes to a file.
struct Write {
    Word target;
    std::string function;
    bool is_in_chroot = false;
};

struct Statement {
    Span span;
    std::string declares;                 // the function; empty where it is none
    std::string loop_variable;            // of `for NAME in WORDS`
    std::vector<std::string> loop_words;  // their values
};

struct Function {
    std::string name;
    Span span;
    std::vector<Statement> body;
};

struct Comment {
    Span span;         // with the #
    std::string text;  // without it
    unsigned line = 0;
};

// A variable where it is set, or where its value is asked for.
struct Mention {
    std::string name;
    Span span;
};

// A part that the grammar could not read: text that becomes a script only when the script runs.
struct Unread {
    Span span;
    std::string why;
};

struct Script {
    std::string name;  // what messages call it
    std::string text;
    std::string interpreter;  // its first line after #!; empty: it has none
    // Of one that another script reads with "." or "source": as which input the drafted stages see it.
    std::string input_name;
    [[nodiscard]] bool is_sourced() const noexcept { return !input_name.empty(); }

    // Each in the order of the text.
    std::vector<Statement> statements;
    std::vector<Function> functions;
    std::vector<Call> calls;
    std::vector<Write> writes;
    std::vector<Comment> comments;
    std::vector<Mention> settings;
    std::vector<Mention> uses;
    std::vector<Unread> unread;
    // Files that it reads with "." or "source" and that were read too: by their path beside it, their input_name.
    std::map<std::string, std::string> followed;
    // Functions that run their arguments as a command; whether in a chroot.
    std::map<std::string, bool> runners;

    // Lines and columns count from 1, columns in characters.
    [[nodiscard]] Position at(std::size_t offset) const;
    [[nodiscard]] std::string_view slice(Span span) const;
    [[nodiscard]] const Function* find(std::string_view function) const;
};

// The syntax tree of a text, as `shfmt --to-json` writes it. Throws SyntaxFault.
using Parse = std::function<sandbox::os::Json(std::string_view text)>;

class SyntaxFault : public sandbox::os::Error {
  public:
    SyntaxFault(Position at, const std::string& message) : Error(message), at_(at) {}
    [[nodiscard]] Position at() const noexcept { return at_; }

  private:
    Position at_;
};

// Texts that the script hands to a shell (sh -c, eval, trap, a here-document) are read with it. Throws SyntaxFault for
// a fault in the script itself; in such a text it is an Unread.
Script read_script(std::string name, std::string text, const Parse& parse);

// Whether a first line names a shell: "#!/bin/sh", "#!/usr/bin/env bash".
bool is_shell(std::string_view first_line);

}  // namespace stages::script
