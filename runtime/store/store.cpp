#include "runtime/store/store.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <set>

#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::store {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::sys;
using sandbox::os::try_sys;

namespace {

// What is in the store's directory is of this version: the names, the records, and the digests that objects are named
// by. Another version has another directory beside it.
constexpr int version = 2;
constexpr const char* version_file = "format.json";
constexpr const char* parts[] = {"records", "layers", "artifacts", "failed", "staging",
                                 "locks",   "trash",  "runs",      "usage",  "damaged"};

std::string random_name() {
    std::uint64_t number = 0;
    sys([&] { return ::getrandom(&number, sizeof number, 0); }, "get a random number");
    return format("{}-{:016x}", ::getpid(), number);
}

// Whether `name` in `parent` is this file, and not another one or none by now.
bool is_named(int file, int parent, const std::string& name) {
    struct stat mine {};
    struct stat named {};
    sys([&] { return ::fstat(file, &mine); }, "look at {}", name);
    return ::fstatat(parent, name.c_str(), &named, 0) == 0 && named.st_ino == mine.st_ino;
}

std::string below(const std::string& place, const std::string& rest) {
    return rest.empty() ? place : place + "/" + rest;
}

std::string remedy_for(int error) {
    switch (error) {
        case EROFS:
        case EACCES:
        case EPERM: return "; choose a place that you can write to with --store or STAGEBOX_STORE";
        case ENOSPC:
        case EDQUOT: return "; make room there, or choose another place with --store or STAGEBOX_STORE";
        default: return {};
    }
}

// What the store says of itself; null where it says nothing yet. Throws StoreError for another version, and for what
// this program has not written.
Json read_format(int directory, const std::string& path) {
    const auto text = sandbox::os::read_file_if_exists(directory, version_file);
    if (!text) return {};
    Json written = Json::parse(*text, nullptr, false);
    if (!written.is_object() || !written.contains("format") || !written["format"].is_number_integer()) {
        throw StoreError({.what = format("the store {} cannot be used: its {} cannot be read", path, version_file),
                          .remedy = "delete the store, or use another one with --store"});
    }
    if (const auto found = written["format"].get<std::int64_t>(); found != version) {
        throw StoreError(
            {.what = format("the store {} is of version {}, and this program knows version {}", path, found, version),
             .remedy = "use the program that made it, or another store with --store"});
    }
    return written;
}

void write_format(int directory, const Json& content) {
    sandbox::os::write_file_atomically(directory, version_file, content.dump(2) + "\n");
}

void refuse_shared_places(const std::string& path) {
    for (const std::string_view shared : {"/tmp", "/var/tmp", "/dev/shm"}) {
        if (path == shared || path.starts_with(std::string(shared) + "/")) {
            throw StoreError(
                format("the store cannot be in {}: files there are removed by age, also during a build; "
                       "choose another place with --store or STAGEBOX_STORE",
                       shared));
        }
    }
}

}  // namespace

// ---- Staging ----------------------------------------------------------------------------------------------------

Staging::Staging(const Store& store, std::string name, Fd lock)
    : store_(&store), name_(std::move(name)), lock_(std::move(lock)) {}

Staging::Staging(Staging&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)), name_(std::move(other.name_)), lock_(std::move(other.lock_)) {}

Staging::~Staging() {
    if (store_ == nullptr) return;
    try {
        store_->discard(place());
    } catch (const std::exception&) {
        // What could not be moved now is unlocked, and the next build's sweep finds it.
    }
}

std::string Staging::place(const std::string& rest) const {
    return below("staging/" + name_, rest);
}

std::string Staging::path(const std::string& rest) const {
    return store_->path() + "/" + place(rest);
}

void Staging::keep_as_failed(const std::string& key) && {
    const Store& store = *std::exchange(store_, nullptr);
    const std::string target = "failed/" + key;
    if (sandbox::os::exists(store.directory(), target)) store.discard(target);
    sys([&] { return ::renameat(store.directory(), ("staging/" + name_).c_str(), store.directory(), target.c_str()); },
        "keep the failed stage");
    lock_.reset();
}

// ---- KeyLock ----------------------------------------------------------------------------------------------------

KeyLock::KeyLock(int directory, std::string name, Fd file, Fd writer)
    : directory_(directory), name_(std::move(name)), file_(std::move(file)), writer_(std::move(writer)) {}

