// Compiled filters of a user's own profiles, kept from one run to the next: libseccomp needs tens of milliseconds for
// such a list. A cache: whatever is wrong with it, the filter is compiled anew, and nobody is told.
//
// An entry is believed only where it and its folder belong to the caller, nobody else may write them, it was made from
// exactly this recipe by this compiler, and its check sum is right. So it is as trustworthy as the caller's own files;
// it is no protection against the caller.
#pragma once
#include <optional>
#include <string>

#include "sandbox/spec/spec.hpp"

namespace sandbox {

class FilterCache {
  public:
    // `folder`: made when something is written; empty: there is no cache.
    explicit FilterCache(std::string folder) : folder_(std::move(folder)) {}

    [[nodiscard]] std::optional<FilterProgram> find(const std::string& recipe) const;
    // Whole or not at all, also beside others who write the same.
    void keep(const std::string& recipe, const FilterProgram& program) const;

  private:
    std::string folder_;
};

}  // namespace sandbox
