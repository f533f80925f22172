#include "stages/script/syntax.hpp"

#include <algorithm>
#include <array>

namespace stages::script {
namespace {

bool begins_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

}  // namespace

Position Script::at(std::size_t offset) const {
    const std::string_view before(text.data(), std::min(offset, text.size()));
    const std::size_t newline = before.rfind('\n');
    const std::string_view line = newline == before.npos ? before : before.substr(newline + 1);
    return {static_cast<unsigned>(std::ranges::count(before, '\n')) + 1,
            static_cast<unsigned>(std::ranges::count_if(line, begins_character)) + 1};
}

std::string_view Script::slice(Span span) const {
    return std::string_view(text).substr(span.begin, span.end - span.begin);
}

const Function* Script::find(std::string_view function) const {
    const auto found = std::ranges::find(functions, function, &Function::name);
    return found == functions.end() ? nullptr : &*found;
}

bool is_shell(std::string_view first_line) {
    if (!first_line.starts_with("#!")) return false;
    constexpr std::array<std::string_view, 6> shells{"sh", "bash", "dash", "ksh", "mksh", "ash"};
    constexpr std::string_view blanks = " \t\r";
    first_line.remove_prefix(2);
    while (!first_line.empty()) {
        first_line.remove_prefix(std::min(first_line.find_first_not_of(blanks), first_line.size()));
        const std::string_view word = first_line.substr(0, first_line.find_first_of(blanks));
        first_line.remove_prefix(word.size());
        const std::string_view program = word.substr(word.rfind('/') + 1);
        // What env(1) is told to run is the program; its options and settings come before.
        const bool is_before = program == "env" || word.starts_with('-') || word.find('=') != word.npos;
        if (!is_before) return std::ranges::find(shells, program) != shells.end();
    }
    return false;
}

}  // namespace stages::script
