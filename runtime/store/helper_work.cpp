#include "runtime/store/helper_work.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/store/tree.hpp"
#include "runtime/store/tree_listing.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/raw/resolve.hpp"

namespace runtime::store {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;
using sandbox::os::sys;
using sandbox::os::SysError;

std::string text(const Json& request, const char* key) {
    return request.at(key).get<std::string>();
}

SealOptions options_of(const Json& request) {
    SealOptions options;
    options.kind = text(request, "kind") == "layer" ? TreeKind::layer : TreeKind::artifact;
    if (request.contains("epoch")) options.epoch = request.at("epoch").get<std::int64_t>();
    if (request.contains("owners")) options.owners = Owners::recorded;
    return options;
}

// A directory that is the jail's root's.
void make_for_jail(int parent, const std::string& path, mode_t mode) {
    sandbox::os::make_directory(parent, path, mode);
    sys([&] { return ::fchownat(parent, path.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW); }, "give {} to the jail", path);
}

void make_mount_point(int skeleton, const Json& point) {
    const std::string path = point.at(1).get<std::string>().substr(1);
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        make_for_jail(skeleton, path.substr(0, slash), 0755);
    }
    if (point.at(0) == "directory") {
        make_for_jail(skeleton, path, 0755);
    } else {
        const Fd file = sandbox::os::create_file(skeleton, path, 0444);
        sys([&] { return ::fchown(file.get(), 0, 0); }, "give {} to the jail", path);
    }
}

// Everything a stage's jail needs in its staging directory. The skeleton is the lowest layer of the root: it has the
// mount points, so that none has to be made in the stage's own layer.
Json prepare(const Json& request) {
    const Fd staging = sandbox::os::open_directory(AT_FDCWD, text(request, "staging"));
    sandbox::os::make_directory(staging.get(), "layer", 0755);
    for (const char* part : {"layer/fs", "work", "out", "skeleton"}) make_for_jail(staging.get(), part, 0755);
    const Fd skeleton = sandbox::os::open_directory(staging.get(), "skeleton");
    for (const Json& point : request.at("skeleton")) make_mount_point(skeleton.get(), point);
    return Json::object();
}

Json seal(const Json& request) {
    const std::string path = text(request, "path");
    const std::size_t slash = path.rfind('/');
    const Fd parent = sandbox::os::open_directory(AT_FDCWD, path.substr(0, slash));
    const auto digest = request.at("do") == "seal" ? seal_tree : digest_sealed;
    return to_json(digest(parent.get(), path.substr(slash + 1), options_of(request)));
}

// The payload wrote what is below /out: neither a symbolic link nor ".." can lead out of it.
Fd open_output_parent(int out, const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
    const long fd = sandbox::open_below(out, parent.c_str(), O_RDONLY | O_DIRECTORY, sandbox::Links::refused);
    if (fd == -ENOENT) throw TreeError(format("the stage did not make /out/{}", path));
    if (fd < 0) throw SysError(static_cast<int>(-fd), format("open /out/{}", parent));
    return Fd(static_cast<int>(fd));
}

Json take(const Json& request) {
    const Fd staging = sandbox::os::open_directory(AT_FDCWD, text(request, "staging"));
    const Fd out = sandbox::os::open_directory(staging.get(), "out");
    const std::string path = text(request, "path");
    const Fd parent = open_output_parent(out.get(), path);
    const std::string name = path.substr(path.rfind('/') + 1);
    struct stat status {};
    if (sandbox::os::try_sys([&] { return ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW); }) < 0) {
        throw TreeError(format("the stage did not make /out/{}", path));
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        throw TreeError(format("/out/{} is neither a file nor a directory", path));
    }
    const std::string part = text(request, "part");
    sandbox::os::make_directory(staging.get(), part, 0755);
    const Fd target = sandbox::os::open_directory(staging.get(), part);
    sys([&] { return ::renameat(parent.get(), name.c_str(), target.get(), "data"); }, "take /out/{}", path);
    return to_json(seal_tree(target.get(), "data", options_of(request)));
}

Json give_back(const Json& request) {
    const Fd staging = sandbox::os::open_directory(AT_FDCWD, text(request, "staging"));
    const Fd out = sandbox::os::open_directory(staging.get(), "out");
    const std::string path = text(request, "path");
    const Fd parent = open_output_parent(out.get(), path);
    const Fd part = sandbox::os::open_directory(staging.get(), text(request, "part"));
    const std::string name = path.substr(path.rfind('/') + 1);
    sys([&] { return ::renameat(part.get(), "data", parent.get(), name.c_str()); }, "give back /out/{}", path);
    return Json::object();
}

TreeListing listing_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const Fd parent = sandbox::os::open_directory(AT_FDCWD, path.substr(0, slash));
    return list_tree(parent.get(), path.substr(slash + 1));
}

// "/out/tree" and "a/b": "/out/tree/a/b", in printable words on one line.
std::string labelled(const std::string& label, const std::string& path) {
    if (path == ".") return label.empty() ? "/" : sandbox::os::plain(label);
    return sandbox::os::plain(label + "/" + path);
}

Json list(const Json& request) {
    std::string lines;
    for (const Json& tree : request.at("trees")) {
        for (const auto& [path, what] : listing_of(text(tree, "path"))) {
            lines += format("{} {}\n", labelled(text(tree, "label"), path), sandbox::os::plain(what));
        }
    }
    const std::string into = text(request, "into");
    const Fd file = sandbox::os::create_file(AT_FDCWD, into, 0644);
    sandbox::os::write_all(file.get(), lines, into);
    return Json::object();
}

