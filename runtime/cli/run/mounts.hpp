// The options of `stagebox run` that make mounts and files, in the order of the command line.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/cli/help_rows.hpp"
#include "runtime/cli/run/contract.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::cli {

// Throws std::invalid_argument, for words that are no options or have a wrong value.
[[noreturn]] void refuse(const std::string& text);
// A decimal descriptor. Throws std::invalid_argument.
int parse_fd(const std::string& text);
// All that can be read from a descriptor that an option named, which is closed then: it was given for this.
std::string take_content(int fd, const std::string& option);

class MountOptions {
  public:
    explicit MountOptions(Contract contract) : contract_(contract) {}

    // All options of this class, in the order of the help.
    static const std::vector<HelpRow>& rows();
    // How many values an option of this class takes; none: it is not one.
    static std::optional<int> values_of(const std::string& option);
    void take(const std::string& option, const std::vector<std::string>& values);
    // After every other option: those that only change the next one must not be left over.
    void settle(const std::string& option) const;

    [[nodiscard]] bool is_empty() const noexcept { return mounts_.empty(); }
    [[nodiscard]] bool has_overlay_sources() const noexcept { return !sources_.empty(); }
    // With a root first. `pid`: whether /proc shows processes of the jail's own.
    std::vector<sandbox::Mount> finish(sandbox::Share pid);

  private:
    void bind(const std::string& option, const std::string& source, const std::string& target);
    void bind_descriptor(const std::string& option, int fd, const std::string& target);
    void overlay(const std::string& option, const std::vector<std::string>& values);
    void make(const std::string& option, const std::vector<std::string>& values);
    void make_file(const std::string& option, int fd, const std::string& target);
    void make_dev(const std::string& target);
    void modify(const std::string& option, const std::string& value);
    [[nodiscard]] std::string target_of(const std::string& text) const;
    std::uint32_t mode_or(std::uint32_t standard);

    Contract contract_;
    std::vector<sandbox::Mount> mounts_;
    std::vector<std::string> sources_;  // of the next overlay, the lowest first
    std::optional<std::uint32_t> mode_;
    std::uint64_t size_ = 0;
};

}  // namespace runtime::cli
