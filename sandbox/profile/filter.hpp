// From what a profile says about system calls to one program: what it denies, the guard, the fences around what it does
// not allow, and its seccomp files, in this order, made small. Knows nothing of files and folders.
#pragma once
#include <string>
#include <vector>

#include "sandbox/spec/spec.hpp"

namespace sandbox {

// A seccomp file and the name it goes by in errors.
struct FilterText {
    std::string name;
    std::string text;
};

struct FilterRecipe {
    std::uint64_t capabilities = 0;
    Permissions allowed;
    std::vector<std::string> opened;
    std::vector<std::string> closed;
    FilterText mandatory;           // nothing that a profile says changes this one
    std::vector<FilterText> files;  // the first that does not allow a call gives the answer
};

// Everything that decides what comes out, as text; the running kernel's version where a file asks for one.
std::string recipe_text(const FilterRecipe& recipe);
// The name of that text, its SHA-256: a filter that was compiled before is taken for this recipe by it.
std::string filter_id(const std::string& recipe_text);

// Throws FilterError; also where the program would not let a command start.
FilterProgram compile_recipe(const FilterRecipe& recipe);

}  // namespace sandbox
