#include "runtime/cli/profile/learn.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <stdexcept>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/pipeline_words.hpp"
#include "runtime/cli/run/run.hpp"
#include "runtime/engine/stage_visit.hpp"
#include "runtime/jail/denial_lesson.hpp"
#include "runtime/jail/foreground.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/profile.hpp"

namespace runtime::cli {

using jail::Lesson;
using sandbox::os::format;

namespace {

// Its own options, which come before those of run.
struct LearnOption {
    HelpRow row;
    std::string LearnRequest::*into;
};

constexpr std::string_view output_doc =
    "The profile to write, FILE.toml; its seccomp file is put beside it (default: learned.toml)";
constexpr std::string_view file_doc = "Learn from a stage of this pipeline; the stages before it must be built";

constexpr std::string_view allow_doc = "With -f: grants what the stage asks for beyond its jail";

constexpr LearnOption learn_options[] = {{{"-o", "FILE", output_doc}, &LearnRequest::output},
                                         {{"--output", "FILE", output_doc}, &LearnRequest::output},
                                         {{"-f", "PIPELINE", file_doc}, &LearnRequest::pipeline},
                                         {{"--file", "PIPELINE", file_doc}, &LearnRequest::pipeline},
                                         {{"--allow", "WORD,...", allow_doc}, &LearnRequest::allow}};

std::string learn_help() {
    std::vector<HelpRow> rows;
    for (const LearnOption& option : learn_options) rows.push_back(option.row);
    rows.push_back({"-h", "", "This text"});
    rows.push_back({"--help", "", "This text"});
    return R"(Usage: stagebox profile learn [-o FILE] [OPTIONS OF RUN] [--] COMMAND [ARGUMENTS]
       stagebox profile learn [-o FILE] -f PIPELINE [--allow WORD,...] STAGE

Runs a command, or a stage's command, and writes the smallest profile under which it would have run the same: the
system calls that it made, of those that its own profile (--profile, of a stage its own) allows. What that one denies
stays denied.

)" + help_of_rows(rows) +
           R"(
The options of run are those of stagebox run --help.
)";
}

int tell(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    return ExitCode::done;
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
                           .command = sandbox::os::shell_words(argv),
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
    if (run.wants == Wants::help) return tell(learn_help());
    if (run.wants == Wants::version) return tell(STAGEBOX_VERSION "\n");
    prepare_run(run);
    sandbox::BuildSpec& spec = run.build_spec();
    spec.ids = sandbox::resolve_idmap(run.ids).map;
    spec.denials = sandbox::Denials::observed;
    Student student;
    const int code = jail::run_in_foreground(spec, run.command, student.hearing());
    if (code == ExitCode::jail_not_built) return code;
    write_profile(request, student, run.profile, run.command.argv);
    return code;
}

int learn_from_stage(const LearnRequest& request) {
    if (request.command.size() != 1) throw std::invalid_argument("learn -f takes one stage");
    engine::PipelineOptions options;
    options.file = request.pipeline;
    Student student;
    std::vector<std::string> argv;
    std::string base;
    std::vector<std::string> allow;
    if (!request.allow.empty()) allow.push_back(request.allow);
    const int code = engine::in_stage(
        options, request.command.front(), engine::ShellAt::before, permit_with(allow),
        [&](stages::kinds::Lowered& lowered) {
            lowered.spec.denials = sandbox::Denials::observed;
            if (lowered.spec.fakeroot == sandbox::Fakeroot::on) {
                lowered.spec.fakeroot = sandbox::Fakeroot::off;
                std::fputs("stagebox: learning without the fakeroot: giving files to other ids fails\n", stderr);
            }
            argv = lowered.command.argv;
            base = lowered.spec.profile;
            return jail::run_in_foreground(lowered.spec, lowered.command, student.hearing());
        });
    if (code == ExitCode::jail_not_built) return code;
    write_profile(request, student, base, argv);
    return code;
}

// The exit code of the command that was run.
int run_learn(const std::vector<std::string>& words) {
    if (!words.empty() && (words.front() == "--help" || words.front() == "-h")) return tell(learn_help());
    const LearnRequest request = parse_learn(words);
    return request.pipeline.empty() ? learn_from_run(request) : learn_from_stage(request);
}

}  // namespace

LearnRequest parse_learn(const std::vector<std::string>& words) {
    LearnRequest request;
    auto word = words.begin();
    while (word != words.end()) {
        const auto* option =
            std::ranges::find(learn_options, *word, [](const LearnOption& one) { return one.row.name; });
        if (option == std::end(learn_options)) break;
        if (word + 1 == words.end()) throw std::invalid_argument(format("{} lacks a value", *word));
        request.*option->into = *++word;
        ++word;
    }
    request.command.assign(word, words.end());
    if (!request.output.ends_with(".toml")) {
        throw std::invalid_argument(format("-o {}: a profile's file ends in .toml", request.output));
    }
    if (!request.allow.empty() && request.pipeline.empty()) {
        throw std::invalid_argument("--allow grants what a stage asks for, and -f names its pipeline");
    }
    if (request.command.empty()) throw std::invalid_argument("there is no command to learn from");
    return request;
}

Command profile_learn_command() {
    return {.name = "profile learn",
            .doc = "Write the smallest one under which a command would have run the same",
            .how = OwnReader{.run = run_learn, .help = learn_help}};
}

}  // namespace runtime::cli
