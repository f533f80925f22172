#include "runtime/host/receipt/receipt.hpp"

#include <algorithm>

#include "sandbox/os/format.hpp"
#include "sandbox/os/text.hpp"

namespace runtime::host {
namespace {

using sandbox::os::format;
using sandbox::os::Json;

std::size_t count(const Receipt& receipt, Owner owner, Kind kind) {
    const auto matches = [&](const Difference& d) { return d.whose == owner && d.kind == kind; };
    return static_cast<std::size_t>(std::count_if(receipt.differences.begin(), receipt.differences.end(), matches));
}

std::string change(const char* what, const Receipt& receipt, Kind kind) {
    const auto of = [&](const Counts& counts) { return counts.contains(kind) ? counts.at(kind) : 0; };
    const std::size_t before = of(receipt.before);
    const std::size_t after = of(receipt.after);
    return format("{} {} {} {}", what, before, before == after ? "=" : "->", after);
}

std::string some(std::size_t number, std::string_view one, std::string_view many) {
    return format("{} {}", number, number == 1 ? one : many);
}

std::string verdict(const Receipt& receipt) {
    const std::size_t left = count(receipt, Owner::ours, Kind::process);
    return format("receipt: host session {}: {}, {}, {} of ours left\n",
                  receipt.clean() ? "untouched" : "TOUCHED BY THIS RUN", change("mounts", receipt, Kind::mount),
                  change("loop devices", receipt, Kind::loop),
                  left == 0 ? std::string("no process") : some(left, "process", "processes"));
}

std::string describe(const Difference& difference) {
    return format("{} {} {}", name_of(difference.kind), difference.change, difference.subject);
}

// "unit 1, process 2"
std::string declared(const Receipt& receipt) {
    std::string text;
    for (const KindRow& row : kind_rows) {
        const Kind kind = row.kind;
        const std::size_t number = count(receipt, Owner::declared, kind);
        if (number != 0) sandbox::os::append_part(text, ", ", format("{} {}", name_of(kind), number));
    }
    return text;
}

// Kinds of which somebody else changed something: "2 mount, 1 unit (1 of unknown origin)".
std::string others(const Receipt& receipt) {
    std::string text;
    for (const KindRow& row : kind_rows) {
        const Kind kind = row.kind;
        const std::size_t unknown = count(receipt, Owner::unknown, kind);
        const std::size_t all = count(receipt, Owner::user, kind) + count(receipt, Owner::system, kind) + unknown;
        if (all == 0) continue;
        sandbox::os::append_part(text, ", ", format("{} {}", name_of(kind), all));
        if (unknown != 0) text += format(" ({} of unknown origin)", unknown);
    }
    return text;
}

// "/tmp/a/b" -> "/tmp"
std::string top_of(const std::string& path) {
    const std::size_t second = path.starts_with("/run/user/") ? path.find('/', 10) : path.find('/', 1);
    return path.substr(0, second);
}

Json to_json(const Counts& counts) {
    Json all = Json::object();
    for (const auto& [kind, number] : counts) all[std::string(name_of(kind))] = number;
    return all;
}

Json to_json(const Difference& difference) {
    Json one = {{"kind", name_of(difference.kind)},
                {"change", difference.change},
                {"subject", difference.subject},
                {"whose", name_of(difference.whose)},
                {"reason", difference.reason}};
    if (!difference.stage.empty()) one["stage"] = difference.stage;
    return one;
}

Counts count_all(const HostState& state) {
    Counts counts{{Kind::mount, state.mounts.mounts.size()}, {Kind::process, state.processes.size()}};
    for (const Column& column : columns(state)) counts[column.kind] += column.table->items.size();
    return counts;
}

}  // namespace

bool Receipt::clean() const {
    return std::none_of(differences.begin(), differences.end(),
                        [](const Difference& difference) { return difference.whose == Owner::ours; });
}

Receipt make_receipt(const HostState& before, const HostState& after, std::vector<Difference> differences) {
    Receipt receipt;
    receipt.before = count_all(before);
    receipt.after = count_all(after);
    receipt.differences = std::move(differences);
    for (const HostState* const state : {&before, &after}) {
        for (const Column& column : columns(*state)) {
            const std::string& why = column.table->unreadable;
            if (!why.empty()) receipt.unreadable[format("{}{}", column.whose, name_of(column.kind))] = plain(why);
        }
    }
    for (const auto& [path, item] : after.table(Kind::file).items) {
        ++receipt.files[plain(top_of(path))][format("{}", item.facts.uid.value_or(0))];
    }
    return receipt;
}

std::string to_text(const Receipt& receipt) {
    std::string text = verdict(receipt);
    const auto& all = receipt.differences;
    const auto ours = [](const Difference& difference) { return difference.whose == Owner::ours; };
    const auto first = std::find_if(all.begin(), all.end(), ours);
    if (first != all.end()) {
        const auto more = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), ours)) - 1;
        text += format("  ours: {}; {}{}{}\n", describe(*first), first->reason,
                       first->stage.empty() ? std::string() : format("; stage {}", first->stage),
                       more == 0 ? std::string() : format("; and {} more in the receipt", more));
    }
    const std::string as_said = declared(receipt);
    if (!as_said.empty()) text += format("  declared by requires-services: {}\n", as_said);
    const std::string meanwhile = others(receipt);
    if (!meanwhile.empty()) text += format("  not ours, meanwhile: {}\n", meanwhile);
    return text;
}

