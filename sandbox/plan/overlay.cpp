#include "sandbox/plan/overlay.hpp"

#include "sandbox/os/format.hpp"

namespace sandbox {
namespace {

using os::format;

constexpr std::size_t most_bytes = 4095;  // mount(2) copies one page of options, with its last NUL

}  // namespace

std::vector<std::string> overlay_sources(const Overlay& overlay) {
    if (overlay.lowers.empty()) throw PlanError(format("the overlay on {} has no lower layer", overlay.target));
    std::vector<std::string> sources = overlay.lowers;
    if (overlay.upper.empty() || overlay.changes == Changes::discarded) return sources;
    sources.push_back(overlay.upper);
    sources.push_back(overlay.work);
    return sources;
}

OverlayTexts overlay_options(const Overlay& overlay, Slot first, const ScratchUpper& scratch) {
    Slot next = first;
    const auto handle = [&next] {
        const int descriptor = next.descriptor();
        ++next.number;
        return format("/proc/self/fd/{}", descriptor);
    };
    std::string options = "lowerdir=" + handle();
    for (std::size_t i = 1; i < overlay.lowers.size(); ++i) options += ":" + handle();
    std::string newer;
    if (overlay.changes == Changes::discarded) {
        options += format(",upperdir=/tmp/{},workdir=/tmp/{},userxattr", scratch.upper, scratch.work);
    } else if (overlay.upper.empty()) {
        // The kernel refuses a read-only overlay of one layer; the second is the scratch tmpfs's empty directory.
        if (overlay.lowers.size() == 1) options += ":/tmp/empty";
        options += ",userxattr";
    } else {
        options += ",upperdir=" + handle();
        options += ",workdir=" + handle();
        // volatile: no sync of the upper layer, the store syncs once when it commits. The others keep random and
        // machine-bound values out of the layer.
        options += ",userxattr";
        if (overlay.changes == Changes::staged) {
            options += ",volatile,index=off,metacopy=off";
            newer = ",uuid=null";
        }
    }
    if (options.size() + newer.size() > most_bytes) {
        throw PlanError(format("{} layers are more than one overlay can stack ({} bytes of options, {} allowed)",
                               overlay.lowers.size(), options.size(), most_bytes));
    }
    return {options + newer, options};
}

}  // namespace sandbox
