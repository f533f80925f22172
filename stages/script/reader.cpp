// From shfmt's syntax tree to a Script.
#include <algorithm>
#include <array>

#include "stages/script/commands.hpp"
#include "stages/script/syntax.hpp"
#include "stages/script/word_reader.hpp"

namespace stages::script {
namespace {

using sandbox::os::Json;

constexpr unsigned deepest_text = 4;  // texts for a shell inside of texts for a shell

std::string type_of(const Json& node) {
    return node.value("Type", std::string());
}

// Where a text stands: the whole script, or a part of it that is handed to another shell.
struct Place {
    std::size_t begin = 0;  // of the text, in the script's
    std::string function;
    bool is_in_chroot = false;
    bool is_verbatim = true;
    Span whole;  // what spans are where the text is not verbatim
    unsigned depth = 0;
};

// A text that a command hands to a shell.
struct Inner {
    std::string text;
    Span span;
    bool is_in_chroot = false;
};

// A text that begins as a script and is written to a file: of interest if the script runs that.
struct WrittenScript {
    Inner text;
    Place place;
    std::vector<std::string> names;  // of the file, without its directory
};

class Reader {
  public:
    Reader(Script& script, const Parse& parse) : script_(script), parse_(parse) {}
    void read(std::string_view text, const Place& place);
    // The scripts that were written to files and then run.
    void read_written();

  private:
    void visit(const Json& node);
    void visit_children(const Json& node);
    void visit_statement(const Json& node);
    void visit_function(const Json& node);
    void note(const Json& node);
    void note_write(const Json& redirect);
    void note_call(const Json& node, const Json& redirects);
    void read_inner(const Call& call, const Json& redirects);
    void note_written(const Call& call, const Json& redirects);
    void read_text(const Inner& inner, Place place);
    [[nodiscard]] std::vector<Inner> texts_of(const Call& call, const Json& redirects) const;
    [[nodiscard]] std::vector<Statement> statements_of(const Json& node) const;
    [[nodiscard]] Word word(const Json& node) const;
    [[nodiscard]] Span moved(Span span) const;

