#include "runtime/script/stage_check.hpp"

#include <fcntl.h>

#include <optional>

#include "runtime/script/load.hpp"
#include "runtime/script/parser.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/local_files.hpp"
#include "stages/script/hazards.hpp"

namespace runtime::script {

using sandbox::os::format;
using sandbox::os::printable;
using stages::Stage;
using stages::script::Finding;
using stages::script::Script;
using stages::script::StageTerms;

namespace {

// A stage's command as a text for a shell, and how a place in it is called.
struct StageText {
    std::string text;
    std::string name;
    bool is_inline = false;  // a part of the pipeline file
};

std::optional<StageText> text_of(const stages::Pipeline& pipeline, const Stage& stage) {
    if (!stage.script) {
        const bool is_text = stage.run.size() == 3 && stages::script::is_shell("#!" + stage.run[0]) &&
                             stage.run[1].starts_with('-') && stage.run[1].ends_with('c');
        if (!is_text) return std::nullopt;
        return StageText{stage.run[2], format("{}:{}:{}", pipeline.file, stage.at.line, stage.at.column), true};
    }
    const stages::LocalFiles files(pipeline.directory);
    const sandbox::os::Fd file = files.open(stage.script->path, O_RDONLY);
    std::string text = sandbox::os::read_all(file.get(), stage.script->path);
    if (!stages::script::is_shell(std::string_view(text).substr(0, text.find('\n')))) return std::nullopt;
    const std::size_t slash = pipeline.file.rfind('/');
    const std::string beside = slash == std::string::npos ? std::string() : pipeline.file.substr(0, slash + 1);
    return StageText{std::move(text), beside + stage.script->path};
}

StageTerms terms_of(const Stage& stage, engine::Profiles& profiles) {
    const sandbox::Permissions& granted = profiles.of(stage).file.allowed;
    return {.allows_mounts = granted.has(sandbox::Permission::mounts),
            .allows_namespaces = granted.has(sandbox::Permission::nested_namespaces),
            .has_single_id = stage.ids == sandbox::IdMode::single,
            .is_on_host = std::holds_alternative<stages::HostRoot>(stage.from)};
}

std::string place_of(const StageText& text, const Stage& stage, stages::Position at) {
    if (text.is_inline)
        return format("{}: warning: stage {}, line {} of its command", printable(text.name), stage.name, at.line);
    return format("{}:{}:{}: warning: stage {}", printable(text.name), at.line, at.column, stage.name);
}

std::string warnings_of(const StageText& text, const Stage& stage, engine::Profiles& profiles) {
    std::string all;
    try {
        const Script script = stages::script::read_script(text.name, text.text, parse);
        for (const Finding& one : find_stage_problems(script, terms_of(stage, profiles))) {
            all += format("{}: {}: {}\n  in a stage: {}\n  instead: {}\n", place_of(text, stage, one.at),
                          one.rule->name, printable(one.command), one.rule->in_stage, one.rule->instead);
        }
    } catch (const stages::script::SyntaxFault& fault) {
        all = format("{}: the shell's grammar does not allow this: {}\n", place_of(text, stage, fault.at()),
                     printable(fault.what()));
    }
    return all;
}

}  // namespace

std::string stage_warnings(const stages::Pipeline& pipeline, engine::Profiles& profiles) {
    std::string all;
    for (const Stage& stage : pipeline.stages) {
        const std::optional<StageText> text = text_of(pipeline, stage);
        if (!text) continue;
        if (!has_parser()) {
            return "the stages' scripts were not looked into: shfmt is not in /usr/bin" +
                   sandbox::os::help_line("sudo apt-get install shfmt") + "\n";
        }
        all += warnings_of(*text, stage, profiles);
    }
    return all;
}

}  // namespace runtime::script
