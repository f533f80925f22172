// A cgroup for a test to give to Stagebox (STAGEBOX_CGROUP).
#pragma once
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/host.hpp"

namespace tests::support {

// A directory of the hierarchy of version 2 that this test may write: root's alone.
class OwnCgroup {
  public:
    OwnCgroup() {
        for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
            if (!std::filesystem::exists(std::string(mount) + "/cgroup.controllers")) continue;
            const std::string path = std::string(mount) + "/" + unique_marker();
            std::error_code refused;
            if (std::filesystem::create_directory(path, refused)) path_ = path;
        }
    }
    ~OwnCgroup() {
        if (!path_.empty()) ::rmdir(path_.c_str());
    }
    OwnCgroup(const OwnCgroup&) = delete;
    OwnCgroup& operator=(const OwnCgroup&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] bool has(const std::string& controller) const {
        std::string line;
        std::getline(std::ifstream(path_ + "/cgroup.controllers") >> std::ws, line);
        return (" " + line + " ").find(" " + controller + " ") != std::string::npos;
    }
    // Directories in it.
    [[nodiscard]] std::vector<std::string> branches() const {
        std::vector<std::string> found;
        for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(path_)) {
            if (entry.is_directory()) found.push_back(entry.path());
        }
        return found;
    }

  private:
    std::string path_;
};

}  // namespace tests::support
