#include "runtime/host/state/netlink.hpp"

#include <linux/rtnetlink.h>

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/host/netlink_messages.hpp"

using namespace runtime::host;
using tests::Message;

TEST_CASE("attributes are found behind a header, of several of one type the last", "[session][netlink]") {
    Message message;
    message.add(std::uint8_t{7});  // a header of one byte, filled up to four
    message.attribute(1, "name").attribute(2, std::uint32_t{1500}).attribute(1, "other");
    const Attributes attributes = attributes_of(message.bytes(), 1);
    REQUIRE(attributes.size() == 2);
    CHECK(text_of(attributes.at(1)) == "other");
    CHECK(number_of(attributes, 2) == 1500);
    CHECK(number_of(attributes, 3) == 0);
}

TEST_CASE("attributes that are cut short end the list", "[session][netlink]") {
    Message message;
    message.attribute(1, std::uint32_t{5}).attribute(2, std::uint32_t{6});
    for (std::size_t size = 0; size <= message.bytes().size(); ++size) {
        CAPTURE(size);
        const Attributes attributes = attributes_of(message.bytes().first(size), 0);
        CHECK(attributes.size() == size / 8);
    }
    CHECK(attributes_of(message.bytes(), 1000).empty());
    Message lying;
    lying.add(std::uint16_t{60000}).add(std::uint16_t{1}).add(std::uint32_t{7});
    INFO("an attribute that says to be longer than the message is none");
    CHECK(attributes_of(lying.bytes(), 0).empty());
    Message empty;
    empty.add(std::uint16_t{0}).add(std::uint16_t{1});
    INFO("one that says to be shorter than its own head would never end");
    CHECK(attributes_of(empty.bytes(), 0).empty());
}

TEST_CASE("numbers of too few bytes are 0, texts end at their first zero byte", "[session][netlink]") {
    Message message;
    message.attribute(1, std::uint16_t{5}).attribute(2, std::string_view("a\0b", 3));
    const Attributes attributes = attributes_of(message.bytes(), 0);
    CHECK(number_of(attributes, 1) == 0);
    CHECK(text_of(attributes.at(2)) == "a");
    CHECK(text_of({}).empty());
}

TEST_CASE("this machine's kernel answers, or says why not", "[session][netlink]") {
    const ifinfomsg all{};
    int links = 0;
    const Bytes body(reinterpret_cast<const unsigned char*>(&all), sizeof all);
    const auto count = [&](const nlmsghdr& head, Bytes) { links += head.nlmsg_type == RTM_NEWLINK ? 1 : 0; };
    CHECK(ask_kernel({NETLINK_ROUTE, RTM_GETLINK, NLM_F_DUMP, body}, count) == 0);
    CHECK(links >= 1);
    INFO("a protocol that does not exist is an error, and no answer");
    CHECK(ask_kernel({1000, RTM_GETLINK, NLM_F_DUMP, body}, count) != 0);
}
