#include "runtime/engine/output_patterns.hpp"

#include <algorithm>
#include <array>

namespace runtime::engine {
namespace {

using enum stages::FailureClass;

// Messages of the C library come first: most tools print them. Of tools that print none, what they say instead. A
// server's answer that it has no such file (404) is no failure of the network.
constexpr std::array patterns = {
    OutputPattern{"any", no_space, "No space left on device"},
    OutputPattern{"any", no_space, "Disk quota exceeded"},
    OutputPattern{"any", out_of_memory, "Cannot allocate memory"},
    OutputPattern{"any", network, "Temporary failure in name resolution"},
    OutputPattern{"any", network, "Network is unreachable"},
    OutputPattern{"any", network, "No route to host"},
    OutputPattern{"any", network, "Connection timed out"},
    OutputPattern{"any", network, "Connection reset by peer"},

    OutputPattern{"apt", network, "E: Failed to fetch", "Could not connect"},
    OutputPattern{"apt", network, "E: Failed to fetch", "Unable to connect"},
    OutputPattern{"apt", network, "E: Failed to fetch", "Could not resolve"},
    OutputPattern{"apt", network, "E: Failed to fetch", "Temporary failure resolving"},
    OutputPattern{"apt", network, "E: Failed to fetch", "Connection failed"},
    OutputPattern{"apt", network, "E: Failed to fetch", "connection timed out"},
    OutputPattern{"apt", network, "E: Failed to fetch", "Error reading from server"},
    OutputPattern{"apt", network, "E: Failed to fetch", "  429  "},
    OutputPattern{"apt", network, "E: Failed to fetch", "  500  "},
    OutputPattern{"apt", network, "E: Failed to fetch", "  502  "},
    OutputPattern{"apt", network, "E: Failed to fetch", "  503  "},
    OutputPattern{"apt", network, "E: Failed to fetch", "  504  "},
    OutputPattern{"apt", hash_mismatch, "E: Failed to fetch", "Hash Sum mismatch"},
    OutputPattern{"apt", hash_mismatch, "E: Failed to fetch", "File has unexpected size"},
    OutputPattern{"apt", no_space, "E: You don't have enough free space in"},

    OutputPattern{"dpkg", hash_mismatch, "dpkg-deb: error:", "is not a Debian format archive"},
    OutputPattern{"dpkg", hash_mismatch, "dpkg-deb", "compressed data is corrupt"},

    OutputPattern{"curl", network, "curl: (5)"},
    OutputPattern{"curl", network, "curl: (6)"},
    OutputPattern{"curl", network, "curl: (7)"},
    OutputPattern{"curl", network, "curl: (18)"},
    OutputPattern{"curl", network, "curl: (28)"},
    OutputPattern{"curl", network, "curl: (35)"},
    OutputPattern{"curl", network, "curl: (52)"},
    OutputPattern{"curl", network, "curl: (56)"},
    OutputPattern{"curl", network, "curl: (92)"},
    OutputPattern{"curl", network, "curl: (22) The requested URL returned error: 429"},
    OutputPattern{"curl", network, "curl: (22) The requested URL returned error: 5"},
    OutputPattern{"curl", no_space, "curl: (23)"},

    OutputPattern{"wget", network, "wget: unable to resolve host address"},
    OutputPattern{"wget", network, "Connecting to ", "failed: Connection refused"},
    OutputPattern{"wget", network, " ERROR 429"},
    OutputPattern{"wget", network, " ERROR 50"},

    OutputPattern{"git", network, "fatal: unable to access", "Could not resolve host"},
    OutputPattern{"git", network, "fatal: unable to access", "Failed to connect"},
    OutputPattern{"git", network, "fatal: unable to access", "returned error: 5"},
    OutputPattern{"git", network, "fatal: unable to access", "returned error: 429"},
    OutputPattern{"git", network, "fatal: unable to access", "Operation timed out"},
    OutputPattern{"git", network, "fatal: unable to connect to"},
    OutputPattern{"git", network, "fatal: the remote end hung up unexpectedly"},
    OutputPattern{"git", network, "fatal: early EOF"},

    OutputPattern{"cc", out_of_memory, "fatal error: Killed signal terminated program"},
    OutputPattern{"cc", out_of_memory, "virtual memory exhausted"},
    OutputPattern{"cc", out_of_memory, "out of memory allocating"},

    OutputPattern{"tar", no_space, "tar: ", "Wrote only "},
    OutputPattern{"mksquashfs", no_space, "Write failed because No space left"},
    OutputPattern{"mksquashfs", no_space, "FATAL ERROR: Failed to write to output filesystem"},
    OutputPattern{"xorriso", no_space, "xorriso : FAILURE : Image size ", "exceeds free space on media"},
    OutputPattern{"coreutils", hash_mismatch, "sum: WARNING: ", "did NOT match"},
};

bool has(std::string_view line, const OutputPattern& pattern) {
    const std::size_t at = line.find(pattern.text);
    return at != line.npos && line.find(pattern.after, at + pattern.text.size()) != line.npos;
}

}  // namespace

std::span<const OutputPattern> output_patterns() {
    return patterns;
}

std::optional<OutputMatch> match_output(const std::deque<std::string>& lines) {
    for (std::size_t i = lines.size(); i > 0; --i) {
        const std::string& line = lines[i - 1];
        const auto found =
            std::ranges::find_if(patterns, [&](const OutputPattern& pattern) { return has(line, pattern); });
        if (found != patterns.end()) return OutputMatch{found, line};
    }
    return std::nullopt;
}

}  // namespace runtime::engine
