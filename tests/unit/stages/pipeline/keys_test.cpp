// The rows of the keys: each says all that it has to say, what it says of the stage's result is so, and the manual says
// the same.
#include "stages/pipeline/stage_keys.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "sandbox/spec/limits_text.hpp"
#include "stages/pipeline/action_key.hpp"
#include "stages/pipeline/failure_options.hpp"
#include "stages/pipeline/host_service_options.hpp"
#include "stages/pipeline/pipeline_file.hpp"
#include "stages/pipeline/schema.hpp"
#include "stages/pipeline/service_options.hpp"
#include "stages/pipeline/stage_reader.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using sandbox::Effect;
using sandbox::KeyInfo;

namespace {

using Names = std::vector<std::string>;
using Infos = std::vector<KeyInfo>;

// Of every key of a pipeline file, those in tables below others too.
void visit(const Infos& keys, const std::function<void(const KeyInfo&)>& look);

void visit(const sandbox::Shape& shape, const std::function<void(const KeyInfo&)>& look) {
    if (shape.keys != nullptr) visit(shape.keys(), look);
    if (shape.of != nullptr) visit(*shape.of, look);
    if (shape.other != nullptr) visit(*shape.other, look);
}

void visit(const Infos& keys, const std::function<void(const KeyInfo&)>& look) {
    for (const KeyInfo& key : keys) {
        look(key);
        visit(key.shape, look);
    }
}

// A stage without the key, or with one value of it, and the same with another.
struct Sample {
    std::string before;
    std::string after;
};

std::string on_host(const std::string& line) {
    return "from = \"host\"\nrun = [\"true\"]\n" + line;
}

Sample added(const std::string& line) {
    return {on_host(""), on_host(line)};
}

// One for each key of a stage: a new key needs one here.
const std::map<std::string_view, Sample>& samples() {
    static const std::map<std::string_view, Sample> all = {
        {"from", {on_host(""), "from = \"empty\"\nrun = [\"true\"]"}},
        {"in", added("in = { \"/in/file\" = \"./build.sh\" }")},
        {"script", {on_host(""), "from = \"host\"\nscript = \"build.sh\""}},
        {"run", {on_host(""), "from = \"host\"\nrun = [\"false\"]"}},
        {"out", added("out = { tree = \"tree\" }")},
        {"env", added("env = { LANG = \"C\" }")},
        {"network", added("network = \"user\"")},
        {"ids", added("ids = \"single\"")},
        {"profile", added("profile = \"fetch\"")},
        {"limits", added("limits = { time = \"1m\" }")},
        {"devices", added("devices = [\"kvm\"]")},
        {"needs", added("needs = { tar = \"tar\" }")},
        {"services", added("services = [{ name = \"bus\", run = [\"dbus-daemon\"] }]")},
        {"errors", added("errors = \"strict\"")},
        {"optional", added("optional = true")},
        {"retry", added("retry = { max = 5 }")},
        {"recover", added("recover = \"dpkg --configure -a\"")},
        {"grace", added("grace = \"1s\"")},
    };
    return all;
}

std::string components_of(const std::string& stage) {
    const tests::TemporaryDirectory directory;
    directory.write("build.sh", "#!/bin/sh\n");
    const std::string file = directory.write("stagebox.toml", "version = 1\nname = \"x\"\n[stage.a]\n" + stage + "\n");
    const stages::Stage one = stages::read_pipeline(file).stages.at(0);
    stages::KeyMaterial material = {"root", {}, "script", "profile " + one.profile, "x86_64", "packages"};
    for (const stages::Input& input : one.inputs) material.inputs[input.target] = "input";
    return stages::key_components(one, material).dump();
}

std::string read_all(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

std::string manual_path() {
    return STAGEBOX_SOURCE_DIR "/stages/stagebox.toml.5.md";
}

// What stands below the heading, up to the next one.
std::string section(const std::string& heading) {
    const std::string manual = read_all(manual_path());
    const std::size_t begin = manual.find("\n# " + heading + "\n");
    REQUIRE(begin != std::string::npos);
    const std::size_t end = manual.find("\n# ", begin + 1);
    return manual.substr(begin, end - begin);
}

struct Term {
    std::string name;
    std::string type;  // what stands in parentheses behind it
};

// "**NAME** (TYPE)" of the lines that a definition follows; of "**[stage.**_NAME_**]**" the name is stage.
std::vector<Term> terms_in(std::string text) {
    for (const std::string_view mark : {"[", ".**_NAME_**", "]"}) {
        for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at)) text.erase(at, mark.size());
    }
    static const std::regex line("\n(\\*\\*[a-z].*)\n:   ");
    static const std::regex term("\\*\\*([a-z-]+)\\*\\* \\(([^)]*)\\)");
    std::vector<Term> terms;
    for (std::sregex_iterator one(text.begin(), text.end(), line), none; one != none; ++one) {
        const std::string words = (*one)[1];
        for (std::sregex_iterator it(words.begin(), words.end(), term); it != none; ++it) {
            terms.push_back({(*it)[1], (*it)[2]});
        }
    }
    return terms;
}

