// A SHA-256 digest as it is written: a text that somebody else wrote becomes one where it is read.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace sandbox::os {

// 64 lower-case hexadecimal digits and nothing else; so it can be part of a path, because it has no slash and no dot in
// it.
class Digest {
  public:
    static constexpr std::size_t length = 64;
    // Nothing where the text is not one.
    static std::optional<Digest> parse(std::string_view text);
    // For a text that must be one; throws std::invalid_argument where it is not.
    explicit Digest(std::string_view text);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    bool operator==(const Digest&) const = default;

  private:
    std::string text_;
};

}  // namespace sandbox::os
