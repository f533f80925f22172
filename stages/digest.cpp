#include "stages/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "sandbox/os/sys.hpp"

namespace stages {
namespace {

// Large enough that the calls are nothing beside the digesting, small enough to stay in the second-level
// cache.
constexpr std::size_t buffer_size = 256UL * 1024;

void require(bool done) {
    if (!done) throw std::runtime_error("libcrypto cannot make a SHA-256 digest");
}

// The algorithm, looked up once: EVP_MD_fetch(3) searches the providers under locks, and a build makes
// thousands of digests. It is never freed and never changes, so it is no state that anybody could see.
// openssl.cnf is not read: what a digest is must not depend on a configuration file, and reading it would
// take longer than all the digests of a build in which everything is cached.
const EVP_MD* sha256() {
    static const EVP_MD* const algorithm = [] {
        require(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1);
        return EVP_MD_fetch(nullptr, "SHA256", nullptr);
    }();
    require(algorithm != nullptr);
    return algorithm;
}

}  // namespace

void Digest::Free::operator()(evp_md_ctx_st* context) const noexcept {
    EVP_MD_CTX_free(context);
}

Digest::Digest() {
    const EVP_MD* algorithm = sha256();
    context_.reset(EVP_MD_CTX_new());
    require(context_ != nullptr && EVP_DigestInit_ex2(context_.get(), algorithm, nullptr) == 1);
}

void Digest::update(std::string_view bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), raw.data(), &size) == 1);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    hex.reserve(2UL * size);
    for (unsigned i = 0; i < size; ++i) {
        hex += digits[raw[i] >> 4U];
        hex += digits[raw[i] & 0xFU];
    }
    return hex;
}

std::string digest_of(std::string_view bytes) {
    Digest digest;
    digest.update(bytes);
    return digest.finish();
}

std::string digest_of_file(int fd) {
    Digest digest;
    std::vector<char> buffer(buffer_size);
    off_t offset = 0;
    for (;;) {
        const ssize_t count = sandbox::os::sys(
            [&] { return ::pread(fd, buffer.data(), buffer.size(), offset); }, "read a file to digest");
        if (count == 0) return digest.finish();
        digest.update({buffer.data(), static_cast<std::size_t>(count)});
        offset += count;
    }
}

}  // namespace stages
