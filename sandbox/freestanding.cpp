// The functions that a compiler takes for granted, for a program without a library. No other program has this file.
#include <cstddef>

extern "C" {

void* memset(void* to, int value, std::size_t size) {
    auto* bytes = static_cast<unsigned char*>(to);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(value);
    return to;
}

void* memcpy(void* to, const void* from, std::size_t size) {
    auto* bytes = static_cast<unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = source[i];
    return to;
}

}  // extern "C"
