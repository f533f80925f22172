/* Commands that try something: system calls in each ABI, sockets, terminals, processes that outlive their
 * parents. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

/* A call that must not hang a test: an answer within three seconds is one. */
static int connect_within(int fd, const struct sockaddr* address, socklen_t length) {
    const struct timeval limit = {3, 0};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) return errno;
    return connect(fd, address, length) == 0 ? 0 : errno;
}

static int run_connect_inet(int argc, char** argv) {
    need_arguments(argc, 2);
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(argv[2]))};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number(argv[2]))};
    const int is_four = inet_pton(AF_INET, argv[1], &four.sin_addr) == 1;
    if (!is_four && inet_pton(AF_INET6, argv[1], &six.sin6_addr) != 1) {
        fprintf(stderr, "probe: not an address: %s\n", argv[1]);
        return 2;
    }
    const int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say_result("socket", fd < 0 ? errno : 0);
    if (fd < 0) return 0;
    say_result("connect", is_four ? connect_within(fd, (const struct sockaddr*)&four, sizeof(four))
                                  : connect_within(fd, (const struct sockaddr*)&six, sizeof(six)));
    close(fd);
    return 0;
}

/* @NAME: the abstract socket of that name. */
static int run_connect_unix(int argc, char** argv) {
    need_arguments(argc, 1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(argv[1]);
    if (length >= sizeof(address.sun_path)) return 2;
    memcpy(address.sun_path, argv[1], length);
    if (argv[1][0] == '@') address.sun_path[0] = '\0';
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say_result("socket", fd < 0 ? errno : 0);
    if (fd < 0) return 0;
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    say_result("connect", connect_within(fd, (const struct sockaddr*)&address, size));
    close(fd);
    return 0;
}

#if defined(__x86_64__)
/* int 0x80 takes 32-bit values, so whatever it is pointed at has to be low in memory; ours are numbers only.
 * The sixth argument would be in ebp, which a compiler may need: five are enough. */
static long call_i386(long call, const long* a) {
    long result = call;
    __asm__ volatile("int $0x80"
                     : "+a"(result)
                     : "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}
#endif

static long call_raw(const char* abi, long call, const long* a) {
#if defined(__x86_64__)
    if (strcmp(abi, "--i386") == 0) return call_i386(call, a);
    if (strcmp(abi, "--x32") == 0) call |= 0x40000000;
#else
    (void)abi;
#endif
    const long result = syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
    return result == -1 ? -errno : result;
}

/* NUMBER may be A-B: each of them in a process of its own, since some do not return. */
static void print_call(const char* abi, long call, const long* arguments) {
    const long result = call_raw(abi, call, arguments);
    if (result < 0 && result >= -4095) {
        printf("%ld=%s\n", call, error_name((int)-result));
    } else {
        printf("%ld=%ld\n", call, result);
    }
}

/* vfork: its child returns on the stack that its parent is still to return on. */
static int is_vfork(const char* abi, long call) {
#if defined(SYS_vfork)
    return call == (strcmp(abi, "--i386") == 0 ? 190 : SYS_vfork);
#else
    (void)abi, (void)call;
    return 0;
#endif
}

static void print_call_apart(const char* abi, long call, const long* arguments) {
    if (is_vfork(abi, call)) {
        printf("%ld=unasked\n", call);
        return;
    }
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        /* pause and its kind */
        const struct itimerval limit = {{0, 0}, {0, 200000}};
        setitimer(ITIMER_REAL, &limit, NULL);
        print_call(abi, call, arguments);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        printf("%ld=unasked\n", call);
    } else if (WIFSIGNALED(status)) {
        printf("%ld=signal %d\n", call, WTERMSIG(status));
    }
}

static int run_syscall(int argc, char** argv) {
    const char* abi = "";
    if (argc > 1 && strncmp(argv[1], "--", 2) == 0) {
        abi = argv[1];
        --argc;
        ++argv;
    }
    need_arguments(argc, 1);
    long arguments[6] = {0};
    for (int i = 0; i < 6 && i + 2 < argc; ++i) arguments[i] = (long)number(argv[i + 2]);
    char* dash = strchr(argv[1], '-');
    if (dash == NULL) {
        print_call(abi, (long)number(argv[1]), arguments);
        return 0;
    }
    *dash = '\0';
    const long last = (long)number(dash + 1);
    for (long call = (long)number(argv[1]); call <= last; ++call) print_call_apart(abi, call, arguments);
    return 0;
}

static int run_unshare(int argc, char** argv) {
    need_arguments(argc, 1);
    const unsigned long flags = (unsigned long)number(argv[1]);
    say_result("unshare", syscall(SYS_unshare, flags) == 0 ? 0 : errno);
    fflush(stdout);
    /* clone's first argument on every machine but s390. */
    const long child = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) _exit(0);
    say_result("clone", child < 0 ? errno : 0);
    if (child > 0) waitpid((pid_t)child, NULL, 0);
    return 0;
}

static int run_mount_tmpfs(int argc, char** argv) {
    need_arguments(argc, 1);
    say_result("mount", mount("tmpfs", argv[1], "tmpfs", 0, NULL) == 0 ? 0 : errno);
    const int fd = (int)syscall(SYS_fsopen, "tmpfs", 0);
    say_result("fsopen", fd < 0 ? errno : 0);
    if (fd >= 0) close(fd);
    const int tree = (int)syscall(SYS_open_tree, AT_FDCWD, argv[1], 1 /* OPEN_TREE_CLONE */);
    say_result("open_tree", tree < 0 ? errno : 0);
    if (tree >= 0) close(tree);
    say_result("umount", umount2("/proc", MNT_DETACH) == 0 ? 0 : errno);
    return 0;
}

static int run_ptrace(int argc, char** argv) {
    need_arguments(argc, 1);
    const pid_t pid = (pid_t)number(argv[1]);
    say_result("seize", ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? 0 : errno);
    char byte = 0;
    struct iovec here = {&byte, 1};
    struct iovec there = {(void*)0x400000, 1};
    say_result("process_vm_readv", syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0) >= 0 ? 0 : errno);
    return 0;
}

