#include "runtime/store/record.hpp"

#include "sandbox/os/sha256.hpp"

namespace runtime::store {

using sandbox::os::Digest;
using sandbox::os::Json;

namespace {

constexpr int format_version = 2;

Json to_json(const Object& object) {
    return {{"id", object.id.text()},
            {"bytes", object.bytes},
            {"entries", object.entries},
            {"directory", object.is_directory}};
}

Object object_from(const Json& json) {
    return {.id = Digest(json.at("id").get<std::string>()),
            .bytes = json.at("bytes").get<std::uint64_t>(),
            .entries = json.at("entries").get<std::uint64_t>(),
            .is_directory = json.at("directory").get<bool>()};
}

}  // namespace

Digest object_id(sandbox::IdMode mode, const std::string& digest) {
    return Digest(mode == sandbox::IdMode::range ? digest : sandbox::os::sha256_of("single " + digest));
}

std::uint64_t made_bytes(const Record& record) {
    std::uint64_t bytes = record.layer ? record.layer->bytes : 0;
    for (const auto& [name, object] : record.artifacts) bytes += object.bytes;
    return bytes;
}

Json to_json(const Usage& usage) {
    Json json = {
        {"seconds", usage.seconds},       {"cpu_seconds", usage.cpu_seconds},
        {"peak_bytes", usage.peak_bytes}, {"peak_of", usage.peak_of == PeakOf::whole_jail ? "jail" : "process"},
        {"read_bytes", usage.read_bytes}, {"written_bytes", usage.written_bytes}};
    if (usage.processes) json["processes"] = *usage.processes;
    if (usage.received_bytes) json["received_bytes"] = *usage.received_bytes;
    if (usage.sent_bytes) json["sent_bytes"] = *usage.sent_bytes;
    return json;
}

Usage usage_from(const Json& json) {
    const auto if_there = [&](const char* name) {
        return json.contains(name) ? std::optional(json.at(name).get<std::uint64_t>()) : std::nullopt;
    };
    return {.seconds = json.at("seconds").get<double>(),
            .cpu_seconds = json.at("cpu_seconds").get<double>(),
            .peak_bytes = json.at("peak_bytes").get<std::uint64_t>(),
            .peak_of = json.value("peak_of", "process") == "jail" ? PeakOf::whole_jail : PeakOf::largest_process,
            .read_bytes = if_there("read_bytes").value_or(0),
            .written_bytes = if_there("written_bytes").value_or(0),
            .processes = if_there("processes"),
            .received_bytes = if_there("received_bytes"),
            .sent_bytes = if_there("sent_bytes")};
}

Json to_json(const Record& record) {
    Json json = {{"format", format_version}, {"key", record.key},          {"pipeline", record.pipeline},
                 {"stage", record.stage},    {"run", record.run},          {"finished", record.finished},
                 {"tree", record.tree},      {"artifacts", Json::object()}};
    if (record.layer) json["layer"] = to_json(*record.layer);
    for (const auto& [name, object] : record.artifacts) json["artifacts"][name] = to_json(object);
    json["usage"] = to_json(record.usage);
    if (!record.denials.is_null()) json["denials"] = record.denials;
    json["components"] = record.components;
    if (!record.texts.empty()) json["texts"] = record.texts;
    if (!record.signature.is_null()) json["signature"] = record.signature;
    return json;
}

Record record_from(const Json& json) {
    if (json.at("format") != format_version) throw std::invalid_argument("a record of another format");
    Record record;
    record.key = Digest(json.at("key").get<std::string>()).text();
    record.components = json.at("components");
    record.pipeline = json.at("pipeline").get<std::string>();
    record.stage = json.at("stage").get<std::string>();
    record.run = json.at("run").get<std::string>();
    record.finished = json.at("finished").get<std::string>();
    // A stage on the host's root has no tree of its own.
    record.tree = json.at("tree").get<std::string>();
    if (!record.tree.empty()) record.tree = Digest(record.tree).text();
    if (json.contains("layer")) record.layer = object_from(json.at("layer"));
    for (const auto& [name, object] : json.at("artifacts").items()) {
        record.artifacts.insert_or_assign(name, object_from(object));
    }
    record.usage = usage_from(json.at("usage"));
    if (json.contains("denials")) record.denials = json.at("denials");
    if (json.contains("texts")) record.texts = json.at("texts").get<std::map<std::string, std::string>>();
    if (json.contains("signature")) record.signature = json.at("signature");
    return record;
}

}  // namespace runtime::store
