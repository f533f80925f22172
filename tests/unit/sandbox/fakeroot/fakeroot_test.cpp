// The pure parts of a fakeroot: identities, owners, which calls are asked about.
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "sandbox/fakeroot/calls.hpp"
#include "sandbox/fakeroot/identity.hpp"
#include "sandbox/fakeroot/owner.hpp"
#include "sandbox/filter/compile.hpp"
#include "sandbox/filter/eval.hpp"
#include "tests/support/catch.hpp"

using namespace sandbox;

namespace {

Identity become(std::uint32_t uid) {
    Identity who;
    REQUIRE(set_real_effective_saved(who, IdKind::users, {uid, uid, uid, 0}) == 0);
    return who;
}

seccomp_data call_of(long number, std::initializer_list<std::uint64_t> arguments = {}) {
    seccomp_data data = {};
    data.nr = static_cast<int>(number);
#if defined(__x86_64__)
    data.arch = AUDIT_ARCH_X86_64;
#else
    data.arch = AUDIT_ARCH_AARCH64;
#endif
    std::size_t i = 0;
    for (const std::uint64_t argument : arguments) data.args[i++] = argument;
    return data;
}

}  // namespace

TEST_CASE("root becomes whom it likes; whoever it became cannot go back", "[fakeroot]") {
    Identity who;
    CHECK(set_supplementary(who, {7, 3}) == 0);
    CHECK(who.supplementary == std::vector<std::uint32_t>{3, 7});
    CHECK(set_id(who, IdKind::groups, 42) == 0);
    CHECK(set_id(who, IdKind::users, 41) == 0);
    CHECK(who.users == IdSet{41, 41, 41, 41});
    CHECK(set_id(who, IdKind::users, 0) == EPERM);
    CHECK(set_id(who, IdKind::groups, 0) == EPERM);
    CHECK(set_supplementary(who, {}) == EPERM);
    CHECK(set_real_effective(who, IdKind::users, unchanged_id, 0) == EPERM);
    CHECK(set_real_effective_saved(who, IdKind::users, {unchanged_id, unchanged_id, 0, 0}) == EPERM);
    CHECK(set_filesystem(who, IdKind::users, 0) == 41);
    CHECK(who.users == IdSet{41, 41, 41, 41});
    // What it is already, it may say again.
    CHECK(set_id(who, IdKind::users, 41) == 0);
    CHECK(set_id(who, IdKind::users, unchanged_id) == EINVAL);
}

TEST_CASE("an effective id that was changed for a while can be had back", "[fakeroot]") {
    Identity who;
    REQUIRE(set_real_effective_saved(who, IdKind::users, {unchanged_id, 5, unchanged_id, 0}) == 0);
    CHECK(who.users == IdSet{0, 5, 0, 5});
    CHECK(set_supplementary(who, {1}) == EPERM);
    CHECK(set_id(who, IdKind::users, 0) == 0);
    CHECK(who.users == IdSet{0, 0, 0, 0});
    // seteuid(3) by setreuid: the saved id stays as it was only where the effective becomes the real one.
    REQUIRE(set_real_effective(who, IdKind::users, unchanged_id, 5) == 0);
    CHECK(who.users == IdSet{0, 5, 5, 5});
    REQUIRE(set_real_effective(who, IdKind::users, 5, 0) == 0);
    CHECK(who.users == IdSet{5, 0, 0, 0});
}

TEST_CASE("kept capabilities outlast a change of the uid, as setpriv needs", "[fakeroot]") {
    Identity who;
    keep_capabilities(who, 1, 77);
    CHECK(set_id(who, IdKind::users, 9) == 0);
    CHECK(set_id(who, IdKind::groups, 9) == 0);
    end_with_image(who, 77);
    CHECK(set_supplementary(who, {9}) == 0);
    end_with_image(who, 78);
    CHECK(set_supplementary(who, {9}) == EPERM);
    Identity other;
    keep_capabilities(other, 1, 77);
    keep_capabilities(other, 0, 77);
    CHECK(set_id(other, IdKind::users, 9) == 0);
    CHECK(set_id(other, IdKind::groups, 9) == EPERM);
}

TEST_CASE("equal identities have one number; an unknown number is root", "[fakeroot]") {
    Identities identities;
    CHECK(identities.number_of({}) == 0);
    const auto first = identities.number_of(become(7));
    const auto second = identities.number_of(become(8));
    CHECK(first == 1);
    CHECK(second == 2);
    CHECK(identities.number_of(become(7)) == first);
    CHECK(identities.at(*second) == become(8));
    CHECK(identities.at(77) == Identity{});
    for (std::uint32_t uid = 10; uid < Identities::most + 7; ++uid) {
        REQUIRE(identities.number_of(become(uid)).has_value());
    }
    CHECK_FALSE(identities.number_of(become(4'000'000)).has_value());
    CHECK(identities.number_of(become(7)) == first);
}

