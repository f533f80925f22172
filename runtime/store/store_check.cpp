#include "runtime/store/store_check.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <set>

#include "runtime/store/helper.hpp"
#include "sandbox/ids/idmap.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/sys.hpp"
#include "stages/pipeline/action_key.hpp"

namespace runtime::store {
namespace {

using sandbox::os::Fd;
using sandbox::os::format;
using sandbox::os::Json;

// How a tree may have been digested when it was sealed.
struct Form {
    sandbox::IdMode ids;
    SealOptions options;
};

Form form_of(const Record& record, TreeKind kind) {
    Form form{stages::ids_in(record.components), {kind, std::nullopt, Owners::of_files}};
    if (stages::has_epoch(record.components)) form.options.epoch = 0;
    if (form.ids == sandbox::IdMode::single) form.options.owners = Owners::recorded;
    return form;
}

// A layer or an artifact, by those who name it.
struct Named {
    const Object* object;
    Form form;
    std::vector<const Record*> by;
};

// Asks the store helpers and waits; makes them when they are needed.
class Digests {
  public:
    explicit Digests(Store& store) : store_(store) {}

    struct Answer {
        TreeFacts facts;
        StoreHelperFault fault;
    };
    Answer of(const std::string& path, const Form& form) {
        Answer answer;
        bool is_there = false;
        helper(form.ids).digest(path, form.options, [&](const Json& json, const StoreHelperFault& fault) {
            if (!fault) answer.facts = facts_of(json);
            answer.fault = fault;
            is_there = true;
        });
        while (!is_there) loop_.run_once();
        return answer;
    }

    // Whether jails with a range of ids can be had by whoever checks.
    [[nodiscard]] bool has_range() {
        if (!has_range_) {
            try {
                helper(sandbox::IdMode::range);
                has_range_ = true;
            } catch (const sandbox::IdMapError&) {
                has_range_ = false;
            }
        }
        return *has_range_;
    }

  private:
    StoreHelper& helper(sandbox::IdMode mode) {
        auto& helper = helpers_[mode];
        if (!helper) {
            const sandbox::IdMap ids = sandbox::resolve_idmap(mode).map;
            if (mode == sandbox::IdMode::range) store_.bind_to(ids);
            helper = std::make_unique<StoreHelper>(ids, store_.directory(), loop_);
        }
        return *helper;
    }

    Store& store_;
    sandbox::os::EventLoop loop_;
    std::map<sandbox::IdMode, std::unique_ptr<StoreHelper>> helpers_;
    std::optional<bool> has_range_;
};

// Whoever looked could not: that says nothing of what was to be looked at.
bool is_no_verdict(const StoreHelperFault& fault) {
    constexpr std::array of_this_process = {EAGAIN, ENOMEM, EMFILE, ENFILE, EINTR};
    return std::ranges::find(of_this_process, fault.error) != of_this_process.end();
}

class Check {
  public:
    Check(Store& store, CheckDepth depth) : store_(store), depth_(depth), digests_(store) {}

    CheckReport run() {
        read_records();
        report_.layers = look_at("layers", "fs", TreeKind::layer);
        report_.artifacts = look_at("artifacts", "data", TreeKind::artifact);
        for (const auto& [place, named] : named_) {
            if (!found_.contains(place)) add_damage(place, "is not there");
        }
        find_left_over();
        for (Damage& damage : report_.damaged) set_aside(damage);
        return std::move(report_);
    }

  private:
    std::vector<std::string> names_in(const std::string& place) const {
        return sandbox::os::list_directory(sandbox::os::open_directory(store_.directory(), place).get());
    }

    void read_records() {
        for (const std::string& name : names_in("records")) {
            const std::string place = "records/" + name;
            if (name.ends_with(".json")) {
                read_record(place, name.substr(0, name.size() - 5));
            } else {
                report_.left_over.push_back({LeftOver::Until::gc, place});
            }
        }
        for (const auto& record : records_) {
            if (record->layer) name("layers/", *record->layer, *record, TreeKind::layer);
            for (const auto& [artifact, object] : record->artifacts) {
                name("artifacts/", object, *record, TreeKind::artifact);
            }
        }
        report_.records = records_.size();
    }

    void read_record(const std::string& place, const std::string& key) {
        try {
            auto record =
                std::make_unique<Record>(record_from(Json::parse(sandbox::os::read_file(store_.directory(), place))));
            if (record->key != key || stages::action_key(record->components) != key) {
                add_damage(place, "is not the record of that key");
            } else {
                records_.push_back(std::move(record));
            }
        } catch (const sandbox::os::SysError&) {
            throw;
        } catch (const std::exception& error) {
            add_damage(place, format("cannot be understood: {}", error.what()));
        }
    }

