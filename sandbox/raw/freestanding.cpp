// What every program without a library needs, and no other program has: its first instruction, which calls its
// stagebox_main() with the stack that the kernel gave it (argc, argv, envp), and the functions that a compiler takes
// for granted.
#include <stddef.h>

#if defined(__x86_64__)
asm(R"(
    .text
    .globl _start
_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call stagebox_main
    hlt
)");
#elif defined(__aarch64__)
asm(R"(
    .text
    .globl _start
_start:
    mov x29, #0
    mov x30, #0
    mov x0, sp
    bl stagebox_main
    brk #1
)");
#endif

extern "C" {

void* memset(void* to, int value, size_t size) {
    auto* bytes = static_cast<unsigned char*>(to);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(value);
    return to;
}

void* memcpy(void* to, const void* from, size_t size) {
    auto* bytes = static_cast<unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    for (size_t i = 0; i < size; ++i) bytes[i] = source[i];
    return to;
}

}  // extern "C"
