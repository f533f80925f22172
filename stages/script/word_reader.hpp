// What a word of a script can stand for: quotes taken away, variables that are known replaced. Knows words of the
// syntax tree only, no commands.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "stages/script/syntax.hpp"

namespace stages::script {

// The offsets of a node of shfmt's tree.
Span span_of(const sandbox::os::Json& node);

class WordReader {
  public:
    // `outer`: of the text around this one, which may know a variable too; borrowed, or null.
    WordReader(std::string_view text, const WordReader* outer) : text_(text), outer_(outer) {}
    // Notes what the tree's assignments and loops give to variables. Of one that is set in two places nothing is known.
    void learn(const sandbox::os::Json& tree);
    // Several where it is nothing but an unquoted variable with blanks in its value, as in UNMOUNT="umount -l".
    [[nodiscard]] std::vector<Word> read(const sandbox::os::Json& node) const;
    // The literal text that a shell would be handed, where the word has no expansion but those it keeps as $NAME.
    [[nodiscard]] std::vector<std::string> values(const sandbox::os::Json& node, unsigned depth = 0) const;

  private:
    void append(const sandbox::os::Json& part, unsigned depth, std::vector<std::string>& so_far) const;
    [[nodiscard]] std::vector<std::string> variable(const sandbox::os::Json& part, unsigned depth) const;
    void learn_setting(const std::string& name, const std::vector<const sandbox::os::Json*>& words);

    std::string_view text_;
    const WordReader* outer_;
    // Empty: set in more than one place, or in a way that cannot be followed.
    std::map<std::string, std::vector<const sandbox::os::Json*>> known_;
};

}  // namespace stages::script
