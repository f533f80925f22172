#include "stages/roots/host_root.hpp"
#include "sandbox/os/sys.hpp"

#include <chrono>
#include <filesystem>
#include <set>

#include "tests/support/catch.hpp"
#include "tests/unit/temporary_directory.hpp"

using stages::host_packages_digest;

namespace {

constexpr std::string_view status =
    "Package: bash\n"
    "Essential: yes\n"
    "Status: install ok installed\n"
    "Priority: required\n"
    "Architecture: amd64\n"
    "Version: 5.2-1\n"
    "Conffiles:\n"
    " /etc/skel/.bashrc 1234\n"
    "Description: a shell\n"
    " Package: not a field, but a line of a description\n"
    "\n"
    "Package: gone\n"
    "Status: deinstall ok config-files\n"
    "Architecture: amd64\n"
    "Version: 1.0\n"
    "\n"
    "Package: zlib\n"
    "Status: install ok installed\n"
    "Architecture: amd64\n"
    "Version: 1.2\n";

struct Host {
    tests::TemporaryDirectory directory;
    Host() { std::filesystem::create_directory(directory.path() / "alternatives"); }
    [[nodiscard]] stages::HostState state() const {
        return {(directory.path() / "status").string(), (directory.path() / "alternatives").string()};
    }
    [[nodiscard]] std::string digest(std::string_view text) const {
        directory.write("status", text);
        return host_packages_digest(state());
    }
};

std::string changed(std::string_view from, std::string_view to) {
    std::string text(status);
    text.replace(text.find(from), from.size(), to);
    return text;
}

}  // namespace

TEST_CASE("host packages: what is installed makes the digest", "[host_root]") {
    const Host host;
    const std::string digest = host.digest(status);
    CHECK(digest.size() == 64);
    CHECK(host.digest(changed("5.2-1", "5.2-2")) != digest);
    CHECK(host.digest(changed("Package: zlib", "Package: zlib1g")) != digest);
    CHECK(host.digest(changed("install ok installed", "install ok half-installed")) != digest);
    CHECK(host.digest(changed("Architecture: amd64", "Architecture: i386")) != digest);
    CHECK(host.digest(changed("deinstall ok config-files", "install ok installed")) != digest);
}

TEST_CASE("host packages: what is only said about packages does not", "[host_root]") {
    const Host host;
    const std::string digest = host.digest(status);
    CHECK(host.digest(changed("a shell", "another text")) == digest);
    CHECK(host.digest(changed("install ok installed", "hold ok installed")) == digest);
    CHECK(host.digest(changed("Version: 1.0", "Version: 1.1")) == digest);  // only configuration files are left of it
    CHECK(host.digest(std::string(status) + "\n") == digest);
    const std::size_t second = status.find("Package: gone");
    CHECK(host.digest(std::string(status.substr(second)) + "\n" + std::string(status.substr(0, second))) == digest);
}

TEST_CASE("host packages: alternatives choose programs, so they count", "[host_root]") {
    const Host host;
    const std::string without = host.digest(status);
    const std::filesystem::path link = host.directory.path() / "alternatives" / "awk";
    std::filesystem::create_symlink("/usr/bin/mawk", link);
    const std::string mawk = host.digest(status);
    std::filesystem::remove(link);
    std::filesystem::create_symlink("/usr/bin/gawk", link);
    const std::string gawk = host.digest(status);
    CHECK(std::set<std::string>{without, mawk, gawk}.size() == 3);
}

TEST_CASE("host packages: alternatives that cannot be read are an error, not none", "[host_root]") {
    const Host host;
    const std::filesystem::path alternatives = host.directory.path() / "alternatives";
    const std::string empty = host.digest(status);
    std::filesystem::remove(alternatives);
    CHECK(host.digest(status) == empty);
    std::filesystem::create_symlink("alternatives", alternatives);
    CHECK_THROWS_AS(host.digest(status), sandbox::os::SysError);
}

TEST_CASE("host packages: a host without dpkg is told so", "[host_root]") {
    const Host host;
    CHECK_THROWS_AS(host_packages_digest(host.state()), stages::HostRootError);
    CHECK_THROWS_AS(host.digest(""), stages::HostRootError);
    CHECK_THROWS_WITH(host_packages_digest(host.state()), Catch::Contains("lists no installed package"));
}

TEST_CASE("host packages: a large host is read in milliseconds", "[host_root]") {
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        text += "Package: package-" + std::to_string(i) +
                "\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-" + std::to_string(i) + "\n";
        for (int line = 0; line < 20; ++line)
            text += "Description: a line of text that nobody asks for, but is there\n";
        text += "\n";
    }
    const Host host;
    CHECK(host.digest(text).size() == 64);
    const auto begin = std::chrono::steady_clock::now();
    host_packages_digest(host.state());
    // 5 ms on one core; wide enough for a loaded, sanitized run.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(500));
}

TEST_CASE("host paths: an allow list without secrets", "[host_root]") {
    for (const auto& paths : {stages::host_etc_paths(), stages::host_network_etc_paths()}) {
        for (const stages::HostPath& path : paths) {
            INFO("path " << path.path);
            CHECK(path.path.starts_with("/etc/"));
            CHECK_FALSE(path.path.ends_with('/'));
            CHECK_FALSE(path.reason.empty());
            // Neither a secret nor a directory in which one lies.
            for (const std::string_view secret :
                 {"/etc/shadow", "/etc/gshadow", "/etc/passwd", "/etc/group", "/etc/sudoers", "/etc/ssh",
                  "/etc/ssl/private", "/etc/machine-id", "/etc/hostname", "/etc/apt/auth.conf", "/etc/apt/auth.conf.d",
                  "/etc/NetworkManager", "/etc/wireguard", "/etc/krb5.keytab"}) {
                CHECK(path.path != secret);
                CHECK_FALSE(secret.starts_with(std::string(path.path) + "/"));
            }
        }
    }
}
