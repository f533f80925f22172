// Scripts as values, read with the real grammar: what is a command, what the rules say of it, where phases are.

#include "runtime/script/load.hpp"
#include "stages/script/draft.hpp"
#include "stages/script/hazards.hpp"
#include "stages/script/phases.hpp"
#include "tests/support/catch.hpp"

using namespace stages::script;

namespace {

Script script_of(const std::string& text) {
    return runtime::script::read("build.sh", "#!/bin/bash\n" + text);
}

// The names of the rules, in the order of the text.
std::string hazards_of(const std::string& text) {
    std::string names;
    for (const Finding& one : find_hazards(script_of(text)))
        names += (names.empty() ? "" : " ") + std::string(one.rule->name);
    return names;
}

std::string problems_of(const std::string& text, const StageTerms& terms = {}) {
    std::string names;
    for (const Finding& one : find_stage_problems(script_of(text), terms)) {
        names += (names.empty() ? "" : " ") + std::string(one.rule->name);
    }
    return names;
}

std::string phases_of(const std::string& text) {
    const Script script = script_of(text);
    std::string names;
    for (const Phase& phase : cut(script).all) names += (names.empty() ? "" : " ") + phase.name;
    return names;
}

}  // namespace

TEST_CASE("each rule has its command, and the same words elsewhere are none", "[script]") {
    const auto [text, rules] = GENERATE(table<std::string, std::string>({
        {"fuser -km /mnt", "kill-by-mount"},
        {"fuser -v /mnt; echo fuser -k /mnt; : '\nfuser -k /mnt'", ""},
        {"pkill -f build", "kill-by-name"},
        {"killall5 -9", "kill-by-name"},
        {"kill -9 $(pidof dbus-daemon)", "kill-by-name"},
        {"lsof -t /x | xargs kill", "kill-by-name"},
        {"kill -TERM \"$child\"; kill -l; kill 12", ""},
        {"kill -9 -1", "kill-all"},
        {"loginctl terminate-user joe; systemctl isolate rescue.target; reboot", "end-session end-session end-session"},
        {"umount -lf x; umount --recursive y; umount -a", "forced-unmount forced-unmount forced-unmount"},
        {"umount \"$x\"", ""},
        {"mount --bind /dev x/dev; mount -o rw,bind /run/udev y; mount --rbind /sys z",
         "bind-of-host-tree bind-of-host-tree bind-of-host-tree"},
        {"for i in dev proc; do mount --bind /$i root/$i; done", "bind-of-host-tree"},
        {"mount -t devtmpfs udev x/dev", "bind-of-host-tree"},
        {"mount --bind ./work x/work; mount -t proc proc x/proc", "mount mount"},
        {"mount; mount -l; mount -t ext4", ""},
        {"losetup -f; losetup -a; losetup -j x; losetup", ""},
        {"dev=$(losetup -f --show x); losetup /dev/loop0 x; mount -o loop x y; kpartx -av x; dmsetup ls; dmsetup "
         "remove x",
         "block-device block-device block-device block-device block-device"},
        {"systemctl restart gdm3; systemctl status gdm3; systemctl enable ssh", "service service-files"},
        {"service ssh restart; service ssh status; /etc/init.d/cups stop; invoke-rc.d cups start",
         "init-script init-script init-script"},
        {"mount --bind a \"$R/mnt\"; rm -rf \"$R\"", "mount rm-over-mount"},
        {"mount --bind a \"$R/mnt\"; rm -rf --one-file-system \"$R\"; rm -rf \"$R/mnt/inside\"; rm -f \"$R\"", "mount"},
        {"rm -rf \"$X/\"; rm -rf $X/*; rm -rf \"${X:?}/\"; rm -rf \"$X/y\"", "rm-below-variable rm-below-variable"},
        {"chroot \"$R\" ls", "chroot"},
        {"unshare --mount --pid --fork chroot \"$R\" pkill x", ""},
        {"systemd-nspawn -D \"$R\" reboot", ""},
        {"chroot \"$R\" umount -l /proc", "chroot forced-unmount"},
        {"chroot \"$R\" systemctl restart x; chroot \"$R\" /etc/init.d/ssh start",
         "chroot chroot init-script-in-chroot"},
        {"end() { umount \"$x\"; }\ntrap end EXIT", "clean-up-in-trap"},
        {"end() { echo over; }\ntrap end EXIT; trap - INT; trap 'rm -f \"$t\"' EXIT", ""},
        {"modprobe loop; modprobe -n loop; modprobe --show-depends loop", "kernel-module"},
        {"sysctl -w a.b=1; sysctl a.b; echo 1 > /proc/sys/vm/x; echo 1 | tee /sys/block/x; cat < /proc/sys/vm/x",
         "kernel-setting kernel-setting kernel-setting"},
        {"update-binfmts --enable qemu-arm; update-binfmts --display", "binary-format"},
        {"ip link set eth0 down; ip addr show; iptables -F; iptables -L", "network network"},
        {"hostname build; hostname; chroot x hostname y; date -s now", "identity chroot identity identity"},
        {"apt-get install -y xorriso; apt-get -y update; chroot x apt-get install y; dpkg --root=x -i y",
         "host-packages chroot"},
        {"useradd joe; useradd -R x joe", "host-accounts"},
        {"dd if=a of=/dev/sdb; dd if=/dev/zero of=x; mkfs.ext4 /dev/sdb1; echo x > /dev/null; parted -l /dev/sdb",
         "disk disk"},
        {"echo x >> /etc/hosts; echo y > etc/hosts; cat < /etc/hosts", "host-file"},
        {"mknod x/null c 1 3; mknod fifo p", "device-node"},
        {"swapoff -a; swapon --show", "swap"},
        {"sudo -E LC_ALL=C nice -n 5 umount -l x", "root-rights forced-unmount"},
    }));
    INFO(text);
    CHECK(hazards_of(text) == rules);
}

