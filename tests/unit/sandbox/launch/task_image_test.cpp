// What a jail's first process is told: one piece of memory that is right wherever it lies.
#include "sandbox/launch/task_image.hpp"

#include <sys/resource.h>

#include <cstring>

#include "sandbox/bubblewrap/child.hpp"
#include "tests/support/catch.hpp"

using sandbox::BubblewrapTask;
using sandbox::ChildTask;
using sandbox::TaskImage;

namespace step = sandbox::step;

namespace {

sandbox::BuildPlan small_plan() {
    sandbox::BuildSpec spec;
    spec.mounts = {sandbox::Tmpfs{"/"}, sandbox::Symlink{"/lib", "usr/lib"}};
    sandbox::Command command;
    command.argv = {"tool", "", "last word"};
    command.env = {{"PATH", "/bin"}, {"EMPTY", ""}};
    return make_plan(spec, command);
}

// The bytes where nothing has been, and not where they were made.
class Moved {
  public:
    explicit Moved(const TaskImage& image) : bytes_(image.bytes().size() + 4096) {
        std::memcpy(bytes_.data() + 4096, image.bytes().data(), image.bytes().size());
    }
    template <class Task>
    const Task& task() {
        return *reinterpret_cast<const Task*>(bytes_.data() + 4096);
    }

  private:
    std::vector<char> bytes_;
};

std::vector<std::string> texts_of(const sandbox::NearTexts& texts) {
    std::vector<std::string> all;
    for (const char* const* one = texts.pointers(); *one != nullptr; ++one) all.emplace_back(*one);
    return all;
}

// As much as an operating system ever hands over; the memory grows, and moves, many times.
constexpr std::size_t many = 20000;

}  // namespace

TEST_CASE("task image: a plan that is read elsewhere says the same", "[launch]") {
    const sandbox::BuildPlan plan = small_plan();
    TaskImage image = TaskImage::of<ChildTask>();
    CHECK(image.task<ChildTask>().report_fd == -1);
    image.task<ChildTask>().report_fd = 77;
    set_plan(image, plan);
    image.set(image.task<ChildTask>().cwd, "/somewhere");

    Moved moved(image);
    const auto& task = moved.task<ChildTask>();
    CHECK(task.report_fd == 77);
    CHECK(task.uid == plan.uid);
    CHECK(std::string(task.cwd.get()) == "/somewhere");
    CHECK(texts_of(task.argv) == plan.argv);
    CHECK(texts_of(task.envp) == plan.envp);
    CHECK(texts_of(task.executables) == plan.executables);
    REQUIRE(task.steps.size() == plan.steps.size());
    bool has_link = false;
    for (const sandbox::Step& one : task.steps) {
        if (!one.is<step::MakeLink>()) continue;
        const auto link = one.as<step::MakeLink>();
        CHECK(std::string(task.text(link.place.path)) == "/lib");
        CHECK(std::string(task.text(link.points_to)) == "usr/lib");
        has_link = true;
    }
    CHECK(has_link);
}

TEST_CASE("task image: what is not set is empty, and what has no values too", "[launch]") {
    TaskImage image = TaskImage::of<ChildTask>();
    const auto task = [&image]() -> ChildTask& { return image.task<ChildTask>(); };
    image.set(task().rlimits, std::vector<sandbox::RlimitValue>());
    image.set(task().argv, std::vector<std::string>());
    image.set(task().more_filters, std::vector<sandbox::FilterProgram>());
    CHECK(task().rlimits.empty());
    CHECK(task().rlimits.begin() == task().rlimits.end());
    CHECK(task().argv.size() == 0);
    CHECK(*task().argv.pointers() == nullptr);
    CHECK(task().more_filters.empty());
    CHECK(task().filter.empty());
    CHECK(task().cwd.get() == nullptr);
}

TEST_CASE("task image: filters behind each other keep their own lengths, however the memory grew", "[launch]") {
    std::vector<sandbox::FilterProgram> filters(3);
    filters[0].instructions.assign(many, 1);
    filters[2].instructions = {7, 8, 9};
    TaskImage image = TaskImage::of<ChildTask>();
    image.set(image.task<ChildTask>().more_filters, filters);
    image.set(image.task<ChildTask>().envp, std::vector<std::string>(many, "A=b"));
    image.set(image.task<ChildTask>().rlimits, std::vector<sandbox::RlimitValue>{{RLIMIT_CORE, 1, 2}});

    Moved moved(image);
    const auto& task = moved.task<ChildTask>();
    REQUIRE(task.more_filters.size() == 3);
    for (std::size_t i = 0; i < filters.size(); ++i) {
        const auto& code = task.more_filters[i];
        CHECK(std::vector<std::uint64_t>(code.begin(), code.end()) == filters[i].instructions);
    }
    CHECK(texts_of(task.envp) == std::vector<std::string>(many, "A=b"));
    REQUIRE(task.rlimits.size() == 1);
    CHECK(task.rlimits[0].hard == 2);
}

TEST_CASE("task image: a jail in bubblewrap mode has the same plan within a task of its own", "[launch]") {
    const sandbox::BuildPlan plan = small_plan();
    TaskImage image = TaskImage::of<BubblewrapTask>();
    set_plan(image, plan);
    image.set(image.task<BubblewrapTask>().locks, std::vector<std::string>{"/lock"});
    Moved moved(image);
    CHECK(texts_of(moved.task<BubblewrapTask>().build.argv) == plan.argv);
    CHECK(texts_of(moved.task<BubblewrapTask>().locks) == std::vector<std::string>{"/lock"});
    CHECK(moved.task<BubblewrapTask>().go_fd == -1);
}
