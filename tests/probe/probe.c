#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

extern char** environ;

const char* error_name(int error) {
    static char unknown[16];
    const char* name = error == 0 ? "ok" : strerrorname_np(error);
    if (name != NULL) return name;
    snprintf(unknown, sizeof(unknown), "E%d", error);
    return unknown;
}

void say_result(const char* key, int error) {
    printf("%s=%s\n", key, error_name(error));
}

long long number(const char* text) {
    char* end = NULL;
    errno = 0;
    const long long value = (long long)strtoull(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0') {
        fprintf(stderr, "probe: not a number: %s\n", text);
        exit(2);
    }
    return value;
}

void need_arguments(int argc, int count) {
    if (argc > count) return;
    fprintf(stderr, "probe: %d arguments needed\n", count);
    exit(2);
}

/* Cannot ask: the one kind of failure. */
static int cannot(const char* what) {
    printf("%s=%s\n", what, error_name(errno));
    return 1;
}

static int run_ids(int argc, char** argv) {
    (void)argc, (void)argv;
    uid_t uid[3];
    gid_t gid[3];
    gid_t groups[256];
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0) return cannot("ids");
    printf("ruid=%u\neuid=%u\nsuid=%u\nrgid=%u\negid=%u\nsgid=%u\n", uid[0], uid[1], uid[2], gid[0], gid[1], gid[2]);
    const int count = getgroups(256, groups);
    if (count < 0) return cannot("groups");
    printf("groups=");
    for (int i = 0; i < count; ++i) printf("%s%u", i == 0 ? "" : ",", groups[i]);
    printf("\npid=%d\nppid=%d\npgid=%d\nsid=%d\n", getpid(), getppid(), getpgrp(), getsid(0));
    return 0;
}

/* Lines "Key:\tvalue" of a /proc file whose key is in `keys`, as key=value. */
static int print_status(const char* const* keys) {
    FILE* file = fopen("/proc/self/status", "re");
    if (file == NULL) return cannot("/proc/self/status");
    char line[512];
    while (fgets(line, sizeof(line), file) != NULL) {
        char* colon = strchr(line, ':');
        if (colon == NULL) continue;
        *colon = '\0';
        const char* value = colon + 1 + strspn(colon + 1, " \t");
        for (const char* const* key = keys; *key != NULL; ++key) {
            if (strcmp(*key, line) == 0) printf("%s=%s", line, value);
        }
    }
    fclose(file);
    return 0;
}

static int run_caps(int argc, char** argv) {
    (void)argc, (void)argv;
    static const char* const keys[] = {"CapInh",     "CapPrm",  "CapEff",          "CapBnd", "CapAmb",
                                       "NoNewPrivs", "Seccomp", "Seccomp_filters", NULL};
    return print_status(keys);
}

static int run_fds(int argc, char** argv) {
    (void)argc, (void)argv;
    DIR* dir = opendir("/proc/self/fd");
    if (dir == NULL) return cannot("/proc/self/fd");
    for (struct dirent* entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir)) continue;
        char target[PATH_MAX] = "?";
        const ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (length >= 0) target[length] = '\0';
        printf("%s=%s\n", entry->d_name, target);
    }
    closedir(dir);
    return 0;
}

static int run_pids(int argc, char** argv) {
    (void)argc, (void)argv;
    DIR* dir = opendir("/proc");
    if (dir == NULL) return cannot("/proc");
    for (struct dirent* entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        char path[300];
        char name[64] = "?";
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t length = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
        if (length > 0) name[length - 1] = '\0'; /* over the newline */
        if (fd >= 0) close(fd);
        printf("%s=%s\n", entry->d_name, name);
    }
    closedir(dir);
    return 0;
}

static int copy_out(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return cannot("open");
    char buffer[4096];
    ssize_t length = 0;
    while ((length = read(fd, buffer, sizeof(buffer))) > 0) fwrite(buffer, 1, (size_t)length, stdout);
    const int failed = length < 0;
    if (failed) cannot("read");
    close(fd);
    return failed;
}

static int run_mounts(int argc, char** argv) {
    (void)argc, (void)argv;
    return copy_out("/proc/self/mountinfo");
}

static int run_read(int argc, char** argv) {
    need_arguments(argc, 1);
    return copy_out(argv[1]);
}

static int run_write(int argc, char** argv) {
    need_arguments(argc, 2);
    const int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
    say_result("open", fd < 0 ? errno : 0);
    if (fd < 0) return 0;
    const size_t length = strlen(argv[2]);
    say_result("write", write(fd, argv[2], length) == (ssize_t)length ? 0 : errno);
    close(fd);
    return 0;
}

