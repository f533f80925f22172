#include "runtime/cli/command_line.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <new>
#include <optional>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/doctor.hpp"
#include "runtime/cli/profile_command.hpp"
#include "runtime/cli/run/bwrap.hpp"
#include "runtime/cli/run/run.hpp"
#include "runtime/cli/runs.hpp"
#include "runtime/cli/session_command.hpp"
#include "runtime/cli/unknown_word.hpp"
#include "runtime/cli/usage.hpp"
#include "runtime/store/store.hpp"
#include "runtime/supervisor/build.hpp"
#include "sandbox/config/config.hpp"
#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/startup.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::cli {

namespace {

constexpr int wrong_input = 2;
constexpr int cannot_run = 3;

// CLI11's own words do not say what is wanted.
std::string check_whole_number(const std::string& text) {
    const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    return is_number ? std::string() : sandbox::os::format("{} is not a whole number", sandbox::quote(text));
}

void add_file_options(CLI::App& command, PipelineOptions& options, std::vector<std::string>& vars) {
    command.add_option("-f,--file", options.file, "The pipeline file")->capture_default_str()->type_name("FILE");
    command.add_option("--var", vars, "Sets a variable of the pipeline file")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
}

void add_pipeline_options(CLI::App& command, PipelineOptions& options, std::vector<std::string>& vars) {
    add_file_options(command, options, vars);
    command.add_option("--store", options.store, "Where layers and artifacts are kept")->type_name("DIR");
}

stages::Overrides parse_vars(const std::vector<std::string>& vars) {
    stages::Overrides overrides;
    for (const std::string& var : vars) {
        const std::size_t equals = var.find('=');
        if (equals == std::string::npos) throw CLI::ValidationError("--var " + var, "is not of the form NAME=VALUE");
        overrides.emplace_back(var.substr(0, equals), var.substr(equals + 1));
    }
    return overrides;
}

// Everything the commands can be told, and what was.
struct Words {
    PipelineOptions pipeline;
    supervisor::BuildOptions build;
    std::vector<std::string> vars;
    std::string stage;
    std::string run;
    bool is_before = false;
    bool is_failed = false;
    bool is_json = false;
    bool is_usage = false;
    bool is_detached = false;
    bool is_followed = false;
    bool is_quick = false;
    std::vector<std::string> results;  // that `store rm` is to delete
    unsigned days = 30;
    ImportOptions import;
    UnmountOptions unmount;
    bool is_lazy = false;
    bool is_sure = false;
    bool is_dry_run = false;
    int (*command)(const Words&) = nullptr;
};

int run_build(const Words& words) {
    supervisor::BuildOptions options = words.build;
    options.file = words.pipeline.file;
    options.vars = words.pipeline.vars;
    options.store = words.pipeline.store;
    if (words.is_detached) options.session = supervisor::BuildSession::own;
    return supervisor::build(options);
}

int run_doctor(const Words& words) {
    const std::string store = words.pipeline.store.empty() ? store::Store::default_path() : words.pipeline.store;
    return doctor({.format = words.is_json ? DoctorFormat::json : DoctorFormat::text, .store_path = store});
}

int run_store_check(const Words& words) {
    return store_check({.path = words.pipeline.store,
                        .depth = words.is_quick ? store::CheckDepth::names : store::CheckDepth::contents,
                        .format = words.is_json ? StoreCheckOptions::Format::json : StoreCheckOptions::Format::text});
}

void add_build(CLI::App& app, Words& words) {
    CLI::App* command = app.add_subcommand("build", "Build the pipeline, or what the named stages need");
    add_pipeline_options(*command, words.pipeline, words.vars);
    command->add_option("STAGE", words.build.stages, "Only these stages, and what they need");
    command->add_option("--refresh", words.build.refresh, "Run this stage even if its result is known")
        ->type_name("STAGE")
        ->allow_extra_args(false);
    command->add_option("-o,--output", words.build.output, "Write the pipeline's results into this directory")
        ->type_name("DIR");
    command->add_option("-j,--jobs", words.build.jobs, "Stages at the same time (default: one for each processor)")
        ->check(check_whole_number)
        ->type_name("N");
    command->add_flag("--detach", words.is_detached,
                      "Build in the background, and print the run's name; see status, log and attach");
    command->callback([&words] { words.command = run_build; });
}

void add_looks(CLI::App& app, Words& words) {
    CLI::App* check_command = app.add_subcommand("check", "Validate the pipeline file, run nothing");
    add_file_options(*check_command, words.pipeline, words.vars);
    check_command->callback([&words] { words.command = [](const Words& w) { return check(w.pipeline); }; });

    CLI::App* plan_command = app.add_subcommand("plan", "Print the operations that make a stage's jail, run nothing");
    add_pipeline_options(*plan_command, words.pipeline, words.vars);
    plan_command->add_option("STAGE", words.stage, "The stage")->required();
    plan_command->callback([&words] { words.command = [](const Words& w) { return plan(w.pipeline, w.stage); }; });

    CLI::App* explain_command = app.add_subcommand("explain", "Why a stage would run, or why it is cached");
    add_pipeline_options(*explain_command, words.pipeline, words.vars);
    explain_command->add_option("STAGE", words.stage, "The stage")->required();
    explain_command->callback(
        [&words] { words.command = [](const Words& w) { return explain(w.pipeline, w.stage); }; });
}

void add_shell(CLI::App& app, Words& words) {
    CLI::App* command = app.add_subcommand("shell", "A terminal in a stage's jail; what it changes is discarded");
    add_pipeline_options(*command, words.pipeline, words.vars);
    command->add_option("STAGE", words.stage, "The stage")->required();
    auto* before = command->add_flag("--before", words.is_before, "As it is before the stage's command (the default)");
    command->add_flag("--failed", words.is_failed, "As the command left it when it last failed")->excludes(before);
    command->callback([&words] {
        words.command = [](const Words& w) {
            return shell(w.pipeline, w.stage, w.is_failed ? ShellAt::failed : ShellAt::before);
        };
    });
}

RunsOptions runs_options(const Words& words) {
    return {.store = words.pipeline.store, .run = words.run};
}

void add_runs(CLI::App& app, Words& words) {
    CLI::App* status = app.add_subcommand("status", "The builds that go on, and the last ones");
    CLI::App* log = app.add_subcommand("log", "What a build has shown");
    CLI::App* attach_command = app.add_subcommand("attach", "Follow a build that goes on; Ctrl-C interrupts it");
    for (CLI::App* one : {status, log, attach_command}) {
        const char* run =
            one == log ? "A run's name, or how it begins; with --usage, a stage" : "A run's name, or how it begins";
        one->add_option("RUN", words.run, run);
        one->add_option("--store", words.pipeline.store, "The store")->type_name("DIR");
    }
    status->add_flag("--json", words.is_json, "For programs");
    CLI::Option* follow =
        log->add_flag("-f,--follow", words.is_followed, "Until the build is over; ends with its exit code");
    CLI::Option* usage =
        log->add_flag("--usage", words.is_usage, "What stages have used: time, CPU, memory, disk and network");
    usage->excludes(follow);
    log->add_flag("--json", words.is_json, "For programs")->needs(usage);
    status->callback([&words] {
        words.command = [](const Words& w) {
            return show_status(runs_options(w), w.is_json ? OutputFormat::json : OutputFormat::text);
        };
    });
    log->callback([&words] {
        words.command = [](const Words& w) {
            if (w.is_usage) {
                return show_usage({.store = w.pipeline.store,
                                   .stage = w.run,
                                   .format = w.is_json ? OutputFormat::json : OutputFormat::text});
            }
            return show_log(runs_options(w), w.is_followed ? LogMode::follow : LogMode::once);
        };
    });
    attach_command->callback([&words] { words.command = [](const Words& w) { return attach(runs_options(w)); }; });
}

void add_store(CLI::App& app, Words& words) {
    CLI::App* command = app.add_subcommand("store", "Look after the store");
    command->require_subcommand(1);
    CLI::App* list = command->add_subcommand("ls", "What is in it");
    CLI::App* collect = command->add_subcommand("gc", "Delete what is not needed any more");
    CLI::App* check = command->add_subcommand("check", "Whether it is whole; what is damaged is set aside");
    CLI::App* remove = command->add_subcommand("rm", "Delete results of stages");
    for (CLI::App* one : {list, collect, check, remove}) {
        one->add_option("--store", words.pipeline.store, "The store")->type_name("DIR");
    }
    collect->add_option("--days", words.days, "Keep results that were used, and runs that ended, within so many days")
        ->capture_default_str()
        ->check(check_whole_number)
        ->type_name("N");
    check->add_flag("--quick", words.is_quick, "Look at names only, and read no contents");
    check->add_flag("--json", words.is_json, "For programs");
    remove->add_option("STAGE", words.results, "A stage, PIPELINE/STAGE, or the beginning of a key")->required();
    check->callback([&words] { words.command = run_store_check; });
    remove->callback(
        [&words] { words.command = [](const Words& w) { return store_remove(w.pipeline.store, w.results); }; });
    list->callback([&words] { words.command = [](const Words& w) { return store_list(w.pipeline.store); }; });
    collect->callback(
        [&words] { words.command = [](const Words& w) { return store_collect(w.pipeline.store, w.days); }; });
}

int run_unmount(const Words& words) {
    UnmountOptions options = words.unmount;
    if (words.is_lazy) options.mode = host::UnmountMode::lazy;
    if (words.is_sure) options.act = UnmountAct::always;
    if (words.is_dry_run) options.act = UnmountAct::never;
    if (words.is_json) options.format = OutputFormat::json;
    return session_unmount(options);
}

void add_unmount(CLI::App& session, Words& words) {
    CLI::App* command = session.add_subcommand("unmount", "Take away what other scripts left mounted in a directory");
    command->add_option("DIR", words.unmount.directory, "The directory")->required();
    command->add_option("--max-mount-wait", words.unmount.max_wait, "How long to wait for something that is in use")
        ->capture_default_str()
        ->type_name("TIME");
    command->add_flag("--lazy", words.is_lazy, "Do not wait: who uses it keeps it, and nobody else sees it any more");
    CLI::Option* sure = command->add_flag("-y,--yes", words.is_sure, "Unmount also where there is no terminal");
    command->add_flag("-n,--dry-run", words.is_dry_run, "Only tell what would be done")->excludes(sure);
    command->add_flag("--json", words.is_json, "For programs");
    command->callback([&words] { words.command = run_unmount; });
}

void add_session(CLI::App& app, Words& words) {
    CLI::App* command = app.add_subcommand("session", "Look after the host session");
    command->require_subcommand(1);
    CLI::App* check_command = command->add_subcommand("check", "What in it would be unsafe for a build");
    add_pipeline_options(*check_command, words.pipeline, words.vars);
    check_command->add_flag("--json", words.is_json, "For programs");
    check_command->callback([&words, check_command] {
        if (check_command->count("--file") == 0) words.pipeline.file.clear();
        words.command = [](const Words& w) {
            return session_check(w.pipeline, w.is_json ? OutputFormat::json : OutputFormat::text);
        };
    });
    add_unmount(*command, words);
}

void add_report(CLI::App& app, Words& words) {
    CLI::App* command = app.add_subcommand("report", "The receipt of a run: the host before and after");
    command->add_option("--store", words.pipeline.store, "The store")->type_name("DIR");
    command->add_option("RUN", words.run, "A run's name, or how it begins (default: the newest)");
    command->add_flag("--json", words.is_json, "For programs");
    command->callback([&words] {
        words.command = [](const Words& w) {
            return report(w.pipeline.store, w.run, w.is_json ? OutputFormat::json : OutputFormat::text);
        };
    });
}

int run_import(const Words& words) {
    ImportOptions options = words.import;
    if (words.is_dry_run) options.writes = ImportWrites::nothing;
    if (words.is_json) options.format = OutputFormat::json;
    return cli::import(options);
}

void add_import(CLI::App& app, Words& words) {
    CLI::App* command =
        app.add_subcommand("import", "Name the hazards of a build script, and draft a pipeline from it");
    command->add_option("SCRIPT", words.import.script, "The script")->required();
    command->add_option("-o,--output", words.import.output, "Write the pipeline and its scripts into this directory")
        ->capture_default_str()
        ->type_name("DIR");
    command->add_flag("-n,--dry-run", words.is_dry_run, "Only name the hazards, write nothing");
    command->add_flag("--json", words.is_json, "For programs");
    command->callback([&words] { words.command = run_import; });
}

void add_doctor(CLI::App& app, Words& words) {
    CLI::App* command = app.add_subcommand("doctor", "What this machine allows, and how to mend what it does not");
    command->add_option("--store", words.pipeline.store, "The store")->type_name("DIR");
    command->add_flag("--json", words.is_json, "For programs");
    command->callback([&words] { words.command = run_doctor; });
}

// The lines of an error, which may name what was typed, as a terminal can show them.
int complain(std::string_view text, int code) {
    for (const char* prefix = "error: "; !text.empty(); prefix = "") {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::fprintf(stderr, "%s%s\n", prefix, sandbox::os::printable(text.substr(0, end)).c_str());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return code;
}

// What may follow the command that was reached.
KnownWords known_words(const CLI::App& app) {
    const CLI::App* reached = &app;
    KnownWords known{.command = app.get_name(), .commands = {}, .options = {}};
    while (!reached->get_subcommands().empty()) {
        reached = reached->get_subcommands().front();
        known.command += " " + reached->get_name();
    }
    for (const CLI::App* command : reached->get_subcommands({})) known.commands.push_back(command->get_name());
    for (const CLI::Option* option : reached->get_options()) {
        for (const std::string& name : option->get_lnames()) known.options.push_back("--" + name);
    }
    return known;
}

// Where only a command is missing, all of them are shown.
int refuse(const CLI::App& app, const CLI::ParseError& error) {
    const KnownWords known = known_words(app);
    std::vector<std::string> unknown = app.remaining(true);
    std::erase(unknown, "--");
    if (unknown.empty() && !known.commands.empty()) {
        std::fputs(app.help().c_str(), stderr);
        return wrong_input;
    }
    const std::string problem = unknown.empty() ? error.what() : unknown_word(known, unknown.front());
    return complain(sandbox::os::format("{}\nsee {} --help", problem, known.command), wrong_input);
}

// Into `words`; the exit code where there is nothing to run.
std::optional<int> parse(int argc, char** argv, Words& words) {
    CLI::App app("A rootless container runner for builds: every stage in a fresh jail, committed whole or not at all.",
                 "stagebox");
    app.set_version_flag("--version", STAGEBOX_VERSION);
    app.require_subcommand(1);
    add_build(app, words);
    app.add_subcommand("run", "One command in a jail (stagebox run --help)");
    app.add_subcommand("profile", "What jails allow: ls, show, learn (stagebox profile --help)");
    add_shell(app, words);
    add_looks(app, words);
    add_runs(app, words);
    add_store(app, words);
    add_session(app, words);
    add_report(app, words);
    add_import(app, words);
    add_doctor(app, words);
    try {
        app.parse(argc, argv);
        words.pipeline.vars = parse_vars(words.vars);
    } catch (const CLI::ParseError& error) {
        return error.get_exit_code() == 0 ? app.exit(error) : refuse(app, error);
    }
    return std::nullopt;
}

int parse_and_run(int argc, char** argv) {
    Words words;
    const std::optional<int> ended = parse(argc, argv, words);
    return ended ? *ended : words.command(words);
}

// A program with the setuid or setgid bit would build jails with somebody else's rights: the environment, the store and
// everything else here are those of whoever calls.
void refuse_borrowed_ids() {
    if (::getuid() == ::geteuid() && ::getgid() == ::getegid()) return;
    throw std::invalid_argument(
        "this program has the setuid or setgid bit, and refuses to work with it: chmod ug-s takes the bit away; an "
        "ordinary user's jail needs no rights but the user's own");
}

}  // namespace

int run_command_line(int argc, char** argv) {
    sandbox::os::hear_of_children();
    if (argc > 0 && is_bwrap(argv[0])) return bwrap({argv + 1, argv + argc});
    const bool is_run = argc > 1 && std::string_view(argv[1]) == "run";
    try {
        sandbox::os::open_closed_streams();
        refuse_borrowed_ids();
        // `run` has options whose order means something, as bubblewrap's, and a reader of its own.
        if (is_run) return run({argv + 2, argv + argc});
        // So has what `profile learn` runs.
        if (argc > 1 && std::string_view(argv[1]) == "profile") return profile({argv + 2, argv + argc});
        return parse_and_run(argc, argv);
    } catch (const sandbox::ConfigError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return is_run ? jail_not_built : wrong_input;
    } catch (const std::invalid_argument& error) {
        return complain(error.what(), is_run ? jail_not_built : wrong_input);
    } catch (const std::bad_alloc&) {
        return complain("there is not enough memory", is_run ? jail_not_built : cannot_run);
    } catch (const std::exception& error) {
        return complain(error.what(), is_run ? jail_not_built : cannot_run);
    }
}

int check_command_line(int argc, char** argv) {
    Words words;
    return parse(argc, argv, words).value_or(0);
}

}  // namespace runtime::cli
