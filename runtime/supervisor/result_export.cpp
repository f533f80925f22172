#include "runtime/supervisor/result_export.hpp"

#include <algorithm>
#include <map>

#include "sandbox/os/files.hpp"
#include "sandbox/os/format.hpp"

namespace runtime::supervisor {

using sandbox::os::format;
using sandbox::os::Json;

void ResultExport::to(const std::string& directory) {
    // The store helper's working directory is the store, so it is given whole paths.
    const std::string top = directory.starts_with("/") ? directory : sandbox::os::real_path(".") + "/" + directory;
    std::map<std::string, const stages::Result*> targets;
    for (const stages::Result& result : pipeline_.results) {
        const auto& outputs = pipeline_.find(result.stage)->outputs;
        const auto output = std::ranges::find(outputs, result.artifact, &stages::Output::name);
        const std::string target = top + "/" + output->path.substr(output->path.rfind('/') + 1);
        const auto [other, is_new] = targets.emplace(target, &result);
        if (is_new) continue;
        throw store::StoreError(
            format("the results {} and {} would both be {}; nothing is written: give one of their "
                   "outputs another name",
                   other->second->name, result.name, target));
    }
    sandbox::os::make_directories(top, 0777);
    for (const auto& [target, result] : targets) copy(*result, target);
}

void ResultExport::copy(const stages::Result& result, const std::string& target) {
    const auto found = results_.find(result.stage);
    if (found == results_.end()) return;
    const store::Object& object = found->second.record.artifacts.at(result.artifact);
    bool is_answered = false;
    store::StoreHelper& helper = helpers_.of(pipeline_.find(result.stage)->ids);
    const auto request = helper.export_to("artifacts/" + object.id.text(), target,
                                          [&](const Json&, const store::StoreHelperFault& fault) {
                                              is_answered = true;
                                              if (fault)
                                                  throw store::StoreError(format("write {}: {}", target, fault.what));
                                          });
    while (!is_answered) {
        loop_.run_once();
        if (is_stopped_()) helper.cancel(request);
    }
    console_.note(format("{}: {}", result.name, target));
}

}  // namespace runtime::supervisor
