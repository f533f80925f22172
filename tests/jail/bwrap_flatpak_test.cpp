// A program of Debian that calls bwrap: flatpak builds, installs and runs an application, each in a jail that the
// program under the name bwrap makes. Nothing comes from a network: the runtime is made here, of busybox.

#include "tests/jail/bwrap.hpp"

#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;

namespace {

// FLATPAK_BWRAP is where flatpak looks for bwrap; $W is a directory of the test's own.
constexpr const char* script = R"sh(
set -e
cd "$W"
export HOME=$W XDG_DATA_HOME=$W/data XDG_CACHE_HOME=$W/cache XDG_CONFIG_HOME=$W/config XDG_RUNTIME_DIR=$W/run
export FLATPAK_USER_DIR=$W/flatpak FLATPAK_SYSTEM_DIR=$W/system
# A bus without services stands for the machine's, which a test machine may not have.
export DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS
mkdir -m 700 run
arch=$(flatpak --default-arch)
mkdir -p rt/usr/bin rt/usr/etc rt/files app
printf '[Runtime]\nname=org.example.Platform\nruntime=org.example.Platform/%s/1\nsdk=org.example.Platform/%s/1\n' \
    "$arch" "$arch" > rt/metadata
cp /bin/busybox rt/usr/bin/
for name in sh cat chmod echo id ls tr; do ln -s busybox rt/usr/bin/$name; done
flatpak build-export --runtime --files=usr repo rt 1 > /dev/null
flatpak --user remote-add --no-gpg-verify local repo
flatpak --user install -y --noninteractive local org.example.Platform/$arch/1
flatpak build-init app org.example.App org.example.Platform org.example.Platform 1
flatpak build app sh -c 'busybox mkdir -p /app/bin; cat > /app/bin/hello; chmod 755 /app/bin/hello' <<'X'
#!/bin/sh
echo "hello from $FLATPAK_ID as $(id -u)"
tr '\0' ' ' < /proc/1/cmdline
X
flatpak build-finish app --command=hello > /dev/null
flatpak build-export repo app 1 > /dev/null
flatpak --user install -y --noninteractive local org.example.App
echo ---
flatpak --user run org.example.App
)sh";

bool has_flatpak() {
    for (const char* program : {"/usr/bin/flatpak", "/bin/busybox", "/usr/bin/dbus-run-session"}) {
        if (::access(program, X_OK) == 0) continue;
        unavailable(std::string(program) + " is not installed (scripts/setup --test)");
        return false;
    }
    return true;
}

}  // namespace

TEST_CASE("flatpak builds, installs and runs an application through our bwrap", "[bwrap]") {
    if (!has_flatpak()) return;
    const Workspace workspace;
    const std::string own = bwrap_link(workspace);
    const Result ran = tests::support::run(
        {.argv = {"/usr/bin/dbus-run-session", "/bin/sh", "-c", script},
         .env = {{"W", workspace.path()}, {"FLATPAK_BWRAP", own}, {"PATH", workspace.path() + "/bin:/usr/bin:/bin"}}},
        std::chrono::seconds(100));
    INFO(ran.out << ran.err);
    REQUIRE(ran.code == 0);
    const std::string said = ran.out.substr(ran.out.find("---\n") + 4);
    CHECK(said.starts_with("hello from org.example.App as " + std::to_string(::getuid()) + "\n"));
    CHECK(said.find(own) != std::string::npos);
}
