#include "runtime/cli/profile_command.hpp"

#include <fcntl.h>

#include <cstdio>
#include <iostream>
#include <optional>
#include <set>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/run/run.hpp"
#include "runtime/jail/denial_lesson.hpp"
#include "runtime/jail/foreground.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/profile/embedded.hpp"
#include "sandbox/profile/profile.hpp"

namespace runtime::cli {

using jail::Lesson;
using sandbox::os::format;

namespace {

constexpr const char* help = R"(Usage: stagebox profile ls
       stagebox profile show NAME|FILE
       stagebox profile learn [-o FILE] [OPTIONS OF RUN] [--] COMMAND [ARGUMENTS]
       stagebox profile learn [-o FILE] -f PIPELINE STAGE

engine::Profiles say what a jail allows. `ls` names those that ship, `show` prints one, and `learn` runs a command, or a stage's
command, and writes the smallest profile under which it would have run the same: the system calls that it made, of those
that its own profile (--profile, of a stage its own) allows. What that one denies stays denied.

  -o, --output FILE      The profile to write, FILE.toml; its seccomp file is put beside it (default: learned.toml)
  -f, --file PIPELINE    Learn from a stage of this pipeline; the stages before it must be built
  -h, --help             This text

The options of run are those of stagebox run --help.
)";

int list() {
    for (const std::string_view name : sandbox::profile_names()) {
        std::cout << format("{:<12}{}\n", name, sandbox::load_profile(std::string(name)).file.description);
    }
    return 0;
}

int show(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        std::cout << sandbox::os::read_file(AT_FDCWD, name);
        return 0;
    }
    for (const sandbox::EmbeddedFile& file : sandbox::embedded_files()) {
        if (file.name != name + ".toml") continue;
        std::cout << file.text;
        return 0;
    }
    throw std::invalid_argument(format("no profile {} ships; stagebox profile ls names those that do", name));
}

struct LearnRequest {
    std::string output = "learned.toml";
    std::string pipeline;              // with -f
    std::vector<std::string> command;  // of run: its options too; with -f: the stage
};

LearnRequest parse_learn(const std::vector<std::string>& arguments) {
    LearnRequest request;
    std::size_t at = 0;
    const auto take = [&](const char* name, const char* full) -> std::optional<std::string> {
        if (arguments[at] != name && arguments[at] != full) return std::nullopt;
        if (at + 1 == arguments.size()) throw std::invalid_argument(format("{} lacks a value", arguments[at]));
        at += 2;
        return arguments[at - 1];
    };
    while (at < arguments.size()) {
        if (const auto output = take("-o", "--output")) {
            request.output = *output;
        } else if (const auto pipeline = take("-f", "--file")) {
            request.pipeline = *pipeline;
        } else {
            break;
        }
    }
    request.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
    if (!request.output.ends_with(".toml")) {
        throw std::invalid_argument(format("-o {}: a profile's file ends in .toml", request.output));
    }
    if (request.command.empty()) throw std::invalid_argument("there is no command to learn from");
    return request;
}

std::string in_words(const std::vector<std::string>& argv) {
    std::string words;
    for (const std::string& word : argv) words += (words.empty() ? "" : " ") + word;
    return words;
}

// Hears every call of one run.
class Student {
  public:
    [[nodiscard]] jail::Hearing hearing() {
        jail::Hearing hearing;
        hearing.handlers.observe = [this](const sandbox::Listener& listener, const sandbox::Notice& notice) {
            if (!seen_.emplace(notice.call.arch, notice.call.nr).second) return;
            lesson_.saw(sandbox::call_name(notice.call.arch, notice.call.nr),
                        listener.process_name(notice).value_or("?"));
        };
        hearing.at_end = [this](const jail::DenialLog& log) { denied_ = jail::to_lines(log, 20); };
        return hearing;
    }
    [[nodiscard]] const jail::Lesson& lesson() const noexcept { return lesson_; }
    [[nodiscard]] const std::vector<std::string>& denied() const noexcept { return denied_; }

