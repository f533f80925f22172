// remove_tree(): must succeed on whatever a payload left, so it neither recurses without end nor trusts a mode.
#include <set>

#include "runtime/store/tree_walk.hpp"

namespace runtime::store {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::sys;
using sandbox::os::try_sys;

// Directories deeper than this are moved up first, so that a nest of any depth needs this many descriptors.
constexpr int deepest_descent = 64;

class Removal {
  public:
    Removal(int parent, const std::string& name) : parent_(parent), name_(name) {}

    void run() {
        remove(parent_, name_, 0);
        while (!moved_.empty()) {
            const std::string next = *moved_.begin();
            moved_.erase(moved_.begin());
            remove(parent_, next, 0);
        }
    }

  private:
    void remove(int directory, const std::string& name, int depth) {
        const long unlinked = try_sys([&] { return ::unlinkat(directory, name.c_str(), 0); });
        if (unlinked == 0 || unlinked == -ENOENT) return;
        if (unlinked != -EISDIR && unlinked != -EPERM) {
            throw sandbox::os::SysError(static_cast<int>(-unlinked), format("remove {}", name));
        }
        if (depth >= deepest_descent) {
            move_up(directory, name);
            return;
        }
        if (!empty(directory, name, depth)) return;
        const long removed = try_sys([&] { return ::unlinkat(directory, name.c_str(), AT_REMOVEDIR); });
        if (removed < 0 && removed != -ENOENT) {
            throw sandbox::os::SysError(static_cast<int>(-removed), format("remove directory {}", name));
        }
    }

    // False where the directory is gone: two builds may empty the trash at the same time.
    bool empty(int directory, const std::string& name, int depth) {
        constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        const long opened = try_sys([&] { return ::openat(directory, name.c_str(), flags); });
        if (opened == -ENOENT) return false;
        if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), format("open directory {}", name));
        const Fd inside(static_cast<int>(opened));
        for (const std::string& child : sandbox::os::list_directory(inside.get())) {
            remove(inside.get(), child, depth + 1);
        }
        return true;
    }

    void move_up(int directory, const std::string& name) {
        const std::string top = format("{}.{}", name_, ++counter_);
        sys([&] { return ::renameat(directory, name.c_str(), parent_, top.c_str()); }, "move {} up", name);
        moved_.insert(top);
    }

    int parent_;
    const std::string& name_;
    std::set<std::string> moved_;
    unsigned counter_ = 0;
};

}  // namespace

void remove_tree(int parent, const std::string& name) {
    Removal(parent, name).run();
}

}  // namespace runtime::store
