#include "sandbox/os/sha256.hpp"

// libcrypto's own SHA-256 functions, which OpenSSL 3 calls deprecated in favour of EVP. EVP brings every
// algorithm and provider into the program, 20,000 relocations that each start of a jail would pay for, to
// call these same functions.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "sandbox/os/sys.hpp"

// libcrypto asks the processor what it can before main() of every program, by CPUID. In a virtual machine each of those
// questions is answered by the host, which takes as long as some of the jail's own steps, and most jails need no
// digest. The linker gives that call to us (ld(1), --wrap), and it is made before the first digest: without it the
// digests would be the same, and slow.
extern "C" {
void ask_the_processor() asm("__real_OPENSSL_cpuid_setup");
void ask_nothing() asm("__wrap_OPENSSL_cpuid_setup");
void ask_nothing() {}
}

namespace sandbox::os {
namespace {

// Large enough that the calls are nothing beside the digesting, small enough to stay in the second-level
// cache.
constexpr std::size_t buffer_size = 256UL * 1024;

void require(int done) {
    if (done != 1) throw std::runtime_error("libcrypto cannot make a SHA-256 digest");
}

}  // namespace

void Sha256::Free::operator()(SHA256state_st* context) const noexcept {
    delete context;
}

Sha256::Sha256() : context_(new SHA256_CTX) {
    ask_the_processor();  // only the first call does anything
    require(SHA256_Init(context_.get()));
}

void Sha256::update(std::string_view bytes) {
    require(SHA256_Update(context_.get(), bytes.data(), bytes.size()));
}

std::array<unsigned char, 32> Sha256::finish_raw() {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> raw{};
    require(SHA256_Final(raw.data(), context_.get()));
    return raw;
}

std::string Sha256::finish() {
    const std::array<unsigned char, 32> raw = finish_raw();
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    hex.reserve(2 * raw.size());
    for (const unsigned char byte : raw) {
        hex += digits[byte >> 4U];
        hex += digits[byte & 0xFU];
    }
    return hex;
}

std::string sha256_of(std::string_view bytes) {
    Sha256 digest;
    digest.update(bytes);
    return digest.finish();
}

std::string sha256_of_file(int fd) {
    Sha256 digest;
    std::vector<char> buffer(buffer_size);
    off_t offset = 0;
    for (;;) {
        const ssize_t count = sandbox::os::sys([&] { return ::pread(fd, buffer.data(), buffer.size(), offset); },
                                               "read a file to digest");
        if (count == 0) return digest.finish();
        digest.update({buffer.data(), static_cast<std::size_t>(count)});
        offset += count;
    }
}

}  // namespace sandbox::os
