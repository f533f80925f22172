#include "sandbox/plan/mounts.hpp"

#include <sys/mount.h>

#include <algorithm>
#include <set>

#include "sandbox/plan/overlay.hpp"

namespace sandbox {
namespace {

using os::format;

constexpr const char* plain_devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

bool is_clean_path(std::string_view path) {
    if (path.empty() || path.front() != '/' || path.size() >= 4096) return false;
    if (path == "/") return true;
    std::size_t start = 1;
    while (start <= path.size()) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string_view part = path.substr(start, end - start);
        if (part.empty() || part == "." || part == "..") return false;
        start = end + 1;
    }
    return true;
}

const std::string& target_of(const Mount& mount) {
    return std::visit([](const auto& kind) -> const std::string& { return kind.target; }, mount);
}

void check_targets(const Spec& spec) {
    if (spec.mounts.empty() || target_of(spec.mounts.front()) != "/") {
        throw PlanError("the jail has no root: its first mount must have the target /");
    }
    std::set<std::string_view> seen;
    for (const Mount& mount : spec.mounts) {
        const std::string& target = target_of(mount);
        check_text("a mount's target", target);
        if (!is_clean_path(target)) {
            throw PlanError(format("the target \"{}\" is not an absolute path without . and ..", target));
        }
        const bool may_repeat = std::holds_alternative<Directory>(mount) || spec.overlap == Overlap::allowed;
        if (!may_repeat && !seen.insert(target).second) {
            throw PlanError(format("two mounts have the target {}; the first would be hidden", target));
        }
    }
}

std::uint64_t attributes_of(const Bind& bind) {
    std::uint64_t attributes = MOUNT_ATTR_NOSUID;
    if (bind.devices == DeviceFiles::closed) attributes |= MOUNT_ATTR_NODEV;
    if (bind.access == Access::read_only) attributes |= MOUNT_ATTR_RDONLY;
    return attributes;
}

}  // namespace

MountPlanner::MountPlanner(PlanWriter& to, const Spec& spec) : to_(to), spec_(spec) {
    check_targets(spec);
}

// The place for the new root is /tmp, which every Linux has; only this jail sees that something is mounted there.
void MountPlanner::open_base() {
    base_ = to_.open<step::OpenPath>("/tmp");
}

void MountPlanner::open_sources() {
    next_source_ = to_.slots();
    for (const Mount& mount : spec_.mounts) {
        std::visit([this](const auto& kind) { open(kind); }, mount);
    }
}

void MountPlanner::open(const Bind& bind) {
    const Slot slot = to_.open<step::CloneTree>(bind.source);
    if (!bind.identity) return;
    to_.add(step::VerifyFile{slot, to_.keep(bind.source), bind.identity->device, bind.identity->inode});
}

void MountPlanner::open(const Overlay& overlay) {
    for (const std::string& source : overlay_sources(overlay)) to_.open<step::OpenPath>(source);
}

void MountPlanner::open(const Dev& /*dev*/) {
    for (const char* device : plain_devices) to_.open<step::CloneDevice>(format("/dev/{}", device));
}

void MountPlanner::add_root() {
    const Mount& root = spec_.mounts.front();
    if (const auto* overlay = std::get_if<Overlay>(&root)) {
        const OverlayOptions options = options_of(*overlay);
        to_.add(step::UseOverlayRoot{options});
    } else if (const auto* tmpfs = std::get_if<Tmpfs>(&root)) {
        to_.add(step::UseTmpfsRoot{options_of(tmpfs->mode, tmpfs->size), tmpfs->mode});
    } else if (const auto* bind = std::get_if<Bind>(&root)) {
        to_.add(step::UseTreeRoot{{next_source_++}, attributes_of(*bind)});
    } else {
        throw PlanError("the root must be a tmpfs, an overlay or a directory of the host");
    }
}

void MountPlanner::add_mounts() {
    for (std::size_t i = 1; i < spec_.mounts.size(); ++i) {
        std::visit([this](const auto& kind) { add(kind); }, spec_.mounts[i]);
    }
}

