#include "stages/script/sources.hpp"

#include <algorithm>

#include "stages/pipeline/words.hpp"

namespace stages::script {

const Word* sourced_file(const Command& command) {
    const bool is_source = command.program == "." || command.program == "source";
    return is_source && command.words.size() > 1 ? &command.words[1] : nullptr;
}

std::string path_beside(const Word& file) {
    std::string path = file.value();
    if (path.starts_with('$')) {
        // Behind the expansion: the first slash outside of its brackets.
        std::size_t depth = 0;
        std::size_t at = 0;
        for (; at < path.size() && (depth > 0 || path[at] != '/'); ++at) {
            if (path[at] == '(' || path[at] == '{') ++depth;
            if ((path[at] == ')' || path[at] == '}') && depth > 0) --depth;
        }
        path.erase(0, std::min(at + 1, path.size()));
    }
    while (path.starts_with("./")) path.erase(0, 2);
    const bool is_known = path.find_first_of("$`*?") == path.npos;
    return is_known && relative_path_fault(path).empty() ? path : std::string();
}

std::vector<std::string> paths_beside(const Script& script) {
    std::vector<std::string> all;
    for (const Command& command : commands_of(script)) {
        const Word* file = sourced_file(command);
        if (file == nullptr || command.is_in_chroot) continue;
        std::string path = path_beside(*file);
        if (!path.empty() && std::ranges::find(all, path) == all.end()) all.push_back(std::move(path));
    }
    return all;
}

std::string followed_name(const Word& file, const Script& script) {
    const auto found = script.followed.find(path_beside(file));
    return found == script.followed.end() ? std::string() : found->second;
}

}  // namespace stages::script
