#include "runtime/consent/request.hpp"

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sha256.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/profile/permissions.hpp"
#include "stages/pipeline/local_files.hpp"

namespace runtime::consent {

using sandbox::Permission;
using sandbox::PermissionWord;
using sandbox::os::format;
using sandbox::os::Json;
using stages::Pipeline;
using stages::Stage;

namespace {

sandbox::Permissions asked_by_all(const Pipeline& pipeline, Purpose purpose) {
    sandbox::Permissions asked;
    if (purpose == Purpose::build && std::ranges::any_of(pipeline.host_services, &stages::HostService::may_start)) {
        asked.add(Permission::host_services);
    }
    if (pipeline.is_project_outside) asked.add(Permission::files_outside);
    return asked;
}

// Everything that such a stage runs.
Json commands_of(const Stage& stage, const stages::LocalFiles& files) {
    Json commands = {{"run", stage.run}, {"recover", stage.on_failure.recover}};
    if (stage.script) {
        commands["script"] = sandbox::os::sha256_of_file(files.open(stage.script->path, O_RDONLY).get());
    }
    for (const sandbox::Service& service : stage.services) {
        commands["services"].push_back({service.run, service.ready.command});
    }
    return commands;
}

Json services_of(const Pipeline& pipeline) {
    Json units = Json::array();
    for (const stages::HostService& service : pipeline.host_services) {
        if (service.may_start) units.push_back({service.unit, service.manager == stages::HostService::Manager::user});
    }
    return units;
}

std::string digest_of(const Json& material) {
    return sandbox::os::sha256_of(material.dump(-1, ' ', true, Json::error_handler_t::replace));
}

Json material_of(const Pipeline& pipeline, const Stage& stage, engine::Profiles& profiles) {
    const stages::LocalFiles files(pipeline.directory);
    return {{"directory", pipeline.directory},  {"stage", stage.name},
            {"words", profiles.granted(stage)}, {"commands", commands_of(stage, files)},
            {"devices", stage.devices},         {"profile", sandbox::os::sha256_of(profiles.material_of(stage))}};
}

std::string stages_text(const std::vector<std::string>& stages) {
    if (stages.empty()) return "the pipeline";
    return format("{} {}", stages.size() == 1 ? "stage" : "stages", sandbox::os::join(stages));
}

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(',', at), list.size());
        words.push_back(list.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

}  // namespace

sandbox::Permissions Request::permissions() const {
    sandbox::Permissions all;
    for (const Asked& one : asked) all.add(one.which);
    return all;
}

Request request_of(const Pipeline& pipeline, const std::vector<const Stage*>& stages, Purpose purpose,
                   engine::Profiles& profiles) {
    Request request;
    const sandbox::Permissions of_all = asked_by_all(pipeline, purpose);
    for (const PermissionWord& word : sandbox::permission_words()) {
        Asked one{word.which, {}};
        for (const Stage* stage : stages) {
            if (profiles.in_force(*stage).has(word.which)) one.stages.push_back(stage->name);
        }
        if (!one.stages.empty() || of_all.has(word.which)) request.asked.push_back(std::move(one));
    }
    for (const Stage* stage : stages) {
        if (stage->network == sandbox::Network::user) request.user_networks.push_back(stage->name);
    }
    for (const Stage* stage : stages) {
        if (profiles.in_force(*stage).empty()) continue;
        request.digests.push_back(digest_of(material_of(pipeline, *stage, profiles)));
    }
    if (!of_all.empty()) {
        request.digests.push_back(digest_of({{"directory", pipeline.directory},
                                             {"words", sandbox::words_of(of_all)},
                                             {"project", pipeline.project},
                                             {"services", services_of(pipeline)}}));
    }
    return request;
}

sandbox::Permissions read_words(const std::vector<std::string>& lists) {
    sandbox::Permissions permissions;
    for (const std::string& list : lists) {
        if (const std::string fault = words_fault(list); !fault.empty()) throw std::invalid_argument(fault);
        for (const std::string& word : split(list)) permissions.add(*sandbox::permission_named(word));
    }
    return permissions;
}

std::string words_fault(const std::string& list) {
    for (const std::string& word : split(list)) {
        if (sandbox::permission_named(word)) continue;
        std::vector<std::string_view> known;
        for (const PermissionWord& one : sandbox::permission_words()) known.push_back(one.word);
        const std::string hint = sandbox::os::did_you_mean(word, known);
        return format("there is no permission {}: {}", sandbox::os::quote(word),
                      hint.empty() ? "there are " + sandbox::os::list_words(known) : hint);
    }
    return {};
}

std::string to_text(const Request& request) {
    std::string text;
    for (const Asked& one : request.asked) {
        sandbox::os::append_part(text, "\n",
                                 format("asks for {}: {}, by {}", sandbox::word_of(one.which),
                                        sandbox::row_of(one.which).meaning, stages_text(one.stages)));
    }
    if (!request.user_networks.empty()) {
        sandbox::os::append_part(
            text, "\n",
            format("asks for no permission: a network of its own with a way out (network = \"user\"), by {}",
                   stages_text(request.user_networks)));
    }
    return text;
}

}  // namespace runtime::consent
