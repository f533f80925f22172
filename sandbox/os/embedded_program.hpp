// A program of our own inside this one, from the file that the build links (CMakeLists.txt).
#pragma once

// Defines NAME_begin and NAME_end, around the bytes of the file. Outside of namespaces.
#define STAGEBOX_EMBED_PROGRAM(name, file) \
    asm(".section .rodata\n"               \
        ".globl " #name                    \
        "_begin\n"                         \
        ".globl " #name                    \
        "_end\n"                           \
        ".balign 16\n" #name               \
        "_begin:\n"                        \
        ".incbin \"" file "\"\n" #name     \
        "_end:\n"                          \
        ".byte 0\n"                        \
        ".previous\n");                    \
    extern "C" const char name##_begin[];  \
    extern "C" const char name##_end[]
