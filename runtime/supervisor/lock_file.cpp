#include "runtime/supervisor/lock_file.hpp"

#include <fcntl.h>

#include "sandbox/config/config.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::supervisor {

using sandbox::ConfigTable;
using sandbox::os::format;

namespace {

constexpr std::int64_t file_version = 2;
constexpr const char* file_name = "stagebox.lock";
constexpr const char* head =
    "# What the network gave to the stages that use it, by digest. Written by stagebox; commit it beside the "
    "pipeline.\n"
    "# A build says where it has another result, and `--locked` refuses it; `--refresh STAGE` notes a new one.\n"
    "version = 2\n";

std::string object_text(const store::Object& object) {
    return format("{{ id = \"{}\", bytes = {}, entries = {}, type = \"{}\" }}", object.id.text(), object.bytes,
                  object.entries, object.is_directory ? "directory" : "file");
}

// What is a path in the store, or a part of a key, comes from a file that came with a repository.
sandbox::os::Digest read_digest(const sandbox::ConfigValue& value) {
    if (auto digest = sandbox::os::Digest::parse(value.as_string())) return *std::move(digest);
    throw value.error(
        format("{} must be a digest, 64 lower-case hexadecimal digits, but is {}", value.path(), value.found()),
        "take the file as stagebox wrote it from where it is kept; or delete the stage's part of it, and the next "
        "build pins "
        "what it gets");
}

// A stage on the host's root has no tree of its own.
std::string read_tree(const sandbox::ConfigValue& value) {
    return value.as_string().empty() ? std::string() : read_digest(value).text();
}

store::Object read_object(const ConfigTable& table) {
    table.allow_only({"id", "bytes", "entries", "type"});
    return {.id = read_digest(table.require("id")),
            .bytes = static_cast<std::uint64_t>(table.require("bytes").as_integer()),
            .entries = static_cast<std::uint64_t>(table.require("entries").as_integer()),
            .is_directory = table.require("type").as_one_of({"directory", "file"}) == "directory"};
}

Pin read_pin(const ConfigTable& table) {
    table.allow_only({"key", "tree", "layer", "artifact"});
    Pin pin;
    pin.key = read_digest(table.require("key")).text();
    pin.tree = read_tree(table.require("tree"));
    if (const auto* layer = table.find("layer")) pin.layer = read_object(layer->as_table());
    if (const auto* artifacts = table.find("artifact")) {
        for (const auto& entry : artifacts->as_table().entries()) {
            pin.artifacts.insert_or_assign(entry.key, read_object(entry.value.as_table()));
        }
    }
    return pin;
}

}  // namespace

LockFile::LockFile(const std::string& directory) : directory_(directory) {
    const std::string path = directory + "/" + file_name;
    if (!sandbox::os::exists(AT_FDCWD, path)) return;
    const ConfigTable file = sandbox::read_config(path);
    file.allow_only({"version", "stage"});
    const sandbox::ConfigValue& version = file.require("version");
    is_older_ = version.as_integer() == file_version - 1;
    if (!is_older_ && version.as_integer() != file_version) {
        throw version.error(
            format("a lock file of version {} is not known to this program, which knows version {}",
                   version.as_integer(), file_version),
            "use the version of stagebox that wrote it; or delete the file, and the next build pins what it gets");
    }
    const auto* stages = file.find("stage");
    if (stages == nullptr) return;
    for (const auto& entry : stages->as_table().entries()) pins_[entry.key] = read_pin(entry.value.as_table());
    // What is wrong in it is wrong in a file of any version; what is right can be compared with nothing.
    if (is_older_) pins_.clear();
}

const Pin* LockFile::find(const std::string& stage) const {
    const auto found = pins_.find(stage);
    return found == pins_.end() ? nullptr : &found->second;
}

void LockFile::pin(const std::string& stage, const Pin& pin) {
    if (const Pin* old = find(stage); old != nullptr && *old == pin) return;
    pins_[stage] = pin;
    std::string text = head;
    for (const auto& [name, one] : pins_) {
        text += format("\n[stage.{}]\nkey = \"{}\"\ntree = \"{}\"\n", name, one.key, one.tree);
        if (one.layer) text += format("layer = {}\n", object_text(*one.layer));
        for (const auto& [artifact, object] : one.artifacts) {
            text += format("artifact.{} = {}\n", artifact, object_text(object));
        }
    }
    const sandbox::os::Fd directory = sandbox::os::open_directory(AT_FDCWD, directory_);
    sandbox::os::write_file_atomically(directory.get(), file_name, text);
}

Pin pin_of(const store::Record& record) {
    return {.key = record.key, .layer = record.layer, .artifacts = record.artifacts, .tree = record.tree};
}

}  // namespace runtime::supervisor
