// A strict reader of TOML files: a tree of values, each of which knows where it was written and can say what
// is wrong with it. Pipeline files and profiles are read through this. Knows nothing of what any key means.
//
// The tree is a plain copy: toml++ is included by config/config.cpp alone, and no value refers to the parser. Words
// for error messages (quoting, "did you mean") are in os/text.hpp.
//   ConfigTable file = read_config("profile.toml");
//   file.allow_only({"version", "limits"});
//   std::int64_t version = file.require("version").as_integer();
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sandbox/os/problem.hpp"

namespace sandbox {

// Lines and columns count from 1; columns count characters, not bytes. Line 0: the file as a whole.
struct ConfigPosition {
    unsigned line = 0;
    unsigned column = 0;
    bool operator==(const ConfigPosition&) const = default;
    bool operator<(const ConfigPosition& other) const noexcept {
        return line != other.line ? line < other.line : column < other.column;
    }
};

// A file that cannot be used as it is written. what() is the finished text, without a newline at its end:
//   FILE:LINE:COLUMN: error: MESSAGE
//      12 | form = "host"
//         | ^
//     help: HINT
// The source line is left out where it is not known, the help line where there is no hint. Whatever the file
// contains, the text has no control characters: it may go to a terminal.
class ConfigError : public os::Error {
  public:
    ConfigError(std::string file, ConfigPosition at, std::string message, std::string hint = {},
                std::string_view source_line = {});
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] ConfigPosition at() const noexcept { return at_; }
    [[nodiscard]] unsigned line() const noexcept { return at_.line; }
    [[nodiscard]] unsigned column() const noexcept { return at_.column; }

  private:
    ConfigError(os::Problem problem, std::string file, ConfigPosition at, std::string_view source_line);

    std::string file_;
    ConfigPosition at_;
};

// The text that was read and the name it goes by in errors; shared by all values of one file.
class ConfigSource {
  public:
    ConfigSource(std::string name, std::string text);
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool has_line(unsigned number) const noexcept;
    // Without its newline; empty where there is no such line.
    [[nodiscard]] std::string_view line(unsigned number) const noexcept;
    [[nodiscard]] ConfigError error(ConfigPosition at, std::string message, std::string hint = {}) const;

  private:
    std::string name_;
    std::string text_;
    std::vector<std::size_t> line_starts_;
};

struct ConfigEntry;
class ConfigValue;

// The keys of one table, in the order of the file.
class ConfigTable {
  public:
    ConfigTable(std::shared_ptr<const ConfigSource> source, ConfigPosition at, std::string path,
                std::vector<ConfigEntry> entries);

    [[nodiscard]] ConfigPosition at() const noexcept { return at_; }
    // The table's dotted name, "stage.rootfs"; empty for the file's top.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::vector<ConfigEntry>& entries() const noexcept { return entries_; }
    [[nodiscard]] const ConfigSource& source() const noexcept { return *source_; }

    // The value of a key; nullptr where it is not there. Linear: for tables whose keys are known by name.
    [[nodiscard]] const ConfigValue* find(std::string_view key) const noexcept;
    // The value of a key that must be there.
    [[nodiscard]] const ConfigValue& require(std::string_view key) const;
    // Throws for the first key, in the order of the file, that is not in `known`; says what was probably
    // meant.
    void allow_only(std::initializer_list<std::string_view> known) const;
    // The error for a key that nobody knows, for callers that walk the entries themselves.
    [[nodiscard]] ConfigError unknown_key(const ConfigEntry& entry, std::span<const std::string_view> known) const;
    // An error that points at the table itself: at its header, or at its opening brace.
    [[nodiscard]] ConfigError error(std::string message, std::string hint = {}) const;

  private:
    std::shared_ptr<const ConfigSource> source_;
    ConfigPosition at_;
    std::string path_;
    std::vector<ConfigEntry> entries_;
};

// A date or time of TOML: nothing reads one, but an error must be able to say that one was found.
struct ConfigDate {};

// One value. The as_...() functions throw a ConfigError that says what was meant and what was found.
class ConfigValue {
  public:
    using Content =
        std::variant<std::string, std::int64_t, double, bool, ConfigDate, std::vector<ConfigValue>, ConfigTable>;
    ConfigValue(std::shared_ptr<const ConfigSource> source, ConfigPosition at, std::string path, Content content);

    [[nodiscard]] ConfigPosition at() const noexcept { return at_; }
    // The value's dotted name: "stage.rootfs.from", "stage.squash.run[2]".
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // What it is, for a sentence: "a string", "the integer 3", "an array".
    [[nodiscard]] std::string found() const;

    [[nodiscard]] bool is_string() const noexcept { return std::holds_alternative<std::string>(content_); }
    [[nodiscard]] bool is_integer() const noexcept { return std::holds_alternative<std::int64_t>(content_); }
    // An integer, or one with a fraction.
    [[nodiscard]] bool is_number() const noexcept { return is_integer() || std::holds_alternative<double>(content_); }
    [[nodiscard]] bool is_array() const noexcept { return std::holds_alternative<std::vector<ConfigValue>>(content_); }
    [[nodiscard]] bool is_table() const noexcept { return std::holds_alternative<ConfigTable>(content_); }

    [[nodiscard]] const std::string& as_string() const;
    [[nodiscard]] std::int64_t as_integer() const;
    [[nodiscard]] double as_number() const;
    [[nodiscard]] bool as_boolean() const;
    [[nodiscard]] const std::vector<ConfigValue>& as_array() const;
    // An array of strings and of nothing else.
    [[nodiscard]] std::vector<std::string> as_strings() const;
    [[nodiscard]] const ConfigTable& as_table() const;
    // A string that is one of `words`; else an error that lists them.
    [[nodiscard]] const std::string& as_one_of(std::span<const std::string_view> words) const;
    [[nodiscard]] const std::string& as_one_of(std::initializer_list<std::string_view> words) const;

    // An error that points at this value.
    [[nodiscard]] ConfigError error(std::string message, std::string hint = {}) const;

  private:
    [[nodiscard]] ConfigError wrong_type(std::string_view wanted) const;

    std::shared_ptr<const ConfigSource> source_;
    ConfigPosition at_;
    std::string path_;
    Content content_;
};

struct ConfigEntry {
    std::string key;
    ConfigPosition key_at;
    ConfigValue value;
};

// Reads and parses a file. Throws ConfigError for everything, a file that cannot be read included: for the
// user both are the same mistake. `name` is how errors call the file.
ConfigTable read_config(const std::string& path, const std::string& name);
ConfigTable read_config(const std::string& path);
// The same from memory.
ConfigTable parse_config(std::string text, std::string name);

}  // namespace sandbox
