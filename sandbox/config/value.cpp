// What the values of config/config.hpp say about themselves; reading is in config/config.cpp.
#include <algorithm>

#include "sandbox/config/config.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox {
namespace {

using os::did_you_mean;
using os::list_choices;
using os::list_words;
using os::printable;
using os::printable_characters;
using os::quote;

// A line longer than this is shown from some way before the place that matters.
constexpr std::size_t widest_line = 100;
constexpr std::size_t shown_before = 60;

std::string show_line(ConfigPosition at, std::string_view line) {
    const std::vector<std::string_view> characters = printable_characters(line);
    const std::size_t column = std::min<std::size_t>(at.column == 0 ? 1 : at.column, characters.size() + 1);
    std::size_t begin = 0;
    std::size_t end = characters.size();
    if (characters.size() > widest_line) {
        if (column > shown_before) begin = column - shown_before;
        end = std::min(characters.size(), begin + widest_line);
    }
    std::string shown;
    std::string caret;
    for (std::size_t i = begin; i < end; ++i) shown += characters[i];
    // A tab under a tab, so that the caret stands right whatever width the terminal gives it.
    for (std::size_t i = begin; i + 1 < column; ++i) caret += characters[i] == "\t" ? '\t' : ' ';
    return os::format("\n{:5} | {}\n      | {}^", at.line, shown, caret);
}

std::string place_of(const std::string& file, ConfigPosition at) {
    return at.line > 0 ? os::format("{}:{}:{}", file, at.line, at.column) : file;
}

std::string error_text(const os::Problem& problem, ConfigPosition at, std::string_view line) {
    std::string text = os::format("{}: error: {}", printable(problem.where), printable(problem.what));
    if (at.line > 0 && !line.empty()) text += show_line(at, line);
    return text + os::help_line(problem.remedy);
}

}  // namespace

ConfigError::ConfigError(std::string file, ConfigPosition at, std::string message, std::string hint,
                         std::string_view source_line)
    : ConfigError(os::Problem{std::move(message), std::move(hint), place_of(file, at)}, file, at, source_line) {}

ConfigError::ConfigError(os::Problem problem, std::string file, ConfigPosition at, std::string_view source_line)
    : Error(error_text(problem, at, source_line), problem), file_(std::move(file)), at_(at) {}

ConfigSource::ConfigSource(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
    line_starts_.push_back(0);
    for (std::size_t i = 0; i < text_.size(); ++i) {
        if (text_[i] == '\n') line_starts_.push_back(i + 1);
    }
}

bool ConfigSource::has_line(unsigned number) const noexcept {
    return number > 0 && number <= line_starts_.size();
}

