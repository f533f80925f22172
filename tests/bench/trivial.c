/* The payload of the benchmarks: makes the files that it is given, if any, and succeeds. Linked statically, so that
 * what is measured is the start of a jail and not that of a dynamic loader. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const int fd = open(argv[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0) return 1;
        close(fd);
    }
    return 0;
}
