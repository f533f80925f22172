#include "sandbox/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>

// Compiled in: the shared library would cost every start of the program a file to find and to relocate.
// Nothing here prints TOML. The nesting limit, with the one for dots below, bounds the recursion over a tree
// that a stranger wrote.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include "sandbox/config_text.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/os/format.hpp"
#include "sandbox/os/sys.hpp"

namespace sandbox {
namespace {

// Far above what a person writes, far below what would make reading noticeable.
constexpr std::size_t max_file_size = 4UL << 20U;
// In one line: a dotted key makes one level of tables for each dot.
constexpr std::ptrdiff_t max_dots = 500;

using SourcePtr = std::shared_ptr<const ConfigSource>;

ConfigPosition position_of(const toml::source_region& region) {
    return {region.begin.line, region.begin.column};
}

std::string join_path(const std::string& path, std::string_view key) {
    const bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    std::string name = bare ? std::string(key) : quote(key);
    return path.empty() ? name : path + '.' + name;
}

ConfigValue copy_value(const SourcePtr& source, const toml::node& node, std::string path);

ConfigTable copy_table(const SourcePtr& source, const toml::table& table, std::string path) {
    std::vector<ConfigEntry> entries;
    entries.reserve(table.size());
    for (auto&& [key, value] : table) {
        entries.push_back(
            {std::string(key.str()), position_of(key.source()), copy_value(source, value, join_path(path, key.str()))});
    }
    // toml++ sorts by name; people read from top to bottom.
    std::ranges::sort(entries, [](const ConfigEntry& a, const ConfigEntry& b) { return a.key_at < b.key_at; });
    return {source, position_of(table.source()), std::move(path), std::move(entries)};
}

ConfigValue::Content copy_content(const SourcePtr& source, const toml::node& node, const std::string& path) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return integer->get();
    if (const auto* floating = node.as_floating_point()) return floating->get();
    if (const auto* boolean = node.as_boolean()) return boolean->get();
    if (const auto* table = node.as_table()) return copy_table(source, *table, path);
    if (const auto* array = node.as_array()) {
        std::vector<ConfigValue> elements;
        elements.reserve(array->size());
        for (const toml::node& element : *array) {
            elements.push_back(copy_value(source, element, os::format("{}[{}]", path, elements.size())));
        }
        return elements;
    }
    return ConfigDate{};
}

ConfigValue copy_value(const SourcePtr& source, const toml::node& node, std::string path) {
    ConfigValue::Content content = copy_content(source, node, path);
    return {source, position_of(node.source()), std::move(path), std::move(content)};
}

ConfigError syntax_error(const ConfigSource& source, const toml::parse_error& failure) {
    const ConfigPosition at = position_of(failure.source());
    std::string_view text = failure.description();
    // The library garbles the name where the key is in quotes; the line that is shown has it.
    if (text.find("cannot redefine existing") != text.npos) {
        return source.error(at, "not valid TOML: this key or table is there already",
                            "each key and each table is written once");
    }
    constexpr std::string_view prefix = "Error while parsing ";
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
    const bool bare = text.find("could not determine value type") != text.npos;
    return source.error(at, os::format("not valid TOML: {}", text), bare ? "a string needs quotes around it" : "");
}

void refuse_deep_keys(const ConfigSource& source) {
    for (unsigned number = 1; source.has_line(number); ++number) {
        const std::string_view line = source.line(number);
        if (line.size() > max_dots && std::ranges::count(line, '.') > max_dots) {
            throw source.error({number, 1}, os::format("more than {} dots in one line", max_dots),
                               "break the line; a long text may be a multi-line string");
        }
    }
}

// The whole of a regular file. O_NONBLOCK, because opening a FIFO would wait for a writer.
std::string read_text(const std::string& path, const std::string& name) {
    try {
        const os::Fd fd(
            os::sys([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }, "open {}", path));
        struct stat status {};
        os::sys([&] { return ::fstat(fd.get(), &status); }, "stat {}", path);
        if (!S_ISREG(status.st_mode)) throw ConfigError(name, {}, "not a regular file");
        std::string text;
        std::array<char, 65536> buffer{};
        for (;;) {
            const auto count = os::sys([&] { return ::read(fd.get(), buffer.data(), buffer.size()); }, "read {}", path);
            if (count == 0) return text;
            text.append(buffer.data(), static_cast<std::size_t>(count));
            if (text.size() > max_file_size) throw ConfigError(name, {}, "larger than 4 MiB");
        }
    } catch (const os::SysError& failure) {
        throw ConfigError(name, {}, os::format("cannot read it: {}", failure.code().message()));
    }
}

}  // namespace

ConfigTable parse_config(std::string text, std::string name) {
    auto source = std::make_shared<const ConfigSource>(std::move(name), std::move(text));
    refuse_deep_keys(*source);
    try {
        const toml::table table = toml::parse(std::string_view(source->text()));
        return copy_table(source, table, {});
    } catch (const toml::parse_error& failure) {
        throw syntax_error(*source, failure);
    }
}

ConfigTable read_config(const std::string& path, const std::string& name) {
    return parse_config(read_text(path, name), name);
}

ConfigTable read_config(const std::string& path) {
    return read_config(path, path);
}

}  // namespace sandbox
