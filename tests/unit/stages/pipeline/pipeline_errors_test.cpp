// Wrong pipeline files, each with the whole text of its error:
// tests/golden/pipeline-errors/NAME/{stagebox.toml, expected.txt}. With STAGEBOX_REGENERATE_GOLDEN=1 the
// expected texts are written anew, and the test fails, so that this cannot be left on unnoticed.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "stages/pipeline/pipeline_file.hpp"
#include "tests/support/catch.hpp"

namespace {

namespace fs = std::filesystem;

fs::path golden_directory() {
    return fs::path(STAGEBOX_SOURCE_DIR) / "tests" / "golden" / "pipeline-errors";
}

std::vector<fs::path> cases() {
    std::vector<fs::path> result;
    for (const fs::directory_entry& entry : fs::directory_iterator(golden_directory())) result.push_back(entry.path());
    std::ranges::sort(result);
    return result;
}

std::string error_of(const fs::path& directory) {
    try {
        stages::read_pipeline((directory / "stagebox.toml").string(), {}, "stagebox.toml");
    } catch (const sandbox::ConfigError& error) {
        return std::string(error.what()) + '\n';
    }
    return "no error\n";
}

std::string content_of(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("pipeline file: every wrong file gets its golden error", "[pipeline][golden]") {
    const bool regenerate = std::getenv("STAGEBOX_REGENERATE_GOLDEN") != nullptr;
    const std::vector<fs::path> directories = cases();
    REQUIRE(directories.size() >= 24);
    for (const fs::path& directory : directories) {
        INFO("case " << directory.filename().string());
        const std::string error = error_of(directory);
        CHECK(error != "no error\n");
        if (regenerate) std::ofstream(directory / "expected.txt", std::ios::binary) << error;
        CHECK(error == content_of(directory / "expected.txt"));
    }
    if (regenerate) FAIL("the golden errors were written anew: read the difference, then run without the variable");
}
