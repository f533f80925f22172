#include "stages/script/phases.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "sandbox/os/format.hpp"
#include "stages/pipeline/words.hpp"
#include "stages/script/banners.hpp"
#include "stages/script/commands.hpp"
#include "stages/script/tools.hpp"

namespace stages::script {

using sandbox::os::format;

namespace {

// A statement with the comments before it, so that the pieces of a list have all of its bytes.
struct Piece {
    const Statement* statement = nullptr;
    Span span;
};

class Cutter {
  public:
    explicit Cutter(const Script& script) : script_(script), commands_(commands_of(script)) {}
    Phases cut();

  private:
    // For each piece, what its phase is called, where one begins.
    using Titles = std::vector<std::optional<std::string>>;
    std::vector<Piece> pieces_to_cut();
    [[nodiscard]] Titles titles_by_call(const std::vector<Piece>& list) const;
    [[nodiscard]] Titles titles_by_banner(const std::vector<Piece>& list) const;
    [[nodiscard]] std::vector<Piece> pieces(const std::vector<Statement>& list, Span whole) const;
    [[nodiscard]] std::size_t border(const Statement& before, const Statement& after) const;
    [[nodiscard]] bool has_effect(Span span) const;
    [[nodiscard]] bool has_effect(const std::string& function) const;
    // Does something where it stands, and not only declares it.
    [[nodiscard]] bool acts(const Piece& piece) const {
        return piece.statement->declares.empty() && has_effect(piece.statement->span);
    }
    [[nodiscard]] std::vector<const Command*> commands_in(Span span) const;
    [[nodiscard]] const Function* find_main(const std::vector<Piece>& list) const;
    [[nodiscard]] const Piece* find_loop(const std::vector<Piece>& list) const;
    [[nodiscard]] std::string phase_function(const Piece& piece) const;
    [[nodiscard]] std::size_t calls_of(const std::string& function) const;
    void cut_by_loop(const std::vector<Piece>& list, const Piece& loop);
    void cut_at(const std::vector<Piece>& list, const Titles& titles);
    void share(const Piece& piece);
    Phase& begin(const std::string& title);

