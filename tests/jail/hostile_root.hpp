// A root directory on the host that a payload has prepared, and the canary that it would like to reach from there.
#pragma once
#include <filesystem>
#include <string>

#include "tests/jail/jail.hpp"

namespace tests::jail {

// A jail can use it: the mount points are there, and everybody may write.
class HostileRoot {
  public:
    HostileRoot() : canary_(workspace_.path() + "/canary") {
        namespace fs = std::filesystem;
        fs::create_directory(path());
        fs::copy_file(support::probe_program(), path() + "/probe");
        fs::permissions(path(), fs::perms::all);
        for (const char* name : {"proc", "sys", "dev", "run", "tmp"}) fs::create_directory(path() + "/" + name);
    }
    [[nodiscard]] std::string path() const { return workspace_.path() + "/root"; }
    [[nodiscard]] std::string workspace() const { return workspace_.path(); }
    [[nodiscard]] const support::Canary& canary() const { return canary_; }
    // A link's text, with the canary's path for the word CANARY.
    [[nodiscard]] std::string expand(std::string text) const {
        const std::size_t at = text.find("CANARY");
        return at == std::string::npos ? text : text.replace(at, 6, canary_.path());
    }
    void replace(const std::string& name, const std::string& target) const {
        std::filesystem::remove_all(path() + "/" + name);
        std::filesystem::create_symlink(target, path() + "/" + name);
    }
    [[nodiscard]] Result run(const std::string& ids, const Words& options, const Words& command) const {
        return tests::jail::run(join({"--ids", ids, "--root", path()}, options), command);
    }

  private:
    support::Workspace workspace_;
    support::Canary canary_;
};

}  // namespace tests::jail
