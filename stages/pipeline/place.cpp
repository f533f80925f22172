#include "stages/pipeline/place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace stages {
namespace {

using sandbox::os::format;

std::optional<struct stat> status_of(const std::string& path) {
    struct stat status {};
    if (sandbox::os::try_sys([&] { return ::stat(path.c_str(), &status); }) < 0) return std::nullopt;
    return status;
}

bool is_same_place(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Directories from one without links on upwards.
class WayUp {
  public:
    // `owner`: whose every directory above the first must be.
    WayUp(std::string first, uid_t owner) : directory_(std::move(first)), owner_(owner) {
        const char* home = std::getenv("HOME");
        if (home != nullptr && *home == '/') home_ = status_of(home);
    }

    [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
    // Why it went no further.
    [[nodiscard]] const std::string& stopped() const noexcept { return stopped_; }

    bool go_up() {
        if (directory_ == "/") return stop("that is the top");
        const std::string above = parent();
        const auto here = status_of(directory_);
        const auto there = status_of(above);
        if (!here || !there) return stop(format("{} cannot be looked at", above));
        if (home_ && is_same_place(*here, *home_)) return stop(format("{} is the home directory", directory_));
        if (home_ && is_same_place(*there, *home_)) return stop(format("{} is the home directory", above));
        if (here->st_dev != there->st_dev) return stop(format("{} is on another file system", above));
        if (there->st_uid != owner_) return stop(format("{} is of another owner", above));
        directory_ = above;
        return true;
    }

  private:
    [[nodiscard]] std::string parent() const {
        const std::size_t slash = directory_.rfind('/');
        return slash == 0 ? "/" : directory_.substr(0, slash);
    }
    bool stop(std::string why) {
        stopped_ = std::move(why);
        return false;
    }

    std::string directory_;
    uid_t owner_;
    std::optional<struct stat> home_;
    std::string stopped_;
};

bool is_below(const std::string& directory, const std::string& top) {
    return top == "/" || directory == top || directory.starts_with(top + "/");
}

// ".." once or more, with one slash between them: how often; 0 for anything else.
std::size_t count_of_ups(std::string_view text) {
    std::size_t count = 0;
    while (text.starts_with("..")) {
        ++count;
        text.remove_prefix(2);
        if (text.empty()) return count;
        if (!text.starts_with("/")) return 0;
        text.remove_prefix(1);
    }
    return 0;
}

}  // namespace

FoundFile look_for_pipeline_file() {
    const std::string name = pipeline_file_name;
    if (sandbox::os::exists(AT_FDCWD, name)) return {name, {}};
    WayUp way(sandbox::os::real_path("."), ::geteuid());
    std::string prefix;
    while (way.go_up()) {
        prefix += "../";
        const std::string path = format("{}/{}", way.directory(), name);
        if (!sandbox::os::exists(AT_FDCWD, path)) continue;
        const auto status = status_of(path);
        if (status && status->st_uid == ::geteuid()) return {prefix + name, {}};
        return {{}, format("{} is of another owner", path)};
    }
    return {{}, way.stopped()};
}

std::optional<std::string> work_tree_top(const std::string& directory) {
    const auto status = status_of(directory);
    if (!status) return std::nullopt;
    WayUp way(directory, status->st_uid);
    do {
        if (sandbox::os::exists(AT_FDCWD, way.directory() + "/.git")) return way.directory();
    } while (way.go_up());
    return std::nullopt;
}

Project read_project(const sandbox::ConfigValue& value, const std::string& directory) {
    const std::size_t ups = count_of_ups(value.as_string());
    if (ups == 0) {
        throw value.error(format("the project cannot be {}", sandbox::os::quote(value.as_string())),
                          "it is the directory of the pipeline file, or above it: \"..\", \"../..\"");
    }
    Project project{directory};
    for (std::size_t i = 0; i < ups; ++i) {
        if (project.directory == "/") throw value.error("there are not so many directories above the pipeline file");
        const std::size_t slash = project.directory.rfind('/');
        project.directory = slash == 0 ? "/" : project.directory.substr(0, slash);
    }
    const std::optional<std::string> top = work_tree_top(directory);
    project.is_outside = !top || !is_below(project.directory, *top);
    return project;
}

}  // namespace stages
