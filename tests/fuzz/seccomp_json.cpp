// A seccomp file: JSON, the rules in it, and the program that libseccomp makes of them.
#include "sandbox/filter/compile.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // The first byte says which capabilities the jail has, which decides about rules.
    if (size == 0) return 0;
    const std::uint64_t capabilities = data[0] % 2 == 0 ? 0 : ~std::uint64_t{0};
    try {
        const auto json = sandbox::os::Json::parse(tests::fuzz::text_of(data + 1, size - 1));
        const sandbox::FilterProgram program = sandbox::compile_filter(json, capabilities);
        tests::fuzz::must(!program.instructions.empty(), "a filter that was read has a program");
    } catch (const sandbox::os::Json::exception&) {
        return 0;
    } catch (const sandbox::FilterError& error) {
        tests::fuzz::must(*error.what() != '\0', "an error says something");
    }
    return 0;
}
