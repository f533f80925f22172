// Which of the reasons for a refusal it is: the facts of machines that the tests do not have, by the words they lead
// to.
#include <linux/capability.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "sandbox/plan/diagnosis.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/machines.hpp"

using sandbox::explain_refusal;
using sandbox::HostFacts;
using sandbox::Refused;

namespace {

// An ordinary user on a machine that refuses nothing.
HostFacts plain() {
    HostFacts facts;
    facts.max_user_namespaces = "15000";
    facts.program = "/opt/stagebox";
    facts.uid = 1000;
    return facts;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("refusal: user namespaces that are switched off or used up", "[refusal]") {
    HostFacts facts = plain();
    CHECK(has(explain_refusal(Refused::user_namespace, ENOSPC, facts), "(user.max_user_namespaces = 15000), or 32"));
    facts.max_user_namespaces = "0";
    const std::string off = explain_refusal(Refused::user_namespace, ENOSPC, facts);
    CHECK(has(off, "switched off (user.max_user_namespaces = 0)"));
    CHECK(has(off, "sudo sysctl -w user.max_user_namespaces=15000"));
}

TEST_CASE("refusal: user namespaces for root only", "[refusal]") {
    HostFacts facts = plain();
    facts.unprivileged_clone = "0";
    CHECK(has(explain_refusal(Refused::user_namespace, EPERM, facts),
              "sudo sysctl -w kernel.unprivileged_userns_clone=1"));
    facts.capabilities = std::uint64_t{1} << CAP_SYS_ADMIN;  // then that setting is not the reason
    CHECK_FALSE(has(explain_refusal(Refused::user_namespace, EPERM, facts), "unprivileged_userns_clone"));
}

TEST_CASE("refusal: a chroot", "[refusal]") {
    HostFacts facts = plain();
    facts.is_in_chroot = true;
    CHECK(has(explain_refusal(Refused::user_namespace, EPERM, facts), "in a chroot"));
}

TEST_CASE("refusal: AppArmor lets the namespace through and takes its rights", "[refusal]") {
    HostFacts facts = plain();
    facts.apparmor_restricts = "1";
    facts.label = "unconfined";
    for (const Refused refused : {Refused::user_namespace, Refused::rights}) {
        for (const int error : {EPERM, EACCES}) {
            const std::string text = explain_refusal(refused, error, facts);
            CHECK(has(text, "kernel.apparmor_restrict_unprivileged_userns = 1"));
            CHECK(has(text, "profile stagebox /opt/stagebox flags=(unconfined) { userns, }"));
            CHECK(has(text, "apparmor_parser -r /etc/apparmor.d/stagebox"));
        }
    }
    facts.label = "stagebox (unconfined)";  // loaded already: it is something else
    CHECK_FALSE(has(explain_refusal(Refused::rights, EPERM, facts), "apparmor_parser"));
    facts.label = "unconfined";
    facts.apparmor_restricts = "0";
    CHECK(explain_refusal(Refused::rights, EPERM, facts).empty());
}

TEST_CASE("refusal: the AppArmor profile that ships says the same", "[refusal]") {
    std::ostringstream text;
    text << std::ifstream(STAGEBOX_SOURCE_DIR "/profiles/apparmor/stagebox").rdbuf();
    CHECK(has(text.str(), "abi <abi/4.0>,"));
    CHECK(has(text.str(), "profile stagebox /usr/{local/,}bin/stagebox flags=(unconfined) {"));
    CHECK(has(text.str(), "\n  userns,\n"));
}

TEST_CASE("refusal: a container's filter and its engine's option", "[refusal]") {
    HostFacts facts = plain();
    facts.is_filtered = true;
    CHECK(has(explain_refusal(Refused::rights, ENOSYS, facts), "in a container: docker run"));
    facts.container = "Docker";
    CHECK(has(explain_refusal(Refused::user_namespace, EPERM, facts), "docker run --security-opt seccomp=unconfined"));
    facts.container = "podman";
    CHECK(has(explain_refusal(Refused::rights, EPERM, facts), "podman run --security-opt seccomp=unconfined"));
    facts.container = "Kubernetes";
    CHECK(has(explain_refusal(Refused::rights, EPERM, facts), "seccompProfile.type: Unconfined"));
    facts.is_filtered = false;
    CHECK(has(explain_refusal(Refused::rights, ENOSYS, facts), "kernel is too old"));
    facts.label = "docker-default (enforce)";
    CHECK(
        has(explain_refusal(Refused::rights, EACCES, facts), "confines this process as \"docker-default (enforce)\""));
}

TEST_CASE("refusal: a masked /proc", "[refusal]") {
    HostFacts facts = plain();
    CHECK(has(explain_refusal(Refused::fresh_proc, EPERM, facts), "--security-opt systempaths=unconfined"));
    facts.container = "podman";
    CHECK(has(explain_refusal(Refused::fresh_proc, EPERM, facts), "podman run --security-opt unmask=ALL"));
    CHECK(explain_refusal(Refused::fresh_proc, EIO, facts).empty());
}

TEST_CASE("refusal: nothing is said of other errors, and the facts can be read", "[refusal]") {
    CHECK(explain_refusal(Refused::rights, ENOENT, plain()).empty());
    CHECK(explain_refusal(Refused::user_namespace, EIO, plain()).empty());
    const HostFacts here = sandbox::read_host_facts();
    CHECK_FALSE(here.program.empty());
    CHECK_FALSE(here.max_user_namespaces.empty());
    CHECK_FALSE(here.is_in_chroot);
}

TEST_CASE("refusal: the facts of other machines are read as their kernels give them", "[refusal]") {
    const auto facts_of = [](void (*make)(const tests::Machine&)) {
        const tests::Machine machine;
        make(machine);
        HostFacts facts = sandbox::read_host_facts(machine.files());
        facts.is_in_chroot = false;  // the files of another machine are in a directory that is no mount
        return facts;
    };
    const HostFacts debian = facts_of(tests::make_debian_11);
    CHECK(debian.unprivileged_clone == "0");
    CHECK(debian.max_user_namespaces == "7823");
    CHECK(debian.apparmor_restricts.empty());
    CHECK_FALSE(debian.is_filtered);
    CHECK(has(explain_refusal(Refused::user_namespace, EPERM, debian), "kernel.unprivileged_userns_clone=1"));

    const HostFacts ubuntu = facts_of(tests::make_ubuntu_24_04);
    CHECK(ubuntu.label == "unconfined");
    CHECK(has(explain_refusal(Refused::rights, EPERM, ubuntu), "kernel.apparmor_restrict_unprivileged_userns = 1"));

    const HostFacts arch = facts_of(tests::make_arch);
    CHECK(arch.label.empty());
    CHECK(arch.unprivileged_clone.empty());
    CHECK(has(explain_refusal(Refused::user_namespace, EPERM, arch), "a security module forbids"));

    const HostFacts container = facts_of(tests::make_docker_container);
    CHECK(container.container == "Docker");
    CHECK(container.is_filtered);
    CHECK(container.capabilities == 0xa80425fb);
    CHECK(container.label == "docker-default (enforce)");
    CHECK(has(explain_refusal(Refused::fresh_proc, EPERM, container),
              "docker run --security-opt systempaths=unconfined"));
}

TEST_CASE("refusal: settings that are none are taken for not there", "[refusal]") {
    using namespace std::string_literals;
    const tests::Machine machine;
    machine.file("proc/sys/user/max_user_namespaces", std::string(1 << 20, '7'));
    machine.file("proc/sys/kernel/unprivileged_userns_clone", "0\r\n");
    machine.file("proc/self/attr/current", "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\0"s);
    machine.file("proc/self/status", "CapEff:\tffffffffffffffffff\nXSeccomp:\t2\nSeccomp:\t22\nSeccomp: 2\n");
    machine.link("proc/self/exe", "/opt/two\nlines/stagebox");
    const HostFacts facts = sandbox::read_host_facts(machine.files());
    CHECK(facts.max_user_namespaces.empty());
    CHECK(facts.unprivileged_clone == "0\r");
    CHECK(facts.label == "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023");
    INFO("a number past 64 bits is no set of capabilities");
    CHECK(facts.capabilities == 0);
    CHECK_FALSE(facts.is_filtered);
    CHECK(facts.program == "/opt/two\nlines/stagebox");
}

TEST_CASE("refusal: a chroot is where the root is no mount, whatever the mount table says", "[refusal]") {
    const tests::Machine machine;
    CHECK(sandbox::read_host_facts(machine.files()).is_in_chroot);
    machine.file("proc/self/mountinfo", "31 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n");
    CHECK(sandbox::read_host_facts(machine.files()).is_in_chroot);
    INFO("a root that cannot be opened tells nothing");
    CHECK_FALSE(sandbox::read_host_facts(sandbox::os::HostFiles(machine.root() + "/none")).is_in_chroot);
}

TEST_CASE("refusal: a machine without /proc has no facts, and that is no error", "[refusal]") {
    const HostFacts facts = sandbox::read_host_facts(tests::Machine().files());
    CHECK(facts.max_user_namespaces.empty());
    CHECK(facts.program == "/usr/bin/stagebox");
}
