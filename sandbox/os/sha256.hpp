// SHA-256 of bytes, as 64 lower-case hexadecimal characters. Knows nothing of what is digested or why.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <string_view>

struct SHA256state_st;  // OpenSSL's SHA256_CTX; os/sha256.cpp is the one place that includes OpenSSL

namespace sandbox::os {

class Sha256 {
  public:
    Sha256();
    void update(std::string_view bytes);
    // Ends the digest; the object is of no further use.
    [[nodiscard]] std::string finish();
    // The same, as its 32 bytes.
    [[nodiscard]] std::array<unsigned char, 32> finish_raw();

  private:
    struct Free {
        void operator()(SHA256state_st* context) const noexcept;
    };
    std::unique_ptr<SHA256state_st, Free> context_;
};

std::string sha256_of(std::string_view bytes);
// The whole content of a regular file, from its beginning whatever the descriptor's offset is; the offset
// stays. Throws SysError where reading fails.
std::string sha256_of_file(int fd);

}  // namespace sandbox::os