    Script& script_;
    const Parse& parse_;
    std::string_view text_;
    Place place_;
    const WordReader* words_ = nullptr;
    std::vector<WrittenScript> written_;
};

std::string_view file_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

Span Reader::moved(Span span) const {
    if (!place_.is_verbatim) return place_.whole;
    return {span.begin + place_.begin, span.end + place_.begin};
}

Word Reader::word(const Json& node) const {
    Word word = words_->read(node).front();
    word.span = moved(word.span);
    return word;
}

void Reader::read(std::string_view text, const Place& place) {
    const Json tree = parse_(text);
    WordReader words(text, words_);
    words.learn(tree);
    const std::string_view outer_text = std::exchange(text_, text);
    const Place outer_place = std::exchange(place_, place);
    const WordReader* outer_words = std::exchange(words_, &words);
    if (place.depth == 0) script_.statements = statements_of(tree);
    visit_children(tree);
    text_ = outer_text;
    place_ = outer_place;
    words_ = outer_words;
}

std::vector<Statement> Reader::statements_of(const Json& node) const {
    std::vector<Statement> all;
    if (!node.contains("Stmts")) return all;
    for (const Json& statement : node.at("Stmts")) {
        Statement one;
        one.span = moved(span_of(statement));
        const Json& command = statement.contains("Cmd") ? statement.at("Cmd") : Json::object();
        if (type_of(command) == "FuncDecl") one.declares = command.at("Name").value("Value", std::string());
        if (type_of(command) == "ForClause" && type_of(command.at("Loop")) == "WordIter") {
            const Json& loop = command.at("Loop");
            one.loop_variable = loop.at("Name").value("Value", std::string());
            for (const Json& item : loop.contains("Items") ? loop.at("Items") : Json::array()) {
                for (std::string& value : words_->values(item)) one.loop_words.push_back(std::move(value));
            }
        }
        all.push_back(std::move(one));
    }
    return all;
}

void Reader::visit_children(const Json& node) {
    for (const Json& child : node) {
        if (child.is_structured()) visit(child);
    }
}

void Reader::visit(const Json& node) {
    if (node.is_object()) {
        if (node.contains("Cmd") || node.contains("Redirs")) return visit_statement(node);
        note(node);
        if (type_of(node) == "FuncDecl") return visit_function(node);
    }
    visit_children(node);
}

// What a node says by itself.
void Reader::note(const Json& node) {
    const auto name = node.find("Name");
    if (node.contains("Hash") && place_.depth == 0) {
        const Span span = span_of(node);
        script_.comments.push_back({span, node.value("Text", std::string()), node.at("Pos").value("Line", 0U)});
    } else if (type_of(node) == "ParamExp") {
        script_.uses.push_back({node.at("Param").value("Value", std::string()), moved(span_of(node))});
    } else if (name != node.end() && name->is_object() && (type_of(node).empty() || type_of(node) == "WordIter")) {
        script_.settings.push_back({name->value("Value", std::string()), moved(span_of(*name))});
    }
}

void Reader::visit_function(const Json& node) {
    Function function;
    function.name = node.at("Name").value("Value", std::string());
    function.span = moved(span_of(node));
    const Json& body = node.at("Body");
    if (body.contains("Cmd")) function.body = statements_of(body.at("Cmd"));
    script_.functions.push_back(function);
    const std::string outer = std::exchange(place_.function, function.name);
    visit(body);
    place_.function = outer;
}

void Reader::visit_statement(const Json& node) {
    const Json redirects = node.contains("Redirs") ? node.at("Redirs") : Json::array();
    for (const Json& redirect : redirects) note_write(redirect);
    if (node.contains("Cmd") && type_of(node.at("Cmd")) == "CallExpr") note_call(node.at("Cmd"), redirects);
    visit_children(node);
}

void Reader::note_write(const Json& redirect) {
    // The numbers of the operators differ from one shfmt to the next; their text does not.
    const std::size_t at = redirect.at("OpPos").value("Offset", std::size_t{0});
    const std::string_view sign = text_.substr(at, 2);
    if (!redirect.contains("Word") || sign == ">&" || !(sign.starts_with('>') || sign.starts_with("&>"))) return;
    script_.writes.push_back({word(redirect.at("Word")), place_.function, place_.is_in_chroot});
}

void Reader::note_call(const Json& node, const Json& redirects) {
    if (!node.contains("Args") || node.at("Args").empty()) return;
    Call call;
    for (const Json& argument : node.at("Args")) {
        for (Word& one : words_->read(argument)) {
            one.span = moved(one.span);
            call.words.push_back(std::move(one));
        }
    }
    call.span = {call.words.front().span.begin, call.words.back().span.end};
    call.function = place_.function;
    call.is_in_chroot = place_.is_in_chroot;
    call.is_verbatim = place_.is_verbatim;
    script_.calls.push_back(call);
    if (place_.depth < deepest_text) read_inner(call, redirects);
}

// Arguments that are a shell's program, and here-documents that one reads or that become a script.
std::vector<Inner> Reader::texts_of(const Call& call, const Json& redirects) const {
    std::vector<Inner> all;
    bool reads_input = false;
    bool is_in_chroot = call.is_in_chroot;
    for (const Command& command : commands_of(call, script_)) {
        is_in_chroot = is_in_chroot || command.is_in_chroot;
        reads_input = reads_input || is_shell_reading_input(command);
        for (const Word* word : program_texts(command)) {
            // Between its quotes, where it has a pair of them.
            const bool is_quoted = word->text.size() >= 2 && (word->text.front() == '\'' || word->text.front() == '"');
            const std::size_t quote = is_quoted ? 1 : 0;
            all.push_back({word->value(),
                           {word->span.begin + quote, word->span.end - quote},
                           command.is_in_chroot || is_chroot_function(command.program)});
        }
    }
    for (const Json& redirect : redirects) {
        if (!reads_input || !redirect.contains("Hdoc")) continue;
        const Span span = span_of(redirect.at("Hdoc"));
        all.push_back({std::string(text_.substr(span.begin, span.end - span.begin)), moved(span), is_in_chroot});
    }
    return all;
}

void Reader::read_text(const Inner& inner, Place place) {
    place.begin = inner.span.begin;
    place.is_in_chroot = inner.is_in_chroot;
    place.is_verbatim = place_.is_verbatim && script_.slice(inner.span) == inner.text;
    ++place.depth;
    try {
        read(inner.text, place);
    } catch (const SyntaxFault& fault) {
        script_.unread.push_back({place.whole, fault.what()});
    }
}

void Reader::read_inner(const Call& call, const Json& redirects) {
    Place place = place_;
    place.whole = call.span;
    for (const Inner& inner : texts_of(call, redirects)) read_text(inner, place);
    note_written(call, redirects);
}

void Reader::note_written(const Call& call, const Json& redirects) {
    std::vector<std::string> names;
    if (call.words.front().value() == "tee") {
        for (const Word& operand : call.words) names.emplace_back(file_name(operand.value()));
    }
    for (const Json& redirect : redirects) {
        if (redirect.contains("Word") && !redirect.contains("Hdoc")) {
            names.emplace_back(file_name(word(redirect.at("Word")).value()));
        }
    }
    Place place = place_;
    place.whole = call.span;
    for (const Json& redirect : redirects) {
        if (!redirect.contains("Hdoc")) continue;
        const Span span = span_of(redirect.at("Hdoc"));
        const std::string text(text_.substr(span.begin, span.end - span.begin));
        if (!is_shell(std::string_view(text).substr(0, text.find('\n')))) continue;
        written_.push_back({{text, moved(span), place_.is_in_chroot}, place, names});
    }
}

void Reader::read_written() {
    const std::vector<Call> calls = script_.calls;
    const auto runs = [](const Command& command, const WrittenScript& script) {
        const bool is_shell_command = is_shell("#!" + command.program);
        return std::ranges::any_of(script.names, [&](const std::string& name) {
            if (command.program == name) return true;
            return is_shell_command &&
                   std::ranges::any_of(command.words, [&](const Word& one) { return file_name(one.value()) == name; });
        });
    };
    for (WrittenScript& script : std::exchange(written_, {})) {
        for (const Call& call : calls) {
            const std::vector<Command> commands = commands_of(call, script_);
            const auto run = std::ranges::find_if(commands, [&](const Command& one) { return runs(one, script); });
            if (run == commands.end()) continue;
            script.text.is_in_chroot = run->is_in_chroot;
            read_text(script.text, script.place);
            break;
        }
    }
}

}  // namespace

Script read_script(std::string name, std::string text, const Parse& parse) {
    Script script;
    script.name = std::move(name);
    script.text = std::move(text);
    const std::string_view first = std::string_view(script.text).substr(0, script.text.find('\n'));
    if (first.starts_with("#!")) script.interpreter = first.substr(2);
    Reader reader(script, parse);
    reader.read(script.text, {});
    reader.read_written();
    const auto by_begin = [](const auto& a, const auto& b) { return a.span.begin < b.span.begin; };
    std::ranges::stable_sort(script.calls, by_begin);
    std::ranges::stable_sort(script.functions, by_begin);
    std::ranges::stable_sort(script.comments, by_begin);
    std::ranges::stable_sort(script.settings, by_begin);
    script.runners = find_runners(script);
    return script;
}

}  // namespace stages::script
