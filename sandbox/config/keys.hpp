// What a key of a TOML file is, as data: a row with its name, what may be written as its value, whether it must be
// there, whether it changes what a stage results in, and a line that says what it is for. Each kind of table (a stage,
// limits, a profile) has an array of rows; a row has beside its KeyInfo what its table needs, mostly the function that
// reads the value:
//
//   struct RetryKey {
//       KeyInfo info;
//       void (*read)(const ConfigValue& value, Retry& retry);
//   };
//   constexpr std::array retry_keys = {RetryKey{{"max", shape::whole_from(1, 100), ...}, read_max}, ...};
//
// The hint for an unknown key, the JSON Schema and the manual's list are made of the rows: no second list is kept by
// hand.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sandbox/config/config.hpp"

namespace sandbox {

struct KeyInfo;

// What may be written as a value. The function that reads a key decides; its shape says the same to people and
// programs.
struct Shape {
    enum class Kind : std::uint8_t {
        text,
        truth,
        whole,   // an integer
        number,  // an integer, or one with a fraction
        list,    // an array of `of`
        names,   // a table with names of the user's own, each with `of` as its value
        table,   // a table with these `keys`
        either,  // one of two shapes, `of` and `other`
    };
    Kind kind = Kind::text;
    std::span<const std::string_view> words = {};  // text: one of these; empty: any
    // text: the regular expression (ECMA-262) that it matches; names: the one for the names; empty: any.
    std::string_view pattern = {};
    std::int64_t least = std::numeric_limits<std::int64_t>::min();  // whole
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const Shape* of = nullptr;
    const Shape* other = nullptr;
    std::vector<KeyInfo> (*keys)() = nullptr;
    std::span<const std::string_view> exactly_one = {};  // table: of these keys, exactly one is there
};

// The shapes that keys are made of: shape::text, shape::list_of(...).
namespace shape {

inline constexpr Shape text;
inline constexpr Shape truth{.kind = Shape::Kind::truth};
inline constexpr Shape number{.kind = Shape::Kind::number};
inline constexpr Shape list_of_texts{.kind = Shape::Kind::list, .of = &text};
inline constexpr Shape names_of_texts{.kind = Shape::Kind::names, .of = &text};

constexpr Shape one_of(std::span<const std::string_view> words) {
    return {.words = words};
}
constexpr Shape text_like(std::string_view pattern) {
    return {.pattern = pattern};
}
constexpr Shape whole_from(std::int64_t least, std::int64_t most) {
    return {.kind = Shape::Kind::whole, .least = least, .most = most};
}
constexpr Shape list_of(const Shape& element) {
    return {.kind = Shape::Kind::list, .of = &element};
}
constexpr Shape table_of(std::vector<KeyInfo> (*keys)(), std::span<const std::string_view> exactly_one = {}) {
    return {.kind = Shape::Kind::table, .keys = keys, .exactly_one = exactly_one};
}
constexpr Shape either(const Shape& one, const Shape& other) {
    return {.kind = Shape::Kind::either, .of = &one, .other = &other};
}

}  // namespace shape

enum class Presence : std::uint8_t { optional, required };

// Whether a stage's result can depend on the value, so that it belongs to the stage's action key. A row has to say it:
// a key that nobody has thought about is not accepted.
enum class Effect : std::uint8_t {
    undecided,
    on_result,
    none,
    of_its_keys,  // a table, each key of which says it for itself
};

struct KeyInfo {
    std::string_view name;
    Shape shape;
    std::string_view standard;  // what holds where the key is not there, as it would be written; empty: nothing to say
    Presence presence = Presence::optional;
    Effect effect = Effect::undecided;
    std::string_view doc;  // one line, a sentence without its full stop
};

// Whether everything is said that a row has to say.
constexpr bool is_complete(const KeyInfo& info) {
    return !info.name.empty() && info.effect != Effect::undecided && !info.doc.empty();
}

template <class Rows>
std::vector<KeyInfo> infos_of(const Rows& rows) {
    std::vector<KeyInfo> infos;
    for (const auto& row : rows) infos.push_back(row.info);
    return infos;
}

template <class Row, std::size_t count>
constexpr std::array<std::string_view, count> names_in(const std::array<Row, count>& rows) {
    std::array<std::string_view, count> names;
    std::ranges::transform(rows, names.begin(), [](const Row& row) { return row.info.name; });
    return names;
}

inline std::vector<std::string_view> names_of(const std::vector<KeyInfo>& infos) {
    std::vector<std::string_view> names;
    for (const KeyInfo& info : infos) names.push_back(info.name);
    return names;
}

// nullptr where no row has the name.
template <class Rows>
auto find_row(const Rows& rows, std::string_view name) -> decltype(&*std::ranges::begin(rows)) {
    for (const auto& row : rows) {
        if (row.info.name == name) return &row;
    }
    return nullptr;
}

// Calls `read` with the row and the entry of each key, in the order of the file. Throws for a key that has no row.
template <class Rows, class Read>
void for_each_key(const ConfigTable& table, const Rows& rows, Read&& read) {
    for (const ConfigEntry& entry : table.entries()) {
        const auto* const row = find_row(rows, entry.key);
        if (row == nullptr) throw table.unknown_key(entry, names_of(infos_of(rows)));
        read(*row, entry);
    }
}

// Throws for the first key that has to be there and is not.
template <class Rows>
void require_keys(const ConfigTable& table, const Rows& rows) {
    for (const auto& row : rows) {
        if (row.info.presence == Presence::required) static_cast<void>(table.require(row.info.name));
    }
}

// A word of a file, and what it stands for.
template <class Meaning>
struct Word {
    std::string_view word;
    Meaning meaning;
};

template <class Meaning, std::size_t count>
constexpr std::array<std::string_view, count> words_in(const std::array<Word<Meaning>, count>& all) {
    std::array<std::string_view, count> words;
    std::ranges::transform(all, words.begin(), &Word<Meaning>::word);
    return words;
}

template <class Meaning, std::size_t count>
constexpr std::optional<Meaning> find_word(std::string_view word, const std::array<Word<Meaning>, count>& all) {
    const auto found = std::ranges::find(all, word, &Word<Meaning>::word);
    return found == all.end() ? std::nullopt : std::optional(found->meaning);
}

template <class Meaning, std::size_t count>
Meaning read_word(const ConfigValue& value, const std::array<Word<Meaning>, count>& all) {
    const std::string& word = value.as_one_of(words_in(all));
    return std::ranges::find(all, word, &Word<Meaning>::word)->meaning;
}

template <class Meaning, std::size_t count>
constexpr std::string_view word_for(Meaning meaning, const std::array<Word<Meaning>, count>& all) {
    return std::ranges::find(all, meaning, &Word<Meaning>::meaning)->word;
}

}  // namespace sandbox
