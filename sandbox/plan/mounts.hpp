// The part of a plan that makes a jail's file system: what is opened of the host, the new root, and what goes below it.
// Inside plan/ only.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/plan/writer.hpp"

namespace sandbox {

// Its functions are called in this order; what only the caller may reach is opened before the identity changes.
class MountPlanner {
  public:
    // Throws PlanError for targets that cannot be.
    MountPlanner(PlanWriter& to, const Spec& spec);

    void open_base();
    void open_sources();
    void add_base() { to_.add(step::MountBase{base_}); }
    void add_root();
    void add_mounts();

  private:
    void open(const Bind& bind);
    void open(const Device& device) { to_.open<step::CloneDevice>(device.source); }
    void open(const Overlay& overlay);
    void open(const Dev& dev);
    template <class Other>
    void open(const Other& /*needs nothing of the host*/) {}

    void add(const Bind& bind);
    void add(const Device& device);
    void add(const Tmpfs& tmpfs) { add_tmpfs(tmpfs.target, tmpfs.mode, tmpfs.size); }
    void add(const Proc& proc) { to_.add(step::MountProc{place(proc.target)}); }
    void add(const Sysfs& sysfs) { to_.add(step::MountSysfs{place(sysfs.target)}); }
    void add(const Devpts& devpts) { to_.add(step::MountDevpts{place(devpts.target), {}}); }
    void add(const Mqueue& mqueue) { to_.add(step::MountMqueue{place(mqueue.target)}); }
    void add(const Dev& dev);
    void add(const Directory& directory);
    void add(const Symlink& link) { to_.add(step::MakeLink{place(link.target), to_.keep(link.points_to)}); }
    void add(const File& file);
    void add(const WrittenFile& file);
    void add(const ReadOnly& one) { to_.add(step::SetReadOnly{to_.keep(one.target)}); }
    void add(const Chmod& one) { to_.add(step::ChangeMode{to_.keep(one.target), one.mode}); }
    void add(const Protect& one) { to_.add(step::ProtectPath{to_.keep(one.target), true}); }
    void add(const Overlay& overlay);

    Place place(std::string_view path) { return {to_.keep(path)}; }
    Place place(std::string_view path, std::uint32_t mode);
    void attach(std::string_view target, std::uint64_t attributes);
    void add_tmpfs(std::string_view target, std::uint32_t mode, std::uint64_t size);
    OverlayOptions options_of(const Overlay& overlay);
    TmpfsOptions options_of(std::uint32_t mode, std::uint64_t size);

    PlanWriter& to_;
    const Spec& spec_;
    Slot base_;
    int next_source_ = 0;  // the first slot that no mount has used yet
    int files_ = 0;
    int uppers_ = 0;
};

}  // namespace sandbox
