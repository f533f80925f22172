// One user's store: layers, artifacts, records, failed stages, on one file system. Knows names and renames; what is
// inside a tree is the store helper's business, what a stage is the supervisor's.
//
//   records/KEY.json     layers/ID/fs     artifacts/ID/data     failed/KEY/     runs/RUN/
//   staging/NAME/        locked (flock on the directory) by the supervisor that fills it
//   locks/KEY            locked by the supervisor that builds that key
//   damaged/NAME         found by `store check`, never served
//   trash/NAME           renamed here first, deleted by the store helper afterwards
//
// The store's top directory is open to its user only; below it the jails' ids may pass.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/store/record.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/problem.hpp"
#include "sandbox/spec/spec.hpp"

namespace runtime::store {

// The store cannot be used; what() says why and what to do.
class StoreError : public sandbox::os::Error {
  public:
    using Error::Error;
};

class Store;

// A stage's place while it runs. Unless it is committed or kept, the destructor discards it.
class Staging {
  public:
    Staging(Staging&& other) noexcept;
    Staging& operator=(Staging&&) = delete;
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;
    ~Staging();

    // Relative to the store, and absolute.
    [[nodiscard]] std::string place(const std::string& rest = {}) const;
    [[nodiscard]] std::string path(const std::string& rest = {}) const;
    // The directory becomes failed/KEY: what is in it is never served as a result.
    void keep_as_failed(const std::string& key) &&;

  private:
    friend class Store;
    Staging(const Store& store, std::string name, sandbox::os::Fd lock);
    const Store* store_;
    std::string name_;
    sandbox::os::Fd lock_;
};

// An exclusive lock on one key; released by the destructor.
class KeyLock {
  public:
    KeyLock(KeyLock&& other) noexcept;
    KeyLock& operator=(KeyLock&&) = delete;
    KeyLock(const KeyLock&) = delete;
    KeyLock& operator=(const KeyLock&) = delete;
    ~KeyLock();

  private:
    friend class Store;
    KeyLock(int directory, std::string name, sandbox::os::Fd file, sandbox::os::Fd writer);
    int directory_;
    std::string name_;
    sandbox::os::Fd file_;
    sandbox::os::Fd writer_;
};

class Store {
  public:
    // $STAGEBOX_STORE, else $XDG_CACHE_HOME/stagebox, else ~/.cache/stagebox.
    static std::string default_path();
    // Where a store of this version lies below its path: "v2".
    static std::string version_directory();
    // Opens the store, and makes it where there is none.
    explicit Store(const std::string& path);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] int directory() const noexcept { return directory_.get(); }

    // The ids that what is in the store belongs to. The first time they are written down; later others are refused,
    // because nothing in the store could be read or deleted under them.
    void bind_to(const sandbox::IdMap& range);

    // Nothing was ever built in it.
    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] std::optional<Record> find(const std::string& key) const;
    [[nodiscard]] bool holds(const Record& record) const;
    [[nodiscard]] bool has_layer(const sandbox::os::Digest& id) const;
    [[nodiscard]] bool has_artifact(const sandbox::os::Digest& id) const;
    [[nodiscard]] std::string layer_path(const sandbox::os::Digest& id) const;
    [[nodiscard]] std::string artifact_path(const sandbox::os::Digest& id) const;
    [[nodiscard]] std::string failed_path(const std::string& key) const;

    [[nodiscard]] Staging begin() const;
    // Moves a part of a staging directory, which is on the disk (StoreHelper::sync), to its final name. Another build
    // of the same content may have been first.
    void commit_layer(const Staging& staging, const sandbox::os::Digest& id) const;
    void commit_artifact(const Staging& staging, const std::string& part, const sandbox::os::Digest& id) const;
    // When it returns, the record is on the disk, and so is what it names.
    void write(const Record& record) const;
    // Notes that a record was of use today: what is not, `store gc` may drop.
    void touch(const std::string& key) const;

    // The lock of a key, or nothing while another process has it.
    [[nodiscard]] std::optional<KeyLock> try_lock(const std::string& key, const std::string& holder) const;
    // What the holder said of itself.
    [[nodiscard]] std::string lock_holder(const std::string& key) const;
    [[nodiscard]] std::string lock_path(const std::string& key) const;

    // Held while a build uses the store; and while nothing may use it, or nothing where a build does.
    [[nodiscard]] sandbox::os::Fd share() const;
    [[nodiscard]] std::optional<sandbox::os::Fd> claim() const;

    // Moves what crashed builds left in staging to the trash, and deletes their locks.
    void sweep() const;
    // What waits to be deleted, relative to the store.
    [[nodiscard]] std::vector<std::string> trash() const;
    // Moves `place` (relative to the store) to the trash.
    void discard(const std::string& place) const;
    // Moves `place`, where it is there, to what no build looks at and gc deletes.
    void set_aside(const std::string& place) const;
    // A directory for a new run, relative to the store; its name sorts by time.
    [[nodiscard]] std::string begin_run() const;

    struct Listing {
        std::vector<Record> records;
        std::vector<std::string> failed;   // keys
        std::vector<std::string> damaged;  // places: what was set aside
        std::vector<std::string> orphans;  // places: layers and artifacts without a record, unfinished records
    };
    [[nodiscard]] Listing list() const;

  private:
    void open_layout();
    [[nodiscard]] std::string make_run() const;
    void commit(const std::string& from, const std::string& to) const;
    void sync_names(const std::string& place) const;

    std::string path_;
    sandbox::os::Fd directory_;
};

}  // namespace runtime::store
