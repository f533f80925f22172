#include "runtime/store/record.hpp"

namespace runtime::store {

using sandbox::os::Json;

namespace {

constexpr int format_version = 1;

Json to_json(const Object& object) {
    return {
        {"id", object.id}, {"bytes", object.bytes}, {"entries", object.entries}, {"directory", object.is_directory}};
}

Object object_from(const Json& json) {
    return {.id = json.at("id").get<std::string>(),
            .bytes = json.at("bytes").get<std::uint64_t>(),
            .entries = json.at("entries").get<std::uint64_t>(),
            .is_directory = json.at("directory").get<bool>()};
}

}  // namespace

Json to_json(const Record& record) {
    Json json = {{"format", format_version}, {"key", record.key},          {"pipeline", record.pipeline},
                 {"stage", record.stage},    {"run", record.run},          {"finished", record.finished},
                 {"tree", record.tree},      {"artifacts", Json::object()}};
    if (record.layer) json["layer"] = to_json(*record.layer);
    for (const auto& [name, object] : record.artifacts) json["artifacts"][name] = to_json(object);
    json["usage"] = {{"seconds", record.usage.seconds},
                     {"cpu_seconds", record.usage.cpu_seconds},
                     {"peak_bytes", record.usage.peak_bytes}};
    if (!record.denials.is_null()) json["denials"] = record.denials;
    json["components"] = record.components;
    return json;
}

Record record_from(const Json& json) {
    if (json.at("format") != format_version) throw std::invalid_argument("a record of another format");
    Record record;
    record.key = json.at("key").get<std::string>();
    record.components = json.at("components");
    record.pipeline = json.at("pipeline").get<std::string>();
    record.stage = json.at("stage").get<std::string>();
    record.run = json.at("run").get<std::string>();
    record.finished = json.at("finished").get<std::string>();
    record.tree = json.at("tree").get<std::string>();
    if (json.contains("layer")) record.layer = object_from(json.at("layer"));
    for (const auto& [name, object] : json.at("artifacts").items()) record.artifacts[name] = object_from(object);
    record.usage = {.seconds = json.at("usage").at("seconds").get<double>(),
                    .cpu_seconds = json.at("usage").at("cpu_seconds").get<double>(),
                    .peak_bytes = json.at("usage").at("peak_bytes").get<std::uint64_t>()};
    if (json.contains("denials")) record.denials = json.at("denials");
    return record;
}

}  // namespace runtime::store
