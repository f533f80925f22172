// The results of a pipeline as files of the user's.
#pragma once
#include <functional>
#include <string>
#include <utility>

#include "runtime/engine/resolve_stage.hpp"
#include "runtime/engine/store_helpers.hpp"
#include "runtime/report/console.hpp"
#include "stages/pipeline/pipeline.hpp"

namespace runtime::supervisor {

// Copies the results whose stages are done to a directory, under the names the stages gave them. Two of one name: an
// error, and nothing is written.
class ResultExport {
  public:
    // Asked whenever something has happened.
    using IsStopped = std::function<bool()>;

    ResultExport(const stages::Pipeline& pipeline, const engine::Results& results, engine::StoreHelpers& helpers,
                 sandbox::os::EventLoop& loop, report::Console& console, IsStopped is_stopped)
        : pipeline_(pipeline),
          results_(results),
          helpers_(helpers),
          loop_(loop),
          console_(console),
          is_stopped_(std::move(is_stopped)) {}
    void to(const std::string& directory);

  private:
    void copy(const stages::Result& result, const std::string& target);

    const stages::Pipeline& pipeline_;
    const engine::Results& results_;
    engine::StoreHelpers& helpers_;
    sandbox::os::EventLoop& loop_;
    report::Console& console_;
    IsStopped is_stopped_;
};

}  // namespace runtime::supervisor
