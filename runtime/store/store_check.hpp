// Whether a store holds what its records say, and each tree what its name says. What is damaged is set aside, so that
// no build takes it: its stages run again. What killed builds left is no damage: a build never looks at it, and sweeps
// it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/store/store.hpp"

namespace runtime::store {

enum class CheckDepth : std::uint8_t {
    names,     // everything that a record names is there
    contents,  // and every tree still has its digest
};

struct Damage {
    std::string place;                // "layers/ID", "records/KEY.json": where it was
    std::string why;                  // "is not there", ...
    std::vector<std::string> stages;  // whose results are lost with it, as PIPELINE/STAGE
    std::string kept;                 // why it could not be set aside; empty: it was, or there is nothing
};

struct LeftOver {
    enum class Until : std::uint8_t { next_build, gc } until;
    std::string place;
};

struct CheckReport {
    std::size_t records = 0;
    std::size_t layers = 0;
    std::size_t artifacts = 0;
    std::uint64_t bytes = 0;  // of contents that were read
    std::vector<Damage> damaged;
    std::vector<LeftOver> left_over;
};

// Throws where the store cannot be read: IdMapError where its ids are not to be had, StoreHelperError, SysError.
CheckReport check(Store& store, CheckDepth depth);

}  // namespace runtime::store
