// Comments that divide a script: "### Install the kernel ###", "# --- Packages ---", a title between two rulers, "#
// Step 3: ...". Knows comments only.
#pragma once
#include <string>
#include <vector>

#include "stages/script/syntax.hpp"

namespace stages::script {

struct Banner {
    Span span;  // of its title's line
    std::string title;
};

std::vector<Banner> find_banners(const Script& script);

// Nothing but blanks before it on its line.
bool has_own_line(const Script& script, const Comment& comment);

}  // namespace stages::script
