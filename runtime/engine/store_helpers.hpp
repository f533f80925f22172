// The id mappings that a build uses, and the helper process of the store for each: made when they are first needed,
// ended with the object.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "runtime/report/console.hpp"
#include "runtime/store/helper.hpp"
#include "runtime/store/store.hpp"
#include "sandbox/ids/idmap.hpp"

namespace runtime::engine {

class StoreHelpers {
  public:
    // Borrows all three.
    StoreHelpers(store::Store& store, sandbox::os::EventLoop& loop, report::Console& console)
        : store_(store), loop_(loop), console_(console) {}

    // Root is told which ids were taken, and why they are free. Throws IdMapError where there are none.
    const sandbox::IdMap& ids(sandbox::IdMode mode);
    // The widest mapping that was used; of one id where none was.
    [[nodiscard]] sandbox::IdMap ids_in_use() const;
    store::StoreHelper& of(sandbox::IdMode mode);
    [[nodiscard]] std::vector<pid_t> pids() const;
    // Deletes what was discarded in the store; returns when that is done, or when it is enough: the next build goes on.
    void empty_trash(const std::function<bool()>& is_enough);

  private:
    store::StoreHelper& cleaner();

    store::Store& store_;
    sandbox::os::EventLoop& loop_;
    report::Console& console_;
    std::map<sandbox::IdMode, sandbox::IdMap> ids_;
    std::map<sandbox::IdMode, std::unique_ptr<store::StoreHelper>> helpers_;
};

}  // namespace runtime::engine
