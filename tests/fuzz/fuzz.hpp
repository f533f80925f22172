// What the fuzz targets have in common. A target calls one parser with the bytes that it is given; whatever the parser
// may answer, by its header, is let pass, and everything else ends the process.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// libFuzzer's entry point; also replay.cpp's. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace tests::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Ends the process, for the fuzzer to keep the input.
inline void must(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// An error text goes to terminals: none of the input's control characters may be in it. Tabs stay, as in the shown
// line.
inline void must_be_printable(std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        must(byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7f), "an error text has no control characters");
    }
}

}  // namespace tests::fuzz
