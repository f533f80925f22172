// Words of the command line that are no names, paths or numbers: refused in words that a terminal can show.

#include "tests/jail/jail.hpp"

#include "tests/support/catch.hpp"

using namespace tests::jail;
using namespace tests::support;

namespace {

bool is_printable(const std::string& text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte != '\n' && (byte < 0x20 || byte == 0x7f)) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("targets that are no clean absolute paths are refused", "[threat][names]") {
    const std::string long_name(4096, 'x');
    for (const std::string& path :
         {std::string("relative"), std::string("/a/../b"), std::string("/.."), std::string("/a/./b"), std::string(""),
          std::string("--bind"), "/" + long_name, "/" + std::string(300, 'y')}) {
        for (const char* option : {"--tmpfs", "--dir", "--proc", "--dev"}) {
            INFO(option << " " << path.substr(0, 40));
            const Result refused = tests::jail::run(join(bare(), {option, path}), {"/probe", "echo", "ran"});
            INFO(refused.err);
            CHECK(refused.code == 125);
            CHECK(refused.out.empty());
            CHECK_FALSE(refused.err.empty());
        }
    }
}

TEST_CASE("names with control characters are told without them", "[threat][names]") {
    const std::string name = "/tmp/\033]0;title\a\n\r";
    for (const Words& words : {Words{"--ro-bind", name, "/x"}, Words{"--tmpfs", "x" + name}, Words{"--profile", name},
                               Words{"--ids", name}, Words{"--" + name}}) {
        INFO(words.front());
        const Result refused = tests::jail::run(join(bare(), words), {"/probe", "echo", "ran"});
        CHECK(refused.code == 125);
        CHECK(is_printable(refused.err));
    }
    CHECK(is_printable(tests::jail::run(bare(), {name}).err));
}

TEST_CASE("a command that looks like an option is a command", "[threat][names]") {
    CHECK(tests::jail::run(bare(), {"/probe", "echo", "--bind", "-x", "--"}).out == "--bind -x --\n");
    const Result missing = tests::jail::run(bare(), {"--bind"});
    INFO(missing.err);
    CHECK(missing.code == 127);
}

TEST_CASE("a host name is at most what the kernel takes, or refused", "[threat][names]") {
    const Result refused =
        tests::jail::run(join(bare(), {"--hostname", std::string(65, 'h')}), {"/probe", "echo", "ran"});
    INFO(refused.err);
    CHECK(refused.code == 125);
    CHECK(refused.out.empty());
    CHECK(tests::jail::run(join(bare(), {"--hostname", std::string(64, 'h')}), {"/probe", "hostname"}).out ==
          "hostname=" + std::string(64, 'h') + "\n");
}
