// Machines of other distributions and kernels, as their files showed them: what the readers of the host are tried on.
#pragma once
#include "tests/unit/machine.hpp"

namespace tests {

// Debian 11: Linux 5.10, whose distribution has a switch of its own for user namespaces, here off, as Debian 10 had it.
inline void make_debian_11(const Machine& machine) {
    machine.file("proc/self/mountinfo",
                 "20 26 0:19 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
                 "21 26 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n"
                 "22 26 0:5 / /dev rw,nosuid,relatime shared:2 - "
                 "devtmpfs udev rw,size=1007032k,nr_inodes=251758,mode=755\n"
                 "23 22 0:21 / /dev/pts rw,nosuid,noexec,relatime shared:3 - "
                 "devpts devpts rw,gid=5,mode=620,ptmxmode=000\n"
                 "24 26 0:22 / /run rw,nosuid,nodev,noexec,relatime shared:5 - "
                 "tmpfs tmpfs rw,size=203760k,mode=755\n"
                 "26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
                 "27 20 0:6 / /sys/kernel/security rw,nosuid,nodev,noexec,relatime shared:8 - "
                 "securityfs securityfs rw\n"
                 "28 20 0:24 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - "
                 "cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
                 "33 21 0:29 / /proc/sys/fs/binfmt_misc rw,relatime shared:15 - "
                 "autofs systemd-1 rw,fd=30,pgrp=1,timeout=0,minproto=5,maxproto=5,direct,pipe_ino=11260\n");
    machine.file("proc/sys/kernel/hostname", "bullseye\n");
    machine.file("proc/sys/kernel/unprivileged_userns_clone", "0\n");
    machine.file("proc/sys/user/max_user_namespaces", "7823\n");
    machine.file("proc/sys/vm/max_map_count", "65530\n");
    machine.file("proc/self/attr/current", "unconfined\n");
    machine.file("proc/self/status",
                 "Name:\tstagebox\nUmask:\t0022\nUid:\t1000\t1000\t1000\t1000\nCapInh:\t0000000000000000\n"
                 "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n");
    machine.file("proc/modules",
                 "nf_tables 241664 0 - Live 0x0000000000000000\n"
                 "libcrc32c 16384 1 nf_tables, Live 0x0000000000000000\n"
                 "virtio_net 61440 0 - Live 0x0000000000000000 (E)\n");
    machine.file("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-3.scope\n");
    machine.file("etc/subuid", "ann:100000:65536\n");
    machine.file("etc/subgid", "ann:100000:65536\n");
    machine.folder("run/systemd/system");
}

// Ubuntu 24.04: Linux 6.8, AppArmor that takes the rights of user namespaces, snaps on loop devices.
inline void make_ubuntu_24_04(const Machine& machine) {
    machine.file("proc/self/mountinfo",
                 "24 31 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
                 "25 31 0:23 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw\n"
                 "26 31 0:5 / /dev rw,nosuid,relatime shared:2 - "
                 "devtmpfs udev rw,size=3985172k,nr_inodes=996293,mode=755,inode64\n"
                 "29 31 0:25 / /run rw,nosuid,nodev,noexec,relatime shared:5 - "
                 "tmpfs tmpfs rw,size=803404k,mode=755,inode64\n"
                 "31 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,discard,errors=remount-ro\n"
                 "35 24 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - "
                 "cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
                 "52 31 7:0 / /snap/core22/1621 ro,nodev,relatime shared:30 - "
                 "squashfs /dev/loop0 ro,errors=continue,threads=single\n"
                 "1203 29 0:50 / /run/user/1000 rw,nosuid,nodev,relatime shared:612 - "
                 "tmpfs tmpfs rw,size=803400k,nr_inodes=200850,mode=700,uid=1000,gid=1000,inode64\n"
                 "1240 1203 0:51 / /run/user/1000/doc rw,nosuid,nodev,relatime shared:640 - "
                 "fuse.portal portal rw,user_id=1000,group_id=1000\n");
    machine.file("proc/sys/kernel/hostname", "noble\n");
    machine.file("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    machine.file("proc/sys/kernel/unprivileged_userns_clone", "1\n");
    machine.file("proc/sys/user/max_user_namespaces", "31231\n");
    machine.file("proc/sys/vm/max_map_count", "1048576\n");
    machine.file("proc/self/attr/current", "unconfined\n");
    machine.file("proc/self/status",
                 "Name:\tstagebox\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\n"
                 "Seccomp:\t0\nSeccomp_filters:\t0\n");
    machine.file("proc/self/cgroup", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope\n");
    machine.file("sys/block/loop0/loop/backing_file", "/var/lib/snapd/snaps/core22_1621.snap\n");
    machine.file("etc/subuid", "ubuntu:100000:65536\nann:165536:65536\n");
    machine.file("etc/subgid", "ubuntu:100000:65536\nann:165536:65536\n");
    machine.folder("run/systemd/system");
}

// Arch: a kernel of 6.12, with no switch of a distribution's; ids as systemd's tools and useradd hand them out.
inline void make_arch(const Machine& machine) {
    machine.file("proc/self/mountinfo",
                 "37 2 0:31 /@ / rw,relatime shared:1 - "
                 "btrfs /dev/nvme0n1p2 rw,compress=zstd:3,ssd,discard=async,space_cache=v2,subvolid=256,"
                 "subvol=/@\n"
                 "22 37 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n"
                 "23 37 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:5 - sysfs sys rw\n"
                 "24 37 0:5 / /dev rw,nosuid,relatime shared:9 - "
                 "devtmpfs dev rw,size=16326984k,nr_inodes=4081746,mode=755,inode64\n"
                 "45 37 0:31 /@home /home rw,relatime shared:33 - "
                 "btrfs /dev/nvme0n1p2 rw,compress=zstd:3,ssd,discard=async,space_cache=v2,subvolid=257,"
                 "subvol=/@home\n"
                 "61 37 0:44 / /mnt/idmapped rw,relatime,idmapped shared:70 - ext4 /dev/sdb1 rw\n"
                 "28 23 0:25 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:8 - "
                 "cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot,memory_hugetlb_accounting\n");
    machine.file("proc/sys/kernel/hostname", "arch\n");
    machine.file("proc/sys/user/max_user_namespaces", "127233\n");
    machine.file("proc/self/status", "Name:\tstagebox\nCapEff:\t0000000000000000\nSeccomp:\t0\n");
    machine.file("proc/self/cgroup", "0::/user.slice/user-1000.slice/session-1.scope\n");
    machine.file("etc/subuid", "ann:100000:65536\n1001:165536:65536\n");
    machine.file("etc/subgid", "ann:100000:65536\n1001:165536:65536\n");
    machine.folder("run/systemd/system");
}

// Alpine with OpenRC: no systemd, no D-Bus; cgroups of both versions, and version 1 has the controllers. Ranges are by
// number.
inline void make_alpine(const Machine& machine) {
    machine.file("proc/self/mountinfo",
                 "14 18 0:13 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n"
                 "15 18 0:4 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
                 "18 1 8:3 / / rw,relatime - ext4 /dev/sda3 rw\n"
                 "30 14 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - "
                 "tmpfs cgroup_root rw,size=10240k,mode=755\n"
                 "31 30 0:27 / /sys/fs/cgroup/openrc rw,nosuid,nodev,noexec,relatime - "
                 "cgroup openrc rw,release_agent=/lib/rc/sh/cgroup-release-agent.sh,name=openrc\n"
                 "32 30 0:28 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime - "
                 "cgroup2 none rw,nsdelegate\n"
                 "33 30 0:29 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime - cgroup memory rw,memory\n");
    machine.file("proc/sys/kernel/hostname", "alpine\n");
    machine.file("proc/sys/user/max_user_namespaces", "3891\n");
    machine.file("proc/self/status", "Name:\tstagebox\nCapEff:\t0000000000000000\nSeccomp:\t0\n");
    machine.file("proc/self/cgroup", "9:memory:/\n3:cpu:/\n1:name=openrc:/sshd\n0::/sshd\n");
    machine.file("etc/subuid", "root:100000:65536\n1000:165536:65536\n");
    machine.file("etc/subgid", "root:100000:65536\n1000:165536:65536\n");
}

// A container of Docker's: parts of /proc are covered, a filter is in force, and root has some capabilities only.
inline void make_docker_container(const Machine& machine) {
    machine.file("proc/self/mountinfo",
                 "1475 1220 0:66 / / rw,relatime master:360 - "
                 "overlay overlay rw,"
                 "lowerdir=/var/lib/docker/overlay2/l/AAAA:/var/lib/docker/overlay2/l/BBBB,"
                 "upperdir=/var/lib/docker/overlay2/c/diff,workdir=/var/lib/docker/overlay2/c/work\n"
                 "1476 1475 0:69 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
                 "1477 1475 0:70 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755,inode64\n"
                 "1479 1475 0:72 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro\n"
                 "1480 1479 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - "
                 "cgroup2 cgroup rw,nsdelegate,memory_recursiveprot\n"
                 "1221 1476 0:69 /bus /proc/bus ro,nosuid,nodev,noexec,relatime - proc proc rw\n"
                 "1224 1476 0:69 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw\n"
                 "1226 1476 0:73 / /proc/acpi ro,relatime - tmpfs tmpfs ro,inode64\n"
                 "1227 1476 0:70 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755,inode64\n");
    machine.file("proc/sys/user/max_user_namespaces", "127233\n");
    machine.file("proc/self/attr/current", "docker-default (enforce)\n");
    machine.file("proc/self/status",
                 "Name:\tstagebox\nUid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n"
                 "Seccomp_filters:\t1\n");
    machine.file("proc/self/cgroup", "0::/\n");
    machine.file("proc/self/uid_map", "         0          0 4294967295\n");
    machine.file("proc/self/gid_map", "         0          0 4294967295\n");
    machine.file(".dockerenv", "");
}

}  // namespace tests
