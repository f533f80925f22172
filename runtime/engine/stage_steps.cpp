#include "runtime/engine/stage_steps.hpp"

namespace runtime::engine {

using sandbox::os::Json;

store::StoreHelper::Answer StageSteps::then(std::function<void(const Json&)> next, FailureClass kind,
                                            std::string doing) {
    return [this, alive = std::weak_ptr<bool>(alive_), next = std::move(next), kind, doing = std::move(doing)](
               const Json& answer, const store::StoreHelperFault& fault) {
        if (alive.expired()) return;
        if (stopped_) {
            give_up(stopped_->kind, stopped_->what);
        } else if (fault) {
            give_up(class_of_error(fault.error, kind), doing + fault.what);
        } else {
            attempt(kind, [&] { next(answer); });
        }
    };
}

void StageSteps::stop(FailureClass kind, std::string what) {
    if (stopped_) return;
    stopped_ = {kind, std::move(what)};
    helper_.cancel(request_);
}

void StageSteps::give_up(FailureClass kind, const std::string& what, const std::string& remedy) {
    const std::string_view advice = stages::advice_for(kind, stages::HasNetwork::no);
    failed_({.kind = kind, .problem = {what, remedy.empty() ? std::string(advice) : remedy}});
}

}  // namespace runtime::engine
