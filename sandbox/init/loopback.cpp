// The loopback interface of the network namespace that the process is in; under the rules of init/child.cpp.
#include <asm/unistd.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/init/loopback.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {

long bring_loopback_up() noexcept {
    const long link = call(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (link < 0) return link;
    ifreq request = {};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    long done = call(SYS_ioctl, link, SIOCGIFFLAGS, &request);
    if (done >= 0) {
        request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
        done = call(SYS_ioctl, link, SIOCSIFFLAGS, &request);
    }
    call(SYS_close, link);
    return done;
}

}  // namespace sandbox
