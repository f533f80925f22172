#include "sandbox/os/digest.hpp"

#include <stdexcept>
#include "tests/support/catch.hpp"

#include "sandbox/os/sha256.hpp"

using sandbox::os::Digest;

TEST_CASE("digest: only what is written as one becomes one", "[digest]") {
    const std::string good = sandbox::os::sha256_of("");
    REQUIRE(Digest::parse(good));
    CHECK(Digest::parse(good)->text() == good);
    CHECK(Digest(good) == *Digest::parse(good));
    std::string upper = good;
    upper[0] = 'E';
    for (const std::string& bad :
         {std::string(), good.substr(1), good + "0", "../../.." + good.substr(8), upper, "g" + good.substr(1),
          " " + good.substr(1), good.substr(1) + "\n", good.substr(1) + std::string(1, '\0'), good.substr(1) + "/"}) {
        INFO(bad);
        CHECK_FALSE(Digest::parse(bad));
        CHECK_THROWS_AS(Digest(bad), std::invalid_argument);
    }
}