Json compare(const Json& request) {
    constexpr std::size_t most = 20;
    constexpr std::size_t longest = 200;
    Json lines = Json::array();
    std::size_t more = 0;
    for (const Json& pair : request.at("pairs")) {
        const TreeDifferences found =
            differences(listing_of(text(pair, "before")), listing_of(text(pair, "path")), most - lines.size());
        for (const std::string& one : found.paths) {
            const std::size_t space = one.find(' ');
            std::string line = one.substr(0, space + 1) + labelled(text(pair, "label"), one.substr(space + 1));
            if (line.size() > longest) line = line.substr(0, longest) + "...";
            lines.push_back(std::move(line));
        }
        more += found.more;
    }
    return {{"lines", std::move(lines)}, {"more", more}};
}

// syncfs(2) of the store: what was written before this request is on the disk when it is answered.
Json sync(const Json&) {
    const Fd store = sandbox::os::open_directory(AT_FDCWD, ".");
    sys([&] { return ::syncfs(store.get()); }, "sync the store");
    return Json::object();
}

Json import(const Json& request) {
    const std::string target = text(request, "target");
    sandbox::os::make_directory(AT_FDCWD, target, 0755);
    const Fd directory = sandbox::os::open_directory(AT_FDCWD, target);
    const std::string source = text(request, "source");
    const std::size_t slash = source.rfind('/');
    const Fd parent = sandbox::os::open_directory(AT_FDCWD, source.substr(0, std::max<std::size_t>(slash, 1)));
    const TreeFacts facts = import_tree(parent.get(), source.substr(slash + 1), directory.get(), "data");
    sync(request);
    return to_json(facts);
}

// Replaces a file of that name. A directory of that name is the user's: files of the result go into it, over files of
// the same name, and what else is there stays.
void put_in_place(int from, const std::string& name, int to, const std::string& target, const std::string& path) {
    const long renamed = sandbox::os::try_sys([&] { return ::renameat(from, name.c_str(), to, target.c_str()); });
    if (renamed == 0) return;
    if (renamed != -ENOTEMPTY && renamed != -EEXIST)
        throw SysError(static_cast<int>(-renamed), format("make {}", path));
    const Fd source = sandbox::os::open_directory(from, name);
    const Fd existing = sandbox::os::open_directory(to, target);
    for (const std::string& entry : sandbox::os::list_directory(source.get())) {
        put_in_place(source.get(), entry, existing.get(), entry, format("{}/{}", path, entry));
    }
    sys([&] { return ::unlinkat(from, name.c_str(), AT_REMOVEDIR); }, "remove {}", name);
}

// What exports of this name left beside it that were killed: ".NAME.PID" of no process.
void remove_stale_exports(int directory, const std::string& name) {
    const std::string start = format(".{}.", name);
    for (const std::string& entry : sandbox::os::list_directory(directory)) {
        const std::string_view rest = std::string_view(entry).substr(std::min(entry.size(), start.size()));
        if (!entry.starts_with(start) || rest.empty() || rest.find_first_not_of("0123456789") != rest.npos) continue;
        if (rest.size() > 9 || ::kill(std::stoi(std::string(rest)), 0) == 0 || errno != ESRCH) continue;
        remove_tree(directory, entry);
    }
}

// Beside its final name first, so that no half of a file is ever under it.
Json export_artifact(const Json& request) {
    const std::string destination = text(request, "destination");
    const std::size_t slash = destination.rfind('/');
    const Fd directory = sandbox::os::open_directory(AT_FDCWD, destination.substr(0, std::max<std::size_t>(slash, 1)));
    const std::string name = destination.substr(slash + 1);
    remove_stale_exports(directory.get(), name);
    const std::string temporary = format(".{}.{}", name, ::getpid());
    const Fd artifact = sandbox::os::open_directory(AT_FDCWD, text(request, "artifact"));
    ::umask(022);
    try {
        export_tree(artifact.get(), "data", directory.get(), temporary);
        put_in_place(directory.get(), temporary, directory.get(), name, destination);
    } catch (...) {
        remove_tree(directory.get(), temporary);
        throw;
    }
    return Json::object();
}

Json remove(const Json& request) {
    const std::string path = text(request, "path");
    const std::size_t slash = path.rfind('/');
    const Fd parent = sandbox::os::open_directory(AT_FDCWD, path.substr(0, slash));
    remove_tree(parent.get(), path.substr(slash + 1));
    return Json::object();
}

}  // namespace

Json to_json(const TreeFacts& facts) {
    return {{"digest", facts.digest},
            {"bytes", facts.bytes},
            {"entries", facts.entries},
            {"directory", facts.is_directory}};
}

Json perform_request(const Json& request) {
    const std::string what = text(request, "do");
    if (what == "prepare") return prepare(request);
    if (what == "seal" || what == "digest") return seal(request);
    if (what == "take") return take(request);
    if (what == "return") return give_back(request);
    if (what == "list") return list(request);
    if (what == "compare") return compare(request);
    if (what == "import") return import(request);
    if (what == "export") return export_artifact(request);
    if (what == "sync") return sync(request);
    if (what == "remove") return remove(request);
    throw std::logic_error("the store's helper does not know the request " + what);
}

}  // namespace runtime::store