  private:
    std::set<std::pair<std::uint32_t, int>> seen_;
    jail::Lesson lesson_;
    std::vector<std::string> denied_;
};

// A seccomp file of a profile, as a profile in any folder can name it.
std::string filter_name(const sandbox::SeccompFile& file) {
    const bool is_placed = file.folder && !file.name.starts_with("/");
    return is_placed ? sandbox::os::real_path(*file.folder + file.name) : file.name;
}

// "a/b.toml" -> "b".
std::string base_name(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    return name.substr(0, name.size() - std::string_view(".toml").size());
}

void write_profile(const LearnRequest& request, const Student& student, const std::string& base,
                   const std::vector<std::string>& argv) {
    const std::string name = base_name(request.output);
    const std::string folder = request.output.substr(0, request.output.rfind('/') + 1);
    jail::LearnedFrom from{.name = name,
                           .base = base.find('/') == std::string::npos ? base : sandbox::os::real_path(base),
                           .base_filters = {},
                           .own_filter = name + ".json",
                           .command = in_words(argv),
                           .denied = student.denied()};
    for (const auto& filter : sandbox::load_profile(base).file.filters) {
        from.base_filters.push_back(filter_name(filter));
    }
    sandbox::os::write_file_atomically(AT_FDCWD, folder + from.own_filter, jail::filter_text(student.lesson()));
    sandbox::os::write_file_atomically(AT_FDCWD, request.output, jail::profile_text(from));
    std::fprintf(stderr, "stagebox: %zu system calls learned: %s, %s; use them with --profile %s%s\n",
                 student.lesson().calls().size(), request.output.c_str(), (folder + from.own_filter).c_str(),
                 folder.empty() ? "./" : "", request.output.c_str());
}

int learn_from_run(const LearnRequest& request) {
    RunRequest run = parse_run(request.command);
    prepare_run(run);
    run.spec.ids = sandbox::resolve_idmap(run.ids).map;
    run.spec.denials = sandbox::Denials::observed;
    Student student;
    const int code = jail::run_in_foreground(run.spec, run.command, student.hearing());
    if (code == jail_not_built) return code;
    write_profile(request, student, run.profile, run.command.argv);
    return code;
}

int learn_from_stage(const LearnRequest& request) {
    if (request.command.size() != 1) throw std::invalid_argument("learn -f takes one stage");
    PipelineOptions options;
    options.file = request.pipeline;
    Student student;
    std::vector<std::string> argv;
    std::string base;
    const int code =
        engine::in_stage(options, request.command.front(), ShellAt::before, [&](stages::kinds::Lowered& lowered) {
            lowered.spec.denials = sandbox::Denials::observed;
            if (lowered.spec.fakeroot == sandbox::Fakeroot::on) {
                lowered.spec.fakeroot = sandbox::Fakeroot::off;
                std::fputs("stagebox: learning without the fakeroot: giving files to other ids fails\n", stderr);
            }
            argv = lowered.command.argv;
            base = lowered.spec.profile;
            return jail::run_in_foreground(lowered.spec, lowered.command, student.hearing());
        });
    if (code == jail_not_built) return code;
    write_profile(request, student, base, argv);
    return code;
}

int learn(const std::vector<std::string>& arguments) {
    const LearnRequest request = parse_learn(arguments);
    return request.pipeline.empty() ? learn_from_run(request) : learn_from_stage(request);
}

}  // namespace

int profile(const std::vector<std::string>& arguments) {
    const std::string word = arguments.empty() ? "--help" : arguments.front();
    if (word == "ls" && arguments.size() == 1) return list();
    if (word == "show" && arguments.size() == 2) return show(arguments[1]);
    if (word == "learn" && arguments.size() > 1 && arguments[1] != "--help" && arguments[1] != "-h") {
        return learn({arguments.begin() + 1, arguments.end()});
    }
    const bool is_help = arguments.empty() || arguments.back() == "--help" || arguments.back() == "-h";
    if (!is_help) throw std::invalid_argument(format("profile {}: see stagebox profile --help", in_words(arguments)));
    std::fputs(help, stdout);
    return 0;
}

}  // namespace runtime::cli
