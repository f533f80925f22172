#include "stages/script/draft.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/words.hpp"
#include "stages/script/edit.hpp"
#include "stages/script/sources.hpp"
#include "stages/script/tools.hpp"

namespace stages::script {

using sandbox::os::format;

namespace {

constexpr std::string_view common_file = "common.sh";

std::string base_name(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

class Writer {
  public:
    explicit Writer(const std::vector<Script>& scripts)
        : scripts_(scripts), script_(scripts.front()), editor_(script_), phases_(cut(script_)) {}
    Draft write();

  private:
    [[nodiscard]] std::string pipeline() const;
    [[nodiscard]] std::string head() const;
    [[nodiscard]] std::string stage(const Phase& phase, const Phase* before) const;
    [[nodiscard]] std::string stage_script(const Phase& phase) const;
    [[nodiscard]] std::string common() const;
    [[nodiscard]] std::string lines_of(const std::vector<Span>& spans) const;
    [[nodiscard]] std::string lines_of(const Phase& phase) const;
    [[nodiscard]] std::string interpreter() const;
    [[nodiscard]] std::vector<Command> commands_of_phase(const Phase& phase) const;
    [[nodiscard]] std::vector<Span> code_of(const Phase& phase) const;
    [[nodiscard]] std::vector<std::string_view> lost_variables(std::size_t phase) const;
    [[nodiscard]] std::set<std::string> names_in(const std::vector<Mention>& mentions,
                                                 const std::vector<Span>& spans) const;

    const std::vector<Script>& scripts_;
    const Script& script_;
    Editor editor_;
    Phases phases_;
};

std::string Writer::interpreter() const {
    const bool is_shell_line = is_shell("#!" + script_.interpreter);
    return is_shell_line ? "#!" + script_.interpreter : "#!/bin/bash";
}

// "lines 12 to 40"
std::string Writer::lines_of(const std::vector<Span>& spans) const {
    if (spans.empty()) return "no lines of its own";
    const auto first = script_.at(spans.front().begin).line;
    const auto last = script_.at(spans.back().end == 0 ? 0 : spans.back().end - 1).line;
    return first == last ? format("line {}", first) : format("lines {} to {}", first, last);
}

// Of the function that it is, where it has nothing else.
std::string Writer::lines_of(const Phase& phase) const {
    const Function* function = phase.parts.empty() ? script_.find(phase.function) : nullptr;
    return function == nullptr ? lines_of(phase.parts) : lines_of({function->span});
}

// The text of a phase, and of the functions that it comes to.
std::vector<Span> Writer::code_of(const Phase& phase) const {
    std::vector<Span> code = phase.parts;
    if (phase.function.empty() || !phase.parts.empty())
        code.insert(code.end(), phases_.prelude.begin(), phases_.prelude.end());
    std::set<std::string> functions;
    for (const Command& command : commands_of_phase(phase)) functions.insert(command.function);
    for (const std::string& name : functions) {
        const Function* function = script_.find(name);
        if (function != nullptr && function->name != phases_.main) code.push_back(function->span);
    }
    return code;
}

std::vector<Command> Writer::commands_of_phase(const Phase& phase) const {
    std::vector<Command> all;
    if (phase.parts.empty() && !phase.function.empty()) return commands_reached(script_, phase.function);
    for (const Command& command : commands_of(script_)) {
        const bool is_in = std::ranges::any_of(phase.parts, [&](Span part) { return part.holds(command.span); });
        if (!is_in) continue;
        all.push_back(command);
        if (script_.find(command.program) == nullptr) continue;
        for (Command& reached : commands_reached(script_, command.program)) all.push_back(std::move(reached));
    }
    if (!phase.function.empty()) {
        for (Command& reached : commands_reached(script_, phase.function)) all.push_back(std::move(reached));
    }
    return all;
}

std::set<std::string> Writer::names_in(const std::vector<Mention>& mentions, const std::vector<Span>& spans) const {
    std::set<std::string> names;
    for (const Mention& mention : mentions) {
        const bool is_in = std::ranges::any_of(spans, [&](Span span) { return span.holds(mention.span); });
        if (is_in) names.insert(mention.name);
    }
    return names;
}

// Variables that this phase asks for, and that only an earlier one sets: a stage is a process of its own.
std::vector<std::string_view> Writer::lost_variables(std::size_t phase) const {
    std::set<std::string> earlier;
    for (std::size_t i = 0; i < phase; ++i) earlier.merge(names_in(script_.settings, code_of(phases_.all[i])));
    std::vector<Span> own = code_of(phases_.all[phase]);
    std::set<std::string> known = names_in(script_.settings, own);
    // What functions of the common part set is set only when they are called.
    for (const Mention& mention : script_.settings) {
        const bool is_common = std::ranges::any_of(phases_.common, [&](Span span) { return span.holds(mention.span); });
        const bool is_in_function = std::ranges::any_of(
            script_.functions, [&](const Function& function) { return function.span.holds(mention.span); });
        if (is_common && !is_in_function) known.insert(mention.name);
    }
    std::vector<std::string_view> lost;
    for (const Mention& use : script_.uses) {
        const bool is_own = std::ranges::any_of(own, [&](Span span) { return span.holds(use.span); });
        const bool is_lost = is_own && earlier.contains(use.name) && !known.contains(use.name);
        if (is_lost && std::ranges::find(lost, use.name) == lost.end()) lost.push_back(use.name);
    }
    return lost;
}

std::string Writer::head() const {
    const std::string name = sandbox::os::printable(base_name(script_.name));
    std::string text = format(
        "# A first pipeline for {0}, drafted by stagebox import. Its stages are cut at {1}.\n"
        "#\n"
        "# Each stage starts from the host's programs, takes the working directory of the one before, and hands on its "
        "own:\n"
        "# /out/work. What the script does to the host does nothing here: such commands have a \":\" before them, and "
        "are listed\n"
        "# at the head of each file. To go on from here:\n"
        "#   - a stage that only works inside of the image's tree needs no chroot: give the tree a name in \"out\", "
        "and start the\n"
        "#     stage from it (from = \"STAGE.ARTIFACT\"), with the same commands\n"
        "#   - paths of the host outside of /usr are not there: what the script reads beside itself belongs into "
        "\"in\"\n"
        "#   - what a stage gets from the network is noted in stagebox.lock when it is built\n",
        name, words_of(phases_.seam));
    for (const std::string& path : paths_beside(script_)) {
        if (!script_.followed.contains(path))
            text += format("# Not found, and so not read: {}\n", sandbox::os::printable(path));
    }
    for (const Command& command : commands_of(script_)) {
        const Word* file = sourced_file(command);
        if (file == nullptr || command.is_in_chroot || !path_beside(*file).empty()) continue;
        text += format("# Not read: {} (line {}). What it sets is missing here.\n", sandbox::os::printable(file->text),
                       script_.at(file->span.begin).line);
    }
    if (!phases_.dropped.empty()) {
        text += "#\n# Not carried over, since the order of stages is Stagebox's part:\n";
        for (const Span& span : phases_.dropped) {
            // Of main itself the body is in the stages.
            text += format("#   {}\n", lines_of({span}));
        }
    }
    return text;
}

std::string Writer::stage(const Phase& phase, const Phase* before) const {
    std::string text = format("\n# {}: {}\n", sandbox::os::printable(phase.title), lines_of(phase));
    std::map<std::string, std::string> needs;
    bool has_network = false;
    for (const Command& command : commands_of_phase(phase)) {
        if (editor_.is_stilled(command)) continue;
        has_network = has_network || asks_network(command);
        const std::string_view package = command.is_in_chroot ? std::string_view() : package_of(command.program);
        if (!package.empty()) needs.emplace(command.program, package);
    }
    const auto place = static_cast<std::size_t>(&phase - phases_.all.data());
    if (const std::string lost = sandbox::os::list_words(lost_variables(place)); !lost.empty()) {
        text += format(
            "# Set by an earlier phase, and not known here: {}. Write them to a file below /out/work there, and read "
            "it\n# here.\n",
            lost);
    }
    text += format("[stage.{}]\nfrom = \"host\"\n", phase.name);
    if (has_network) text += "network = \"user\"\n";
    text += format("script = \"{0}.sh\"\nout = {{ work = \"work\" }}\n", phase.name);
    if (!needs.empty()) {
        text += "needs = { ";
        for (const auto& [program, package] : needs) {
            text += format("{}{} = \"{}\"", program == needs.begin()->first ? "" : ", ",
                           program.find('.') == program.npos ? program : "\"" + program + "\"", package);
        }
        text += " }\n";
    }
    text += format("[stage.{0}.in]\n\"/in/{1}\" = \"./{1}\"\n", phase.name, common_file);
    for (const Script& sourced : scripts_) {
        if (sourced.is_sourced()) text += format("\"/in/{0}\" = \"./{0}\"\n", sourced.input_name);
    }
    if (before != nullptr) text += format("\"/in/work\" = \"{}.work\"\n", before->name);
    return text;
}

std::string Writer::pipeline() const {
    std::string name = base_name(script_.name);
    name = name.substr(0, name.find('.'));
    std::ranges::transform(name, name.begin(), [](char c) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        return is_upper ? static_cast<char>(c - 'A' + 'a') : c == '_' ? '-' : c;
    });
    if (!name_fault(name).empty()) name = "imported";
    std::string text = head() + format("version = 1\nname = \"{}\"\n", name);
    const Phase* before = nullptr;
    for (const Phase& phase : phases_.all) {
        text += stage(phase, before);
        before = &phase;
    }
    return text + format("\n[result]\nwork = \"{}.work\"\n", phases_.all.back().name);
}

std::string Writer::stage_script(const Phase& phase) const {
    const std::string original = sandbox::os::printable(base_name(script_.name));
    std::vector<Span> own = phases_.prelude;
    own.insert(own.end(), phase.parts.begin(), phase.parts.end());
    const std::string notes = editor_.notes_on(own);
    std::string text =
        format("{}\n# {}: of {}, {}.\n", interpreter(), sandbox::os::printable(phase.title), original, lines_of(phase));
    if (!notes.empty()) text += "# These commands do nothing here; what takes their place:\n" + notes;
    text +=
        "\n# The working directory of the stage before, to go on with.\n"
        "mkdir -p /out/work\n"
        "if [ -d /in/work ]; then cp -a /in/work/. /out/work; fi\n"
        "cd /out/work || exit\n";
    text += format(". /in/{}\n\n", common_file);
    if (phases_.main.empty()) {
        // A phase that a loop calls, with what the script does before or after the loop.
        const bool is_last = &phase == &phases_.all.back();
        const std::string body = editor_.text_of(phase.parts);
        const std::string call = phases_.seam == Seam::loop ? phase.function + "\n" : std::string();
        return text + (is_last ? call + body : body + call);
    }
    // "local" is for functions.
    const std::string call = phases_.seam == Seam::loop ? phase.function + "\n" : std::string();
    return text + format("{}() {{\n{}{}}}\n{}\n", phases_.main, editor_.text_of(own), call, phases_.main);
}

std::string Writer::common() const {
    std::string text = editor_.text_of(phases_.common);
    if (text.starts_with("#!")) text.erase(0, text.find('\n') + 1);
    const std::string notes = editor_.notes_on(phases_.common);
    std::string head = format(
        "# shellcheck shell=bash\n# Functions and settings of {}, which each stage reads. Drafted by stagebox "
        "import.\n",
        sandbox::os::printable(base_name(script_.name)));
    if (!notes.empty()) head += "# These commands do nothing here; what takes their place:\n" + notes;
    return head + "\n" + text;
}

Draft Writer::write() {
    Draft draft{phases_.seam, phases_.all.size(), {}};
    draft.files.push_back({"stagebox.toml", pipeline()});
    draft.files.push_back({std::string(common_file), common()});
    for (const Phase& phase : phases_.all) draft.files.push_back({phase.name + ".sh", stage_script(phase), true});
    for (const Script& sourced : scripts_) {
        if (!sourced.is_sourced()) continue;
        const Editor editor(sourced);
        const std::vector<Span> whole{{0, sourced.text.size()}};
        const std::string notes = editor.notes_on(whole);
        draft.files.push_back(
            {sourced.input_name,
             (notes.empty() ? "" : "# These commands do nothing here; what takes their place:\n" + notes + "\n") +
                 editor.text_of(whole)});
    }
    return draft;
}

}  // namespace

Draft make_draft(const std::vector<Script>& scripts) {
    return Writer(scripts).write();
}

}  // namespace stages::script
