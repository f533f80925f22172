// What each stage has used, run by run. A record is one result's, and goes with it; the ledger is a stage's, so that
// its runs can be compared, and the next one's needs be known beforehand. In the store: usage/PIPELINE/STAGE.jsonl, a
// line for each time that its command ended, the last one last.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/store/record.hpp"

namespace runtime::store {

struct LedgerEntry {
    std::string run;       // "runs/..."
    std::string finished;  // UTC, ISO 8601
    std::string result;    // "built", or the class of the failure
    Usage usage;
    std::uint64_t made_bytes = 0;  // layer and artifacts
};

class Ledger {
  public:
    // Borrows the store's directory.
    explicit Ledger(int store) : store_(store) {}

    // Not synced: what a power cut takes of it is no result. Throws SysError.
    void add(std::string_view pipeline, std::string_view stage, const LedgerEntry& entry) const;
    // The oldest first; of lines that cannot be read, nothing.
    [[nodiscard]] std::vector<LedgerEntry> entries(std::string_view pipeline, std::string_view stage) const;
    // Pipeline and stage of all that it has, sorted.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> stages() const;

  private:
    void shorten(const std::string& place) const;

    int store_;
};

sandbox::os::Json to_json(const LedgerEntry& entry);

}  // namespace runtime::store
