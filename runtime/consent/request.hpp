// What the stages of a pipeline ask for beyond their jails: each permission with the stages that ask for it, and
// digests that change with whatever an answer depends on. Knows nothing of who grants what.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine/profiles.hpp"
#include "sandbox/spec/spec.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::consent {

struct Asked {
    sandbox::Permission which;
    std::vector<std::string> stages;  // empty: the pipeline as a whole
};

struct Request {
    std::vector<Asked> asked;                // in the order of the table of words
    std::vector<std::string> user_networks;  // stages with network = "user", which needs no permission
    // One for each stage that asks, over its words, its name, what it runs and its profile, and one for what the
    // pipeline as a whole asks; in each the directory of the pipeline, too: the same words of another one are another
    // question.
    std::vector<std::string> digests;

    [[nodiscard]] sandbox::Permissions permissions() const;
};

// What the stages are wanted for: a build begins with the services of the host that the pipeline requires, a shell in a
// stage's jail has none.
enum class Purpose : std::uint8_t { build, visit };

// Of these stages of the pipeline, and of what holds for the whole. Throws ConfigError as Profiles does.
Request request_of(const stages::Pipeline& pipeline, const std::vector<const stages::Stage*>& stages, Purpose purpose,
                   engine::Profiles& profiles);

// The words of `--allow` and of the user's own file: each element one word or more, with commas between them. Throws
// std::invalid_argument for a word that there is not.
sandbox::Permissions read_words(const std::vector<std::string>& lists);
// What is wrong with such a list; empty where nothing is.
std::string words_fault(const std::string& list);

// A line for each permission, with the stages, and one for what needs none. Empty where there is nothing to say.
std::string to_text(const Request& request);

}  // namespace runtime::consent
