#include "sandbox/os/memory_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/os/files.hpp"
#include "tests/support/catch.hpp"

using namespace sandbox::os;

TEST_CASE("a file in memory has what was written to it, from its beginning", "[memory-file]") {
    const Fd file = new_memory_file("two\nlines");
    CHECK(content_of(file).empty());
    const std::string text("a\0b\n", 4);
    write_all(file.get(), text, "a file in memory");
    CHECK(content_of(file) == text);
    CHECK(content_of(file) == text);
    CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a program in memory can be executed and not be changed", "[memory-file]") {
    const Fd program = new_program_file("a-program", "#!/bin/true\n");
    struct stat about = {};
    REQUIRE(::fstat(program.get(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0555);
    INFO("not by whoever holds the descriptor either: it is sealed, or open for reading only");
    CHECK(::write(program.get(), "x", 1) == -1);
    CHECK(::ftruncate(program.get(), 0) == -1);
}
