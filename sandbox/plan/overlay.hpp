// An overlay's options, as the kernel takes them. Inside plan/ only.
#pragma once
#include <string>
#include <vector>

#include "sandbox/plan/plan.hpp"

namespace sandbox {

// The host's directories that have to be opened for it, in the order in which overlay_options takes them.
std::vector<std::string> overlay_sources(const Overlay& overlay);

// Where discarded changes go: names in the scratch tmpfs.
struct ScratchUpper {
    std::string upper;
    std::string work;
};

struct OverlayTexts {
    std::string all;
    std::string older;  // the same without what came with Linux 6.6
};
// `first`: the slot of the first source; the others follow. Throws PlanError where there are too many.
OverlayTexts overlay_options(const Overlay& overlay, Slot first, const ScratchUpper& scratch);

}  // namespace sandbox
