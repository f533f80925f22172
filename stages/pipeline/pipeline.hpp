// What a pipeline file means, as values. Knows nothing of TOML (pipeline_file), of order (graph), or of
// running.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sandbox/spec/services.hpp"
#include "sandbox/spec/spec.hpp"
#include "stages/pipeline/failure_policy.hpp"

namespace stages {

// Where a thing was written, for errors that come later than parsing. Lines and columns count from 1.
struct Position {
    unsigned line = 0;
    unsigned column = 0;
};

struct HostRoot {};   // the host's /usr read-only and the few files of /etc that programs need
struct EmptyRoot {};  // nothing but the jail's own mounts
struct StageTree {    // what another stage's root looked like when it ended
    std::string stage;
};
struct ArtifactTree {  // what another stage exported
    std::string stage;
    std::string artifact;
};
struct LocalPath {  // a file beside the pipeline file, or an input of the project; relative, without ".."
    std::string path;
};

using Root = std::variant<HostRoot, EmptyRoot, StageTree, ArtifactTree>;
using InputSource = std::variant<StageTree, ArtifactTree, LocalPath>;

struct Input {
    std::string target;  // absolute path in the jail, shown read-only
    InputSource source;
    Position at;
};

struct Output {
    std::string name;
    std::string path;  // relative to /out, without ".."
    Position at;
};

// A program or file of the host that a stage uses, and the Debian package that has it.
struct HostNeed {
    std::string what;  // a program's name, or an absolute path
    std::string package;
    Position at;
};

using Environment = std::vector<std::pair<std::string, std::string>>;  // sorted by name

struct Stage {
    std::string name;
    Position at;
    Root from = HostRoot{};
    Position from_at;
    std::vector<Input> inputs;
    // Exactly one of the two. A script is a file beside the pipeline, executed by its own #! line.
    std::optional<LocalPath> script;
    std::vector<std::string> run;
    std::vector<Output> outputs;
    Environment env;
    sandbox::Network network = sandbox::Network::none;
    sandbox::IdMode ids = sandbox::IdMode::range;
    // A name, or a path beside the pipeline file that begins with "./".
    std::string profile = "build";
    Position profile_at;
    // Over those of the profile.
    sandbox::Limits limits;
    // Devices of the host beyond the minimal /dev, shown where the host has them: "kvm".
    std::vector<std::string> devices;
    std::vector<HostNeed> needs;
    std::vector<sandbox::Service> services;
    FailureRules on_failure;
};

// What a finished build hands to the user: an artifact under a name of its own.
struct Result {
    std::string name;
    std::string stage;
    std::string artifact;
    Position at;
};

// A unit of the host's systemd that must be active while the stages run.
struct HostService {
    enum class Manager : std::uint8_t { system, user };
    std::string unit;  // with its type: "postgresql.service"
    Manager manager = Manager::system;
    bool may_start = false;  // where it is inactive
    std::chrono::seconds timeout{30};
    Position at;
};

// What a build does when the terminal that it was started on has gone.
enum class OnDisconnect : std::uint8_t {
    end,    // as told by SIGTERM
    go_on,  // "continue"
};

struct Pipeline {
    std::string file;                 // as the user named it, for messages
    std::string directory;            // absolute, of the pipeline file: scripts, profiles and the lock are there
    std::string project;              // absolute: inputs are there, and nowhere else
    bool is_project_outside = false;  // it reaches above the git work tree that holds the pipeline file
    std::string name;
    std::vector<Stage> stages;  // in the order of the file
    std::vector<Result> results;
    std::vector<HostService> host_services;  // "requires-services"
    OnDisconnect on_disconnect = OnDisconnect::end;

    // The stage of that name; nullptr where there is none.
    [[nodiscard]] const Stage* find(std::string_view stage) const {
        for (const Stage& candidate : stages) {
            if (candidate.name == stage) return &candidate;
        }
        return nullptr;
    }
};

}  // namespace stages
