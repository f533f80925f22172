#include "runtime/engine/stage_run.hpp"

#include <fcntl.h>

#include <cstring>

#include "runtime/engine/machine.hpp"
#include "runtime/engine/stage_usage.hpp"
#include "runtime/report/events.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"

namespace runtime::engine {

using report::now_text;
using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;

std::string log_place(const StageContext& context, const stages::Stage& stage) {
    return format("{}/{}.log", context.run, stage.name);
}

StageRun::StageRun(StageContext& context, const stages::Stage& stage, const Resolved& resolved, RunStart start,
                   Done done)
    : context_(context),
      stage_(stage),
      resolved_(resolved),
      which_(start.command),
      done_(std::move(done)),
      helper_(context.helpers.of(stage.ids)),
      output_(std::make_unique<report::StageOutput>(stage.name, std::move(start.log), context.console, context.loop)),
      left_(std::move(start.left)),
      steps_(helper_,
             [this](Failure failure) {
                 failure.seconds = record_.usage.seconds;
                 fail(std::move(failure));
             }),
      started_(std::chrono::steady_clock::now()) {}

StageRun::~StageRun() {
    context_.loop.cancel(grace_);
    if (jail_) context_.loop.forget(jail_->pidfd());
}

void StageRun::start() {
    steps_.attempt(FailureClass::jail, [this] {
        place_.emplace(context_.store, helper_, stage_, resolved_, std::exchange(left_, std::nullopt));
        context_.watch.stage_began(stage_.name, place_->place().path());
        auto& lowered = place_->lower(context_.profiles.of(stage_), context_.helpers.ids(stage_.ids));
        if (which_ == RunStart::Command::recover) lowered.command.argv = stage_.on_failure.recover;
        if (!stage_.services.empty()) services_.emplace(stage_, context_.store, context_.run);
        place_->prepare(steps_, [this] { launch(); });
    });
}

std::variant<sandbox::Jail, sandbox::SetupError> StageRun::start_jail() {
    stages::kinds::Lowered& lowered = place_->lowered();
    sandbox::Cgroup cgroup;
    try {
        context_.cgroups.apply(lowered.spec);
        cgroup = context_.cgroups.make(lowered.spec.limits);
    } catch (const std::exception& error) {
        return sandbox::SetupError{.point = sandbox::Point::cgroup, .problem = {error.what()}};
    }
    return jail::launch(lowered.spec, lowered.command, network_, {}, {}, std::move(cgroup));
}

void StageRun::launch() {
    const Fd null(sandbox::os::sys([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }, "open /dev/null"));
    stages::kinds::Lowered& lowered = place_->lowered();
    lowered.command.stdin_fd = null.get();
    lowered.command.stdout_fd = output_->writer();
    lowered.command.stderr_fd = output_->writer();
    if (services_) services_->take_over(lowered.spec, lowered.command);
    auto launched = start_jail();
    output_->close_writer();
    if (services_) services_->started();
    if (const auto* error = std::get_if<sandbox::SetupError>(&launched)) {
        steps_.give_up(error->is_exec() ? FailureClass::command_not_found : FailureClass::jail, error->problem.what,
                       error->problem.remedy);
        return;
    }
    jail_.emplace(std::move(std::get<sandbox::Jail>(launched)));
    context_.watch.jail_began(stage_.name, jail_->pid());
    watch_ = jail::watch_denials(context_.loop, *jail_, lowered.spec);
    context_.loop.watch(jail_->pidfd(), [this] { steps_.attempt(FailureClass::jail, [this] { jail_ended(); }); });
    limits_.emplace(context_.loop, lowered.spec.limits,
                    [this](jail::Limit which, const std::string& what) { over_limit(which, what); });
    output_->on_output([this] {
        if (limits_) limits_->output();
    });
}

void StageRun::stop() {
    if (steps_.is_stopped()) return;
    steps_.stop();
    if (jail_) ask_to_end();
}

void StageRun::over_limit(jail::Limit which, const std::string& what) {
    over_limit_ = which;
    if (jail_) {
        ask_to_end();
    } else {
        steps_.stop(FailureClass::wall_time, what + ": its command had ended, and what it made was not kept yet");
    }
}

void StageRun::ask_to_end() {
    jail_->signal(SIGTERM);
    context_.loop.cancel(grace_);
    grace_ = context_.loop.after(stage_.on_failure.grace, [this] { kill(); });
}

void StageRun::kill() {
    if (!over_limit_) steps_.stop();
    if (jail_) jail_->kill();
}

void StageRun::freeze() {
    if (jail_) jail_->signal(SIGSTOP);
}

void StageRun::thaw(std::chrono::steady_clock::duration time) {
    started_ += time;
    if (limits_) limits_->postpone(time);
    if (jail_) jail_->signal(SIGCONT);
}

void StageRun::jail_ended() {
    context_.loop.forget(jail_->pidfd());
    limits_->command_ended();
    context_.loop.cancel(grace_);
    sandbox::Outcome outcome = jail_->wait();
    jail_.reset();
    if (services_) services_->look_back(outcome);
    if (watch_) denials_ = watch_->log();
    watch_.reset();
    network_lost_ = network_.why_lost().value_or("");
    const std::optional<jail::Traffic> traffic = network_.traffic();
    network_ = jail::UserNetwork();
    output_->finish();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
    record_.usage = usage_of(outcome, passed.count(), traffic);
    judge(outcome);
}

EndFacts StageRun::facts_of(const sandbox::Outcome& outcome) const {
    return {.how = outcome.how,
            .over = over_limit_,
            .limits = place_->lowered().spec.limits,
            .seconds = record_.usage.seconds,
            .peak_bytes = record_.usage.peak_bytes,
            .oom_kills = outcome.counted ? outcome.counted->oom_kills : 0,
            .refused_forks = outcome.counted ? outcome.counted->refused_forks : 0,
            .free_bytes = engine::free_bytes(context_.store.directory()),
            .network_lost = network_lost_,
            .network = stage_.network == sandbox::Network::none ? stages::HasNetwork::no : stages::HasNetwork::yes,
            .ended = std::chrono::system_clock::now()};
}

void StageRun::judge(const sandbox::Outcome& outcome) {
    if (steps_.is_stopped() && !over_limit_) {
        steps_.give_up(FailureClass::interrupted, "stopped");
    } else if (services_ && services_->failure() && !over_limit_) {
        Failure failure = *services_->failure();
        failure.seconds = record_.usage.seconds;
        failure.limits = nearness(facts_of(outcome));
        fail(std::move(failure));
    } else if (over_limit_ || !outcome.how.has_exited(0)) {
        fail(classify(facts_of(outcome), denials_, output_->last_lines()));
    } else if (which_ == RunStart::Command::recover) {
        end(Recovered{});
    } else {
        seal();
    }
}

store::Owners StageRun::owners() const {
    const bool has_view = place_->lowered().spec.fakeroot == sandbox::Fakeroot::on;
    return has_view ? store::Owners::recorded : store::Owners::of_files;
}

// From here on no process of the stage exists, so nothing can change what is sealed.
void StageRun::seal() {
    record_.key = resolved_.key;
    record_.components = resolved_.components;
    record_.texts = resolved_.texts;
    record_.pipeline = context_.pipeline;
    record_.stage = stage_.name;
    record_.run = context_.run;
    if (!denials_.is_empty()) record_.denials = to_json(denials_);
    seal_layer();
}

void StageRun::seal_layer() {
    if (std::holds_alternative<stages::HostRoot>(stage_.from)) {
        take_outputs();
        return;
    }
    const auto note_layer = [this](const Json& answer) {
        const store::TreeFacts facts = store::facts_of(answer);
        record_.layer = store::Object{store::object_id(stage_.ids, facts.digest), facts.bytes, facts.entries, true};
        record_.tree = tree_digest(resolved_.root_tree, record_.layer->id.text());
        take_outputs();
    };
    steps_.wait_for(helper_.seal(place_->place().place("layer/fs"), {store::TreeKind::layer, resolved_.epoch, owners()},
                                 steps_.then(note_layer, FailureClass::output, "its layer: ")));
}

void StageRun::take_outputs() {
    if (next_output_ == stage_.outputs.size()) {
        confirm();
        return;
    }
    const stages::Output& output = stage_.outputs[next_output_];
    const std::string part = format("artifact-{}", next_output_++);
    const auto note_artifact = [this, &output](const Json& answer) {
        const store::TreeFacts facts = store::facts_of(answer);
        record_.artifacts.insert_or_assign(output.name, store::Object{store::object_id(stage_.ids, facts.digest),
                                                                      facts.bytes, facts.entries, facts.is_directory});
        take_outputs();
    };
    steps_.wait_for(helper_.take_output(
        place_->place().place(), output.path, part, {store::TreeKind::artifact, resolved_.epoch, owners()},
        steps_.then(note_artifact, FailureClass::output, format("its output {}: ", output.name))));
}

// Against what stagebox.lock notes. What can be compared, because the noted result is in the store, is.
void StageRun::confirm() {
    const std::optional<NotedResult> noted =
        context_.noted ? context_.noted(stage_, resolved_.key) : std::optional<NotedResult>();
    if (!noted || noted->is_of(record_)) {
        sync();
        return;
    }
    const std::vector<store::TreePair> pairs = pairs_with(*noted);
    if (pairs.empty()) {
        decide();
        return;
    }
    const auto tell = [this](const Json& answer) {
        tell_differences(answer);
        decide();
    };
    steps_.wait_for(helper_.compare(pairs, steps_.then(tell, FailureClass::jail, "compare with what is noted: ")));
}

std::vector<store::TreePair> StageRun::pairs_with(const NotedResult& noted) const {
    std::vector<store::TreePair> pairs;
    if (noted.layer && record_.layer && noted.layer != record_.layer && context_.store.has_layer(noted.layer->id)) {
        pairs.push_back({{"", place_->place().place("layer/fs")}, format("layers/{}/fs", noted.layer->id.text())});
    }
    for (std::size_t i = 0; i < stage_.outputs.size(); ++i) {
        const stages::Output& output = stage_.outputs[i];
        const auto before = noted.artifacts.find(output.name);
        if (before == noted.artifacts.end() || before->second == record_.artifacts.at(output.name)) continue;
        if (!context_.store.has_artifact(before->second.id)) continue;
        pairs.push_back({{"/out/" + output.path, place_->place().place(format("artifact-{}/data", i))},
                         format("artifacts/{}/data", before->second.id.text())});
    }
    return pairs;
}

void StageRun::tell_differences(const Json& answer) {
    const auto tell = [this](const std::string& line) { context_.console.stage_note(stage_.name, line); };
    for (const Json& line : answer.at("lines")) tell(format("not as noted: {}", line.get<std::string>()));
    if (answer.at("more") != 0) tell(format("not as noted: {} more", answer.at("more").dump()));
    if (answer.at("lines").empty()) tell("not as noted: times or extended attributes only");
}

void StageRun::decide() {
    if (context_.lock_use == LockUse::locked) {
        refuse();
    } else {
        sync();
    }
}

// It is kept as a failed stage is, so its outputs go back to where the command left them; with a list of what it is.
void StageRun::refuse() {
    std::vector<store::LabelledTree> trees;
    if (record_.layer) trees.push_back({"", place_->place().place("layer/fs")});
    for (std::size_t i = 0; i < stage_.outputs.size(); ++i) {
        trees.push_back({"/out/" + stage_.outputs[i].path, place_->place().place(format("artifact-{}/data", i))});
    }
    next_output_ = 0;
    steps_.wait_for(helper_.list(trees, place_->place().place("listing"),
                                 steps_.then([this](const Json&) { return_outputs(); }, FailureClass::jail)));
}

void StageRun::return_outputs() {
    if (next_output_ < stage_.outputs.size()) {
        const std::string part = format("artifact-{}", next_output_);
        const std::string& path = stage_.outputs[next_output_++].path;
        steps_.wait_for(
            helper_.return_output(place_->place().place(), path, part,
                                  steps_.then([this](const Json&) { return_outputs(); }, FailureClass::jail)));
        return;
    }
    fail({.kind = FailureClass::pin,
          .problem = {"it yielded another result than stagebox.lock notes, and --locked takes no other",
                      format("`stagebox build --refresh {}` notes what it yields now; what was refused is listed in {}",
                             stage_.name, context_.store.failed_path(resolved_.key) + "/listing")},
          .seconds = record_.usage.seconds});
}

// Before anything gets its name: what is in layers/ and artifacts/ is whole, also after a power cut, and whoever finds
// it there need not ask who made it and when.
void StageRun::sync() {
    steps_.wait_for(helper_.sync(steps_.then([this](const Json&) { commit(); }, FailureClass::jail)));
}

void StageRun::commit() {
    {
        // Discarded at the end of the block, also where something cannot be committed.
        const std::optional<store::Staging> staging = place_->take_place();
        if (record_.layer) context_.store.commit_layer(*staging, record_.layer->id);
        for (std::size_t i = 0; i < stage_.outputs.size(); ++i) {
            const store::Object& object = record_.artifacts.at(stage_.outputs[i].name);
            context_.store.commit_artifact(*staging, format("artifact-{}", i), object.id);
        }
    }
    record_.finished = now_text();
    end(Built{record_});
}

void StageRun::end(RunEnd how) {
    steps_.end();
    limits_.reset();
    done_(std::move(how));
}

void StageRun::fail(Failure failure) {
    output_->finish();
    end(std::move(failure));
}

void StageRun::keep_failed(const Failure& failure) {
    const bool has_run = record_.usage.seconds > 0;
    if (!place_ || !place_->has_place() || !has_run || failure.kind == FailureClass::interrupted) return;
    try {
        write_failed_note(failure);
        std::move(*place_->take_place()).keep_as_failed(resolved_.key);
    } catch (const sandbox::os::SysError& error) {
        context_.console.warning(
            format("stage {}: cannot be kept for `stagebox shell --failed`: {}", stage_.name, error.what()));
    }
    const std::optional<store::Staging> discarded = place_->take_place();
}

// What `stagebox shell STAGE --failed` needs to stand where the stage stood.
void StageRun::write_failed_note(const Failure& failure) const {
    Json inputs = Json::array();
    for (const stages::kinds::ShownInput& input : resolved_.inputs) {
        const bool is_directory = input.type == stages::kinds::FileType::directory;
        inputs.push_back({{"target", input.target}, {"trees", input.trees}, {"directory", is_directory}});
    }
    Json note = {{"pipeline", context_.pipeline},
                 {"stage", stage_.name},
                 {"key", resolved_.key},
                 {"ended", now_text()},
                 {"why", failure.problem.what},
                 {"class", name_of(failure.kind)},
                 {"log", log_place(context_, stage_)},
                 {"root", resolved_.root},
                 {"inputs", inputs}};
    if (!denials_.is_empty()) note["denials"] = to_json(denials_);
    sandbox::os::write_file_atomically(context_.store.directory(), place_->place().place("stage.json"),
                                       note.dump(2) + "\n");
}

}  // namespace runtime::engine
