// How what runs behind the fence says that it cannot go on. Under the rules of init/child.cpp.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "sandbox/plan/failure_record.hpp"
#include "sandbox/raw/syscall.hpp"

namespace sandbox {

class Reporter {
  protected:
    // The record goes to `report_fd`; the process then ends with `code`.
    constexpr Reporter(int report_fd, int code) noexcept : report_fd_(report_fd), code_(code) {}

    [[noreturn]] void fail(Point point, size_t index, long error) const noexcept {
        const FailureRecord record{point, static_cast<uint16_t>(index), static_cast<int32_t>(-error)};
        call(SYS_write, report_fd_, &record, sizeof record);
        for (;;) call(SYS_exit_group, code_);
    }
    // A system call's answer, where it is none of its errors.
    long need(long result, Point point, size_t index = 0) const noexcept {
        if (result < 0) fail(point, index, result);
        return result;
    }

  private:
    int report_fd_;
    int code_;
};

// What init ends with where the jail cannot be made.
inline constexpr int init_failed = 125;

}  // namespace sandbox
