#include "stages/pipeline/stage_reader.hpp"

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "stages/pipeline/stage_keys.hpp"

namespace stages {
namespace {

using sandbox::ConfigEntry;
using sandbox::ConfigTable;
using sandbox::ConfigValue;
using sandbox::os::format;
using sandbox::os::quote;

constexpr auto on_disconnect_words =
    std::to_array<sandbox::Word<OnDisconnect>>({{"end", OnDisconnect::end}, {"continue", OnDisconnect::go_on}});
constexpr auto on_disconnect_names = sandbox::words_in(on_disconnect_words);

// A key of [defaults] that is of the whole build, and of no stage.
struct BuildKey {
    sandbox::KeyInfo info;
    void (*read)(const ConfigValue& value, Defaults& defaults);
};

constexpr std::array build_keys = {
    BuildKey{{"on-disconnect", sandbox::shape::one_of(on_disconnect_names), "\"end\"", sandbox::Presence::optional,
              sandbox::Effect::none, "What a build does when its terminal goes away"},
             [](const ConfigValue& value, Defaults& defaults) {
                 defaults.on_disconnect = sandbox::read_word(value, on_disconnect_words);
             }},
};
static_assert(std::ranges::all_of(build_keys, sandbox::is_complete, &BuildKey::info));

void check_stage_name(const ConfigTable& stages, const ConfigEntry& entry) {
    check_name(stages, entry, "a stage");
    if (entry.key != "host" && entry.key != "empty") return;
    throw stages.source().error(entry.key_at, format("a stage cannot be called {}", quote(entry.key)),
                                "the word names a root, in \"from\"");
}

// What no key can tell by itself.
void check_whole(const ConfigTable& stages, const ConfigEntry& entry, const Stage& stage) {
    if (entry.value.as_table().find("from") == nullptr) {
        throw stages.source().error(entry.key_at, format("the stage {} does not say what it starts from", stage.name),
                                    "add from = \"host\", \"empty\", a stage, or a stage's artifact");
    }
    if (!stage.script && stage.run.empty()) {
        throw stages.source().error(entry.key_at, format("the stage {} has nothing to do", stage.name),
                                    "add script = \"FILE\" or run = [\"PROGRAM\", \"ARGUMENT\"]");
    }
    if (!stage.needs.empty() && !std::holds_alternative<HostRoot>(stage.from)) {
        throw stages.source().error(position_of(stage.needs.front().at),
                                    "\"needs\" names programs of the host, and this stage does not start from the host",
                                    "its programs are those of its root; leave \"needs\" out");
    }
}

}  // namespace

std::vector<sandbox::KeyInfo> default_infos() {
    std::vector<sandbox::KeyInfo> infos;
    for (const StageKey& key : stage_keys()) {
        if (key.scope == Scope::stage_and_defaults) infos.push_back(key.info);
    }
    for (const BuildKey& key : build_keys) infos.push_back(key.info);
    return infos;
}

Defaults read_defaults(const ConfigTable& table, const Variables& variables, const ProjectFiles& files) {
    Defaults defaults;
    for (const ConfigEntry& entry : table.entries()) {
        const StageKey* const of_stages = sandbox::find_row(stage_keys(), entry.key);
        const BuildKey* const of_build = sandbox::find_row(build_keys, entry.key);
        if (of_stages != nullptr && of_stages->scope == Scope::stage_and_defaults) {
            of_stages->read({table, entry, variables, files}, defaults.stage);
        } else if (of_build != nullptr) {
            of_build->read(entry.value, defaults);
        } else {
            throw table.unknown_key(entry, sandbox::names_of(default_infos()));
        }
    }
    return defaults;
}

Stage read_stage(const ConfigTable& stages, const ConfigEntry& entry, const Defaults& defaults,
                 const Variables& variables, const ProjectFiles& files) {
    check_stage_name(stages, entry);
    const ConfigTable& table = entry.value.as_table();
    Stage stage = defaults.stage;
    stage.name = entry.key;
    stage.at = position_of(entry.key_at);
    if (stage.profile_at.line == 0) stage.profile_at = stage.at;
    sandbox::for_each_key(table, stage_keys(), [&](const StageKey& key, const ConfigEntry& one) {
        key.read({table, one, variables, files}, stage);
    });
    check_whole(stages, entry, stage);
    return stage;
}

}  // namespace stages
