// What --info-fd and --json-status-fd are told about a jail (bwrap(1)): its first process, its namespaces, its end.
#pragma once
#include <sys/types.h>

#include <cstdint>

namespace runtime::cli {

// Writes one JSON object over several lines, and nothing later. `namespaces`: CLONE_NEW* of those that are its own.
void write_jail_info(int fd, pid_t pid, std::uint64_t namespaces);
// Writes the same as one line; a second line at the command's end says its exit code.
void write_jail_status(int fd, pid_t pid, std::uint64_t namespaces);
void write_exit_status(int fd, int code);

}  // namespace runtime::cli
