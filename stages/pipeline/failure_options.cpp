#include "stages/pipeline/failure_options.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace stages {
namespace {

using sandbox::ConfigEntry;
using sandbox::ConfigValue;
using sandbox::os::format;
using sandbox::os::quote;

constexpr std::int64_t most_attempts = 100;

std::vector<FailureClass> read_classes(const ConfigValue& value) {
    std::vector<FailureClass> classes;
    for (const ConfigValue& element : value.as_array()) {
        const std::string& word = element.as_string();
        const auto found = retryable_class(word);
        if (!found) {
            const std::string meant = sandbox::os::did_you_mean(word, retryable_names);
            throw element.error(format("{} is not a failure that another attempt could mend", quote(word)),
                                meant.empty() ? sandbox::os::list_words(retryable_names) : meant);
        }
        if (std::ranges::find(classes, *found) != classes.end()) {
            throw element.error(format("the failure {} is there twice", quote(word)));
        }
        classes.push_back(*found);
    }
    return classes;
}

unsigned read_attempts(const ConfigValue& value) {
    const std::int64_t number = value.as_integer();
    if (number < 1 || number > most_attempts) {
        throw value.error(format("{} must be from 1 to {}, but is {}", value.path(), most_attempts, value.found()),
                          "it counts all attempts, the first one too: 1 is none again");
    }
    return static_cast<unsigned>(number);
}

constexpr sandbox::Shape class_shape = sandbox::shape::one_of(retryable_names);

struct RetryKey {
    sandbox::KeyInfo info;
    void (*read)(const ConfigValue& value, Retry& retry);
};

constexpr std::array retry_keys = {
    RetryKey{{"on",
              sandbox::shape::list_of(class_shape),
              {},
              sandbox::Presence::optional,
              sandbox::Effect::none,
              "The classes of failures that are tried again"},
             [](const ConfigValue& value, Retry& retry) { retry.on = read_classes(value); }},
    RetryKey{{"max",
              sandbox::shape::whole_from(1, most_attempts),
              {},
              sandbox::Presence::optional,
              sandbox::Effect::none,
              "How many attempts there are, the first one counted"},
             [](const ConfigValue& value, Retry& retry) { retry.max = read_attempts(value); }},
    RetryKey{{"wait", sandbox::duration_shape, "\"5s\"", sandbox::Presence::optional, sandbox::Effect::none,
              "How long before the second attempt; doubled before each further one"},
             [](const ConfigValue& value, Retry& retry) { retry.wait = sandbox::read_duration(value); }},
};
static_assert(std::ranges::all_of(retry_keys, sandbox::is_complete, &RetryKey::info));

}  // namespace

std::vector<sandbox::KeyInfo> retry_infos() {
    return sandbox::infos_of(retry_keys);
}

void read_retry(const sandbox::ConfigTable& table, Retry& retry) {
    sandbox::for_each_key(table, retry_keys,
                          [&](const RetryKey& key, const ConfigEntry& entry) { key.read(entry.value, retry); });
}

std::vector<std::string> read_recover(const ConfigValue& value, const Variables& variables) {
    if (value.is_string()) return {"/bin/sh", "-c", expand(value, variables)};
    std::vector<std::string> command;
    for (const ConfigValue& element : value.as_array()) command.push_back(expand(element, variables));
    if (command.empty() || command.front().empty()) {
        throw value.error(format("{} names no program", value.path()),
                          "recover = [\"PROGRAM\", \"ARGUMENT\"], or a string for a shell: \"dpkg --configure -a\"");
    }
    return command;
}

}  // namespace stages