static int run_list(int argc, char** argv) {
    need_arguments(argc, 1);
    struct dirent** entries = NULL;
    const int count = scandir(argv[1], &entries, NULL, alphasort);
    if (count < 0) return cannot("list");
    for (int i = 0; i < count; ++i) {
        const char* name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) printf("%s\n", name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

static const char* type_name(mode_t mode) {
    if (S_ISREG(mode)) return "file";
    if (S_ISDIR(mode)) return "directory";
    if (S_ISLNK(mode)) return "symlink";
    if (S_ISCHR(mode)) return "character";
    if (S_ISBLK(mode)) return "block";
    if (S_ISFIFO(mode)) return "fifo";
    return S_ISSOCK(mode) ? "socket" : "unknown";
}

static int run_stat(int argc, char** argv) {
    need_arguments(argc, 1);
    struct stat status;
    if (lstat(argv[1], &status) != 0) {
        say_result("stat", errno);
        return 0;
    }
    printf("stat=ok\ntype=%s\nmode=%04o\nuid=%u\ngid=%u\nsize=%lld\nlinks=%lu\n", type_name(status.st_mode),
           status.st_mode & 07777U, status.st_uid, status.st_gid, (long long)status.st_size,
           (unsigned long)status.st_nlink);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
        printf("device=%u:%u\n", major(status.st_rdev), minor(status.st_rdev));
    }
    if (S_ISLNK(status.st_mode)) {
        char target[PATH_MAX] = "";
        const ssize_t length = readlink(argv[1], target, sizeof(target) - 1);
        if (length >= 0) printf("target=%.*s\n", (int)length, target);
    }
    return 0;
}

static int run_env(int argc, char** argv) {
    (void)argc, (void)argv;
    for (char** entry = environ; *entry != NULL; ++entry) printf("%s\n", *entry);
    return 0;
}

static int run_cwd(int argc, char** argv) {
    (void)argc, (void)argv;
    char path[PATH_MAX];
    if (getcwd(path, sizeof(path)) == NULL) return cannot("cwd");
    printf("cwd=%s\n", path);
    return 0;
}

static int run_hostname(int argc, char** argv) {
    (void)argc, (void)argv;
    char name[256] = "";
    if (gethostname(name, sizeof(name) - 1) != 0) return cannot("hostname");
    printf("hostname=%s\n", name);
    return 0;
}

static int run_echo(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) printf("%s%s", i == 1 ? "" : " ", argv[i]);
    printf("\n");
    return 0;
}

/* Init is the one process of the jail that is not the payload's: nothing of it may be open to the payload. */
static int run_open_init(int argc, char** argv) {
    (void)argc, (void)argv;
    static const char* const files[] = {"mem", "environ", "maps", "auxv", "syscall", "stack", "io", NULL};
    static const char* const links[] = {"root", "cwd", "exe", "fd/0", "ns/user", "ns/mnt", NULL};
    char path[64];
    char target[PATH_MAX];
    for (const char* const* name = files; *name != NULL; ++name) {
        snprintf(path, sizeof(path), "/proc/1/%s", *name);
        const int fd = open(path, (strcmp(*name, "mem") == 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC);
        /* Some are checked only when they are read. */
        say_result(*name, fd < 0 || read(fd, target, 1) < 0 ? errno : 0);
        if (fd >= 0) close(fd);
    }
    for (const char* const* name = links; *name != NULL; ++name) {
        snprintf(path, sizeof(path), "/proc/1/%s", *name);
        say_result(*name, readlink(path, target, sizeof(target)) < 0 ? errno : 0);
    }
    /* The numbers may be seen; what is behind them may not. */
    DIR* dir = opendir("/proc/1/fd");
    int fd_error = dir == NULL ? errno : EACCES;
    for (struct dirent* entry = dir == NULL ? NULL : readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.') continue;
        const int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 || readlinkat(dirfd(dir), entry->d_name, target, sizeof(target)) >= 0) fd_error = 0;
        if (fd >= 0) close(fd);
    }
    say_result("fd", fd_error);
    if (dir != NULL) closedir(dir);
    const int exe = open("/proc/1/exe", O_WRONLY | O_CLOEXEC);
    say_result("exe-write", exe < 0 ? errno : 0);
    if (exe >= 0) close(exe);
    return 0;
}

static const struct command view_commands[] = {
    {"ids", "", run_ids},
    {"caps", "", run_caps},
    {"fds", "", run_fds},
    {"pids", "", run_pids},
    {"mounts", "", run_mounts},
    {"read", "PATH", run_read},
    {"write", "PATH TEXT", run_write},
    {"list", "DIR", run_list},
    {"stat", "PATH", run_stat},
    {"env", "", run_env},
    {"cwd", "", run_cwd},
    {"hostname", "", run_hostname},
    {"echo", "[TEXT...]", run_echo},
    {"open-init", "", run_open_init},
    {NULL, NULL, NULL},
};

static int run_command(const struct command* table, int argc, char** argv, int* status) {
    for (const struct command* command = table; command->name != NULL; ++command) {
        if (strcmp(command->name, argv[0]) != 0) continue;
        *status = command->run(argc, argv);
        return 1;
    }
    return 0;
}

static void print_usage(const struct command* table) {
    for (const struct command* command = table; command->name != NULL; ++command) {
        fprintf(stderr, "  probe %s %s\n", command->name, command->usage);
    }
}

int main(int argc, char** argv) {
    int status = 2;
    if (argc > 1 && (run_command(view_commands, argc - 1, argv + 1, &status) ||
                     run_command(call_commands, argc - 1, argv + 1, &status) ||
                     run_command(attack_commands, argc - 1, argv + 1, &status))) {
        fflush(stdout);
        return status;
    }
    fprintf(stderr, "usage:\n");
    print_usage(view_commands);
    print_usage(call_commands);
    print_usage(attack_commands);
    return 2;
}
