// The payload's process, from its clone to its exec. Under the rules of init/child.cpp.
#pragma once
#include "sandbox/init/reporter.hpp"
#include "sandbox/init/task.hpp"

namespace sandbox {

// The number that the payload's filter gives to its listener (seccomp_unotify(2)), in init and for the way out.
inline constexpr int listener_number = 3;

// Puts a filter on this process; answers as seccomp(2) with these flags.
long set_filter(const FilterCode& code, unsigned long flags) noexcept;

class Payload : private Reporter {
  public:
    // Makes what the payload's process enters: its fence.
    explicit Payload(const ChildTask& task) noexcept;
    // Its process, once it runs the command. What it was made with is closed.
    [[nodiscard]] long start() noexcept;

  private:
    [[noreturn]] void run() const noexcept;
    static void run_on_stack(void* payload) noexcept { static_cast<const Payload*>(payload)->run(); }
    void enter_directory() const noexcept;
    void apply_rlimits() const noexcept;
    void verify_namespaces() const noexcept;
    void join_keyring() const noexcept;
    void limit_capabilities() const noexcept;
    void enter_fence() const noexcept;
    void install_more_filters() const noexcept;
    void install_filter() const noexcept;
    void install_listening_filter() const noexcept;
    [[noreturn]] void execute() const noexcept;

    const ChildTask& task_;
    int fence_ = -1;
};

}  // namespace sandbox