TEST_CASE("an owner's text is read back, and nothing else is", "[fakeroot]") {
    for (const Owner& owner : {Owner{}, Owner{105, 113}, Owner{4294967294, 0}, Owner{0, 6, S_IFBLK, 8, 1},
                               Owner{1, 2, S_IFCHR, 4095, 1048575}}) {
        CHECK(owner_from(to_text(owner)) == owner);
        CHECK(to_text(owner).size() < longest_owner);
    }
    CHECK(to_text({0, 6, S_IFBLK, 8, 1}) == "0:6 b 8:1");
    for (const char* text : {"", "1", "1:", ":1", "1:2 ", "1:2 d 3:4", "1:2 c 3", "1:2 c 3:4x", "-1:2", "4294967295:1",
                             "1:4294967295", "4294967296:1", " 1:2", "1:2\n"}) {
        INFO(text);
        CHECK_FALSE(owner_from(text).has_value());
    }
}

TEST_CASE("a status shows the owner, and the device that a regular file stands for", "[fakeroot]") {
    struct stat status = {};
    status.st_mode = S_IFREG | 0640;
    status.st_size = 5;
    show_owner({1, 2}, status);
    CHECK((status.st_uid == 1 && status.st_gid == 2 && status.st_mode == (S_IFREG | 0640) && status.st_size == 5));
    show_owner({1, 2, S_IFCHR, 5, 1}, status);
    CHECK((status.st_mode == (S_IFCHR | 0640) && status.st_rdev == makedev(5, 1) && status.st_size == 0));
    struct statx more = {};
    more.stx_mode = S_IFDIR | 0755;
    show_owner({1, 2, S_IFCHR, 5, 1}, more);
    CHECK((more.stx_uid == 1 && more.stx_gid == 2 && more.stx_mode == (S_IFDIR | 0755)));
}

TEST_CASE("root may give files away; others their own, to their own groups", "[fakeroot]") {
    CHECK(may_change_owner({}, {5, 5}, 6, 6) == 0);
    Identity who;
    REQUIRE(set_supplementary(who, {50}) == 0);
    REQUIRE(set_id(who, IdKind::groups, 7) == 0);
    REQUIRE(set_id(who, IdKind::users, 7) == 0);
    const Owner own = {7, 7};
    CHECK(may_change_owner(who, own, unchanged_id, 50) == 0);
    CHECK(may_change_owner(who, own, 7, 7) == 0);
    CHECK(may_change_owner(who, own, 0, unchanged_id) == EPERM);
    CHECK(may_change_owner(who, own, unchanged_id, 8) == EPERM);
    CHECK(may_change_owner(who, {0, 7}, unchanged_id, 7) == EPERM);
    CHECK(may_change_owner(who, {0, 0}, unchanged_id, unchanged_id) == 0);
}

TEST_CASE("a new file is its maker's, its group in a set-group-ID directory the directory's", "[fakeroot]") {
    CHECK(owner_of_new_file({}, S_IFDIR | 0755, {5, 8}) == Owner{});
    CHECK(owner_of_new_file({}, S_IFDIR | 02775, {5, 8}) == Owner{0, 8});
    CHECK(owner_of_new_file(become(7), S_IFDIR | 0755, {5, 8}) == Owner{7, 0});
}

TEST_CASE("the questions: the listed calls, creating opens, nothing of other ABIs", "[fakeroot]") {
    const FilterProgram program = fakeroot::question_filter();
    const auto asks = [&](const seccomp_data& data) {
        return evaluate(program, data).action() == SECCOMP_RET_USER_NOTIF;
    };
    // What is asked about can be read, and what can be read is asked about, for every number.
    for (int number = 0; number < 1100; ++number) {
        const seccomp_data data = call_of(number, {PR_SET_KEEPCAPS, 0, 0});
        INFO(number);
        CHECK(asks(data) == !std::holds_alternative<fakeroot::Unknown>(fakeroot::read_call(data)));
        if (!asks(data)) CHECK(evaluate(program, data) == answer_allowed);
    }
    CHECK_FALSE(asks(call_of(SYS_openat, {0, 0, O_RDWR})));
    CHECK(asks(call_of(SYS_openat, {0, 0, O_RDWR | O_CREAT})));
    CHECK(asks(call_of(SYS_openat, {0, 0, O_RDWR | O_TMPFILE})));
    CHECK_FALSE(asks(call_of(SYS_openat, {0, 0, O_DIRECTORY})));
    CHECK_FALSE(asks(call_of(SYS_prctl, {PR_SET_NAME})));
    CHECK_FALSE(asks(call_of(SYS_read)));
    seccomp_data foreign = call_of(SYS_read);
    foreign.arch = AUDIT_ARCH_I386;
    CHECK(evaluate(program, foreign) == answer_error(ENOSYS));
}

TEST_CASE("what a profile denies is denied behind the questions", "[fakeroot]") {
    const FilterRules rules = {
        .otherwise = {FilterVerdict::allow, 0},
        .architectures = {},
        .rules = {{.where = "test", .names = {"acct"}, .action = {FilterVerdict::fail, EACCES}, .conditions = {}}}};
    const FilterProgram program = fakeroot::with_questions(compile_rules(rules));
    CHECK(evaluate(program, call_of(SYS_acct)) == answer_error(EACCES));
    CHECK(evaluate(program, call_of(SYS_read)) == answer_allowed);
    CHECK(evaluate(program, call_of(SYS_fchown)).action() == SECCOMP_RET_USER_NOTIF);
}
