// The child's ids and user namespaces, as steps of the plan. Under the rules of init/child.cpp; each answers -errno
// where it fails.
#pragma once
#include "sandbox/init/task.hpp"

namespace sandbox {

// Writes this process's id maps.
long map_ids(const ChildTask& task, const step::MapIds& ids) noexcept;
// Enters a user namespace inside.
long nest(const ChildTask& task, const step::NestUserNamespace& inner) noexcept;
// Becomes the jail's root, with no other groups and not dumpable.
long become_root(const ChildTask& task) noexcept;
// Sets the number of user namespaces that the jail may make.
long limit_user_namespaces(const step::LimitUserNamespaces& limit) noexcept;

}  // namespace sandbox