static void try_ioctl(const char* key, unsigned long request, const void* argument) {
    say_result(key, syscall(SYS_ioctl, STDIN_FILENO, request, argument) == 0 ? 0 : errno);
}

static int run_tiocsti(int argc, char** argv) {
    (void)argc, (void)argv;
    const char key = 'X';
    const int discipline = 0;
    const char paste[2] = {3, 0}; /* TIOCL_PASTESEL */
    try_ioctl("TIOCSTI", TIOCSTI, &key);
    try_ioctl("TIOCSTI-high", TIOCSTI | 1UL << 32U, &key);
    try_ioctl("TIOCSTI-all", TIOCSTI | 0xffffffffUL << 32U, &key);
    try_ioctl("TIOCLINUX", TIOCLINUX, paste);
    try_ioctl("TIOCSETD", TIOCSETD, &discipline);
    try_ioctl("TIOCSCTTY", TIOCSCTTY, NULL);
    return 0;
}

/* A process that has left its parent, its session and every signal it can. Says its pid; the caller of the
 * probe is free at once. */
static int run_orphan(int argc, char** argv) {
    need_arguments(argc, 1);
    const unsigned seconds = (unsigned)number(argv[1]);
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child > 0) {
        waitpid(child, NULL, 0);
        return 0;
    }
    setsid();
    const pid_t grandchild = fork();
    if (grandchild != 0) {
        if (grandchild > 0) printf("orphan=%d\n", grandchild);
        fflush(stdout);
        _exit(grandchild < 0);
    }
    for (int signal_number = 1; signal_number < NSIG; ++signal_number) signal(signal_number, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    const time_t end = time(NULL) + (time_t)seconds;
    while (time(NULL) < end) sleep(1);
    _exit(0);
}

