// From a stage, and the results of those before it, to everything that decides what it will make: its key, and where on
// this machine its parts lie. Reads local inputs and scripts; runs nothing and changes nothing.
#pragma once
#include <signal.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/profiles.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/os/json.hpp"
#include "stages/lower/lower.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::engine {

// A stage that is done, or one that a plan takes as done.
struct StageResult {
    store::Record record;
    std::vector<std::string> layers;  // absolute, from the top one down; empty on the host's root
    bool is_built = true;
};
using Results = std::map<std::string, StageResult>;

// A file or directory of the project that the jail sees as a copy in the store.
struct LocalInput {
    std::string source;      // absolute
    sandbox::os::Digest id;  // of the artifact that is its copy
};

struct Resolved {
    std::string key;
    sandbox::os::Json components;
    std::string root_tree;  // digest of the tree the stage starts from
    std::vector<std::string> root;
    std::vector<stages::kinds::ShownInput> inputs;
    std::vector<LocalInput> local_inputs;
    std::string script;
    std::map<std::string, std::string> texts;  // of components that are digests: store::Record::texts
    std::optional<std::int64_t> epoch;
};

class Resolver {
  public:
    Resolver(const stages::Pipeline& pipeline, const store::Store& store, Profiles& profiles);
    // Signals that are blocked and end the build: resolve() throws Interrupted when one comes while it reads an input.
    void end_at(const sigset_t& signals) { ending_ = signals; }
    // `results` has every stage that this one names. Throws what is wrong with a local file, or with the host.
    Resolved resolve(const stages::Stage& stage, const Results& results);
    // The layers of the stage's own result, once it has one.
    [[nodiscard]] std::vector<std::string> layers_of(const store::Record& record, const Resolved& resolved) const;

  private:
    void resolve_root(const stages::Stage& stage, const Results& results, Resolved& resolved);
    std::string resolve_input(const stages::Stage& stage, const stages::Input& input, const Results& results,
                              Resolved& resolved);
    // Where an artifact lies; of a stage that is not built, where it would.
    [[nodiscard]] std::string artifact_place(const stages::ArtifactTree& artifact, const StageResult& result) const;
    const std::string& host_packages();
    // Digested once: a file that changes while a build runs is found out when it is copied.
    const store::TreeFacts& local_facts(const std::string& path);

    const stages::Pipeline& pipeline_;
    const store::Store& store_;
    Profiles& profiles_;
    std::optional<sigset_t> ending_;
    std::string host_packages_;  // asked for once
    std::map<std::string, store::TreeFacts> local_facts_;
};

// The digest of a root after a stage has changed it.
std::string tree_digest(const std::string& root, const std::string& layer);

}  // namespace runtime::engine
