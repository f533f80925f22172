#include "sandbox/os/sha256.hpp"

#include <unistd.h>

#include "sandbox/os/files.hpp"
#include "sandbox/os/memory_file.hpp"
#include "tests/support/catch.hpp"

using namespace sandbox::os;

TEST_CASE("digests are those of the standard's examples", "[sha256]") {
    CHECK(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256_of(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a digest does not depend on how the bytes came", "[sha256]") {
    const std::string text("a\0b\xff and more", 13);
    Sha256 digest;
    for (const char byte : text) digest.update({&byte, 1});
    digest.update({});
    CHECK(digest.finish() == sha256_of(text));
}

TEST_CASE("a file's digest is that of all of it, and its offset stays", "[sha256]") {
    const Fd file = new_memory_file("digest");
    const std::string text(100000, 'x');
    write_all(file.get(), text, "a file in memory");
    REQUIRE(::lseek(file.get(), 7, SEEK_SET) == 7);
    CHECK(sha256_of_file(file.get()) == sha256_of(text));
    CHECK(::lseek(file.get(), 0, SEEK_CUR) == 7);
}