    const Script& script_;
    std::vector<Command> commands_;
    Phases phases_;
    std::set<std::string> names_{"host", "empty"};
};

// Where the text of the second begins: at the first comment that has a line of its own, else at the statement's line.
std::size_t Cutter::border(const Statement& before, const Statement& after) const {
    std::size_t at = after.span.begin;
    for (const Comment& comment : script_.comments) {
        if (comment.span.begin < before.span.end || comment.span.begin > after.span.begin) continue;
        if (!has_own_line(script_, comment)) continue;
        at = comment.span.begin;
        break;
    }
    const std::size_t newline = script_.text.rfind('\n', at == 0 ? 0 : at - 1);
    return newline == std::string::npos || newline < before.span.end ? at : newline + 1;
}

std::vector<Piece> Cutter::pieces(const std::vector<Statement>& list, Span whole) const {
    std::vector<Piece> all;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::size_t begin = all.empty() ? whole.begin : all.back().span.end;
        const std::size_t end = i + 1 < list.size() ? border(list[i], list[i + 1]) : whole.end;
        all.push_back({&list[i], {begin, end}});
    }
    return all;
}

std::vector<const Command*> Cutter::commands_in(Span span) const {
    std::vector<const Command*> all;
    for (const Command& command : commands_) {
        if (span.holds(command.span)) all.push_back(&command);
    }
    return all;
}

bool Cutter::has_effect(const std::string& function) const {
    return std::ranges::any_of(commands_reached(script_, function), [&](const Command& command) {
        return !is_quiet(command.program) && script_.find(command.program) == nullptr;
    });
}

bool Cutter::has_effect(Span span) const {
    return std::ranges::any_of(commands_in(span), [&](const Command* command) {
        if (script_.find(command->program) != nullptr) return has_effect(command->program);
        return !is_quiet(command->program);
    });
}

std::size_t Cutter::calls_of(const std::string& function) const {
    return static_cast<std::size_t>(std::ranges::count(commands_, function, &Command::program));
}

// The function of the script that a statement calls for its effect, and nothing else calls: a phase.
std::string Cutter::phase_function(const Piece& piece) const {
    if (!piece.statement->declares.empty()) return {};
    for (const Command* command : commands_in(piece.statement->span)) {
        const std::string& name = command->program;
        if (script_.find(name) != nullptr && calls_of(name) == 1 && has_effect(name)) return name;
    }
    return {};
}

// The one function that the top of the script calls, and which calls the phases: main.
const Function* Cutter::find_main(const std::vector<Piece>& list) const {
    std::vector<std::string> called;
    for (const Piece& piece : list) {
        if (const std::string name = phase_function(piece); !name.empty()) called.push_back(name);
    }
    const Function* main = called.size() == 1 ? script_.find(called.front()) : nullptr;
    if (main == nullptr || main->body.size() < 2) return nullptr;
    const auto inner = pieces(main->body, main->span);
    const auto count = std::ranges::count_if(inner, [&](const Piece& piece) { return !phase_function(piece).empty(); });
    return count >= 2 || find_loop(inner) != nullptr ? main : nullptr;
}

// for i in prepare bootstrap pack; do "$i"; done
const Piece* Cutter::find_loop(const std::vector<Piece>& list) const {
    const auto found = std::ranges::find_if(list, [&](const Piece& piece) {
        const std::vector<std::string>& words = piece.statement->loop_words;
        const auto is_function = [&](const std::string& word) { return script_.find(word) != nullptr; };
        return words.size() > 1 && std::ranges::all_of(words, is_function);
    });
    return found == list.end() ? nullptr : &*found;
}

// "Install the kernel (amd64)" becomes install-the-kernel-amd64.
std::string stage_name(const std::string& title) {
    std::string name;
    for (const char c : title) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        const char lower = is_upper ? static_cast<char>(c - 'A' + 'a') : c;
        const bool is_letter = lower >= 'a' && lower <= 'z';
        if (is_letter || (lower >= '0' && lower <= '9' && !name.empty())) {
            name += lower;
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
        if (name.size() >= 40) break;
    }
    while (name.ends_with('-')) name.pop_back();
    return name_fault(name).empty() ? name : "phase";
}

Phase& Cutter::begin(const std::string& title) {
    Phase phase;
    phase.title = title;
    const std::string wish = stage_name(title);
    phase.name = wish;
    for (unsigned number = 2; !names_.insert(phase.name).second; ++number) phase.name = format("{}-{}", wish, number);
    return phases_.all.emplace_back(std::move(phase));
}

// What comes before the first phase: main's belongs to main's phases, the script's own to all that it has.
void Cutter::share(const Piece& piece) {
    (phases_.main.empty() ? phases_.common : phases_.prelude).push_back(piece.span);
}

void Cutter::cut_by_loop(const std::vector<Piece>& list, const Piece& loop) {
    std::vector<Span> before;
    std::vector<Span> after;
    for (const Piece& piece : list) {
        if (piece.statement == loop.statement) {
            phases_.dropped.push_back(piece.span);
        } else if (!piece.statement->declares.empty()) {
            phases_.common.push_back(piece.span);
        } else if (piece.span.begin > loop.span.begin) {
            after.push_back(piece.span);
        } else if (has_effect(piece.statement->span)) {
            before.push_back(piece.span);
        } else {
            share(piece);
        }
    }
    for (const std::string& function : loop.statement->loop_words) begin(function).function = function;
    phases_.all.front().parts = before;
    phases_.all.back().parts.insert(phases_.all.back().parts.end(), after.begin(), after.end());
}

// A phase begins at each piece with a title; what has none belongs to the phase before it. A setting between two calls
// is for the second.
void Cutter::cut_at(const std::vector<Piece>& list, const Titles& titles) {
    std::vector<Span> waiting;
    const auto has_later = [&](std::size_t i) {
        return std::any_of(titles.begin() + static_cast<std::ptrdiff_t>(i) + 1, titles.end(),
                           [](const auto& title) { return title.has_value(); });
    };
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Piece& piece = list[i];
        if (titles[i]) {
            Phase& phase = begin(*titles[i]);
            phase.parts = std::exchange(waiting, {});
            phase.function = phases_.seam == Seam::calls ? *titles[i] : std::string();
        }
        if (!piece.statement->declares.empty()) {
            phases_.common.push_back(piece.span);
        } else if (!titles[i] && has_later(i) && phases_.seam == Seam::calls && !has_effect(piece.statement->span)) {
            (phases_.all.empty() ? share(piece) : waiting.push_back(piece.span));
        } else if (!phases_.all.empty()) {
            phases_.all.back().parts.push_back(piece.span);
        } else if (has_effect(piece.statement->span)) {
            waiting.push_back(piece.span);
        } else {
            share(piece);
        }
    }
}

