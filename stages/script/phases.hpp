// Where a build script has its own seams: functions that it calls one after the other, or banners in its comments.
// Decides which of its text is every phase's. Writes nothing.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "stages/script/syntax.hpp"

namespace stages::script {

struct Phase {
    std::string name;         // a stage's, see pipeline/words.hpp
    std::string title;        // what the script calls it
    std::vector<Span> parts;  // of the text, in its order; empty where a loop calls `function`
    std::string function;     // that it is; empty: none
};

enum class Seam : std::uint8_t { loop, calls, banners, none };
std::string_view words_of(Seam seam);

struct Phases {
    Seam seam = Seam::none;
    std::vector<Phase> all;     // at least one
    std::vector<Span> common;   // functions and settings, which each phase needs
    std::vector<Span> prelude;  // what `main` does before its first phase
    std::vector<Span> dropped;  // the loop over the phases, the call of main: Stagebox's part now
    std::string main;           // the function whose body was cut; empty: the script's own top
};

// Every byte of the script is in one of the spans, but for the body of `main`, whose bytes are.
Phases cut(const Script& script);

}  // namespace stages::script