// Who makes a file closed to a group or to others does not expect its new parents to be open to them.
Place MountPlanner::place(std::string_view path, std::uint32_t mode) {
    std::uint32_t parents = 0755;
    if ((mode & 0070) == 0) parents &= ~std::uint32_t{0050};
    if ((mode & 0007) == 0) parents &= ~std::uint32_t{0005};
    return {to_.keep(path), parents};
}

void MountPlanner::attach(std::string_view target, std::uint64_t attributes) {
    to_.add(step::AttachTree{{next_source_++}, place(target), attributes});
}

void MountPlanner::add(const Bind& bind) {
    attach(bind.target, attributes_of(bind));
}

void MountPlanner::add(const Device& device) {
    attach(device.target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

TmpfsOptions MountPlanner::options_of(std::uint32_t mode, std::uint64_t size) {
    return {to_.keep(size == 0 ? "" : format("{}", size)), to_.keep(format("{:o}", mode))};
}

void MountPlanner::add_tmpfs(std::string_view target, std::uint32_t mode, std::uint64_t size) {
    to_.add(step::MountTmpfs{place(target, mode), options_of(mode, size)});
}

void MountPlanner::add(const Dev& dev) {
    // 0755, not tmpfs's usual 1777: in a sticky directory that all may write, opening /dev/null with O_CREAT, as every
    // shell redirection does, is refused (fs.protected_regular, proc(5)).
    add_tmpfs(dev.target, 0755, 0);
    for (const char* device : plain_devices) {
        attach(format("{}/{}", dev.target, device), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    }
    const bool has_tty_group = spec_.ids.count > 5;
    to_.add(step::MountDevpts{place(dev.target + "/pts"), to_.keep(has_tty_group ? "5" : "")});
    to_.add(step::MakeDirectory{place(dev.target + "/shm"), 01777});
    const std::pair<const char*, const char*> links[] = {{"ptmx", "pts/ptmx"},
                                                         {"fd", "/proc/self/fd"},
                                                         {"stdin", "/proc/self/fd/0"},
                                                         {"stdout", "/proc/self/fd/1"},
                                                         {"stderr", "/proc/self/fd/2"}};
    for (const auto& [name, points_to] : links) {
        to_.add(step::MakeLink{place(format("{}/{}", dev.target, name)), to_.keep(points_to)});
    }
}

void MountPlanner::add(const Directory& directory) {
    to_.add(step::MakeDirectory{place(directory.target, directory.mode), directory.mode});
}

void MountPlanner::add(const File& file) {
    to_.add(step::ShowFile{place(file.target, file.mode), to_.keep_bytes(file.content), file.mode,
                           to_.keep(format("f{}", files_++)), file.access == Access::read_write});
}

void MountPlanner::add(const WrittenFile& file) {
    to_.add(step::WriteFile{place(file.target, file.mode), to_.keep_bytes(file.content), file.mode});
}

void MountPlanner::add(const Overlay& overlay) {
    // An overlay is not created detached, so its mount point must be there before: a directory in an image stays.
    to_.add(step::MakeDirectory{place(overlay.target), 0755});
    const OverlayOptions options = options_of(overlay);
    to_.add(step::MountOverlay{to_.keep(overlay.target), options});
}

OverlayOptions MountPlanner::options_of(const Overlay& overlay) {
    ScratchUpper scratch;
    if (overlay.changes == Changes::discarded) {
        scratch = {format("upper-{}", uppers_), format("work-{}", uppers_)};
        ++uppers_;
        to_.add(step::MakeUpper{to_.keep(scratch.upper), to_.keep(scratch.work)});
    }
    const Slot first{next_source_};
    next_source_ += static_cast<int>(overlay_sources(overlay).size());
    const OverlayTexts options = overlay_options(overlay, first, scratch);
    return {to_.keep(options.all), to_.keep(options.older)};
}

}  // namespace sandbox
