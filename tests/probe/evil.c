/* A shared library that leaves a mark where it is loaded: a file in the directory of STAGEBOX_EVIL_MARKS, named after the
 * process. Stands for whatever a payload would like others to load. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void leave_a_mark(void) {
    const char* directory = getenv("STAGEBOX_EVIL_MARKS");
    char path[512];
    snprintf(path, sizeof(path), "%s/loaded-by-%s", directory == NULL ? "/marks" : directory,
             program_invocation_short_name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) close(fd);
}
