/* What a fence costs a payload that makes many system calls: nanoseconds a call, each loop the best of five.
 *     loops getpid|openat|stat COUNT
 * Linked statically, so that it runs in any root. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int call_getpid(void) {
    return syscall(SYS_getpid) > 0 ? 0 : -1;
}

static int call_openat(void) {
    const int fd = openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : close(fd);
}

static int call_stat(void) {
    struct stat status;
    return stat("/", &status);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char** argv) {
    static const struct {
        const char* name;
        int (*call)(void);
    } loops[] = {{"getpid", call_getpid}, {"openat", call_openat}, {"stat", call_stat}};
    if (argc != 3) return 2;
    const long count = strtol(argv[2], NULL, 10);
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); ++i) {
        if (strcmp(loops[i].name, argv[1]) != 0) continue;
        double best = 1e18;
        for (int round = 0; round < 5; ++round) {
            const double began = now();
            for (long n = 0; n < count; ++n) {
                if (loops[i].call() != 0) return 1;
            }
            const double taken = (now() - began) / (double)count;
            if (taken < best) best = taken;
        }
        printf("%.1f\n", best);
        return 0;
    }
    return 2;
}
