#include "sandbox/os/digest.hpp"

#include <stdexcept>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox::os {
namespace {

bool is_digest(std::string_view text) {
    return text.size() == Digest::length && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::optional<Digest> Digest::parse(std::string_view text) {
    if (!is_digest(text)) return std::nullopt;
    return Digest(text);
}

Digest::Digest(std::string_view text) : text_(text) {
    if (is_digest(text)) return;
    throw std::invalid_argument(format("\"{}\" is not a digest, which is {} lower-case hexadecimal digits",
                                       printable(text.substr(0, Digest::length)), Digest::length));
}

}  // namespace sandbox::os
