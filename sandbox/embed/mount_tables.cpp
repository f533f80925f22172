// stagebox-mount-tables: what libmount reads in a mount table, for os/mountinfo.cpp. A program of its own, compiled
// into Stagebox and started from memory when a table has to be read: Debian ships no static libmount, and Stagebox
// itself is linked statically, since a dynamic loader takes as long as half of a jail's set-up.
//
//     stagebox-mount-tables < TABLE > RECORDS
//
// The table is in the form of /proc/self/mountinfo (proc(5)). A record is a mount, ten fields that each end with a NUL:
// id, parent, major, minor, root, target, source, type, options, optional fields.
#include <libmount/libmount.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

struct Text {
    char* bytes = nullptr;
    std::size_t size = 0;
};

Text read_input() {
    Text text;
    std::size_t room = 0;
    for (;;) {
        if (text.size == room) {
            room = room == 0 ? 65536 : 2 * room;
            text.bytes = static_cast<char*>(std::realloc(text.bytes, room));
            if (text.bytes == nullptr) fail("no memory for a mount table");
        }
        const std::size_t got = std::fread(text.bytes + text.size, 1, room - text.size, stdin);
        if (got == 0) break;
        text.size += got;
    }
    if (std::ferror(stdin) != 0) fail("a mount table cannot be read");
    return text;
}

libmnt_table* parse(char* bytes, std::size_t size) {
    libmnt_table* const table = mnt_new_table();
    if (table == nullptr) fail("no memory for a mount table");
    if (size == 0) return table;  // fmemopen(3) refuses an empty buffer
    FILE* const stream = fmemopen(bytes, size, "re");
    if (stream == nullptr) fail("no memory for a mount table");
    if (mnt_table_parse_stream(table, stream, "mountinfo") != 0) fail("libmount cannot read the mount table");
    std::fclose(stream);
    return table;
}

void put(const char* text) {
    std::fputs(text == nullptr ? "" : text, stdout);
    std::fputc('\0', stdout);
}

void put_mount(libmnt_fs* fs) {
    const dev_t device = mnt_fs_get_devno(fs);
    std::printf("%d%c%d%c%u%c%u%c", mnt_fs_get_id(fs), '\0', mnt_fs_get_parent_id(fs), '\0', gnu_dev_major(device),
                '\0', gnu_dev_minor(device), '\0');
    put(mnt_fs_get_root(fs));
    put(mnt_fs_get_target(fs));
    put(mnt_fs_get_source(fs));
    put(mnt_fs_get_fstype(fs));
    put(mnt_fs_get_options(fs));
    put(mnt_fs_get_optional_fields(fs));
}

void put_table(libmnt_table* table) {
    libmnt_iter* const iterator = mnt_new_iter(MNT_ITER_FORWARD);
    if (iterator == nullptr) fail("no memory for a mount table");
    libmnt_fs* fs = nullptr;
    while (mnt_table_next_fs(table, iterator, &fs) == 0) put_mount(fs);
}

}  // namespace

// What is allocated goes with the process.
int main() {
    const Text text = read_input();
    put_table(parse(text.bytes, text.size));
    if (std::fflush(stdout) != 0) {
        std::fprintf(stderr, "a mount table cannot be handed over: %s\n", std::strerror(errno));
        return 1;
    }
    return 0;
}
