#include "runtime/host/state/netlink.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sandbox/os/fd.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::host {
namespace {

using sandbox::os::Fd;
using sandbox::os::try_sys;

// A structure at the front; netlink aligns all to 4 bytes, so it is copied and not pointed at.
template <class Header>
Header take(Bytes bytes) {
    Header header{};
    std::memcpy(&header, bytes.data(), std::min(sizeof header, bytes.size()));
    return header;
}

std::size_t aligned(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

enum class Next : std::uint8_t { more, done };

// One datagram with its messages.
Next read_messages(Bytes rest, bool is_dump, int& error, const NetlinkAnswer& answer) {
    while (rest.size() >= sizeof(nlmsghdr)) {
        const auto head = take<nlmsghdr>(rest);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size()) return Next::done;
        const Bytes body = rest.subspan(sizeof head, head.nlmsg_len - sizeof head);
        if (head.nlmsg_type == NLMSG_DONE) return Next::done;
        if (head.nlmsg_type == NLMSG_ERROR) {
            error = -take<nlmsgerr>(body).error;
            return Next::done;
        }
        answer(head, body);
        if (!is_dump) return Next::done;
        rest = rest.subspan(std::min(aligned(head.nlmsg_len), rest.size()));
    }
    return Next::more;
}

}  // namespace

int ask_kernel(const NetlinkRequest& request, const NetlinkAnswer& answer) {
    const long opened = try_sys([&] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, request.protocol); });
    if (opened < 0) return static_cast<int>(-opened);
    const Fd socket(static_cast<int>(opened));
    std::vector<unsigned char> message(sizeof(nlmsghdr) + request.body.size());
    nlmsghdr head{};
    head.nlmsg_len = static_cast<std::uint32_t>(message.size());
    head.nlmsg_type = request.type;
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | request.flags);
    head.nlmsg_seq = 1;
    std::memcpy(message.data(), &head, sizeof head);
    if (!request.body.empty()) std::memcpy(message.data() + sizeof head, request.body.data(), request.body.size());
    const long sent = try_sys([&] { return ::send(socket.get(), message.data(), message.size(), 0); });
    if (sent < 0) return static_cast<int>(-sent);
    std::vector<unsigned char> buffer(65536);
    int error = 0;
    for (;;) {
        const long got = try_sys([&] { return ::recv(socket.get(), buffer.data(), buffer.size(), 0); });
        if (got <= 0) return static_cast<int>(-got);
        const Bytes datagram(buffer.data(), static_cast<std::size_t>(got));
        const bool is_dump = (request.flags & NLM_F_DUMP) == NLM_F_DUMP;
        if (read_messages(datagram, is_dump, error, answer) == Next::done) return error;
    }
}

Attributes attributes_of(Bytes body, std::size_t skip) {
    Attributes attributes;
    Bytes rest = body.subspan(std::min(aligned(skip), body.size()));
    while (rest.size() >= sizeof(nlattr)) {
        const auto head = take<nlattr>(rest);
        if (head.nla_len < sizeof head || head.nla_len > rest.size()) break;
        attributes[head.nla_type & NLA_TYPE_MASK] = rest.subspan(sizeof head, head.nla_len - sizeof head);
        rest = rest.subspan(std::min(aligned(head.nla_len), rest.size()));
    }
    return attributes;
}

std::string text_of(Bytes value) {
    const std::string text(value.begin(), value.end());
    return text.substr(0, text.find('\0'));
}

std::uint32_t number_of(Bytes value) {
    return value.size() < 4 ? 0 : take<std::uint32_t>(value);
}

std::uint32_t number_of(const Attributes& attributes, unsigned type) {
    const auto found = attributes.find(type);
    return found == attributes.end() ? 0 : number_of(found->second);
}

}  // namespace runtime::host
