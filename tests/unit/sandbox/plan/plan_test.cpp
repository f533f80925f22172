// From a spec to the list of operations: what is refused, and the order that matters.
#include "sandbox/plan/plan.hpp"

#include "sandbox/plan/setup_error.hpp"
#include "tests/support/catch.hpp"

using sandbox::Bind;
using sandbox::BuildSpec;
using sandbox::make_plan;
using sandbox::Mount;
using sandbox::Overlay;
using sandbox::PlanError;
using sandbox::Tmpfs;

namespace {

namespace step = sandbox::step;

BuildSpec spec_with(std::vector<Mount> mounts) {
    BuildSpec spec;
    spec.mounts = std::move(mounts);
    return spec;
}

sandbox::Command command(std::vector<std::string> argv = {"true"}) {
    sandbox::Command command;
    command.argv = std::move(argv);
    return command;
}

template <class Kind>
std::size_t place_of(const sandbox::Plan& plan) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        if (plan.steps[i].is<Kind>()) return i;
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
    const std::size_t root = place_of<step::BecomeRoot>(plan);
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        const auto& one = plan.steps[i];
        const bool opens = one.is<step::OpenPath>() || one.is<step::OpenDevice>() || one.is<step::CloneTree>() ||
                           one.is<step::CloneDevice>();
        if (opens) CHECK(i < root);
        if (one.is<step::MakeDirectory>() || one.is<step::MountTmpfs>()) CHECK(i > root);
    }
    CHECK(place_of<step::SeparateMounts>(plan) == 0);
    CHECK(place_of<step::Pivot>(plan) > place_of<step::MountDevpts>(plan));
}

TEST_CASE("plan: overlay options name the slots that the steps before them open", "[plan]") {
    const auto plan = make_plan(spec_with({Overlay{"/", {"/l1", "/l2"}, "/u", "/w"}}), command());
    const auto root = plan.steps.at(place_of<step::UseOverlayRoot>(plan)).as<step::UseOverlayRoot>();
    const std::string options = plan.text(root.options.all);
    CHECK(options ==
          "lowerdir=/proc/self/fd/301:/proc/self/fd/302,upperdir=/proc/self/fd/303,workdir=/proc/self/fd/304,"
          "userxattr,volatile,index=off,metacopy=off,uuid=null");
    CHECK(plan.text(root.options.older) == options.substr(0, options.rfind(',')));
    std::vector<std::string> opened;
    for (const auto& one : plan.steps) {
        if (one.is<step::OpenPath>()) opened.emplace_back(plan.text(one.as<step::OpenPath>().path));
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
    CHECK(plan.executables == std::vector<std::string>{"/a/tool", "/b/tool", "./tool", "/c/tool"});
    const auto direct = make_plan(spec_with({Tmpfs{"/"}}), command({"./x/tool"}));
    CHECK(direct.executables.front() == "./x/tool");
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
    const auto index = static_cast<std::uint16_t>(place_of<step::CloneTree>(plan));
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