KeyLock::KeyLock(KeyLock&& other) noexcept
    : directory_(other.directory_),
      name_(std::move(other.name_)),
      file_(std::move(other.file_)),
      writer_(std::move(other.writer_)) {}

KeyLock::~KeyLock() {
    // The name goes while the lock is held: who opened it before finds, once it has the lock, that the name is gone.
    if (file_) ::unlinkat(directory_, name_.c_str(), 0);
}

std::string Store::lock_path(const std::string& key) const {
    return path_ + "/locks/" + key;
}

std::optional<KeyLock> Store::try_lock(const std::string& key, const std::string& holder) const {
    const std::string name = "locks/" + key;
    for (;;) {
        // Only who has the lock opens the file for writing, so that closing it is news to those who wait
        // (lock_wait.hpp).
        constexpr int flags = O_RDONLY | O_CREAT | O_CLOEXEC;
        Fd file(sys([&] { return ::openat(directory(), name.c_str(), flags, 0600); }, "open {}", name));
        const long locked = try_sys([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); });
        if (locked == -EWOULDBLOCK) return std::nullopt;
        if (locked < 0) throw StoreError(format("{} cannot be locked", name));
        if (!is_named(file.get(), directory(), name)) continue;  // its last holder has just removed it
        Fd writer = sandbox::os::create_file(directory(), name, 0600);
        sandbox::os::write_all(writer.get(), holder, name);
        return KeyLock(directory(), name, std::move(file), std::move(writer));
    }
}

std::string Store::lock_holder(const std::string& key) const {
    return sandbox::os::read_file_if_exists(directory(), "locks/" + key).value_or("another process");
}

// ---- Store ------------------------------------------------------------------------------------------------------

std::string Store::default_path() {
    if (const char* store = std::getenv("STAGEBOX_STORE"); store != nullptr && *store != '\0') return store;
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
        return std::string(cache) + "/stagebox";
    }
    const char* home = std::getenv("HOME");
    if (home == nullptr || *home != '/') {
        throw StoreError("there is no HOME to keep the store in: name a place with --store or STAGEBOX_STORE");
    }
    return std::string(home) + "/.cache/stagebox";
}

std::string Store::version_directory() {
    return format("v{}", version);
}

Store::Store(const std::string& path) {
    const std::string top = path.starts_with("/") ? path : sandbox::os::real_path(".") + "/" + path;
    refuse_shared_places(top);
    try {
        sandbox::os::make_directories(top.substr(0, top.find_last_not_of('/') + 1), 0700);
        // Without links, as the kernel shows it in a mount table: the receipt looks for the store's path there.
        path_ = sandbox::os::real_path(top) + "/" + version_directory();
        open_layout();
    } catch (const sandbox::os::SysError& error) {
        throw StoreError(format("the store {} cannot be used: {}{}", top, error.what(), remedy_for(error.error())));
    }
}

void Store::open_layout() {
    sandbox::os::make_directory(AT_FDCWD, path_, 0711);
    directory_ = sandbox::os::open_directory(AT_FDCWD, path_);
    for (const char* part : parts) sandbox::os::make_directory(directory(), part, 0711);
    // The caller's umask may have taken bits that the jails' ids need to pass through.
    sys([&] { return ::fchmod(directory(), 0711); }, "open the store to its jails");
    for (const char* part : parts) {
        sys([&] { return ::fchmodat(directory(), part, 0711, 0); }, "open {} to its jails", part);
    }
    if (read_format(directory(), path_).is_null()) write_format(directory(), {{"format", version}});
}

void Store::bind_to(const sandbox::IdMap& range) {
    const Json wanted = {{"uid_base", range.uid_base}, {"gid_base", range.gid_base}, {"count", range.count}};
    const Json written = read_format(directory(), path_);
    if (!written.contains("ids")) {
        write_format(directory(), {{"format", version}, {"ids", wanted}});
        return;
    }
    const Json& ids = written.at("ids");
    if (ids == wanted) return;
    throw StoreError(
        format("the store {} belongs to the ids {} onwards, but your range now begins at {}: put the line "
               "back into /etc/subuid and /etc/subgid, or use another store with --store",
               path_, ids.at("uid_base").get<std::uint32_t>(), range.uid_base));
}