/* Until COUNT processes are there or no more can be made; then all of them wait. */
static int run_forkbomb(int argc, char** argv) {
    need_arguments(argc, 1);
    const long long count = number(argv[1]);
    long long made = 0;
    for (; made < count; ++made) {
        const pid_t child = fork();
        if (child < 0) break;
        if (child == 0) {
            for (;;) pause();
        }
    }
    printf("made=%lld\n", made);
    say_result("fork", made < count ? errno : 0);
    fflush(stdout);
    while (pause() == -1) continue;
    return 0;
}

static int run_exit(int argc, char** argv) {
    need_arguments(argc, 1);
    return (int)number(argv[1]);
}

static int run_kill_self(int argc, char** argv) {
    need_arguments(argc, 1);
    const int signal_number = (int)number(argv[1]);
    signal(signal_number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    say_result("kill", kill(getpid(), signal_number) == 0 ? 0 : errno);
    return 0;
}

static int run_sleep(int argc, char** argv) {
    need_arguments(argc, 1);
    printf("sleeping=%d\n", getpid());
    fflush(stdout);
    struct timespec left = {(time_t)number(argv[1]), 0};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
    return 0;
}

/* A call that the build profile denies, over and over: COUNT times (0: without end) in each of PROCESSES processes. Says
 * how many, and what the first process was told first and last. */
static int run_deny_loop(int argc, char** argv) {
    need_arguments(argc, 2);
    const long long count = number(argv[1]);
    printf("processes=%lld\n", number(argv[2]));
    fflush(stdout);
    for (long long made = 1; made < number(argv[2]); ++made) {
        if (fork() != 0) continue;
        for (long long i = 0; count == 0 || i < count; ++i)
            mount("none", "/", "tmpfs", 0, NULL);
        _exit(0);
    }
    int first = 0;
    for (long long i = 0; count == 0 || i < count; ++i) {
        if (mount("none", "/", "tmpfs", 0, NULL) == 0) return 1;
        if (i == 0) first = errno;
    }
    const int last = errno;
    while (wait(NULL) > 0)
        continue;
    say_result("first", first);
    say_result("last", last);
    return 0;
}

/* COUNT processes, one after the other, that are killed while they wait for the answer to a call that is denied. */
static int run_deny_killed(int argc, char** argv) {
    need_arguments(argc, 1);
    for (long long i = 0; i < number(argv[1]); ++i) {
        const pid_t child = fork();
        if (child < 0) return 1;
        if (child == 0) {
            for (;;)
                mount("none", "/", "tmpfs", 0, NULL);
        }
        const struct timespec moment = {0, (i * 37 % 500) * 1000};
        nanosleep(&moment, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    printf("killed=%lld\n", number(argv[1]));
    return 0;
}

const struct command call_commands[] = {
    {"connect-inet", "ADDRESS PORT", run_connect_inet},
    {"connect-unix", "PATH|@NAME", run_connect_unix},
    {"syscall", "[--x32|--i386] NUMBER[-LAST] [ARGUMENT...]", run_syscall},
    {"unshare", "FLAGS", run_unshare},
    {"mount-tmpfs", "DIR", run_mount_tmpfs},
    {"ptrace", "PID", run_ptrace},
    {"tiocsti", "", run_tiocsti},
    {"deny-loop", "COUNT PROCESSES", run_deny_loop},
    {"deny-killed", "COUNT", run_deny_killed},
    {"orphan", "SECONDS", run_orphan},
    {"forkbomb", "COUNT", run_forkbomb},
    {"exit", "CODE", run_exit},
    {"kill-self", "SIGNAL", run_kill_self},
    {"sleep", "SECONDS", run_sleep},
    {NULL, NULL, NULL},
};