// What is cut: the body of main, where there is one. What surrounds it belongs to every phase.
std::vector<Piece> Cutter::pieces_to_cut() {
    std::vector<Piece> top = pieces(script_.statements, {0, script_.text.size()});
    const Function* main = find_main(top);
    if (main == nullptr) return top;
    phases_.main = main->name;
    for (const Piece& piece : top) {
        const bool is_main = piece.statement->declares == main->name || phase_function(piece) == main->name;
        (is_main ? phases_.dropped : phases_.common).push_back(piece.span);
    }
    const Span first = main->body.front().span;
    const std::size_t newline = script_.text.rfind('\n', first.begin);
    const bool is_indented = newline != std::string::npos && newline > main->span.begin;
    return pieces(main->body, {is_indented ? newline + 1 : first.begin, main->body.back().span.end});
}

Cutter::Titles Cutter::titles_by_call(const std::vector<Piece>& list) const {
    Titles calls(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (const std::string function = phase_function(list[i]); !function.empty()) calls[i] = function;
    }
    return calls;
}

// The last banner before a statement; before a function it says what the function is. A section without an effect is no
// phase.
Cutter::Titles Cutter::titles_by_banner(const std::vector<Piece>& list) const {
    Titles banners(list.size());
    const std::vector<Banner> all = find_banners(script_);
    for (std::size_t i = 0; i < list.size(); ++i) {
        for (const Banner& banner : all) {
            const bool is_before = list[i].span.holds(banner.span) && banner.span.begin < list[i].statement->span.begin;
            if (is_before && list[i].statement->declares.empty()) banners[i] = banner.title;
        }
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!banners[i]) continue;
        bool has_any = false;
        for (std::size_t j = i; j < list.size() && (j == i || !banners[j]); ++j) has_any = has_any || acts(list[j]);
        if (!has_any) banners[i].reset();
    }
    return banners;
}

Phases Cutter::cut() {
    const std::vector<Piece> list = pieces_to_cut();
    const Titles calls = titles_by_call(list);
    const Titles banners = titles_by_banner(list);
    const auto count = [](const Titles& titles) {
        return std::ranges::count_if(titles, [](const auto& title) { return title.has_value(); });
    };
    if (const Piece* loop = find_loop(list); loop != nullptr) {
        phases_.seam = Seam::loop;
        cut_by_loop(list, *loop);
    } else if (count(calls) >= 2 && count(calls) >= count(banners)) {
        phases_.seam = Seam::calls;
        cut_at(list, calls);
    } else if (count(banners) >= 2) {
        phases_.seam = Seam::banners;
        cut_at(list, banners);
    } else {
        const auto first = std::ranges::find_if(list, [this](const Piece& piece) { return acts(piece); });
        Titles one(list.size());
        if (first != list.end()) one[static_cast<std::size_t>(first - list.begin())] = "build";
        cut_at(list, one);
        if (phases_.all.empty()) begin("build");
    }
    return std::move(phases_);
}

}  // namespace

std::string_view words_of(Seam seam) {
    constexpr std::array<std::string_view, 4> words{"the functions that it calls in a loop",
                                                    "the functions that it calls in order",
                                                    "the banners in its comments", "no seam was found in it"};
    return words.at(static_cast<std::size_t>(seam));
}

Phases cut(const Script& script) {
    return Cutter(script).cut();
}

}  // namespace stages::script