std::string_view ConfigSource::line(unsigned number) const noexcept {
    if (!has_line(number)) return {};
    const std::size_t begin = line_starts_[number - 1];
    const std::size_t end = number < line_starts_.size() ? line_starts_[number] - 1 : text_.size();
    std::string_view line(text_.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

ConfigError ConfigSource::error(ConfigPosition at, std::string message, std::string hint) const {
    return {name_, at, std::move(message), std::move(hint), line(at.line)};
}

ConfigTable::ConfigTable(std::shared_ptr<const ConfigSource> source, ConfigPosition at, std::string path,
                         std::vector<ConfigEntry> entries)
    : source_(std::move(source)), at_(at), path_(std::move(path)), entries_(std::move(entries)) {}

const ConfigValue* ConfigTable::find(std::string_view key) const noexcept {
    const auto found = std::ranges::find(entries_, key, &ConfigEntry::key);
    return found == entries_.end() ? nullptr : &found->value;
}

const ConfigValue& ConfigTable::require(std::string_view key) const {
    if (const ConfigValue* value = find(key)) return *value;
    throw error(path_.empty() ? os::format("the file needs the key {}", quote(key))
                              : os::format("{} needs the key {}", path_, quote(key)));
}

void ConfigTable::allow_only(std::initializer_list<std::string_view> known) const {
    const std::span<const std::string_view> words(known.begin(), known.size());
    for (const ConfigEntry& entry : entries_) {
        if (std::ranges::find(words, entry.key) == words.end()) throw unknown_key(entry, words);
    }
}

ConfigError ConfigTable::unknown_key(const ConfigEntry& entry, std::span<const std::string_view> known) const {
    std::string hint = did_you_mean(entry.key, known);
    if (hint.empty()) hint = os::format("the keys known here are {}", list_words(known));
    std::string where = path_.empty() ? "at the top of the file" : os::format("in {}", path_);
    return source_->error(entry.key_at, os::format("unknown key {} {}", quote(entry.key), where), std::move(hint));
}

ConfigError ConfigTable::error(std::string message, std::string hint) const {
    return source_->error(at_, std::move(message), std::move(hint));
}

ConfigValue::ConfigValue(std::shared_ptr<const ConfigSource> source, ConfigPosition at, std::string path,
                         Content content)
    : source_(std::move(source)), at_(at), path_(std::move(path)), content_(std::move(content)) {}

std::string ConfigValue::found() const {
    struct Describe {
        std::string operator()(const std::string& text) const { return "the string " + quote(text); }
        std::string operator()(std::int64_t number) const { return os::format("the integer {}", number); }
        std::string operator()(double number) const { return os::format("the number {}", number); }
        std::string operator()(bool truth) const { return truth ? "the boolean true" : "the boolean false"; }
        std::string operator()(ConfigDate) const { return "a date or time"; }
        std::string operator()(const std::vector<ConfigValue>&) const { return "an array"; }
        std::string operator()(const ConfigTable&) const { return "a table"; }
    };
    return std::visit(Describe{}, content_);
}

ConfigError ConfigValue::wrong_type(std::string_view wanted) const {
    return error(os::format("{} must be {}, but is {}", path_, wanted, found()));
}

const std::string& ConfigValue::as_string() const {
    if (const auto* text = std::get_if<std::string>(&content_)) return *text;
    throw wrong_type("a string");
}

std::int64_t ConfigValue::as_integer() const {
    if (const auto* number = std::get_if<std::int64_t>(&content_)) return *number;
    throw wrong_type("an integer");
}

double ConfigValue::as_number() const {
    if (const auto* number = std::get_if<double>(&content_)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&content_)) return static_cast<double>(*number);
    throw wrong_type("a number");
}

bool ConfigValue::as_boolean() const {
    if (const auto* truth = std::get_if<bool>(&content_)) return *truth;
    throw wrong_type("a boolean, true or false");
}

const std::vector<ConfigValue>& ConfigValue::as_array() const {
    if (const auto* array = std::get_if<std::vector<ConfigValue>>(&content_)) return *array;
    throw wrong_type("an array");
}

std::vector<std::string> ConfigValue::as_strings() const {
    if (!is_array()) throw wrong_type("an array of strings");
    std::vector<std::string> result;
    for (const ConfigValue& element : as_array()) result.push_back(element.as_string());
    return result;
}

const ConfigTable& ConfigValue::as_table() const {
    if (const auto* table = std::get_if<ConfigTable>(&content_)) return *table;
    throw wrong_type("a table");
}

const std::string& ConfigValue::as_one_of(std::span<const std::string_view> words) const {
    if (is_string() && std::ranges::find(words, as_string()) != words.end()) return as_string();
    throw error(os::format("{} must be {}, but is {}", path_, list_choices(words), found()),
                is_string() ? did_you_mean(as_string(), words) : std::string());
}

const std::string& ConfigValue::as_one_of(std::initializer_list<std::string_view> words) const {
    return as_one_of(std::span(words.begin(), words.size()));
}

ConfigError ConfigValue::error(std::string message, std::string hint) const {
    return source_->error(at_, std::move(message), std::move(hint));
}

}  // namespace sandbox
