/* Commands that attack what is outside: the runner's own file, terminals, keyrings, locks; and `refuse`, which runs a
 * command on a machine that lacks a system call. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "probe.h"

/* Opens PATH for writing again and again, and writes when it can. Says how often it could, and the last refusal. */
static int run_overwrite(int argc, char** argv) {
    need_arguments(argc, 2);
    const long long times = number(argv[2]);
    long long opened = 0;
    int error = 0;
    for (long long i = 0; i < times; ++i) {
        const int fd = open(argv[1], O_WRONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) {
            error = errno;
            usleep(200); /* "text file busy" ends when the last process that runs it has gone */
            continue;
        }
        ++opened;
        if (write(fd, "overwritten", 11) != 11) error = errno;
        close(fd);
    }
    printf("opened=%lld\n", opened);
    say_result("last", error);
    return 0;
}

/* The same for the executable of every process that /proc shows, for SECONDS. The probe's own file is not tried. */
static int run_overwrite_all(int argc, char** argv) {
    need_arguments(argc, 1);
    const long long rounds = number(argv[1]);
    long long opened = 0;
    long long refused = 0;
    for (long long i = 0; i < rounds; ++i) {
        DIR* dir = opendir("/proc");
        if (dir == NULL) return 1;
        for (struct dirent* entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
            if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || atoi(entry->d_name) == getpid()) continue;
            char path[300];
            snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
            const int fd = open(path, O_WRONLY | O_CLOEXEC);
            if (fd < 0) {
                ++refused;
                continue;
            }
            ++opened;
            if (write(fd, "overwritten", 11) < 0) ++refused;
            close(fd);
        }
        closedir(dir);
    }
    printf("opened=%lld\nrefused=%lld\n", opened, refused);
    return 0;
}

static void try_terminal(const char* key, unsigned long request, const void* argument) {
    say_result(key, syscall(SYS_ioctl, STDIN_FILENO, request, argument) == 0 ? 0 : errno);
}

/* What a terminal that is no controlling terminal of ours must refuse. */
static int run_terminal(int argc, char** argv) {
    (void)argc, (void)argv;
    const char key = 'X';
    const int group = getpgrp();
    for (int fd = 0; fd < 3; ++fd) {
        char name[32];
        snprintf(name, sizeof(name), "TIOCSTI-%d", fd);
        say_result(name, syscall(SYS_ioctl, fd, TIOCSTI, &key) == 0 ? 0 : errno);
    }
    try_terminal("TIOCSCTTY", TIOCSCTTY, (const void*)1);
    try_terminal("TIOCSPGRP", TIOCSPGRP, &group);
    const int own = open("/dev/tty", O_RDWR | O_CLOEXEC);
    say_result("/dev/tty", own < 0 ? errno : 0);
    if (own >= 0) close(own);
    return 0;
}

/* KIND is session, user or any; whether a key of type "user" with that description is found there. */
static int run_find_key(int argc, char** argv) {
    need_arguments(argc, 1);
    const long found = syscall(SYS_request_key, "user", argv[1], NULL, 0);
    say_result("request_key", found < 0 ? errno : 0);
    const long session = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", argv[1], 0);
    say_result("session", session < 0 ? errno : 0);
    const long user = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", argv[1], 0);
    say_result("user", user < 0 ? errno : 0);
    return 0;
}

static int run_add_key(int argc, char** argv) {
    need_arguments(argc, 1);
    const long session = syscall(SYS_add_key, "user", argv[1], "marker", 6, KEY_SPEC_SESSION_KEYRING);
    say_result("session", session < 0 ? errno : 0);
    const long user = syscall(SYS_add_key, "user", argv[1], "marker", 6, KEY_SPEC_USER_KEYRING);
    say_result("user", user < 0 ? errno : 0);
    return 0;
}

/* An exclusive lock, and with SECONDS how long it is held. */
static int run_lock(int argc, char** argv) {
    need_arguments(argc, 1);
    const int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    say_result("open", fd < 0 ? errno : 0);
    if (fd < 0) return 0;
    say_result("flock", flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno);
    fflush(stdout);
    if (argc > 2) sleep((unsigned)number(argv[2]));
    close(fd);
    return 0;
}

