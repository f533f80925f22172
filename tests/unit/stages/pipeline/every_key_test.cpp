// The pipeline tests/golden/every-key has every key that there is. What the keys of its stages are made of is written
// down beside it: whatever is done to the program, a stage that gives the same result keeps its key.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "stages/pipeline/action_key.hpp"
#include "stages/pipeline/pipeline_file.hpp"

namespace {

namespace fs = std::filesystem;
using sandbox::os::Json;

fs::path directory() {
    return fs::path(STAGEBOX_SOURCE_DIR) / "tests" / "golden" / "every-key";
}

// Digests that name what they stand for.
stages::KeyMaterial material_of(const stages::Stage& stage) {
    stages::KeyMaterial material = {"digest of the root",    {},       "digest of the script",
                                    "digest of the profile", "x86_64", "digest of the packages"};
    for (const stages::Input& input : stage.inputs) material.inputs[input.target] = "digest of " + input.target;
    return material;
}

std::string components_of(const stages::Pipeline& pipeline) {
    Json all = Json::object();
    for (const stages::Stage& stage : pipeline.stages) {
        const Json components = stages::key_components(stage, material_of(stage));
        all[stage.name] = {{"components", components}, {"key", stages::action_key(components)}};
    }
    return all.dump(2) + '\n';
}

}  // namespace

TEST_CASE("key: the components of a pipeline with every key are the golden ones", "[key][golden]") {
    const stages::Pipeline pipeline =
        stages::read_pipeline((directory() / "stagebox.toml").string(), {}, "stagebox.toml");
    const std::string components = components_of(pipeline);
    if (std::getenv("STAGEBOX_REGENERATE_GOLDEN") != nullptr) {
        std::ofstream(directory() / "components.json", std::ios::binary) << components;
        FAIL("the golden components were written anew: read the difference, then run without the variable");
    }
    std::ostringstream golden;
    golden << std::ifstream(directory() / "components.json", std::ios::binary).rdbuf();
    CHECK(components == golden.str());
}
