#include "sandbox/os/text.hpp"

namespace sandbox::os {

std::string printable(std::string_view line) {
    std::string clean;
    clean.reserve(line.size());
    unsigned char before = 0;
    for (const char letter : line) {
        const auto byte = static_cast<unsigned char>(letter);
        // U+0080 to U+009F, C2 80 to C2 9F in UTF-8, are control characters too: U+009B begins what ESC [ does.
        const bool is_high_control = before == 0xc2 && byte >= 0x80 && byte < 0xa0;
        const bool is_control = (byte < 0x20 && letter != '\t') || byte == 0x7f || is_high_control;
        clean += is_control ? '?' : letter;
        before = byte;
    }
    return clean;
}

}  // namespace sandbox::os
