// `stagebox doctor`: what this machine allows, and the command that mends what it does not. Shows what
// sandbox/probe, supervisor and script/parser find; probes nothing itself.
#pragma once
#include <cstdint>
#include <string>

namespace runtime::cli {

enum class DoctorFormat : std::uint8_t { text, json };

struct DoctorOptions {
    DoctorFormat format = DoctorFormat::text;
    std::string store_path;  // where layers are kept, or would be
};

// Prints on standard output. 0: jails can be made here; 1: something they cannot do without is missing.
int doctor(const DoctorOptions& options);

}  // namespace runtime::cli
