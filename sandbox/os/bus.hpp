// D-Bus, as systemd and logind speak it: calls with their answers, and signals that are waited for. The only file that
// knows sd-bus(3). Knows nothing of what is asked for.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sandbox/os/json.hpp"
#include "sandbox/os/problem.hpp"

struct sd_bus;
struct sd_bus_message;

namespace sandbox::os {

// libsystemd cannot be loaded, nobody answers, or the answer is an error; what() says which.
class BusError : public Error {
  public:
    explicit BusError(const std::string& what, std::string name = {}) : Error(what), name_(std::move(name)) {}
    // "org.freedesktop.systemd1.NoSuchUnit"; empty where it is not the other side's answer.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    std::string name_;
};

// A message that is being written, or an answer or a signal that is read, in the order of its signature ("Type System"
// in the D-Bus specification). Each call throws BusError where the message does not have that there.
class BusMessage {
  public:
    explicit BusMessage(sd_bus_message* message) noexcept : message_(message) {}
    BusMessage(BusMessage&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
    BusMessage& operator=(BusMessage&&) = delete;
    BusMessage(const BusMessage&) = delete;
    BusMessage& operator=(const BusMessage&) = delete;
    ~BusMessage();

    BusMessage& add(std::string_view text);         // s
    BusMessage& add_number(std::uint32_t number);   // u
    BusMessage& add_big(std::uint64_t number);      // t
    BusMessage& add_truth(std::uint32_t one_or_0);  // b
    // A container, 'a' array, 'r' structure, 'v' variant, 'e' entry of a dictionary, with the signature of what is in
    // it.
    BusMessage& open(char container, const char* contents);
    BusMessage& close();

    std::string read_text();  // s, o or g
    std::uint32_t read_number();
    std::uint64_t read_big();
    bool read_truth();
    // False where the container around it has nothing more.
    bool enter(char container, const char* contents);
    void leave();
    void skip(const char* types);
    // All that is left, as an array: numbers, truths and texts as such, arrays and structures as arrays, dictionaries
    // as objects with their keys as text, variants as what is in them. Descriptors are null.
    Json read_values();

    [[nodiscard]] sd_bus_message* get() const noexcept { return message_; }

  private:
    sd_bus_message* message_;
};

// Whom a call is for.
struct BusTarget {
    const char* destination;  // "org.freedesktop.systemd1"
    const char* path;
    const char* interface;
};

enum class BusKind : std::uint8_t { system, user };

// A connection.
class Bus {
  public:
    // The user's bus is that below $XDG_RUNTIME_DIR, or below /run/user/UID where that is not set. Where no bus
    // answers, systemd is asked on its own socket, which knows the same calls. `patience`: how long a call waits for
    // its answer. Throws BusError.
    explicit Bus(BusKind kind, std::chrono::milliseconds timeout = std::chrono::seconds(25));
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    [[nodiscard]] BusMessage new_call(const BusTarget& target, const char* member) const;
    BusMessage call(const BusMessage& message);
    // A property of an object, by its interface ("Standard Interfaces" in the D-Bus specification); null where it has
    // none, or is not there.
    Json property(const BusTarget& object, const char* name);
    // All that the interface has, by name.
    Json properties(const BusTarget& object);
    // From now on signals of this name are kept until next_signal() takes them.
    void listen(const char* interface, const char* member);
    // Nothing where none comes for so long.
    std::optional<BusMessage> next_signal(std::chrono::milliseconds timeout);

  private:
    struct Close {
        void operator()(sd_bus* bus) const noexcept;
    };
    using Connection = std::unique_ptr<sd_bus, Close>;
    static Connection connect(BusKind kind);

    Connection bus_;
    std::deque<BusMessage> signals_;
};

}  // namespace sandbox::os
