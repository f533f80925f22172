#include "stages/pipeline/schema.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/pipeline_file.hpp"
#include "stages/pipeline/stage_keys.hpp"
#include "stages/pipeline/stage_reader.hpp"

namespace stages {
namespace {

using sandbox::Effect;
using sandbox::KeyInfo;
using sandbox::Shape;
using sandbox::os::format;
using sandbox::os::Json;

Json schema_of(const Shape& shape);

Json text_schema(const Shape& shape) {
    Json schema = {{"type", "string"}};
    if (!shape.words.empty()) schema["enum"] = std::vector<std::string_view>(shape.words.begin(), shape.words.end());
    if (!shape.pattern.empty()) schema["pattern"] = shape.pattern;
    return schema;
}

Json whole_schema(const Shape& shape) {
    Json schema = {{"type", "integer"}};
    if (shape.least != std::numeric_limits<std::int64_t>::min()) schema["minimum"] = shape.least;
    if (shape.most != std::numeric_limits<std::int64_t>::max()) schema["maximum"] = shape.most;
    return schema;
}

Json names_schema(const Shape& shape) {
    Json schema = {{"type", "object"}};
    if (!shape.pattern.empty()) schema["propertyNames"] = {{"pattern", shape.pattern}};
    schema["additionalProperties"] = schema_of(*shape.of);
    return schema;
}

Json table_schema(const Shape& shape) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const KeyInfo& key : shape.keys()) {
        Json schema = schema_of(key.shape);
        schema["description"] = key.doc;
        if (!key.standard.empty()) schema["default"] = Json::parse(key.standard);
        properties[std::string(key.name)] = std::move(schema);
        if (key.presence == sandbox::Presence::required) required.push_back(key.name);
    }
    Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    for (const std::string_view name : shape.exactly_one) schema["oneOf"].push_back({{"required", {name}}});
    schema["additionalProperties"] = false;
    return schema;
}

Json schema_of(const Shape& shape) {
    switch (shape.kind) {
        case Shape::Kind::text: return text_schema(shape);
        case Shape::Kind::truth: return {{"type", "boolean"}};
        case Shape::Kind::whole: return whole_schema(shape);
        case Shape::Kind::number: return {{"type", "number"}};
        case Shape::Kind::list: return {{"type", "array"}, {"items", schema_of(*shape.of)}};
        case Shape::Kind::names: return names_schema(shape);
        case Shape::Kind::table: return table_schema(shape);
        case Shape::Kind::either: break;
    }
    Json choices = Json::array();
    choices.push_back(schema_of(*shape.of));
    choices.push_back(schema_of(*shape.other));
    return {{"anyOf", std::move(choices)}};
}

constexpr Shape file_shape = sandbox::shape::table_of(top_infos);

std::string plural(const Shape& shape) {
    if (shape.kind == Shape::Kind::either) return format("{} or {}", plural(*shape.of), plural(*shape.other));
    return type_name(shape) + 's';
}

// What may be written, as precisely as a cell can say it.
std::string value_cell(const KeyInfo& key) {
    if (key.shape.words.empty()) return type_name(key.shape);
    std::string choices;
    for (const std::string_view word : key.shape.words)
        sandbox::os::append_part(choices, ", ", format("`\"{}\"`", word));
    return choices;
}

std::string_view effect_cell(Effect effect) {
    switch (effect) {
        case Effect::on_result: return "yes";
        case Effect::none: return "no";
        case Effect::of_its_keys: return "its keys";
        case Effect::undecided: break;
    }
    return "?";
}

// The table below the value of a key, and how the path to it goes on.
struct Below {
    const Shape* table = nullptr;
    std::string path;
};

Below below(const Shape& shape, const std::string& path) {
    switch (shape.kind) {
        case Shape::Kind::table: return {&shape, path};
        case Shape::Kind::names: return below(*shape.of, path + ".NAME");
        case Shape::Kind::list: return below(*shape.of, path + "[]");
        case Shape::Kind::either: {
            const Below one = below(*shape.of, path);
            return one.table != nullptr ? one : below(*shape.other, path);
        }
        default: return {};
    }
}

bool is_among(const std::vector<KeyInfo>& keys, std::string_view name) {
    return std::ranges::find(keys, name, &KeyInfo::name) != keys.end();
}

std::string line_for(const KeyInfo& key, const std::string& path, bool is_default_too) {
    const char* must = key.presence == sandbox::Presence::required ? "; required" : "";
    const std::string standard = key.standard.empty() ? std::string() : format("; else `{}`", key.standard);
    return format("| `{}` | {}{}{} | {} | {} | {} |\n", path, value_cell(key), must, standard,
                  is_default_too ? "yes" : "", effect_cell(key.effect), key.doc);
}

void add_lines(const std::vector<KeyInfo>& keys, const std::string& before, std::string& lines) {
    for (const KeyInfo& key : keys) {
        const std::string path = before.empty() ? std::string(key.name) : format("{}.{}", before, key.name);
        const bool is_default_too = before == "stage.NAME" && is_among(default_infos(), key.name);
        lines += line_for(key, path, is_default_too);
        const Below next = below(key.shape, path);
        if (next.table == nullptr) continue;
        std::vector<KeyInfo> there = next.table->keys();
        // Those of [defaults] that are keys of stages are listed there.
        if (path == "defaults")
            std::erase_if(there, [](const KeyInfo& one) { return is_among(stage_infos(), one.name); });
        add_lines(there, next.path, lines);
    }
}

}  // namespace

std::string type_name(const Shape& shape) {
    switch (shape.kind) {
        case Shape::Kind::text: return "string";
        case Shape::Kind::truth: return "boolean";
        case Shape::Kind::whole: return "integer";
        case Shape::Kind::number: return "number";
        case Shape::Kind::list: return format("array of {}", plural(*shape.of));
        case Shape::Kind::names: return format("table of {}", plural(*shape.of));
        case Shape::Kind::table: return "table";
        case Shape::Kind::either: break;
    }
    return format("{} or {}", type_name(*shape.of), type_name(*shape.other));
}

Json pipeline_schema() {
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                   {"title", "A pipeline of Stagebox: stagebox.toml"}};
    schema.update(table_schema(file_shape));
    return schema;
}

std::string key_list() {
    std::string lines = "| key | value | in [defaults] | in the key of a stage | what it is |\n|---|---|---|---|---|\n";
    add_lines(top_infos(), {}, lines);
    return lines;
}

}  // namespace stages
