#include "runtime/store/content_digest.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "runtime/store/tree.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using runtime::store::content_digest;
using sandbox::os::Fd;
using sandbox::os::Sha256;

namespace {

constexpr std::uint64_t mebi = 1U << 20U;

// The definition, word for word: nothing is known of zeros or holes here.
std::string by_definition(std::string_view content) {
    Sha256 all;
    for (std::size_t at = 0; at < content.size(); at += mebi) {
        Sha256 block;
        block.update(content.substr(at, mebi));
        const auto raw = block.finish_raw();
        all.update({reinterpret_cast<const char*>(raw.data()), raw.size()});
    }
    return all.finish();
}

class File {
  public:
    File() : fd_(::open(directory_.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) { REQUIRE(fd_); }
    void put(std::uint64_t at, std::string_view bytes) const {
        REQUIRE(::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
                static_cast<long>(bytes.size()));
    }
    void resize(std::uint64_t size) const { REQUIRE(::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0); }
    [[nodiscard]] std::string digest(std::uint64_t size) const { return content_digest(fd_.get(), size, "file"); }

  private:
    tests::TemporaryDirectory directory_;
    Fd fd_;
};

}  // namespace

TEST_CASE("content digest: it is what its definition says, at every border of a block", "[digest]") {
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, mebi - 1, mebi, mebi + 1, 3 * mebi, 3 * mebi + 7}) {
        CAPTURE(size);
        std::string content(size, 'x');
        for (std::size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>(i / 4096);
        const File file;
        file.put(0, content);
        CHECK(file.digest(size) == by_definition(content));
    }
}

TEST_CASE("content digest: holes and written zeros are the same", "[digest]") {
    const std::uint64_t size = 5 * mebi + 100;
    std::string content(size, '\0');
    content[2 * mebi + 5] = 'a';
    content[4 * mebi - 1] = 'b';
    const File written;
    written.put(0, content);
    const File holed;
    holed.resize(size);
    holed.put(2 * mebi + 5, "a");
    holed.put(4 * mebi - 1, "b");
    CHECK(written.digest(size) == by_definition(content));
    CHECK(holed.digest(size) == by_definition(content));
    const File empty;
    empty.resize(mebi + 1);
    CHECK(empty.digest(mebi + 1) == by_definition(std::string(mebi + 1, '\0')));
}

TEST_CASE("content digest: a hole of a tebibyte is not read", "[digest]") {
    const File file;
    const std::uint64_t size = std::uint64_t{1} << 40U;
    file.resize(size);
    file.put(size / 2, "in the middle");
    const std::string with = file.digest(size);
    file.put(size / 2, std::string(13, '\0'));
    CHECK(file.digest(size) != with);
}

TEST_CASE("content digest: a file that is not as long as it was is refused", "[digest]") {
    const File file;
    file.put(0, "abc");
    CHECK_THROWS_AS(file.digest(2), runtime::store::TreeError);
    CHECK_THROWS_AS(file.digest(4), runtime::store::TreeError);
}
