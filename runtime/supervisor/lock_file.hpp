// stagebox.lock, beside the pipeline file: what the stages that use the network brought home. A later build says where
// it has another result, or refuses it (`--locked`); `--refresh STAGE` asks the network again. TOML, made to be
// committed beside the pipeline.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "runtime/store/record.hpp"

namespace runtime::supervisor {

struct Pin {
    std::string key;  // action key for which this was the result
    std::optional<store::Object> layer;
    std::map<std::string, store::Object> artifacts;
    std::string tree;
    bool operator==(const Pin&) const = default;
};

class LockFile {
  public:
    // Reads the file of that directory; an absent one has no pins. Throws sandbox::ConfigError.
    explicit LockFile(const std::string& directory);
    // It is of a version before, whose digests cannot be compared with those of now: nothing of it is a pin, and the
    // next pin that is set makes it a file of this version.
    [[nodiscard]] bool is_older() const noexcept { return is_older_; }
    [[nodiscard]] const Pin* find(const std::string& stage) const;
    // Sets the pin and writes the file. Throws SysError where the directory cannot be written.
    void pin(const std::string& stage, const Pin& pin);

  private:
    std::string directory_;
    std::map<std::string, Pin> pins_;
    bool is_older_ = false;
};

Pin pin_of(const store::Record& record);

}  // namespace runtime::supervisor