void check_terms(const std::string& heading, const Infos& keys) {
    const std::vector<Term> terms = terms_in(section(heading));
    Names described;
    for (const Term& term : terms) described.push_back(term.name);
    Names known;
    for (const KeyInfo& key : keys) known.emplace_back(key.name);
    INFO("section " << heading);
    CHECK(described == known);
    for (const Term& term : terms) {
        const auto key = std::ranges::find(keys, term.name, &KeyInfo::name);
        if (key == keys.end()) continue;
        INFO(term.name << " (" << term.type << "), by its row " << stages::type_name(key->shape));
        CHECK(term.type.starts_with(stages::type_name(key->shape)));
        CHECK((term.type.find("required") != std::string::npos || key->name == "stage") ==
              (key->presence == sandbox::Presence::required));
        if (!key->standard.empty() && key->shape.kind == sandbox::Shape::Kind::text) {
            CHECK(term.type.find("default `" + std::string(key->standard) + "`") != std::string::npos);
        }
    }
}

// The first group of each match.
std::set<std::string> found_in(const std::string& text, const char* pattern) {
    const std::regex expression(pattern);
    std::set<std::string> found;
    for (std::sregex_iterator it(text.begin(), text.end(), expression), none; it != none; ++it) found.insert((*it)[1]);
    return found;
}

std::set<std::string> set_of(const Infos& keys) {
    std::set<std::string> names;
    for (const KeyInfo& key : keys) names.emplace(key.name);
    return names;
}

}  // namespace

TEST_CASE("keys: each row says what the key is for and whether it changes a result", "[keys]") {
    std::size_t count = 0;
    visit(stages::top_infos(), [&](const KeyInfo& key) {
        INFO("key " << key.name);
        CHECK(sandbox::is_complete(key));
        CHECK_FALSE(key.doc.ends_with('.'));
        ++count;
    });
    CHECK(count >= 60);
}

TEST_CASE("keys: what a row says of the stage's result is so", "[keys]") {
    for (const stages::StageKey& key : stages::stage_keys()) {
        INFO("key " << key.info.name << ": a new one needs a sample in this test");
        REQUIRE(samples().contains(key.info.name));
        const Sample& sample = samples().at(key.info.name);
        const bool changes = components_of(sample.before) != components_of(sample.after);
        CHECK(changes == (key.info.effect == Effect::on_result));
    }
    CHECK(samples().size() == stages::stage_keys().size());
}

TEST_CASE("keys: no two parts of an action key have one place", "[keys]") {
    std::set<unsigned> places;
    for (const stages::StageKey& key : stages::stage_keys()) {
        INFO("key " << key.info.name);
        if (key.part.write != nullptr) CHECK(places.insert(key.part.place).second);
    }
}

TEST_CASE("keys: the manual describes each of them, and no other", "[keys]") {
    check_terms("TOP OF THE FILE", stages::top_infos());
    check_terms("STAGES", stages::stage_infos());
    check_terms("SERVICES", stages::service_infos());
    check_terms("SERVICES OF THE HOST", stages::host_service_infos());

    const std::string defaults = section("TOP OF THE FILE");
    const std::size_t begin = defaults.find("What holds for every stage");
    const std::string sentence = defaults.substr(begin, defaults.find(". ", begin) - begin);
    CHECK(found_in(sentence, "\\*\\*([a-z-]+)\\*\\*") == set_of(stages::default_infos()));

    const std::string of_stages = section("STAGES");
    const std::size_t limits = of_stages.find("\n**limits** (table)\n") + 20;
    const std::string paragraph = of_stages.substr(limits, of_stages.find("\n\n", limits) - limits);
    CHECK(found_in(paragraph, "\\*\\*([a-z-]+)\\*\\*\\s+\\(") == set_of(sandbox::limit_infos()));

    const std::string failing = section("WHEN A STAGE FAILS");
    CHECK(found_in(failing, "\\*\\*([a-z-]+)\\*\\*\\s+\\(") == set_of(stages::retry_infos()));
    std::set<std::string> classes(stages::retryable_names.begin(), stages::retryable_names.end());
    const std::string table = failing.substr(failing.find("| class | found by |"));
    std::set<std::string> described = found_in(table, "\n\\| `([a-z-]+)`[^|]*\\|");
    described.merge(found_in(table, "\n\\| `[a-z-]+`, `([a-z-]+)` \\|"));
    CHECK(described == classes);
}

TEST_CASE("keys: the manual's list of all keys is made of the rows", "[keys][golden]") {
    const std::string text = section("ALL KEYS");
    const std::size_t begin = text.find("\n| key |");
    const std::string list = begin == text.npos ? std::string() : text.substr(begin + 1);
    if (std::getenv("STAGEBOX_REGENERATE_GOLDEN") != nullptr) {
        std::string manual = read_all(manual_path());
        const std::size_t end = manual.find("\n# ", manual.find("\n# ALL KEYS\n") + 1);
        manual.replace(end - list.size(), list.size(), (list.empty() ? "\n" : "") + stages::key_list());
        std::ofstream(manual_path(), std::ios::binary) << manual;
        FAIL("the manual's list was written anew: read the difference, then run without the variable");
    }
    CHECK(list == stages::key_list());
}
