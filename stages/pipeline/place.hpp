// Where a pipeline is: in which file above whoever builds, and how far up its project may begin. Both ways up end where
// somebody else could have put what is found there (CVE-2022-24765 of git): at a directory of another owner, at the
// edge of a file system, and below the home directory.
#pragma once
#include <optional>
#include <string>

#include "sandbox/config/config.hpp"

namespace stages {

inline constexpr const char* pipeline_file_name = "stagebox.toml";

struct FoundFile {
    std::string path;     // as it is named from the working directory: "../../stagebox.toml"; empty: there is none
    std::string stopped;  // where the search ended and why, half a sentence: "/a is of another owner"
};
// In the working directory, or the nearest one above it that has one.
FoundFile look_for_pipeline_file();

// The top of the git work tree that holds a directory, given without links: the nearest one, itself among them, in
// which there is a `.git`, whatever that is. Nothing where the way up ends before.
std::optional<std::string> work_tree_top(const std::string& directory);

struct Project {
    std::string directory;    // absolute, without links
    bool is_outside = false;  // above the work tree, or above the file where there is no work tree
};
// What `project` says; `directory`: of the pipeline file. Throws ConfigError.
Project read_project(const sandbox::ConfigValue& value, const std::string& directory);

}  // namespace stages
