#include "runtime/store/ledger.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::sys;

namespace {

// When a file has become so large, of its lines the last ones stay.
constexpr off_t large = off_t{256} * 1024;
constexpr std::size_t lines_kept = 200;
constexpr std::string_view ending = ".jsonl";

std::string place_of(std::string_view pipeline, std::string_view stage) {
    return format("usage/{}/{}{}", pipeline, stage, ending);
}

LedgerEntry entry_from(const Json& json) {
    return {.run = json.at("run").get<std::string>(),
            .finished = json.at("finished").get<std::string>(),
            .result = json.at("result").get<std::string>(),
            .usage = usage_from(json.at("usage")),
            .made_bytes = json.at("made_bytes").get<std::uint64_t>()};
}

}  // namespace

Json to_json(const LedgerEntry& entry) {
    return {{"run", entry.run},
            {"finished", entry.finished},
            {"result", entry.result},
            {"usage", to_json(entry.usage)},
            {"made_bytes", entry.made_bytes}};
}

void Ledger::add(std::string_view pipeline, std::string_view stage, const LedgerEntry& entry) const {
    const std::string place = place_of(pipeline, stage);
    const auto open = [&] {
        return ::openat(store_, place.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    };
    long opened = sandbox::os::try_sys(open);
    if (opened == -ENOENT) {
        sandbox::os::make_directory(store_, format("usage/{}", pipeline), 0755);
        opened = sys(open, "open {}", place);
    }
    if (opened < 0) throw sandbox::os::SysError(static_cast<int>(-opened), format("open {}", place));
    const Fd file(static_cast<int>(opened));
    sandbox::os::write_all(file.get(), to_json(entry).dump() + "\n", place);
    struct stat status {};
    sys([&] { return ::fstat(file.get(), &status); }, "look at {}", place);
    if (status.st_size > large) shorten(place);
}

void Ledger::shorten(const std::string& place) const {
    const std::string text = sandbox::os::read_file(store_, place);
    const std::vector<std::string_view> lines = sandbox::os::lines(text);
    std::string kept;
    for (std::size_t i = lines.size() - std::min(lines.size(), lines_kept); i < lines.size(); ++i)
        kept += format("{}\n", lines[i]);
    sandbox::os::write_file_atomically(store_, place, kept);
}

std::vector<LedgerEntry> Ledger::entries(std::string_view pipeline, std::string_view stage) const {
    const auto text = sandbox::os::read_file_if_exists(store_, place_of(pipeline, stage));
    std::vector<LedgerEntry> entries;
    if (!text) return entries;
    for (const std::string_view line : sandbox::os::lines(*text)) {
        try {
            entries.push_back(entry_from(Json::parse(line)));
        } catch (const Json::exception&) {  // half a line, after a power cut
        }
    }
    return entries;
}

std::vector<std::pair<std::string, std::string>> Ledger::stages() const {
    std::vector<std::pair<std::string, std::string>> all;
    const Fd top = sandbox::os::open_directory(store_, "usage");
    for (const std::string& pipeline : sandbox::os::list_directory(top.get())) {
        const Fd directory = sandbox::os::open_directory(top.get(), pipeline);
        for (const std::string& name : sandbox::os::list_directory(directory.get())) {
            if (name.ends_with(ending)) all.emplace_back(pipeline, name.substr(0, name.size() - ending.size()));
        }
    }
    return all;
}

}  // namespace runtime::store
