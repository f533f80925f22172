// Tables of the kernel by netlink(7): one request, all answers. Knows nothing of what is in them.
#pragma once
#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace runtime::host {

using Bytes = std::span<const unsigned char>;
using Attributes = std::map<unsigned, Bytes>;

struct NetlinkRequest {
    int protocol = 0;  // NETLINK_ROUTE, NETLINK_NETFILTER
    std::uint16_t type = 0;
    std::uint16_t flags = 0;  // beside NLM_F_REQUEST
    Bytes body;               // the header of the family
};

using NetlinkAnswer = std::function<void(const nlmsghdr& head, Bytes body)>;
// Calls `answer` with the body of each answer. 0, or the errno with which the kernel refuses.
int ask_kernel(const NetlinkRequest& request, const NetlinkAnswer& answer);
// Who is asked: this machine's kernel, or what stands for one.
using Ask = std::function<int(const NetlinkRequest& request, const NetlinkAnswer& answer)>;

// The attributes after a header of `skip` bytes; of several of one type the last.
[[nodiscard]] Attributes attributes_of(Bytes body, std::size_t skip);
[[nodiscard]] std::string text_of(Bytes value);
// In the machine's order; 0 where there are fewer bytes.
[[nodiscard]] std::uint32_t number_of(Bytes value);
[[nodiscard]] std::uint32_t number_of(const Attributes& attributes, unsigned type);

}  // namespace runtime::host