Json to_json(const Receipt& receipt) {
    Json differences = Json::array();
    for (const Difference& difference : receipt.differences) differences.push_back(to_json(difference));
    return {{"clean", receipt.clean()},
            {"before", to_json(receipt.before)},
            {"after", to_json(receipt.after)},
            {"differences", std::move(differences)},
            {"not_readable", receipt.unreadable},
            {"files", receipt.files},
            {"samples", receipt.samples},
            {"milliseconds", receipt.milliseconds},
            {"text", to_text(receipt)}};
}

Json to_short_json(const Receipt& receipt) {
    Json ours = Json::array();
    for (const Difference& difference : receipt.differences) {
        if (difference.whose == Owner::ours) ours.push_back(to_json(difference));
    }
    return {{"clean", receipt.clean()}, {"ours", std::move(ours)}};
}

std::string to_long_text(const Json& kept) {
    std::string text = kept.at("text").get<std::string>();
    text += format("looked {} times, {:.1f} ms together\n", kept.at("samples").get<std::size_t>() + 2,
                   kept.at("milliseconds").get<double>());
    text += "\nbefore and after\n";
    for (const auto& [kind, before] : kept.at("before").items()) {
        const Json& why = kept.at("not_readable");
        if (why.contains(kind)) continue;
        text += format("  {:<10} {:>6} {:>6}\n", kind, before.get<std::size_t>(),
                       kept.at("after").at(kind).get<std::size_t>());
    }
    for (const auto& [kind, why] : kept.at("not_readable").items()) {
        text += format("  {:<10} not readable: {}\n", kind, why.get<std::string>());
    }
    text += "\nfiles by owner, afterwards\n";
    for (const auto& [directory, owners] : kept.at("files").items()) {
        text += format("  {}:", directory);
        for (const auto& [uid, number] : owners.items())
            text += format(" {} of uid {};", number.get<std::size_t>(), uid);
        text.back() = '\n';
    }
    text += "\ndifferences\n";
    for (const char* whose : {"ours", "declared", "unknown", "user", "system"}) {
        for (const Json& one : kept.at("differences")) {
            if (one.at("whose") != whose) continue;
            const auto word = [&](const char* key) { return one.at(key).get<std::string>(); };
            text += format("  {:<8} {} {} {}\n           {}{}\n", whose, word("kind"), word("change"), word("subject"),
                           word("reason"), one.contains("stage") ? "; stage " + word("stage") : "");
        }
    }
    if (kept.at("differences").empty()) text += "  none\n";
    return text;
}

}  // namespace runtime::host
