// Where programs are looked for by whoever was told nothing else. No header of the library: the service runner has
// none.
#pragma once

namespace sandbox::os {

inline constexpr char default_path[] = "/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace sandbox::os
