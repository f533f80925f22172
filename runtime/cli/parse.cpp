#include "runtime/cli/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>

#include "runtime/cli/unknown_word.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::cli {

using sandbox::os::format;

namespace {

struct AddTo {
    CLI::App& command;
    const Option& row;

    CLI::Option* operator()(const std::function<void()>& act) const {
        return command.add_flag_callback(row.names, act, row.doc);
    }
    CLI::Option* operator()(std::vector<std::string>* list) const {
        CLI::Option* added = command.add_option(row.names, *list, row.doc);
        if (row.names.starts_with("-")) added->allow_extra_args(false);
        return added;
    }
    template <class Value>
    CLI::Option* operator()(Value* value) const {
        return command.add_option(row.names, *value, row.doc);
    }
};

void add_option(CLI::App& command, const Option& row) {
    CLI::Option* added = std::visit(AddTo{command, row}, row.into);
    if (!row.type.empty()) added->type_name(row.type);
    if (!row.shown_default.empty()) added->default_str(row.shown_default);
    if (!row.excludes.empty()) added->excludes(command.get_option(row.excludes));
    if (!row.needs.empty()) added->needs(command.get_option(row.needs));
    if (row.is_required) added->required();
    if (row.check != nullptr) added->check(row.check);
}

std::string join(const std::string& before, const std::string& word) {
    return before.empty() ? word : before + " " + word;
}

Wrong no_such_word(const KnownWords& known, const std::string& word) {
    return {format("{}\nsee {} --help", unknown_word(known, word), known.command)};
}

const CLI::App* find_command(const CLI::App& in, const std::string& name) {
    const std::vector<const CLI::App*> all = in.get_subcommands({});
    const auto found = std::ranges::find_if(all, [&](const CLI::App* one) { return one->get_name() == name; });
    return found == all.end() ? nullptr : *found;
}

// All commands as CLI11 knows them. Parses once.
class Tree {
  public:
    explicit Tree(const Vocabulary& vocabulary);
    Parsed parse(std::vector<std::string> words);

  private:
    void add(const Command& command);
    [[nodiscard]] CLI::App* parent_of(const std::string& group);
    // Of `command`, which is typed after `before`.
    [[nodiscard]] std::string help_of(const CLI::App& command, const std::string& before) const;
    [[nodiscard]] Parsed asked_help() const;
    // The command that was reached by the words.
    [[nodiscard]] const CLI::App& reached() const;
    [[nodiscard]] KnownWords words_after(const CLI::App& command, const std::string& typed) const;
    [[nodiscard]] Parsed refuse(const CLI::ParseError& error) const;

    const Vocabulary& vocabulary_;
    CLI::App app_;
    std::map<const CLI::App*, const Command*> commands_;
    CLI::App* help_ = nullptr;
    std::vector<std::string> help_words_;
};

Tree::Tree(const Vocabulary& vocabulary)
    : vocabulary_(vocabulary),
      app_("A rootless container runner for builds: every stage in a fresh jail, committed whole or not at all.",
           "stagebox") {
    app_.set_version_flag("--version", STAGEBOX_VERSION);
    app_.require_subcommand(1);
    for (const Command& command : vocabulary.commands) add(command);
    help_ = app_.add_subcommand("help", "What a command does, and its options");
    help_->add_option("COMMAND", help_words_, "The command (default: none, and all are listed)");
}

void Tree::add(const Command& command) {
    const std::size_t space = command.name.find(' ');
    CLI::App* parent = space == std::string::npos ? &app_ : parent_of(command.name.substr(0, space));
    CLI::App* added = parent->add_subcommand(command.name.substr(space + 1), command.doc);  // npos + 1 is 0
    commands_.emplace(added, &command);
    const auto* declared = std::get_if<Declared>(&command.how);
    if (declared == nullptr) return;
    Options options;
    declared->declare(options);
    for (const Option& row : options) add_option(*added, row);
}

CLI::App* Tree::parent_of(const std::string& group) {
    for (CLI::App* one : app_.get_subcommands({})) {
        if (one->get_name() == group) return one;
    }
    const auto known = std::ranges::find(vocabulary_.groups, group, &Group::name);
    CLI::App* added = app_.add_subcommand(group, known == vocabulary_.groups.end() ? "" : known->doc);
    added->require_subcommand(1);
    return added;
}

Parsed Tree::parse(std::vector<std::string> words) {
    std::ranges::reverse(words);  // as it takes them
    try {
        app_.parse(words);
    } catch (const CLI::CallForVersion& version) {
        return Answer{format("{}\n", version.what())};
    } catch (const CLI::CallForHelp&) {
        return Answer{app_.help()};
    } catch (const CLI::ParseError& error) {
        return refuse(error);
    }
    return app_.got_subcommand(help_) ? asked_help() : commands_.at(&reached());
}

std::string Tree::help_of(const CLI::App& command, const std::string& before) const {
    const auto known = commands_.find(&command);
    const auto* reader = known == commands_.end() ? nullptr : std::get_if<OwnReader>(&known->second->how);
    if (reader != nullptr) return reader->help();
    return app_.get_formatter()->make_help(&command, join(before, command.get_name()), CLI::AppFormatMode::Normal);
}

Parsed Tree::asked_help() const {
    const CLI::App* command = &app_;
    std::string before;
    for (const std::string& word : help_words_) {
        before = join(before, command->get_name());
        const CLI::App* next = find_command(*command, word);
        if (next == nullptr) return no_such_word(words_after(*command, before), word);
        command = next;
    }
    return Answer{help_of(*command, before)};
}

const CLI::App& Tree::reached() const {
    const CLI::App* command = &app_;
    while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
    return *command;
}

KnownWords Tree::words_after(const CLI::App& command, const std::string& typed) const {
    KnownWords known{.command = typed, .commands = {}, .former_names = {}, .options = {}};
    for (const CLI::App* one : command.get_subcommands({})) {
        known.commands.push_back(one->get_name());
    }
    if (&command == &app_) known.former_names = vocabulary_.former_names;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) known.options.push_back("--" + name);
    }
    return known;
}

// Where only a command is missing, all of them are shown.
Parsed Tree::refuse(const CLI::ParseError& error) const {
    std::string typed = app_.get_name();
    const CLI::App* command = &app_;
    while (!command->get_subcommands().empty()) {
        command = command->get_subcommands().front();
        typed = join(typed, command->get_name());
    }
    const KnownWords known = words_after(*command, typed);
    std::vector<std::string> unknown = app_.remaining(true);
    std::erase(unknown, "--");
    if (!unknown.empty()) return no_such_word(known, unknown.front());
    if (!known.commands.empty()) return Incomplete{app_.help()};
    return Wrong{format("{}\nsee {} --help", error.what(), known.command)};
}

}  // namespace

Parsed parse(const Vocabulary& vocabulary, const std::vector<std::string>& words) {
    return Tree(vocabulary).parse(words);
}

}  // namespace runtime::cli
