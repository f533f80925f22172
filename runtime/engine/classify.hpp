// From what is known of a jail after its end to the class of its failure: facts first, words of its output last. Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "runtime/engine/stage_failure.hpp"
#include "runtime/jail/denial_log.hpp"
#include "runtime/jail/limit_watch.hpp"
#include "sandbox/launch/launch.hpp"

namespace runtime::engine {

struct EndFacts {
    sandbox::os::WaitStatus how = sandbox::os::WaitStatus::exited(0);
    std::optional<jail::Limit> over;  // the limit of time at which the supervisor ended it
    sandbox::Limits limits;           // in force
    double seconds = 0;
    // The most memory at one time, in bytes: the cgroup's own figure where there is one, else its largest process's.
    std::uint64_t peak_bytes = 0;
    // How many processes the kernel killed for want of memory, by the cgroup's memory.events; 0 where there is no
    // cgroup.
    std::uint64_t oom_kills = 0;
    // How often a process could not be started for the limit of pids, by the cgroup's pids.events.
    std::uint64_t refused_forks = 0;
    std::optional<std::uint64_t> free_bytes;  // of the store's file system, for an ordinary user; nothing: not known
    std::string network_lost;                 // why the network "user" was gone before the end; else empty
    stages::HasNetwork network = stages::HasNetwork::no;
    std::chrono::system_clock::time_point ended;
};

// What a jail that did not end with exit code 0 has failed of.
Failure classify(const EndFacts& facts, const jail::DenialLog& denials, const std::deque<std::string>& lines);

// What a step of the supervisor's or of the store's has failed of that a system call gave this errno; `otherwise` where
// the errno says nothing special.
FailureClass class_of_error(int error, FailureClass otherwise);

// "time 1.2 s of 90 s, memory 1.1 GB of 3.2 GB"; empty where there are no limits.
std::string nearness(const EndFacts& facts);

}  // namespace runtime::engine
