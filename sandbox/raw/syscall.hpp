// System calls without a C library: for the init program, which has none.
#pragma once
#include <stdint.h>

namespace sandbox {

// The kernel's calling convention, syscall(2): the answer, or -errno.
inline long raw_call(long number, long a, long b, long c, long d, long e, long f) noexcept {
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result = number;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "Stagebox knows the system calls of x86-64 and arm64; add this machine's convention here and in start.cpp"
#endif
}

inline long call_word(decltype(nullptr)) noexcept {
    return 0;
}
template <class T>
long call_word(T* value) noexcept {
    return reinterpret_cast<long>(value);
}
template <class T>
long call_word(T value) noexcept {
    return static_cast<long>(value);
}

// The answer of a system call, or -errno. EINTR cannot be seen: every signal is blocked until the payload runs.
template <class... Args>
long call(long number, Args... args) noexcept {
    static_assert(sizeof...(args) <= 6);
    const long words[7] = {call_word(args)..., 0};
    return raw_call(number, words[0], sizeof...(args) > 1 ? words[1] : 0, sizeof...(args) > 2 ? words[2] : 0,
                    sizeof...(args) > 3 ? words[3] : 0, sizeof...(args) > 4 ? words[4] : 0,
                    sizeof...(args) > 5 ? words[5] : 0);
}

// clone(2) with a stack of the child's own, for flags with CLONE_VM: the child begins in `body`, which must not return.
// The parent gets the child's pid, or -errno.
extern "C" long clone_onto(uint64_t flags, void* stack_top, void (*body)(void*), void* argument) noexcept;

}  // namespace sandbox
