#include "runtime/report/events.hpp"

#include <unistd.h>

#include <ctime>

#include "sandbox/os/sys.hpp"

namespace runtime::report {

using sandbox::os::Json;

void EventLog::write(std::string_view event, const Json& details) {
    Json line = {{"at", now_text()}, {"event", event}};
    line.update(details);
    const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    static_cast<void>(sandbox::os::try_sys([&] { return ::write(file_.get(), text.data(), text.size()); }));
}

std::string now_text() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

}  // namespace runtime::report
