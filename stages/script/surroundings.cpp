#include "stages/script/surroundings.hpp"

#include <utility>

namespace stages::script {
namespace {

void add(std::vector<std::string>& places, const Word& word) {
    for (std::string value : word.values) {
        while (value.size() > 1 && value.ends_with('/')) value.pop_back();
        // What is nothing but one expansion of an argument could be anything.
        const bool is_argument = value.size() == 2 && value[0] == '$' && value[1] < 'A';  // $1, $@, $*
        if (!value.empty() && !is_argument) places.push_back(std::move(value));
    }
}

}  // namespace

Surroundings surroundings_of(const Script& script) {
    Surroundings around{script, {}};
    for (const Command& command : commands_of(script)) {
        if (command.is_in_namespaces || command.is_in_chroot) continue;
        const std::vector<Word> operands = command.operands("toLUNO");
        if (command.program == "mount" && operands.size() > 1) add(around.mounted, operands.back());
        if (command.program == "chroot" && !operands.empty()) add(around.mounted, operands.front());
    }
    return around;
}

}  // namespace stages::script