    void name(const std::string& part, const Object& object, const Record& record, TreeKind kind) {
        const auto [at, is_new] =
            named_.try_emplace(part + object.id.text(), Named{&object, form_of(record, kind), {}});
        at->second.by.push_back(&record);
    }

    std::size_t look_at(const std::string& part, const std::string& content, TreeKind kind) {
        const std::vector<std::string> ids = names_in(part);
        for (const std::string& id : ids) {
            const std::string place = format("{}/{}", part, id);
            found_.insert(place);
            const auto named = named_.find(place);
            if (named == named_.end()) report_.left_over.push_back({LeftOver::Until::gc, place});
            if (!sandbox::os::exists(store_.directory(), format("{}/{}", place, content))) {
                add_damage(place, "has no content");
            } else if (depth_ == CheckDepth::contents && (named != named_.end() || digests_.has_range())) {
                // What nobody names may be of a range, and without one there is no telling.
                const Named* who = named == named_.end() ? nullptr : &named->second;
                verify(place, format("{}/{}", place, content), id, forms_of(who, kind), who);
            }
        }
        return ids.size();
    }

    // The likeliest first. What no record names says nothing of how it was made, and an epoch of 0 gives the digest of
    // a tree without one.
    static std::vector<Form> forms_of(const Named* named, TreeKind kind) {
        std::vector<Form> forms;
        if (named != nullptr) {
            forms = {named->form, named->form};
            forms[1].options.epoch = forms[0].options.epoch ? std::nullopt : std::optional<std::int64_t>(0);
            return forms;
        }
        for (const auto epoch : {std::optional<std::int64_t>(0), std::optional<std::int64_t>()}) {
            forms.push_back({sandbox::IdMode::range, {kind, epoch, Owners::of_files}});
            forms.push_back({sandbox::IdMode::single, {kind, epoch, Owners::recorded}});
        }
        return forms;
    }

    void verify(const std::string& place, const std::string& content, const std::string& id,
                const std::vector<Form>& forms, const Named* named) {
        StoreHelperFault fault;
        for (const Form& form : forms) {
            const Digests::Answer answer = digests_.of(content, form);
            if (is_no_verdict(answer.fault)) {
                throw StoreError(
                    format("{} could not be looked at, and nothing was changed: {}", place, answer.fault.what));
            }
            if (answer.fault) fault = answer.fault;
            if (answer.fault || object_id(form.ids, answer.facts.digest).text() != id) continue;
            report_.bytes += answer.facts.bytes;
            const bool has_its_size = named == nullptr || (answer.facts.bytes == named->object->bytes &&
                                                           answer.facts.entries == named->object->entries);
            if (!has_its_size) add_damage(place, "is not as large as its record says");
            return;
        }
        add_damage(place,
                   fault ? format("cannot be read: {}", fault.what) : "does not have the content it is named for");
    }

    void find_left_over() {
        for (const std::string& name : names_in("staging")) {
            const std::string place = "staging/" + name;
            const long opened = sandbox::os::try_sys(
                [&] { return ::openat(store_.directory(), place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
            if (opened < 0) continue;  // a build has just moved it
            const Fd directory(static_cast<int>(opened));
            const bool is_in_use =
                sandbox::os::try_sys([&] { return ::flock(directory.get(), LOCK_SH | LOCK_NB); }) < 0;
            if (!is_in_use) report_.left_over.push_back({LeftOver::Until::next_build, place});
        }
        for (const std::string& place : store_.trash()) {
            report_.left_over.push_back({LeftOver::Until::next_build, place});
        }
    }

    void add_damage(const std::string& place, const std::string& why) {
        Damage damage{.place = place, .why = why, .stages = {}, .kept = {}};
        if (const auto named = named_.find(place); named != named_.end()) {
            for (const Record* record : named->second.by) {
                damage.stages.push_back(format("{}/{}", record->pipeline, record->stage));
            }
        }
        report_.damaged.push_back(std::move(damage));
    }

    // The records first: as long as they are there, somebody may look for what they name.
    void set_aside(Damage& damage) {
        try {
            if (const auto named = named_.find(damage.place); named != named_.end()) {
                for (const Record* record : named->second.by) store_.set_aside("records/" + record->key + ".json");
            }
            store_.set_aside(damage.place);
        } catch (const sandbox::os::SysError& error) {
            damage.kept = error.what();
        }
    }

    Store& store_;
    CheckDepth depth_;
    Digests digests_;
    CheckReport report_;
    std::vector<std::unique_ptr<Record>> records_;
    std::map<std::string, Named> named_;
    std::set<std::string> found_;
};

}  // namespace

CheckReport check(Store& store, CheckDepth depth) {
    return Check(store, depth).run();
}

}  // namespace runtime::store