/* Listens on the abstract socket NAME (without the @) for SECONDS. */
static int run_listen_abstract(int argc, char** argv) {
    need_arguments(argc, 2);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(argv[1]);
    if (length + 1 >= sizeof(address.sun_path)) return 2;
    memcpy(address.sun_path + 1, argv[1], length);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    say_result("bind", fd < 0 || bind(fd, (const struct sockaddr*)&address, size) != 0 ? errno : 0);
    say_result("listen", fd < 0 || listen(fd, 4) != 0 ? errno : 0);
    fflush(stdout);
    sleep((unsigned)number(argv[2]));
    return 0;
}

static int run_kill(int argc, char** argv) {
    need_arguments(argc, 2);
    say_result("kill", kill((pid_t)number(argv[1]), (int)number(argv[2])) == 0 ? 0 : errno);
    return 0;
}

static int run_set_xattr(int argc, char** argv) {
    need_arguments(argc, 3);
    say_result("setxattr", lsetxattr(argv[1], argv[2], argv[3], strlen(argv[3]), 0) == 0 ? 0 : errno);
    return 0;
}

/* A file capability that the kernel would honour, revision 2 of vfs_cap_data. */
static int run_set_filecap(int argc, char** argv) {
    need_arguments(argc, 1);
    const unsigned data[5] = {0x02000001U, 1U << 7U, 0, 0, 0}; /* effective, CAP_SETUID */
    say_result("setxattr", setxattr(argv[1], "security.capability", data, sizeof(data), 0) == 0 ? 0 : errno);
    return 0;
}

static int run_statfs(int argc, char** argv) {
    need_arguments(argc, 1);
    struct statfs status;
    if (statfs(argv[1], &status) != 0) {
        say_result("statfs", errno);
    } else {
        printf("statfs=0x%lx\n", (unsigned long)status.f_type);
    }
    return 0;
}

/* Whether a Landlock domain holds this process cannot be asked; what can: that a rule set can be made, and that one
 * more domain is taken. */
static int run_landlock(int argc, char** argv) {
    (void)argc, (void)argv;
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1U /* LANDLOCK_CREATE_RULESET_VERSION */);
    if (abi < 0) {
        say_result("abi", errno);
    } else {
        printf("abi=%ld\n", abi);
    }
    return 0;
}

/* Swaps two names until it is killed: `swap A B`. */
static int run_swap(int argc, char** argv) {
    need_arguments(argc, 2);
    printf("swapping\n");
    fflush(stdout);
    for (;;) {
        if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], 2U /* RENAME_EXCHANGE */) != 0) return 1;
    }
}

/* Directories one in the other, DEPTH of them, below the working directory. */
static int run_nest(int argc, char** argv) {
    need_arguments(argc, 1);
    const long long depth = number(argv[1]);
    for (long long i = 0; i < depth; ++i) {
        if (mkdir("d", 0755) != 0 || chdir("d") != 0) {
            say_result("nest", errno);
            return 0;
        }
    }
    say_result("nest", 0);
    return 0;
}

/* `refuse NUMBER[,NUMBER...] ERRNO COMMAND...`: runs the command under a filter that gives that answer to those
 * calls, as a machine that lacks them, or a container that forbids them, does. For use outside of a jail. */
static int run_refuse(int argc, char** argv) {
    need_arguments(argc, 3);
    struct sock_filter program[70];
    unsigned short length = 0;
    const unsigned answer = SECCOMP_RET_ERRNO | ((unsigned)number(argv[2]) & SECCOMP_RET_DATA);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (char* word = strtok(argv[1], ","); word != NULL && length < 66; word = strtok(NULL, ",")) {
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number(word), 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {length, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
        perror("probe refuse");
        return 125;
    }
    execv(argv[3], argv + 3);
    perror(argv[3]);
    return 127;
}

const struct command attack_commands[] = {
    {"overwrite", "PATH TIMES", run_overwrite},
    {"overwrite-all", "ROUNDS", run_overwrite_all},
    {"terminal", "", run_terminal},
    {"find-key", "NAME", run_find_key},
    {"add-key", "NAME", run_add_key},
    {"lock", "PATH [SECONDS]", run_lock},
    {"listen-abstract", "NAME SECONDS", run_listen_abstract},
    {"kill", "PID SIGNAL", run_kill},
    {"set-xattr", "PATH NAME VALUE", run_set_xattr},
    {"set-filecap", "PATH", run_set_filecap},
    {"statfs", "PATH", run_statfs},
    {"landlock", "", run_landlock},
    {"swap", "A B", run_swap},
    {"nest", "DEPTH", run_nest},
    {"refuse", "NUMBER[,NUMBER...] ERRNO COMMAND...", run_refuse},
    {NULL, NULL, NULL},
};
