// What the store remembers of a stage that ended well. Written after everything it names is durable, so a record
// always implies its layer and artifacts.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "runtime/store/tree.hpp"
#include "sandbox/os/digest.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::store {

// A layer or artifact in the store, by the name of its directory there.
struct Object {
    sandbox::os::Digest id;
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    bool is_directory = true;
    bool operator==(const Object&) const = default;
};

// The name of what has this digest. The two id mappings have names of their own: on the disk, the same tree belongs to
// different ids.
sandbox::os::Digest object_id(sandbox::IdMode mode, const std::string& digest);

// Whose memory a peak is: the most that all processes had at one time, page cache included, which only a cgroup knows;
// or the resident memory of the largest one.
enum class PeakOf : std::uint8_t { largest_process, whole_jail };

// What the stage used, all its processes together.
struct Usage {
    double seconds = 0;      // by the clock
    double cpu_seconds = 0;  // user and system
    std::uint64_t peak_bytes = 0;
    PeakOf peak_of = PeakOf::largest_process;
    std::uint64_t read_bytes = 0;  // from disks, and written to them
    std::uint64_t written_bytes = 0;
    std::optional<std::uint64_t> processes = {};       // and threads, the most at one time; where it was counted
    std::optional<std::uint64_t> received_bytes = {};  // by a network of its own
    std::optional<std::uint64_t> sent_bytes = {};
};

struct Record {
    std::string key;
    sandbox::os::Json components;  // what the key was made of, by name
    // The text of components that are digests, by their names: of what was changed, the lines can be told.
    std::map<std::string, std::string> texts = {};
    std::string pipeline;
    std::string stage;
    std::string run;
    std::string finished;         // UTC, ISO 8601
    std::optional<Object> layer;  // a stage on the host's root has none
    std::string tree;             // digest of the whole root, for the keys of stages that start from it
    std::map<std::string, Object> artifacts;
    Usage usage;
    sandbox::os::Json denials;  // what its filter denied it (jail/denial_log.hpp); null: nothing
    // Who vouches for the rest of the record, and how; null: nobody. Kept as it is, and believed by nobody here.
    sandbox::os::Json signature = {};
};

// Layer and artifacts together.
std::uint64_t made_bytes(const Record& record);

sandbox::os::Json to_json(const Usage& usage);
Usage usage_from(const sandbox::os::Json& json);
sandbox::os::Json to_json(const Record& record);
// Throws what is wrong with it; whatever is to be a digest is one.
Record record_from(const sandbox::os::Json& json);

}  // namespace runtime::store
