/* The floor of a jail's start: the system calls that have to be made, in one short program, and nothing
 * beside them. The same namespaces and mounts as
 *     bwrap --unshare-all --uid 0 --gid 0 --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64
 * /lib64 \
 *           --symlink usr/bin /bin --proc /proc --dev /dev --tmpfs /tmp --ro-bind PROGRAM /payload /payload
 * with one process less (the program is PID 1) and one id, mapped by the parent.
 *     floor PROGRAM [ARGUMENT...]
 * Exits with the program's code, 128 + N for signal N, 125 where the jail cannot be made. A yardstick, not a
 * sandbox. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static int need(long result, const char* doing) {
    if (result >= 0) return (int)result;
    fprintf(stderr, "floor: %s: %s\n", doing, strerror(errno));
    _exit(125);
}

static int new_mount(const char* type, const char* key, const char* value, unsigned attributes) {
    const int fs = need(fsopen(type, FSOPEN_CLOEXEC), type);
    if (key != NULL) need(fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0), key);
    if (strcmp(type, "devpts") == 0) {
        need(fsconfig(fs, FSCONFIG_SET_FLAG, "newinstance", NULL, 0), "newinstance");
        need(fsconfig(fs, FSCONFIG_SET_STRING, "mode", "620", 0), "mode");
    }
    need(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "create a file system");
    const int tree = need(fsmount(fs, FSMOUNT_CLOEXEC, attributes), "fsmount");
    close(fs);
    return tree;
}

/* `target` is relative to the new root, which is the working directory. */
static void attach(int tree, const char* target) {
    need(move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), target);
    close(tree);
}

static int tree_of(const char* path, unsigned recursive, uint64_t attributes) {
    const int tree = need(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive), path);
    struct mount_attr set = {.attr_set = attributes};
    need(mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &set, sizeof(set)), "mount_setattr");
    return tree;
}

static void make_proc(void) {
    need(mkdir("proc", 0755), "mkdir proc");
    attach(new_mount("proc", NULL, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), "proc");
    /* As bubblewrap does: only what this caller could write. */
    static const char* const covered[] = {"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus"};
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); ++i) {
        if (access(covered[i], W_OK) != 0) continue;
        attach(tree_of(covered[i], 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), covered[i]);
    }
}

static void make_dev(void) {
    static const char* const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char* const links[][2] = {
        {"/proc/self/fd/0", "dev/stdin"},  {"/proc/self/fd/1", "dev/stdout"},
        {"/proc/self/fd/2", "dev/stderr"}, {"/proc/self/fd", "dev/fd"},
        {"/proc/kcore", "dev/core"},       {"pts/ptmx", "dev/ptmx"}};
    need(mkdir("dev", 0755), "mkdir dev");
    attach(new_mount("tmpfs", "mode", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), "dev");
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); ++i) {
        char host[32];
        snprintf(host, sizeof(host), "/dev/%s", devices[i]);
        const int file = need(open(host + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444), host);
        close(file);
        attach(tree_of(host, 0, MOUNT_ATTR_NOSUID), host + 1);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); ++i)
        need(symlink(links[i][0], links[i][1]), links[i][1]);
    need(mkdir("dev/shm", 0755), "mkdir dev/shm");
    need(mkdir("dev/pts", 0755), "mkdir dev/pts");
    attach(new_mount("devpts", "ptmxmode", "0666", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "dev/pts");
}

static void make_root(const char* program) {
    struct mount_attr slave = {.propagation = MS_SLAVE};
    need(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof(slave)), "make / a slave");
    const int usr = tree_of("/usr", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    const int payload = tree_of(program, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    /* Any directory does: it is covered, and gone after pivot_root. */
    attach(new_mount("tmpfs", "mode", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), "/tmp");
    need(chdir("/tmp"), "chdir");
    need(mkdir("usr", 0755), "mkdir usr");
    attach(usr, "usr");
    need(symlink("usr/lib", "lib"), "symlink lib");
    need(symlink("usr/lib64", "lib64"), "symlink lib64");
    need(symlink("usr/bin", "bin"), "symlink bin");
    make_proc();
    make_dev();
    need(mkdir("tmp", 0755), "mkdir tmp");
    attach(new_mount("tmpfs", "mode", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), "tmp");
    close(need(open("payload", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444), "create payload"));
    attach(payload, "payload");
    need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    need(umount2(".", MNT_DETACH), "let the old root go");
    need(chdir("/"), "chdir /");
}

static void raise_loopback(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    const int fd = need(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    need(ioctl(fd, SIOCSIFFLAGS, &request), "bring lo up");
    close(fd);
}

static void write_text(int process, const char* file, const char* text) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", process, file);
    const int fd = need(open(path, O_WRONLY | O_CLOEXEC), path);
    need(write(fd, text, strlen(text)), path);
    close(fd);
}

/* One id outside stands for 0 inside; setgroups has to be denied first (user_namespaces(7)). */
static void map_ids(int process) {
    char map[32];
    write_text(process, "setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
    write_text(process, "uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1\n", getegid());
    write_text(process, "gid_map", map);
}

int main(int argc, char** argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: floor PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    int mapped[2];
    need(pipe2(mapped, O_CLOEXEC), "pipe");
    struct clone_args task = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWCGROUP,
        .exit_signal = SIGCHLD,
    };
    const int child = need(syscall(SYS_clone3, &task, sizeof(task)), "clone3");
    if (child == 0) {
        char byte = 0;
        close(mapped[1]);
        /* One byte: the ids are mapped. None: the parent is gone. */
        if (need(read(mapped[0], &byte, 1), "wait for the ids") != 1) _exit(125);
        make_root(argv[1]);
        raise_loopback();
        need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
        execve("/payload", argv + 1, environ);
        need(-1, argv[1]);
    }
    close(mapped[0]);
    map_ids(child);
    need(write(mapped[1], "", 1), "let the child go on");
    int status = 0;
    need(waitpid(child, &status, 0), "wait");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
