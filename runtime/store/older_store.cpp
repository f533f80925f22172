#include "runtime/store/older_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <set>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;

namespace {

constexpr const char* older_directory = "v1";

// Each object once, however many records name it. What is no record of that version counts for nothing.
std::uint64_t recorded_bytes(const Fd& records) {
    std::set<std::string> counted;
    std::uint64_t bytes = 0;
    const auto count = [&](const Json& object) {
        if (counted.insert(object.at("id").get<std::string>()).second) bytes += object.at("bytes").get<std::uint64_t>();
    };
    for (const std::string& name : sandbox::os::list_directory(records.get())) {
        try {
            const Json record = Json::parse(sandbox::os::read_file(records.get(), name));
            if (record.contains("layer")) count(record.at("layer"));
            for (const auto& [artifact, object] : record.at("artifacts").items()) count(object);
        } catch (const std::exception&) {
            continue;
        }
    }
    return bytes;
}

}  // namespace

std::optional<OlderStore> find_older_store(const Store& store) {
    const std::string path = store.path().substr(0, store.path().rfind('/') + 1) + older_directory;
    if (!sandbox::os::exists(AT_FDCWD, path + "/records")) return std::nullopt;
    return OlderStore{path, recorded_bytes(sandbox::os::open_directory(AT_FDCWD, path + "/records"))};
}

std::string describe(const OlderStore& older) {
    return format(
        "{} is a store of an older version, {}, and is not used any more; to delete it: "
        "stagebox store gc --older",
        older.path, sandbox::os::human_bytes(static_cast<double>(older.bytes)));
}

void discard(const OlderStore& older, const Store& store) {
    const Fd directory = sandbox::os::open_directory(AT_FDCWD, older.path);
    const Fd lock(static_cast<int>(sandbox::os::sys(
        [&] { return ::openat(directory.get(), "lock", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600); },
        "open {}/lock", older.path)));
    if (sandbox::os::try_sys([&] { return ::flock(lock.get(), LOCK_EX | LOCK_NB); }) < 0) {
        throw StoreError({.what = format("a build of an older version is using {}", older.path),
                          .remedy = "try again when it is done"});
    }
    const std::string target = format("trash/{}-{}", older_directory, ::getpid());
    sandbox::os::sys([&] { return ::renameat(AT_FDCWD, older.path.c_str(), store.directory(), target.c_str()); },
                     "discard {}", older.path);
}

}  // namespace runtime::store
