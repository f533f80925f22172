// A host on which others do what a faulty build might do, all the time: none of it is ever called the build's.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "sandbox/os/json.hpp"
#include "tests/pipeline/pipeline.hpp"
#include "tests/support/catch.hpp"

using namespace tests::pipeline;
using namespace tests::support;
using sandbox::os::Json;

namespace {

// Sessions, daemons that get away, shared memory, files with owners of many kinds; another build of the same user in
// another store, with jails of the same range of ids; and as root mounts, links, addresses, hostnames. $W: a directory
// of the test's own; $B: the other build's command.
constexpr const char* busy_loop = R"sh(
cd "$W" || exit 1
trap 'exit 0' TERM
n=0
while [ -e go ]; do
    n=$((n + 1))
    setsid sh -c 'sleep 0.3 & exec sleep 0.1' < /dev/null > /dev/null 2>&1 &
    (setsid sleep 0.2 < /dev/null > /dev/null 2>&1 &)
    id=$(ipcmk -M 4096 | grep -o '[0-9]*$')
    echo data > "/dev/shm/busy-$$-$n"
    touch "/tmp/busy-$$-$n"
    $B < /dev/null > /dev/null 2>&1 &
    build=$!
    if [ "$(id -u)" = 0 ]; then
        mkdir -p m && mount -t tmpfs tmpfs m
        touch m/a "/tmp/busy-owned-$$-$n" && chown 12345 "/tmp/busy-owned-$$-$n"
        ip link add "bz$$" type veth peer name "by$$" && ip address add 192.0.2.9/32 dev "bz$$" && ip link set "bz$$" up
        sleep 0.1
        [ $((n % 2)) = 0 ] || umount m
        ip link del "bz$$"
        umount m 2> /dev/null
    fi
    sleep 0.1
    ipcrm -m "$id"
    rm -f "/dev/shm/busy-$$-$n" "/tmp/busy-$$-$n" "/tmp/busy-owned-$$-$n"
    wait $build
done
)sh";

int builds() {
    const char* number = std::getenv("STAGEBOX_BUSY_BUILDS");
    return number == nullptr ? 5 : std::stoi(number);
}

}  // namespace

TEST_CASE("builds on a busy host are never blamed for what others do", "[receipt][busy][alone]") {
    const Workspace busy;
    busy.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"sleep 0.3 & echo $RANDOM; sleep 0.2\"]\n");
    const std::string go = busy.path() + "/go";
    std::ofstream(go) << "";
    // Its record is forgotten each time, so that it runs a jail each time.
    busy.write("build.sh", "rm -f " + busy.other_store() + "/v2/records/*\nexec " + stagebox_program() + " build -f " +
                               busy.project() + "/stagebox.toml --store " + busy.other_store() + "\n");
    Process loop({.argv = {"/bin/bash", "-c", busy_loop},
                  .env = {{"W", busy.path()}, {"B", "/bin/sh " + busy.project() + "/build.sh"}}});

    const Workspace workspace;
    std::size_t differences = 0;
    int wrong = 0;
    for (int number = 0; number < builds(); ++number) {
        workspace.pipeline("[stage.a]\nfrom = \"host\"\nrun = [\"sh\", \"-c\", \"sleep 0.4; echo " +
                           std::to_string(number) + "\"]\n");
        const Result built = workspace.build();
        const Result report = receipt_of(workspace, {"--json"});
        const Json receipt = Json::parse(report.out);
        differences += receipt.at("differences").size();
        if (built.code == 0 && receipt.at("clean") == true) continue;
        ++wrong;
        UNSCOPED_INFO("build " << number << ": " << built.code << "\n"
                               << built.err << to_string(receipt.at("differences")));
    }
    ::unlink(go.c_str());
    CHECK(loop.finish().code == 0);
    CHECK(wrong == 0);
    // The host was busy indeed.
    CHECK(differences > static_cast<std::size_t>(builds()));
    WARN(builds() << " builds, " << differences << " differences, " << wrong << " falsely ours");
}
