// Reads one [stage.NAME] table and the [defaults] that stages share. Each stage is read for itself: whether
// the stages that it names exist is a matter of pipeline/references.hpp.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "sandbox/config/config.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/pipeline/pipeline.hpp"
#include "stages/pipeline/words.hpp"

namespace stages {

struct StageDefaults {
    sandbox::Network network = sandbox::Network::none;
    sandbox::IdMode ids = sandbox::IdMode::range;
    std::map<std::string, std::string> env;
    std::string profile = "build";
    Position profile_at;
    sandbox::Limits limits;
    FailureRules on_failure;
    OnDisconnect on_disconnect = OnDisconnect::end;  // of the whole build
};

StageDefaults read_defaults(const sandbox::ConfigTable& table, const Variables& variables);

class StageReader {
  public:
    // Borrows all three.
    StageReader(const Variables& variables, const LocalFiles& files, const StageDefaults& defaults)
        : variables_(variables), files_(files), defaults_(defaults) {}
    // `entry` is the stage's name and its table, inside the table `stages`.
    [[nodiscard]] Stage read(const sandbox::ConfigTable& stages, const sandbox::ConfigEntry& entry) const;

  private:
    void read_key(Stage& stage, const sandbox::ConfigTable& table, const sandbox::ConfigEntry& entry) const;
    void read_from(Stage& stage, const sandbox::ConfigValue& value) const;
    void read_inputs(Stage& stage, const sandbox::ConfigTable& table) const;
    [[nodiscard]] InputSource read_input_source(const sandbox::ConfigValue& value) const;
    [[nodiscard]] LocalPath read_local_input(const sandbox::ConfigValue& value, const std::string& text) const;
    void read_script(Stage& stage, const sandbox::ConfigValue& value) const;
    void read_run(Stage& stage, const sandbox::ConfigValue& value) const;
    void read_outputs(Stage& stage, const sandbox::ConfigTable& table) const;
    [[nodiscard]] std::string local_path_hint(const std::string& text) const;

    const Variables& variables_;
    const LocalFiles& files_;
    const StageDefaults& defaults_;
};

// "stage.artifact", both names well formed; throws for anything else.
ArtifactTree read_artifact(const sandbox::ConfigValue& value, const std::string& text);

}  // namespace stages