bool Store::is_empty() const {
    return sandbox::os::list_directory(sandbox::os::open_directory(directory(), "records").get()).empty();
}

std::optional<Record> Store::find(const std::string& key) const {
    const auto text = sandbox::os::read_file_if_exists(directory(), "records/" + key + ".json");
    if (!text) return std::nullopt;
    try {
        Record record = record_from(Json::parse(*text));
        return record.key == key ? std::optional(std::move(record)) : std::nullopt;
    } catch (const std::exception&) {
        return std::nullopt;  // not what this version writes: the stage is built again
    }
}

bool Store::has_layer(const sandbox::os::Digest& id) const {
    return sandbox::os::exists(directory(), "layers/" + id.text() + "/fs");
}

bool Store::has_artifact(const sandbox::os::Digest& id) const {
    return sandbox::os::exists(directory(), "artifacts/" + id.text() + "/data");
}

bool Store::holds(const Record& record) const {
    if (record.layer && !has_layer(record.layer->id)) return false;
    for (const auto& [name, object] : record.artifacts) {
        if (!has_artifact(object.id)) return false;
    }
    return true;
}

std::string Store::layer_path(const sandbox::os::Digest& id) const {
    return path_ + "/layers/" + id.text() + "/fs";
}

std::string Store::artifact_path(const sandbox::os::Digest& id) const {
    return path_ + "/artifacts/" + id.text() + "/data";
}

std::string Store::failed_path(const std::string& key) const {
    return path_ + "/failed/" + key;
}

Staging Store::begin() const {
    for (;;) {
        const std::string name = random_name();
        const std::string place = "staging/" + name;
        sys([&] { return ::mkdirat(directory(), place.c_str(), 0711); }, "make {}", place);
        Fd lock = sandbox::os::open_directory(directory(), place);
        // A sweep may have come between the two calls; then it has the lock, and the directory is going away.
        if (try_sys([&] { return ::flock(lock.get(), LOCK_EX | LOCK_NB); }) < 0) continue;
        if (!sandbox::os::exists(directory(), place)) continue;
        sys([&] { return ::fchmod(lock.get(), 0711); }, "open {} to its jail", place);
        return {*this, name, std::move(lock)};
    }
}

void Store::commit(const std::string& from, const std::string& to) const {
    const long renamed =
        try_sys([&] { return ::renameat2(directory(), from.c_str(), directory(), to.c_str(), RENAME_NOREPLACE); });
    if (renamed < 0 && renamed != -EEXIST) {
        throw sandbox::os::SysError(static_cast<int>(-renamed), format("commit {} as {}", from, to));
    }
}

void Store::commit_layer(const Staging& staging, const sandbox::os::Digest& id) const {
    commit(staging.place("layer"), "layers/" + id.text());
}

void Store::commit_artifact(const Staging& staging, const std::string& part, const sandbox::os::Digest& id) const {
    commit(staging.place(part), "artifacts/" + id.text());
}

void Store::sync_names(const std::string& place) const {
    const Fd part = sandbox::os::open_directory(directory(), place);
    sys([&] { return ::fsync(part.get()); }, "sync {}", place);
}

void Store::write(const Record& record) const {
    // The content is on the disk, but its name need not be: file systems differ in what else a record's fsync(2) takes
    // along.
    if (record.layer) sync_names("layers");
    if (!record.artifacts.empty()) sync_names("artifacts");
    sandbox::os::write_file_atomically(directory(), "records/" + record.key + ".json", to_json(record).dump(2) + "\n");
    const std::string failed = "failed/" + record.key;
    if (sandbox::os::exists(directory(), failed)) discard(failed);
}

void Store::touch(const std::string& key) const {
    const std::string place = "records/" + key + ".json";
    sys([&] { return ::utimensat(directory(), place.c_str(), nullptr, AT_SYMLINK_NOFOLLOW); }, "touch {}", place);
}

void Store::discard(const std::string& place) const {
    const std::string target = "trash/" + random_name();
    sys([&] { return ::renameat(directory(), place.c_str(), directory(), target.c_str()); }, "discard {}", place);
}

