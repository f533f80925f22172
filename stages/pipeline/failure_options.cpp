#include "stages/pipeline/failure_options.hpp"

#include <algorithm>

#include "sandbox/config/text.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/spec/limits_text.hpp"

namespace stages {
namespace {

using sandbox::ConfigEntry;
using sandbox::ConfigValue;
using sandbox::quote;
using sandbox::os::format;

constexpr std::int64_t most_attempts = 100;

ErrorMode read_errors(const ConfigValue& value) {
    const std::string& word = value.as_one_of({"graceful", "strict", "permissive"});
    if (word == "graceful") return ErrorMode::graceful;
    return word == "strict" ? ErrorMode::strict : ErrorMode::permissive;
}

std::vector<FailureClass> read_classes(const ConfigValue& value) {
    std::vector<FailureClass> classes;
    for (const ConfigValue& element : value.as_array()) {
        const std::string& word = element.as_string();
        const auto found = retryable_class(word);
        if (!found) {
            const std::string meant = sandbox::did_you_mean(word, retryable_classes());
            throw element.error(format("{} is not a failure that another attempt could mend", quote(word)),
                                meant.empty() ? sandbox::list_words(retryable_classes()) : meant);
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

void read_retry(const ConfigValue& value, Retry& retry) {
    const sandbox::ConfigTable& table = value.as_table();
    table.allow_only({"on", "max", "wait"});
    if (const ConfigValue* on = table.find("on")) retry.on = read_classes(*on);
    if (const ConfigValue* max = table.find("max")) retry.max = read_attempts(*max);
    if (const ConfigValue* wait = table.find("wait")) retry.wait = sandbox::read_duration(*wait);
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

}  // namespace

bool read_shared_failure_key(const ConfigEntry& entry, FailureRules& rules) {
    if (entry.key == "errors") {
        rules.errors = read_errors(entry.value);
    } else if (entry.key == "retry") {
        read_retry(entry.value, rules.retry);
    } else if (entry.key == "grace") {
        rules.grace = sandbox::read_duration(entry.value);
    } else {
        return false;
    }
    return true;
}

bool read_stage_failure_key(const ConfigEntry& entry, const Variables& variables, FailureRules& rules) {
    if (entry.key == "optional") {
        rules.is_optional = entry.value.as_boolean();
    } else if (entry.key == "recover") {
        rules.recover = read_recover(entry.value, variables);
    } else {
        return false;
    }
    return true;
}

}  // namespace stages
