// spdlog as headers, with the {fmt} of the rest of the program: Debian ships no static libspdlog.
#ifndef SPDLOG_FMT_EXTERNAL
#define SPDLOG_FMT_EXTERNAL
#endif
// Log files are close-on-exec like every other descriptor.
#ifndef SPDLOG_PREVENT_CHILD_FD
#define SPDLOG_PREVENT_CHILD_FD
#endif
#include "runtime/report/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <vector>

namespace runtime {

// One thread writes, so the sinks without a lock do. A logger of our own, not spdlog's registry: no global.
struct Log::Sinks {
    explicit Sinks(std::vector<spdlog::sink_ptr> list) : logger("stagebox", list.begin(), list.end()) {
        logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
        logger.flush_on(spdlog::level::info);
        logger.set_error_handler([](const std::string& /*what*/) {});
    }
    spdlog::logger logger;
};

Log::Log() = default;
Log::Log(const std::string& path, Echo echo) {
    std::vector<spdlog::sink_ptr> list{std::make_shared<spdlog::sinks::basic_file_sink_st>(path)};
    if (echo == Echo::verbose) list.push_back(std::make_shared<spdlog::sinks::stderr_sink_st>());
    sinks_ = std::make_unique<Sinks>(std::move(list));
}
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;
Log::~Log() = default;

void Log::write(Level level, std::string_view text) {
    constexpr std::array levels{spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    sinks_->logger.log(levels.at(static_cast<std::size_t>(level)), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace runtime