TEST_CASE("scripts inside of scripts are read, each at its place", "[script]") {
    CHECK(hazards_of("bash -c 'umount -l x'") == "forced-unmount");
    CHECK(hazards_of("chroot x /bin/bash <<'END'\nkillall sshd\nEND") == "chroot kill-by-name");
    CHECK(hazards_of("cat <<END\nkillall sshd\nEND").empty());
    // Written to a file: of interest if it is run.
    const std::string written = "cat > \"$R/tmp/setup.sh\" <<'END'\n#!/bin/sh\nmount -t proc proc /proc\nEND\n";
    CHECK(hazards_of(written).empty());
    CHECK(hazards_of(written + "chroot \"$R\" /tmp/setup.sh") == "mount chroot");
    CHECK(hazards_of("UMOUNT='umount -l'\n$UMOUNT x") == "forced-unmount");
    CHECK(hazards_of("inside() { chroot \"$R\" \"$@\"; }\ninside mount -t proc proc /proc") == "chroot mount");
    CHECK(hazards_of("say() { echo \"$@\"; }\nsay mount -t proc proc /proc").empty());
    CHECK(hazards_of("Chroot chroot 'losetup -d x'") == "block-device");

    const Script script = script_of("if true; then\n    ü=1; eval 'true;  umount -l x'\nfi\n");
    const std::vector<Finding> found = find_hazards(script);
    REQUIRE(found.size() == 1);
    CHECK(found[0].at.line == 3);
    CHECK(found[0].at.column == 23);  // in characters
    CHECK(found[0].command == "umount -l x");
}

TEST_CASE("a file that is read by another must not end it", "[script]") {
    const auto rules_of = [](const std::string& text) {
        std::string names;
        for (const Finding& one : find_hazards(runtime::script::read("lib.sh", text)))
            names += std::string(one.rule->name) + " ";
        return names;
    };
    CHECK(rules_of("set -eo pipefail\n") == "ends-its-reader ");
    CHECK(rules_of("exit 1\n") == "ends-its-reader ");
    CHECK(rules_of("set +e\nf() { exit 1; }\n").empty());
    CHECK(rules_of("#!/bin/sh\nset -e\nexit 1\n").empty());
}

TEST_CASE("in a stage only what a jail refuses is told", "[script]") {
    CHECK(problems_of("fuser -k x; pkill x; chroot x ls; rm -rf \"$X/\"; set -e; trap 'umount x' EXIT") == "unmount");
    CHECK(problems_of("mount -t tmpfs none x; umount x") == "mount unmount");
    CHECK(problems_of("mount -t tmpfs none x; umount x", {.allows_mounts = true}).empty());
    CHECK(problems_of("mknod x c 1 3") == "device-node");
    CHECK(problems_of("mknod x c 1 3", {.has_single_id = true}).empty());
    CHECK(problems_of("apt-get install x") == "host-packages");
    CHECK(problems_of("apt-get install x; useradd y; systemctl enable z", {.is_on_host = false}).empty());
    CHECK(problems_of("unshare -m true") == "namespaces");
    CHECK(problems_of("systemctl restart x; losetup -f --show y; sysctl -w a=1; read -p name name") ==
          "service block-device kernel-setting question");
}

TEST_CASE("phases are where the script has its seams", "[script]") {
    const std::string functions = "a_one() { cp x y; }\nb_two() { cp y z; }\nlog() { echo \"$1\"; }\n";
    CHECK(phases_of(functions + "log begin\na_one\nlog middle\nb_two\n") == "a-one b-two");
    CHECK(phases_of(functions + "for i in a_one b_two; do log $i; \"$i\" || exit 1; done\n") == "a-one b-two");
    CHECK(phases_of(functions + "main() {\n  local x=1\n  a_one\n  b_two\n}\nmain \"$@\"\n") == "a-one b-two");
    CHECK(phases_of(
              "#################\n### The tree ####\n#################\ncp x y\n# --- Pack it ---\ntar c y > z\n") ==
          "the-tree pack-it");
    CHECK(phases_of("# Step 1: host\ncp x y\n# Step 2: host\ncp x z\n") == "step-1-host step-2-host");
    CHECK(phases_of("cp x y\ntar c y > z\n") == "build");
    CHECK(phases_of("X=1\n") == "build");
}

TEST_CASE("a draft keeps the words of what it stills", "[script]") {
    const Draft draft =
        make_draft({script_of("set -e\nif ! sudo mount --bind /dev x/dev; then exit 1; fi\nsudo A=1 make all\n"
                              "R=$(mktemp -d -t x)\nchroot $R umount /proc\necho 1 > /proc/sys/vm/x\nunshare -mp "
                              "--fork chroot x ls\ndebootstrap sid x\n")});
    REQUIRE(draft.files.size() == 3);
    const std::string& script = draft.files[2].content;
    INFO(script);
    CHECK(script.find("if ! : mount --bind /dev x/dev; then exit 1; fi\n") != std::string::npos);
    CHECK(script.find("\nA=1 make all\n") != std::string::npos);
    CHECK(script.find("\n: chroot $R umount /proc\n") != std::string::npos);
    CHECK(script.find("\necho 1 > /dev/null\n") != std::string::npos);
    CHECK(script.find("\nchroot x ls\n") != std::string::npos);
    CHECK(script.find("bind-of-host-tree: ") != std::string::npos);
    const std::string& pipeline = draft.files[0].content;
    CHECK(pipeline.find("network = \"user\"\n") != std::string::npos);
    CHECK(pipeline.find("debootstrap = \"debootstrap\"") != std::string::npos);
}
