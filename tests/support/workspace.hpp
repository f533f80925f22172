// A directory of a test's own, with a project (pipeline file and what lies beside it) and a store, and the
// program started on them. All of it is gone when the object is, also what belongs to the ids of a jail.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/os/json.hpp"
#include "tests/support/process.hpp"

namespace tests::support {

// What ran, and what is run in jails: set by the build.
std::string stagebox_program();
std::string probe_program();
// What hostile roots hold, see tests/probe: a program in the dynamic loader's place, and a library that leaves a mark.
std::string loader_program();
std::string evil_library();

class Workspace {
  public:
    // Below the build directory, else below the home directory: a store is refused in /tmp.
    Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    ~Workspace();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string project() const { return path_ + "/project"; }
    [[nodiscard]] std::string store() const { return path_ + "/store"; }
    // Another store, which goes with this one.
    [[nodiscard]] std::string other_store() const { return path_ + "/other-store"; }

    // Writes a file below the project, its directories with it.
    void write(const std::string& name, std::string_view text) const;
    // stagebox.toml, with the lines that every file begins with before `stages`.
    void pipeline(std::string_view stages) const;
    // The probe as ./probe of the project.
    void add_probe() const;

    // `stagebox WORDS… -f PIPELINE --store STORE`, not started yet.
    [[nodiscard]] Start command(std::vector<std::string> words) const;
    [[nodiscard]] Result run(std::vector<std::string> words) const;
    [[nodiscard]] Result build(std::vector<std::string> words = {}) const;
    [[nodiscard]] Result build_in(const std::string& store, std::vector<std::string> words = {}) const;

    // The newest record of a stage; null where there is none.
    [[nodiscard]] sandbox::os::Json record_of(const std::string& stage) const;
    [[nodiscard]] sandbox::os::Json record_in(const std::string& store, const std::string& stage) const;
    // Deletes what the store remembers of a stage; what it made stays.
    void forget(const std::string& stage) const;
    // Below the store's directory of layers and artifacts.
    [[nodiscard]] std::string layer_of(const std::string& stage) const;
    [[nodiscard]] std::string artifact_of(const std::string& stage, const std::string& artifact) const;
    // The names in a directory of the store, sorted.
    [[nodiscard]] std::vector<std::string> names_in(const std::string& place) const;

  private:
    std::string path_;
};

// What the summary of a build says of a stage: "built", "cached", "failed", "skipped"; "(nothing)" where it
// says nothing.
std::string state_of(const Result& build, const std::string& stage);
// All of them, as "a=built b=cached", in the order of the summary.
std::string states(const Result& build);
// The table of the summary is complete, and nothing of ours is left on the host.
bool has_clean_receipt(const Result& build);

// A stage `tools` whose artifact `root` is a small root directory with a shell and the programs for files.
inline constexpr std::string_view tools_stage = R"toml(
[stage.tools]
from = "host"
run = ["sh", "-c", """
set -e
mkdir -p /out/root/bin /out/root/usr/bin
for name in sh cat chmod chown cp date head ln ls mkdir mkfifo mv rm sleep stat touch true; do
    cp -L "/usr/bin/$name" /out/root/bin/
done
ldd /out/root/bin/* | grep -o '/lib[^ :]*' | sort -u | while read -r library; do
    mkdir -p "/out/root$(dirname "$library")"
    cp -L "$library" "/out/root$library"
done
"""]
out = { root = "root" }
env = { SOURCE_DATE_EPOCH = "1000000000" }
)toml";

}  // namespace tests::support
