// The steps of one stage's way that can fail. What a step throws, and what the store helper answers in place of a
// result, is the stage's failure and not the end of the build.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/engine/classify.hpp"
#include "runtime/engine/stage_failure.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/os/json.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::engine {

class StageSteps {
  public:
    using Failed = std::function<void(Failure)>;

    // `failed` is called for the first step that fails. Borrows the helper.
    StageSteps(store::StoreHelper& helper, Failed failed) : helper_(helper), failed_(std::move(failed)) {}
    StageSteps(const StageSteps&) = delete;
    StageSteps& operator=(const StageSteps&) = delete;

    // A callback for the store helper: goes on with its answer, or fails with the helper's reason, before which `doing`
    // stands. An answer that comes after the object is gone is dropped.
    [[nodiscard]] store::StoreHelper::Answer then(std::function<void(const sandbox::os::Json&)> next, FailureClass kind,
                                                  std::string doing = {});
    // The request whose answer the stage waits for now: stop() gives it up.
    void wait_for(store::StoreHelper::Request request) noexcept { request_ = request; }
    template <class Part>
    void attempt(FailureClass kind, Part part) {
        try {
            part();
        } catch (const sandbox::os::SysError& error) {
            if (is_over_) throw;  // not of the stage's any more
            give_up(class_of_error(error.error(), kind), error.what());
        } catch (const store::StoreError& error) {
            if (is_over_) throw;
            give_up(kind, error.what());
        } catch (const store::StoreHelperError& error) {
            if (is_over_) throw;
            give_up(kind, error.what());
        }
    }
    // For a reason that is not the command's own end. Without a remedy, the advice for that kind.
    void give_up(FailureClass kind, const std::string& what, const std::string& remedy = {});

    // The stage ends so in the loop's next turn where it waits for the store helper, else with its next step. The first
    // reason counts.
    void stop(FailureClass kind = FailureClass::interrupted, std::string what = "stopped");
    [[nodiscard]] bool is_stopped() const noexcept { return stopped_.has_value(); }
    // The stage has its end: what is thrown from here on is for the caller.
    void end() noexcept { is_over_ = true; }

  private:
    struct Stop {
        FailureClass kind;
        std::string what;
    };

    store::StoreHelper& helper_;
    Failed failed_;
    store::StoreHelper::Request request_ = 0;
    std::optional<Stop> stopped_;
    bool is_over_ = false;
    // Callbacks that come after the object is gone find this empty.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace runtime::engine
