// A pipeline file, up to the references between its stages and the files beside it. A script, a file and a directory
// are there for those that name them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "stages/pipeline/graph.hpp"
#include "stages/pipeline/pipeline_file.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using sandbox::os::Fd;
using sandbox::os::sys;

void write_file(const std::string& path, std::string_view text, mode_t mode) {
    const Fd file(
        sys([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode); }, "make {}", path));
    sandbox::os::write_all(file.get(), std::string(text), path);
}

// A project directory for as long as the process lives.
class Project {
  public:
    Project() {
        char name[] = "/tmp/stagebox-fuzz-XXXXXX";
        sys([&] { return ::mkdtemp(name); }, "make a directory");
        path_ = name;
        write_file(path_ + "/build.sh", "#!/bin/sh\n", 0755);
        write_file(path_ + "/file", "text\n", 0644);
        sys([&] { return ::mkdir((path_ + "/tree").c_str(), 0755); }, "make a directory");
    }
    Project(const Project&) = delete;
    Project& operator=(const Project&) = delete;
    ~Project() {
        for (const char* name : {"/build.sh", "/file", "/stagebox.toml"}) ::unlink((path_ + name).c_str());
        ::rmdir((path_ + "/tree").c_str());
        ::rmdir(path_.c_str());
    }
    [[nodiscard]] std::string file() const { return path_ + "/stagebox.toml"; }

  private:
    std::string path_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Project project;
    write_file(project.file(), tests::fuzz::text_of(data, size), 0644);
    try {
        const stages::Pipeline pipeline = stages::read_pipeline(project.file(), {}, "stagebox.toml");
        tests::fuzz::must(!pipeline.stages.empty(), "a pipeline that was read has a stage");
    } catch (const sandbox::ConfigError& error) {
        tests::fuzz::must_be_printable(error.what());
    }
    return 0;
}