void Store::set_aside(const std::string& place) const {
    std::string name = place;
    std::ranges::replace(name, '/', '-');
    const std::string target = format("damaged/{}.{}", name, random_name());
    const long moved = try_sys([&] { return ::renameat(directory(), place.c_str(), directory(), target.c_str()); });
    if (moved < 0 && moved != -ENOENT) {
        throw sandbox::os::SysError(static_cast<int>(-moved), format("set {} aside", place));
    }
}

Fd Store::share() const {
    Fd file(sys([&] { return ::openat(directory(), "lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600); },
                "open the store's lock"));
    sys([&] { return ::flock(file.get(), LOCK_SH); }, "lock the store");
    return file;
}

std::optional<Fd> Store::claim() const {
    Fd file(sys([&] { return ::openat(directory(), "lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600); },
                "open the store's lock"));
    if (try_sys([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) < 0) return std::nullopt;
    return file;
}

void Store::sweep() const {
    const Fd staging = sandbox::os::open_directory(directory(), "staging");
    for (const std::string& name : sandbox::os::list_directory(staging.get())) {
        const Fd lock = sandbox::os::open_directory(staging.get(), name);
        if (try_sys([&] { return ::flock(lock.get(), LOCK_EX | LOCK_NB); }) == 0) discard("staging/" + name);
    }
    const Fd locks = sandbox::os::open_directory(directory(), "locks");
    for (const std::string& name : sandbox::os::list_directory(locks.get())) {
        // Who finds it locked in this moment looks again.
        const long opened = try_sys([&] { return ::openat(locks.get(), name.c_str(), O_RDONLY | O_CLOEXEC); });
        if (opened < 0) continue;
        const Fd lock(static_cast<int>(opened));
        if (try_sys([&] { return ::flock(lock.get(), LOCK_EX | LOCK_NB); }) < 0) continue;
        if (is_named(lock.get(), locks.get(), name)) ::unlinkat(locks.get(), name.c_str(), 0);
    }
}

std::vector<std::string> Store::trash() const {
    const Fd trash = sandbox::os::open_directory(directory(), "trash");
    std::vector<std::string> places;
    for (const std::string& name : sandbox::os::list_directory(trash.get())) places.push_back("trash/" + name);
    return places;
}

std::string Store::begin_run() const {
    try {
        return make_run();
    } catch (const sandbox::os::SysError& error) {
        throw StoreError(format("the store {} cannot be used: {}{}", path_, error.what(), remedy_for(error.error())));
    }
}

std::string Store::make_run() const {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    for (unsigned attempt = 0;; ++attempt) {
        std::string place = format("runs/{}-{}{}", stamp, ::getpid(), attempt == 0 ? "" : format(".{}", attempt));
        const long made = try_sys([&] { return ::mkdirat(directory(), place.c_str(), 0700); });
        if (made == 0) return place;
        if (made != -EEXIST) throw sandbox::os::SysError(static_cast<int>(-made), format("make {}", place));
    }
}

Store::Listing Store::list() const {
    Listing listing;
    std::set<std::string> named;
    const Fd records = sandbox::os::open_directory(directory(), "records");
    for (const std::string& name : sandbox::os::list_directory(records.get())) {
        if (!name.ends_with(".json")) {
            listing.orphans.push_back("records/" + name);  // a build was killed while it wrote a record
            continue;
        }
        auto record = find(name.substr(0, name.size() - 5));
        if (!record) continue;
        if (record->layer) named.insert("layers/" + record->layer->id.text());
        for (const auto& [artifact, object] : record->artifacts) named.insert("artifacts/" + object.id.text());
        listing.records.push_back(std::move(*record));
    }
    for (const std::string part : {"layers", "artifacts"}) {
        const Fd objects = sandbox::os::open_directory(directory(), part);
        for (const std::string& name : sandbox::os::list_directory(objects.get())) {
            const std::string place = format("{}/{}", part, name);
            if (!named.contains(place)) listing.orphans.push_back(place);
        }
    }
    const Fd damaged = sandbox::os::open_directory(directory(), "damaged");
    for (const std::string& name : sandbox::os::list_directory(damaged.get())) {
        listing.damaged.push_back("damaged/" + name);
    }
    const Fd failed = sandbox::os::open_directory(directory(), "failed");
    listing.failed = sandbox::os::list_directory(failed.get());
    return listing;
}

}  // namespace runtime::store
