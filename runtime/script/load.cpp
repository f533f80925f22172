#include "runtime/script/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "runtime/script/parser.hpp"
#include "sandbox/config/config.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "stages/pipeline/words.hpp"
#include "stages/script/sources.hpp"

namespace runtime::script {

using sandbox::ConfigError;
using sandbox::ConfigSource;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using stages::script::Script;

namespace {

constexpr off_t largest = off_t{4} << 20U;  // as of a pipeline file
constexpr std::size_t most_files = 64;

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string text_of(const std::string& path) {
    // O_NONBLOCK: a FIFO of that name is refused instead of waited for.
    const Fd file(
        sys([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }, "open {}", path));
    struct stat status {};
    sys([&] { return ::fstat(file.get(), &status); }, "look at {}", path);
    if (!S_ISREG(status.st_mode)) throw ConfigError(path, {}, "this is no file");
    if (status.st_size > largest)
        throw ConfigError(path, {}, "this is too long for a script", "at most 4 MiB are read");
    std::string text = sandbox::os::read_all(file.get(), path);
    if (!stages::is_text(text)) throw ConfigError(path, {}, "this is no text in UTF-8, and so no script");
    return text;
}

// lib/log.sh as an input of stages: sourced-lib-log.sh.
std::string input_name_of(std::string path) {
    std::ranges::replace(path, '/', '-');
    return "sourced-" + path;
}

}  // namespace

Script read(const std::string& name, std::string text) {
    const ConfigSource source(name, text);
    try {
        return stages::script::read_script(name, std::move(text), parse);
    } catch (const stages::script::SyntaxFault& fault) {
        throw source.error(stages::position_of(fault.at()),
                           format("the shell's grammar does not allow this: {}", fault.what()));
    }
}

std::vector<Script> load(const std::string& path) {
    std::vector<Script> scripts;
    std::string text;
    try {
        text = text_of(path);
    } catch (const sandbox::os::SysError& error) {
        throw ConfigError(path, {}, format("cannot be read: {}", error.message()));
    }
    scripts.push_back(read(path, std::move(text)));
    const std::string directory = directory_of(path);
    for (std::size_t i = 0; i < scripts.size(); ++i) {
        for (const std::string& beside : stages::script::paths_beside(scripts[i])) {
            const std::string place = format("{}/{}", directory, beside);
            const std::string input_name = input_name_of(beside);
            if (scripts.size() == most_files || !sandbox::os::exists(AT_FDCWD, place)) continue;
            scripts[i].followed.emplace(beside, input_name);
            const auto is_same = [&](const Script& script) { return script.input_name == input_name; };
            if (std::ranges::any_of(scripts, is_same)) continue;
            Script sourced = read(place, text_of(place));
            sourced.input_name = input_name;
            scripts.push_back(std::move(sourced));
        }
    }
    return scripts;
}

}  // namespace runtime::script
