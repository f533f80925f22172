#include "stages/pipeline/words.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace stages {
namespace {

using sandbox::ConfigValue;
using sandbox::os::format;
using sandbox::os::quote;

constexpr std::size_t longest_name = 63;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '\x7F';
}

sandbox::ConfigError unknown_variable(const ConfigValue& value, std::string_view name, const Variables& variables) {
    std::vector<std::string_view> known;
    for (const auto& [variable, unused] : variables) known.push_back(variable);
    std::ranges::sort(known);
    std::string hint = sandbox::os::did_you_mean(name, known);
    if (hint.empty()) hint = "variables are declared in [vars]; write $${ where the text itself needs ${";
    return value.error(format("no variable is called {}", quote(name)), hint);
}

// What is wrong with one component of a path, the empty one included.
std::string component_fault(std::string_view component) {
    if (component.empty()) return "has an empty component";
    if (component == "..") return "must not contain \"..\"";
    if (component == ".") return "must not contain \".\"";
    return {};
}

}  // namespace

Position position_of(sandbox::ConfigPosition at) {
    return {at.line, at.column};
}
sandbox::ConfigPosition position_of(Position at) {
    return {at.line, at.column};
}

std::string name_fault(std::string_view name) {
    if (name.empty()) return "is empty";
    if (name.size() > longest_name) return format("is longer than {} characters", longest_name);
    if (name.front() == '-') return "begins with a dash, as options do";
    if (!is_lower(name.front())) return "does not begin with a lower-case letter";
    for (const char c : name) {
        if (is_lower(c) || is_digit(c) || c == '-') continue;
        if (c == '.') return "contains a dot, which stands between a stage and its artifact";
        if (c == '/') return "contains a slash, which stands in paths only";
        if (is_control(c)) return "contains a control character";
        return "contains other characters than lower-case letters, digits and dashes";
    }
    return {};
}

void check_name(const sandbox::ConfigTable& table, const sandbox::ConfigEntry& entry, std::string_view what) {
    const std::string fault = name_fault(entry.key);
    if (fault.empty()) return;
    throw table.source().error(
        entry.key_at, format("{} cannot be called {}: the name {}", what, quote(entry.key), fault),
        format("a name is a lower-case letter and then at most {} lower-case letters, digits and dashes",
               longest_name - 1));
}

std::string expand(const ConfigValue& value, const Variables& variables) {
    std::string_view text = value.as_string();
    if (text.find('\0') != text.npos) throw value.error(format("{} contains a NUL character", value.path()));
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const std::size_t dollar = std::min(text.find('$'), text.size());
        result += text.substr(0, dollar);
        text.remove_prefix(dollar);
        if (text.starts_with("$${")) {
            result += "${";
            text.remove_prefix(3);
        } else if (text.starts_with("${")) {
            const std::size_t end = text.find('}');
            if (end == text.npos) {
                throw value.error("\"${\" without its \"}\"", "write $${ where the text itself needs ${");
            }
            const std::string name(text.substr(2, end - 2));
            const auto variable = variables.find(name);
            if (variable == variables.end()) throw unknown_variable(value, name, variables);
            result += variable->second;
            text.remove_prefix(end + 1);
        } else if (!text.empty()) {
            result += '$';
            text.remove_prefix(1);
        }
    }
    return result;
}

std::string relative_path_fault(std::string_view path) {
    if (path.empty()) return "is empty";
    if (path.front() == '/') return "must not be absolute";
    if (path.back() == '/') return "must not end with a slash";
    if (std::ranges::any_of(path, is_control)) return "contains a control character";
    while (true) {
        const std::size_t slash = path.find('/');
        if (std::string fault = component_fault(path.substr(0, slash)); !fault.empty()) return fault;
        if (slash == path.npos) return {};
        path.remove_prefix(slash + 1);
    }
}

std::string target_fault(std::string_view target) {
    struct Taken {
        std::string_view path;
        std::string_view reason;
    };
    constexpr std::array taken = {
        Taken{"/proc", "is the kernel's view of the jail's own processes"},
        Taken{"/sys", "is the kernel's view of devices"},
        Taken{"/dev", "holds the jail's own devices"},
        Taken{"/run", "is the jail's own, empty but for the stage's script"},
        Taken{"/out", "is where the stage writes what it makes, and is empty when it begins"},
    };
    if (!target.starts_with('/')) return "must be absolute, as \"/in/name\"";
    if (target == "/") return "must not be \"/\": the root is what \"from\" names";
    if (std::string fault = relative_path_fault(target.substr(1)); !fault.empty()) return fault;
    for (const Taken& place : taken) {
        if (target != place.path && !target.starts_with(format("{}/", place.path))) continue;
        return format("must not lie in {}, which {}", place.path, place.reason);
    }
    return {};
}

bool is_text(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        const auto first = static_cast<unsigned char>(bytes[i]);
        if (first == 0) return false;
        const std::size_t length = first < 0x80   ? 1
                                   : first < 0xC2 ? 0
                                   : first < 0xE0 ? 2
                                   : first < 0xF0 ? 3
                                   : first < 0xF5 ? 4
                                                  : 0;
        if (length == 0 || i + length > bytes.size()) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if ((static_cast<unsigned char>(bytes[i + k]) & 0xC0U) != 0x80U) return false;
        }
        // Over-long forms, surrogates, and what lies beyond Unicode: RFC 3629, section 4.
        if (length > 2) {
            const auto second = static_cast<unsigned char>(bytes[i + 1]);
            if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

}  // namespace stages
