// A message of one byte, with which one descriptor may come (unix(7), SCM_RIGHTS): for sendmsg(2) and recvmsg(2) at
// either end of a jail's control socket. Under the rules of init/child.cpp.
#pragma once
#include <sys/socket.h>
#include <sys/uio.h>

namespace sandbox {

class DescriptorMessage {
  public:
    // To receive.
    DescriptorMessage() noexcept { add_control(); }
    // To send; without a descriptor where it is negative.
    explicit DescriptorMessage(char byte, int descriptor = -1) noexcept : byte_(byte) {
        if (descriptor < 0) return;
        add_control();
        cmsghdr* const header = CMSG_FIRSTHDR(&message_);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        __builtin_memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    DescriptorMessage(const DescriptorMessage&) = delete;
    DescriptorMessage& operator=(const DescriptorMessage&) = delete;

    [[nodiscard]] msghdr* get() noexcept { return &message_; }
    // That which came, for the caller to close; negative: none.
    [[nodiscard]] int descriptor() const noexcept {
        const cmsghdr* const header = CMSG_FIRSTHDR(&message_);
        int descriptor = -1;
        if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
            __builtin_memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
        }
        return descriptor;
    }

  private:
    void add_control() noexcept {
        message_.msg_control = control_;
        message_.msg_controllen = sizeof control_;
    }

    char byte_ = 0;
    iovec content_ = {&byte_, 1};
    alignas(cmsghdr) unsigned char control_[CMSG_SPACE(sizeof(int))] = {};
    msghdr message_ = {.msg_name = nullptr,
                       .msg_namelen = 0,
                       .msg_iov = &content_,
                       .msg_iovlen = 1,
                       .msg_control = nullptr,
                       .msg_controllen = 0,
                       .msg_flags = 0};
};

}  // namespace sandbox
