// From a spec to the list of operations: what is refused, and the order that matters.
#include "sandbox/plan/plan.hpp"

#include "sandbox/plan/setup_error.hpp"
#include "tests/support/catch.hpp"

using sandbox::Bind;
using sandbox::make_plan;
using sandbox::Mount;
using sandbox::Overlay;
using sandbox::PlanError;
using sandbox::Spec;
using sandbox::StepKind;
using sandbox::Tmpfs;

namespace {

Spec spec_with(std::vector<Mount> mounts) {
    Spec spec;
    spec.mounts = std::move(mounts);
    return spec;
}

sandbox::Command command(std::vector<std::string> argv = {"true"}) {
    sandbox::Command command;
    command.argv = std::move(argv);
    return command;
}

std::size_t place_of(const sandbox::Plan& plan, StepKind kind) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        if (plan.steps[i].kind == kind) return i;
    }
    return plan.steps.size();
}

}  // namespace

TEST_CASE("plan: a spec that cannot become a jail is refused before any system call", "[plan]") {
    CHECK_THROWS_WITH(make_plan(spec_with({}), command()), Catch::Contains("no root"));
    CHECK_THROWS_WITH(make_plan(spec_with({Tmpfs{"/tmp"}}), command()), Catch::Contains("no root"));
    CHECK_THROWS_WITH(make_plan(spec_with({sandbox::Proc{"/"}}), command()), Catch::Contains("root must be"));
    CHECK_THROWS_WITH(make_plan(spec_with({Tmpfs{"/"}, Tmpfs{"tmp"}}), command()), Catch::Contains("absolute"));
    for (const char* path : {"/a/../b", "/a/./b", "/a//b", "/a/", "/.."}) {
        INFO(path);
        CHECK_THROWS_AS(make_plan(spec_with({Tmpfs{"/"}, Tmpfs{path}}), command()), PlanError);
    }
    CHECK_THROWS_WITH(make_plan(spec_with({Tmpfs{"/"}, Tmpfs{"/a"}, Bind{"/usr", "/a"}}), command()),
                      Catch::Contains("two mounts have the target /a"));
    CHECK_THROWS_WITH(make_plan(spec_with({Tmpfs{"/"}, Bind{"usr", "/usr"}}), command()), Catch::Contains("source"));
    CHECK_THROWS_WITH(make_plan(spec_with({Overlay{"/", {}, "/u", "/w"}}), command()), Catch::Contains("lower"));
    CHECK_THROWS_WITH(make_plan(spec_with({Tmpfs{"/"}}), command({})), Catch::Contains("no command"));
    CHECK_THROWS_WITH(make_plan(spec_with({Tmpfs{"/"}}), command({std::string("a\0b", 3)})), Catch::Contains("NUL"));
}

TEST_CASE("plan: what only the caller may reach is opened before the identity changes", "[plan]") {
    const auto plan = make_plan(
        spec_with({Overlay{"/", {"/l1", "/l2"}, "/u", "/w"}, Bind{"/src", "/dst"}, sandbox::Dev{"/dev"}}), command());
    const std::size_t root = place_of(plan, StepKind::become_root);
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        const StepKind kind = plan.steps[i].kind;
        const bool opens = kind == StepKind::open_path || kind == StepKind::open_device ||
                           kind == StepKind::clone_tree || kind == StepKind::clone_device;
        if (opens) CHECK(i < root);
        if (kind == StepKind::directory || kind == StepKind::tmpfs) CHECK(i > root);
    }
    CHECK(place_of(plan, StepKind::make_private) == 0);
    CHECK(place_of(plan, StepKind::pivot) > place_of(plan, StepKind::devpts));
}

TEST_CASE("plan: overlay options name the slots that the steps before them open", "[plan]") {
    const auto plan = make_plan(spec_with({Overlay{"/", {"/l1", "/l2"}, "/u", "/w"}}), command());
    const auto& step = plan.steps[place_of(plan, StepKind::root_overlay)];
    CHECK(std::string(step.text) ==
          "lowerdir=/proc/self/fd/301:/proc/self/fd/302,upperdir=/proc/self/fd/303,workdir=/proc/self/fd/304,"
          "userxattr,volatile,index=off,metacopy=off,uuid=null");
    CHECK(std::string(step.aux) == std::string(step.text).substr(0, std::string(step.text).rfind(',')));
    std::vector<std::string> opened;
    for (const auto& one : plan.steps) {
        if (one.kind == StepKind::open_path) opened.emplace_back(one.path);
    }
    CHECK(opened == std::vector<std::string>{"/tmp", "/l1", "/l2", "/u", "/w"});
}

TEST_CASE("plan: one overlay takes about two hundred layers, and says when there are more", "[plan]") {
    std::vector<std::string> layers(150, "/layer");
    CHECK_NOTHROW(make_plan(spec_with({Overlay{"/", layers, "/u", "/w"}}), command()));
    layers.resize(400, "/layer");
    CHECK_THROWS_WITH(make_plan(spec_with({Overlay{"/", layers, "/u", "/w"}}), command()),
                      Catch::Contains("400 layers"));
}

TEST_CASE("plan: a command without a slash is looked for in its PATH", "[plan]") {
    auto words = command({"tool"});
    words.env = {{"PATH", "/a:/b::/c"}};
    const auto plan = make_plan(spec_with({Tmpfs{"/"}}), words);
    std::vector<std::string> found(plan.executables.begin(), plan.executables.end());
    CHECK(found == std::vector<std::string>{"/a/tool", "/b/tool", "./tool", "/c/tool"});
    const auto direct = make_plan(spec_with({Tmpfs{"/"}}), command({"./x/tool"}));
    CHECK(std::string(direct.executables.front()) == "./x/tool");
}

TEST_CASE("plan: the network decides about the namespace and the loopback", "[plan]") {
    auto spec = spec_with({Tmpfs{"/"}});
    CHECK(describe(make_plan(spec, command())).find(" network ") != std::string::npos);
    spec.network = sandbox::Network::host;
    const std::string text = describe(make_plan(spec, command()));
    CHECK(text.find(" network ") == std::string::npos);
    CHECK(text.find("loopback") == std::string::npos);
}

TEST_CASE("failure: a record becomes words that name step, subject and remedy", "[failure]") {
    const auto plan = make_plan(spec_with({Tmpfs{"/"}, Bind{"/missing", "/x"}}), command({"tool"}));
    const auto index = static_cast<std::uint16_t>(place_of(plan, StepKind::clone_tree));
    const auto missing = sandbox::explain({sandbox::Point::step, index, ENOENT}, plan);
    CHECK(missing.problem.what == "copy the mounts at /missing as 301: No such file or directory");
    CHECK(missing.problem.remedy == "/missing does not exist on the host");
    CHECK_FALSE(missing.is_exec());

    const auto exec = sandbox::explain({sandbox::Point::execute, 0, ENOENT}, plan);
    CHECK(exec.problem.what == "execute tool: No such file or directory");
    CHECK(exec.is_exec());

    const auto clone = sandbox::explain({sandbox::Point::clone, 0, ENOSPC}, plan);
    CHECK(clone.problem.remedy.find("max_user_namespaces") != std::string::npos);
    // A record that names a step that the plan does not have is no reason to read past its end.
    CHECK_NOTHROW(sandbox::explain({sandbox::Point::step, 9999, EIO}, plan));
}
