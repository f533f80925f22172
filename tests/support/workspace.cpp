#include "tests/support/workspace.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "sandbox/os/format.hpp"

namespace tests::support {

namespace fs = std::filesystem;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

bool is_refused_for_stores(const std::string& path) {
    return path.starts_with("/tmp") || path.starts_with("/var/tmp") || path.starts_with("/dev/shm");
}

std::string make_directory() {
    std::vector<std::string> places{TESTS_DIRECTORY};
    if (const char* home = ::getenv("HOME"); home != nullptr) places.push_back(std::string(home) + "/.cache");
    for (const std::string& place : places) {
        if (is_refused_for_stores(place)) continue;
        std::error_code error;
        fs::create_directories(place, error);
        std::string name = place + "/stagebox-test-XXXXXX";
        if (::mkdtemp(name.data()) != nullptr) return name;
    }
    throw std::runtime_error("neither the build directory nor the home directory can hold a store for the tests");
}

// What a jail's ids own can be deleted by a jail's ids only: the store does it, once no record names it.
void empty_store(const std::string& store) {
    std::error_code ignored;
    if (!fs::exists(store + "/v2", ignored)) return;
    fs::remove_all(store + "/v2/records", ignored);
    fs::create_directory(store + "/v2/records", ignored);
    run({.argv = {stagebox_program(), "store", "gc", "--days", "0", "--store", store}});
}

}  // namespace

std::string stagebox_program() {
    return STAGEBOX_BINARY;
}

std::string probe_program() {
    return PROBE_BINARY;
}

std::string loader_program() {
    return LOADER_BINARY;
}

std::string evil_library() {
    return EVIL_LIBRARY;
}

Workspace::Workspace() : path_(fs::canonical(make_directory())) {
    // The ids of a jail pass through to what they are shown.
    fs::permissions(path_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    fs::create_directory(project());
}

Workspace::~Workspace() {
    try {
        empty_store(store());
        empty_store(other_store());
    } catch (const std::exception&) {
        // What is left is in the build directory, and says so by being there.
    }
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

void Workspace::write(const std::string& name, std::string_view text) const {
    const fs::path file = fs::path(project()) / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

void Workspace::pipeline(std::string_view stages) const {
    write("stagebox.toml", format("version = 1\nname = \"test\"\n{}", stages));
}

void Workspace::add_probe() const {
    fs::copy_file(probe_program(), project() + "/probe");
}

Start Workspace::command(std::vector<std::string> words) const {
    words.insert(words.begin(), stagebox_program());
    words.insert(words.begin() + 2, {"-f", project() + "/stagebox.toml", "--store", store()});
    return {.argv = std::move(words)};
}

Result Workspace::run(std::vector<std::string> words) const {
    return support::run(command(std::move(words)));
}

Result Workspace::build(std::vector<std::string> words) const {
    return build_in(store(), std::move(words));
}

Result Workspace::build_in(const std::string& store, std::vector<std::string> words) const {
    words.insert(words.begin(), {stagebox_program(), "build", "-f", project() + "/stagebox.toml", "--store", store});
    return support::run({.argv = std::move(words)});
}

Json Workspace::record_of(const std::string& stage) const {
    return record_in(store(), stage);
}

Json Workspace::record_in(const std::string& store, const std::string& stage) const {
    Json found;
    fs::file_time_type newest;
    for (const fs::directory_entry& entry : fs::directory_iterator(store + "/v2/records")) {
        if (entry.path().extension() != ".json") continue;  // one that a killed build had not finished
        std::ifstream file(entry.path());
        Json record = Json::parse(file);
        if (record.at("stage") != stage) continue;
        if (!found.is_null() && entry.last_write_time() < newest) continue;
        newest = entry.last_write_time();
        found = std::move(record);
    }
    return found;
}

void Workspace::forget(const std::string& stage) const {
    for (Json record = record_of(stage); !record.is_null(); record = record_of(stage)) {
        fs::remove(format("{}/v2/records/{}.json", store(), record.at("key").get<std::string>()));
    }
}

std::string Workspace::layer_of(const std::string& stage) const {
    return format("{}/v2/layers/{}/fs", store(), record_of(stage).at("layer").at("id").get<std::string>());
}

std::string Workspace::artifact_of(const std::string& stage, const std::string& artifact) const {
    const Json record = record_of(stage);
    return format("{}/v2/artifacts/{}/data", store(), record.at("artifacts").at(artifact).at("id").get<std::string>());
}

std::vector<std::string> Workspace::names_in(const std::string& place) const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(store() + "/v2/" + place)) {
        names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
}

namespace {

// The lines of the summary's table, as (stage, state).
std::vector<std::pair<std::string, std::string>> table_of(const Result& build) {
    std::vector<std::pair<std::string, std::string>> table;
    std::istringstream lines(build.err);
    bool is_in_table = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string stage;
        std::string state;
        words >> stage >> state;
        if (is_in_table && (state.empty() || stage.ends_with(":"))) break;  // a note comes after it
        if (is_in_table) table.emplace_back(stage, state);
        if (stage == "stage" && state == "result") is_in_table = true;
    }
    return table;
}

}  // namespace

std::string state_of(const Result& build, const std::string& stage) {
    for (const auto& [name, state] : table_of(build)) {
        if (name == stage) return state;
    }
    return "(nothing)";
}

std::string states(const Result& build) {
    std::string text;
    for (const auto& [name, state] : table_of(build)) text += format("{}{}={}", text.empty() ? "" : " ", name, state);
    return text;
}

bool has_clean_receipt(const Result& build) {
    return build.err.find("receipt: host session untouched") != std::string::npos &&
           build.err.find("no process of ours left") != std::string::npos;
}

}  // namespace tests::support
