#include "stages/script/edit.hpp"

#include <algorithm>
#include <set>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/script/sources.hpp"

namespace stages::script {

using sandbox::os::format;

namespace {

bool touches(const std::vector<Span>& spans, Span one) {
    return std::ranges::any_of(spans, [&](Span span) { return span.holds(one); });
}

bool is_setting(const std::string& word) {
    const std::size_t equals = word.find('=');
    return equals != word.npos && equals > 0 && word.find_first_of("-$/") > equals;
}

// Where the command that a carrier runs begins, with the settings before it: `sudo -E A=b make` from A on.
std::size_t begin_inside(const Command& carrier, const Command& inner) {
    std::size_t begin = inner.span.begin;
    for (std::size_t i = carrier.words.size(); i > 0; --i) {
        const Word& word = carrier.words[i - 1];
        if (word.span.begin >= begin) continue;
        if (!is_setting(word.value())) break;
        begin = word.span.begin;
    }
    return begin;
}

}  // namespace

Editor::Editor(const Script& script) : script_(script), findings_(find_all(script)) {
    std::erase_if(findings_, [](const Finding& finding) { return finding.rule->carried == Carried::as_it_is; });
    for (const Call& call : script.calls) edit_call(call);
    for (const Write& write : script.writes) edit_write(write);
    std::ranges::stable_sort(edits_, [](const Edit& a, const Edit& b) { return a.span.begin < b.span.begin; });
}

void Editor::replace(Span span, std::string text) {
    const bool is_known = std::ranges::any_of(edits_, [&](const Edit& edit) { return edit.span == span; });
    if (!is_known) edits_.push_back({span, std::move(text)});
}

void Editor::edit_call(const Call& call) {
    if (!call.is_verbatim) return;
    const auto finding_at = [&](const Command& command) -> const Finding* {
        const auto found = std::ranges::find(findings_, command.span, &Finding::span);
        return found == findings_.end() ? nullptr : &*found;
    };
    const std::vector<Command> commands = commands_of(call, script_);
    std::size_t kept = call.span.begin;
    bool is_stilled = false;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        const Finding* finding = finding_at(commands[i]);
        if (finding == nullptr) continue;
        const bool is_carrier = finding->rule->carried == Carried::without_itself && i + 1 < commands.size();
        if (is_carrier && commands[i].span.begin == kept) {
            kept = begin_inside(commands[i], commands[i + 1]);
            replace({commands[i].span.begin, kept}, {});
        } else {
            is_stilled = true;
        }
    }
    if (is_stilled) {
        // The whole call: `chroot DIR mount ...` as `: chroot DIR mount ...`, since a chroot knows no ":".
        replace({kept, kept}, ": ");
        stilled_.push_back(call.span);
    } else if (const Word* file = sourced_file(commands.back()); file != nullptr) {
        if (const std::string name = followed_name(*file, script_); !name.empty()) {
            replace(file->span, "/in/" + name);
        }
    }
}

void Editor::edit_write(const Write& write) {
    const Span span = write.target.span;
    const auto found = std::ranges::find(findings_, span, &Finding::span);
    if (found != findings_.end() && found->is_verbatim) replace(span, "/dev/null");
}

bool Editor::is_stilled(const Command& command) const {
    return touches(stilled_, command.span);
}

std::string Editor::text_of(const std::vector<Span>& spans) const {
    std::string text;
    for (const Span& span : spans) {
        std::size_t at = span.begin;
        for (const Edit& edit : edits_) {
            if (!span.holds(edit.span) || edit.span.begin < at) continue;
            text += script_.slice({at, edit.span.begin});
            text += edit.text;
            at = edit.span.end;
        }
        text += script_.slice({at, span.end});
        if (!text.empty() && !text.ends_with('\n')) text += '\n';
    }
    return text;
}

std::string Editor::notes_on(const std::vector<Span>& spans) const {
    std::string text;
    std::set<const Rule*> told;
    for (const Finding& finding : findings_) {
        if (!touches(spans, finding.span) || !told.insert(finding.rule).second) continue;
        text += format("#\n# {}: {}.\n", finding.rule->name, finding.rule->instead);
        for (const Finding& one : findings_) {
            if (one.rule != finding.rule || !touches(spans, one.span)) continue;
            text += format("#   {}:{}: {}{}\n", one.at.line, one.at.column, sandbox::os::printable(one.command),
                           one.is_verbatim ? "" : "   <- still in effect: it is made while the script runs");
        }
    }
    for (const Unread& unread : script_.unread) {
        if (!touches(spans, unread.span)) continue;
        const Position at = script_.at(unread.span.begin);
        text += format("#\n# Not read, {}:{}: a text for a shell that only becomes one when the script runs ({}).\n",
                       at.line, at.column, sandbox::os::printable(unread.why));
    }
    return text;
}

}  // namespace stages::script
