#include "stages/script/word_reader.hpp"

#include <algorithm>

namespace stages::script {

using sandbox::os::Json;

namespace {

constexpr std::size_t most_values = 16;
constexpr unsigned deepest = 6;  // variables in variables

// A backslash stands for the character after it; between double quotes only before these.
std::string without_escapes(std::string_view text, std::string_view escaped) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_escape =
            text[i] == '\\' && i + 1 < text.size() && (escaped.empty() || escaped.find(text[i + 1]) != escaped.npos);
        if (is_escape && text[++i] == '\n') continue;
        plain += text[i];
    }
    return plain;
}

void append_each(std::vector<std::string>& so_far, const std::vector<std::string>& choices) {
    std::vector<std::string> all;
    for (const std::string& begin : so_far) {
        for (const std::string& choice : choices) {
            if (all.size() < most_values) all.push_back(begin + choice);
        }
    }
    so_far = std::move(all);
}

std::string type_of(const Json& node) {
    return node.is_object() ? node.value("Type", std::string()) : std::string();
}

// The name of a plain $NAME or ${NAME}; empty for lengths, defaults, slices and the like.
std::string plain_name(const Json& part) {
    for (const char* more : {"Excl", "Length", "Width", "Index", "Slice", "Repl", "Names", "Exp"}) {
        if (part.contains(more)) return {};
    }
    return part.at("Param").value("Value", std::string());
}

}  // namespace

Span span_of(const Json& node) {
    return {node.at("Pos").value("Offset", std::size_t{0}), node.at("End").value("Offset", std::size_t{0})};
}

void WordReader::learn_setting(const std::string& name, const std::vector<const Json*>& words) {
    const auto [place, is_new] = known_.try_emplace(name, words);
    if (!is_new) place->second.clear();
}

void WordReader::learn(const Json& tree) {
    if (tree.is_object()) {
        const auto name = tree.find("Name");
        if (name != tree.end() && name->is_object() && type_of(tree) == "WordIter") {
            std::vector<const Json*> words;
            if (tree.contains("Items")) {
                for (const Json& item : tree.at("Items")) words.push_back(&item);
            }
            learn_setting(name->value("Value", std::string()), words);
        } else if (name != tree.end() && name->is_object() && type_of(tree).empty()) {
            // An assignment. What is added to, or given to an array, cannot be followed.
            const bool is_plain = tree.contains("Value") && !tree.value("Append", false) && !tree.contains("Index");
            learn_setting(name->value("Value", std::string()),
                          is_plain ? std::vector<const Json*>{&tree.at("Value")} : std::vector<const Json*>{});
        }
    }
    if (tree.is_structured()) {
        for (const Json& child : tree) learn(child);
    }
}

std::vector<std::string> WordReader::variable(const Json& part, unsigned depth) const {
    const std::string name = plain_name(part);
    const Span span = span_of(part);
    if (name.empty()) return {std::string(text_.substr(span.begin, span.end - span.begin))};
    const auto known = known_.find(name);
    if (known == known_.end() && outer_ != nullptr) return outer_->variable(part, depth);
    if (known == known_.end() || known->second.empty() || depth >= deepest) return {"$" + name};
    std::vector<std::string> all;
    for (const Json* word : known->second) {
        for (std::string& value : values(*word, depth + 1)) all.push_back(std::move(value));
    }
    // A variable that is made of itself is not known.
    const bool is_circular = std::ranges::any_of(all, [&](const std::string& value) { return value == "$" + name; });
    return all.empty() || is_circular ? std::vector<std::string>{"$" + name} : all;
}

void WordReader::append(const Json& part, unsigned depth, std::vector<std::string>& so_far) const {
    const std::string type = type_of(part);
    if (type == "Lit") {
        append_each(so_far, {without_escapes(part.value("Value", std::string()), {})});
    } else if (type == "SglQuoted") {
        append_each(so_far, {part.value("Value", std::string())});
    } else if (type == "ParamExp") {
        append_each(so_far, variable(part, depth));
    } else if (type == "DblQuoted") {
        if (!part.contains("Parts")) return;
        for (const Json& inner : part.at("Parts")) {
            if (type_of(inner) == "Lit") {
                append_each(so_far, {without_escapes(inner.value("Value", std::string()), "$`\"\\\n")});
            } else {
                append(inner, depth, so_far);
            }
        }
    } else {
        const Span span = span_of(part);
        append_each(so_far, {std::string(text_.substr(span.begin, span.end - span.begin))});
    }
}

std::vector<std::string> WordReader::values(const Json& node, unsigned depth) const {
    std::vector<std::string> all{""};
    if (node.contains("Parts")) {
        for (const Json& part : node.at("Parts")) append(part, depth, all);
    }
    return all;
}

std::vector<Word> WordReader::read(const Json& node) const {
    Word word;
    word.span = span_of(node);
    word.text = text_.substr(word.span.begin, word.span.end - word.span.begin);
    word.values = values(node);
    const Json& parts = node.contains("Parts") ? node.at("Parts") : Json::array();
    const bool is_variable = parts.size() == 1 && type_of(parts.front()) == "ParamExp";
    // What a command prints is not known, and the blanks in the command are none of its.
    const bool is_known = word.values.size() == 1 && word.value().find_first_of("(`") == std::string::npos;
    if (!is_variable || !is_known || word.value().find(' ') == std::string::npos) return {word};

    std::vector<Word> words;
    const std::string all = word.value();
    for (std::size_t begin = all.find_first_not_of(" \t\n"); begin != all.npos;) {
        const std::size_t end = std::min(all.find_first_of(" \t\n", begin), all.size());
        words.push_back({word.text, {all.substr(begin, end - begin)}, word.span});
        begin = all.find_first_not_of(" \t\n", end);
    }
    return words.empty() ? std::vector<Word>{word} : words;
}

}  // namespace stages::script
