// A profile file: TOML, then what the keys mean.
#include "sandbox/profile/profile.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const std::string text(tests::fuzz::text_of(data, size));
        const sandbox::ProfileFile file = sandbox::read_profile_file(sandbox::parse_config(text, "profile.toml"));
        tests::fuzz::must(!file.name.empty() || text.find("name") != text.npos, "a profile that was read has a name");
    } catch (const sandbox::ConfigError& error) {
        tests::fuzz::must_be_printable(error.what());
    }
    return 0;
}
