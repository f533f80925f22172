// The kind of stage there is: a script or a command in a jail. Lowers a Stage, and where its parts lie on this machine,
// to the jail that runs it. Knows nothing of the store's layout, nor of processes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/profile/profile.hpp"
#include "sandbox/spec/spec.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace stages::kinds {

enum class FileType : std::uint8_t { file, directory };

// An input where it lies: one path, or the layers of a stage's tree from the top one down.
struct ShownInput {
    std::string target;
    std::vector<std::string> trees;
    FileType type = FileType::directory;
};

// All paths are absolute and of the host.
struct StagePaths {
    std::vector<std::string> root;  // layers from the top one down; empty for `host` and `empty`
    std::string skeleton;           // see mount_points(); below the root's layers
    std::string upper;              // what the stage changes; not for `host`
    std::string work;
    std::string out;  // shown writable at /out
    std::vector<ShownInput> inputs;
    std::string script;  // content; empty for `run`
};

// What stands in for a mount in the skeleton, so that no mount point is made in the stage's own layer.
struct MountPoint {
    std::string path;
    FileType type = FileType::directory;
};

struct Lowered {
    sandbox::BuildSpec spec;
    sandbox::Command command;  // without descriptors
    std::vector<MountPoint> mount_points;
};

Lowered lower(const Stage& stage, const StagePaths& places, const sandbox::Profile& profile, const sandbox::IdMap& ids);

// SOURCE_DATE_EPOCH as the stage declares it, in seconds. Throws std::invalid_argument for what is no such number.
std::optional<std::int64_t> epoch_of(const Stage& stage);

}  // namespace stages::kinds
