#include "sandbox/os/bus.hpp"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sandbox/os/format.hpp"
#include "sandbox/os/memory_file.hpp"
#include "sandbox/os/process.hpp"
#include "sandbox/os/text.hpp"

namespace sandbox::os {
namespace {

// "glibc 2.36", as this system has it.
std::string system_libc() {
    const Fd output = new_memory_file("getconf");
    const Captured ended =
        finish_helper(start_helper("/usr/bin/getconf", {"getconf", "GNU_LIBC_VERSION"}, {-1, -1, output.get()}));
    if (!ended.how.has_exited(0)) return "an unknown libc";
    const std::string text = content_of(output);
    return text.substr(0, text.find('\n'));
}

// A program that is linked statically can load libraries, but only those of the libc that it was linked with.
void refuse_other_libc() {
    const std::string own = format("glibc {}", ::gnu_get_libc_version());
    const std::string found = system_libc();
    if (found == own) return;
    throw BusError(
        format("libsystemd.so.0 cannot be loaded: this stagebox was linked with {}, and this system has {}; "
               "take one that was built for this system",
               own, found));
}

// libsystemd is loaded when a bus is first needed, not linked: most jails need none, and it would bring its libraries
// into every start. It stays until the program ends.
class Library {
  public:
    static const Library& get() {
        static const Library library;
        return library;
    }

  private:
    // What has a name in the library, as whatever it is taken for.
    struct Symbol {
        void* address;
        template <class Function>
        operator Function*() const noexcept {
            return reinterpret_cast<Function*>(address);
        }
    };

    Library() = default;

    static void* load() {
        refuse_other_libc();
        void* const handle = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (handle == nullptr) {
            throw BusError(format(
                "libsystemd.so.0 cannot be loaded ({}); it speaks D-Bus. Install it: sudo apt-get install libsystemd0",
                ::dlerror()));
        }
        return handle;
    }

    [[nodiscard]] Symbol find(const char* name) const {
        void* const address = ::dlsym(handle_, name);
        if (address == nullptr) throw BusError(format("libsystemd.so.0 has no {}: it is too old", name));
        return {address};
    }

    void* handle_ = load();  // before what is found in it

  public:
    decltype(&::sd_bus_new) create = find("sd_bus_new");
    decltype(&::sd_bus_set_address) set_address = find("sd_bus_set_address");
    decltype(&::sd_bus_set_bus_client) set_bus_client = find("sd_bus_set_bus_client");
    decltype(&::sd_bus_start) start = find("sd_bus_start");
    decltype(&::sd_bus_set_method_call_timeout) set_timeout = find("sd_bus_set_method_call_timeout");
    decltype(&::sd_bus_flush_close_unref) close = find("sd_bus_flush_close_unref");
    decltype(&::sd_bus_match_signal) match_signal = find("sd_bus_match_signal");
    decltype(&::sd_bus_process) process = find("sd_bus_process");
    decltype(&::sd_bus_wait) wait = find("sd_bus_wait");
    decltype(&::sd_bus_call) call = find("sd_bus_call");
    decltype(&::sd_bus_error_free) free_error = find("sd_bus_error_free");
    decltype(&::sd_bus_message_new_method_call) new_call = find("sd_bus_message_new_method_call");
    decltype(&::sd_bus_message_ref) ref = find("sd_bus_message_ref");
    decltype(&::sd_bus_message_unref) unref = find("sd_bus_message_unref");
    decltype(&::sd_bus_message_append_basic) append = find("sd_bus_message_append_basic");
    decltype(&::sd_bus_message_open_container) open = find("sd_bus_message_open_container");
    decltype(&::sd_bus_message_close_container) close_container = find("sd_bus_message_close_container");
    decltype(&::sd_bus_message_peek_type) peek = find("sd_bus_message_peek_type");
    decltype(&::sd_bus_message_read_basic) read = find("sd_bus_message_read_basic");
    decltype(&::sd_bus_message_enter_container) enter = find("sd_bus_message_enter_container");
    decltype(&::sd_bus_message_exit_container) leave = find("sd_bus_message_exit_container");
    decltype(&::sd_bus_message_skip) skip = find("sd_bus_message_skip");
};

int need(int result, std::string_view doing) {
    if (result < 0) throw BusError(format("{}: {}", doing, std::strerror(-result)));
    return result;
}

struct Address {
    std::string text;
    int is_bus;  // there is a broker, who is to be greeted
};

// What every address here begins with; its path follows.
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";
constexpr const char* unix_socket = "unix:path=";

std::vector<Address> addresses_of(BusKind kind) {
    if (kind == BusKind::system) {
        return {{"unix:path=/run/dbus/system_bus_socket", 1}, {"unix:path=/run/systemd/private", 0}};
    }
    const char* const named = std::getenv("XDG_RUNTIME_DIR");
    const std::string directory = named != nullptr && *named != '\0' ? named : format("/run/user/{}", ::getuid());
    return {{format("unix:path={}/bus", directory), 1}, {format("unix:path={}/systemd/private", directory), 0}};
}

template <class Value>
Value read_as(sd_bus_message* message, char type) {
    Value value{};
    if (need(Library::get().read(message, type, &value), "read from D-Bus") == 0) {
        throw BusError(format("read from D-Bus: there is no {}", type));
    }
    return value;
}

Json read_one(sd_bus_message* message, char type, const char* contents);

Json read_rest(sd_bus_message* message) {
    Json values = Json::array();
    char type = 0;
    const char* contents = nullptr;
    while (need(Library::get().peek(message, &type, &contents), "read from D-Bus") > 0) {
        values.push_back(read_one(message, type, contents));
    }
    return values;
}

Json read_inside(sd_bus_message* message, char container, const char* contents) {
    need(Library::get().enter(message, container, contents), "read from D-Bus");
    Json values = read_rest(message);
    need(Library::get().leave(message), "read from D-Bus");
    return values;
}

Json read_one(sd_bus_message* message, char type, const char* contents) {
    switch (type) {
        case 'a': {
            const bool is_dictionary = contents[0] == '{';
            Json values = read_inside(message, type, contents);
            if (!is_dictionary) return values;
            Json entries = Json::object();
            for (Json& entry : values) {
                const Json& key = entry.at(0);
                entries[key.is_string() ? key.get<std::string>() : key.dump()] = std::move(entry.at(1));
            }
            return entries;
        }
        case 'r':
        case 'e': return read_inside(message, type, contents);
        case 'v': return read_inside(message, type, contents).at(0);
        case 'b': return read_as<int>(message, type) != 0;
        case 'y': return read_as<std::uint8_t>(message, type);
        case 'n': return read_as<std::int16_t>(message, type);
        case 'q': return read_as<std::uint16_t>(message, type);
        case 'i': return read_as<std::int32_t>(message, type);
        case 'u': return read_as<std::uint32_t>(message, type);
        case 'x': return read_as<std::int64_t>(message, type);
        case 't': return read_as<std::uint64_t>(message, type);
        case 'd': return read_as<double>(message, type);
        case 'h': return read_as<int>(message, type), Json();
        default: return read_as<const char*>(message, type);
    }
}

}  // namespace

BusMessage::~BusMessage() {
    if (message_ != nullptr) Library::get().unref(message_);
}

BusMessage& BusMessage::add(std::string_view text) {
    need(Library::get().append(message_, 's', std::string(text).c_str()), "write a text for D-Bus");
    return *this;
}

BusMessage& BusMessage::add_number(std::uint32_t number) {
    need(Library::get().append(message_, 'u', &number), "write a number for D-Bus");
    return *this;
}

BusMessage& BusMessage::add_big(std::uint64_t number) {
    need(Library::get().append(message_, 't', &number), "write a number for D-Bus");
    return *this;
}

BusMessage& BusMessage::add_truth(std::uint32_t one_or_0) {
    const int truth = one_or_0 == 0 ? 0 : 1;
    need(Library::get().append(message_, 'b', &truth), "write a truth for D-Bus");
    return *this;
}

BusMessage& BusMessage::open(char container, const char* contents) {
    need(Library::get().open(message_, container, contents), "write for D-Bus");
    return *this;
}

BusMessage& BusMessage::close() {
    need(Library::get().close_container(message_), "write for D-Bus");
    return *this;
}

std::string BusMessage::read_text() {
    char type = 's';
    need(Library::get().peek(message_, &type, nullptr), "read from D-Bus");
    const char* text = nullptr;
    const bool is_text = type == 's' || type == 'o' || type == 'g';
    if (!is_text || Library::get().read(message_, type, static_cast<void*>(&text)) <= 0) {
        throw BusError("read from D-Bus: there is no text");
    }
    return text;
}

std::uint32_t BusMessage::read_number() {
    std::uint32_t number = 0;
    if (Library::get().read(message_, 'u', &number) <= 0) throw BusError("read from D-Bus: there is no number");
    return number;
}

std::uint64_t BusMessage::read_big() {
    std::uint64_t number = 0;
    if (Library::get().read(message_, 't', &number) <= 0) throw BusError("read from D-Bus: there is no number");
    return number;
}

bool BusMessage::read_truth() {
    int truth = 0;
    if (Library::get().read(message_, 'b', &truth) <= 0) throw BusError("read from D-Bus: there is no truth");
    return truth != 0;
}

bool BusMessage::enter(char container, const char* contents) {
    return need(Library::get().enter(message_, container, contents), "read from D-Bus") > 0;
}

void BusMessage::leave() {
    need(Library::get().leave(message_), "read from D-Bus");
}

void BusMessage::skip(const char* types) {
    need(Library::get().skip(message_, types), "read from D-Bus");
}

Json BusMessage::read_values() {
    return read_rest(message_);
}

void Bus::Close::operator()(sd_bus* bus) const noexcept {
    Library::get().close(bus);
}

Bus::Connection Bus::connect(BusKind kind) {
    std::string failures;
    for (const Address& address : addresses_of(kind)) {
        // Where there is no socket, the library need not be loaded to say so.
        if (::access(address.text.c_str() + std::strlen(unix_socket), F_OK) != 0) {
            append_part(failures, ", ", format("{}: {}", address.text, std::strerror(errno)));
            continue;
        }
        const Library& library = Library::get();
        sd_bus* made = nullptr;
        need(library.create(&made), "begin a connection to D-Bus");
        Connection bus(made);
        need(library.set_address(bus.get(), address.text.c_str()), address.text);
        need(library.set_bus_client(bus.get(), address.is_bus), address.text);
        const int started = library.start(bus.get());
        if (started >= 0) return bus;
        append_part(failures, ", ", format("{}: {}", address.text, std::strerror(-started)));
    }
    throw BusError(format("no D-Bus is to be reached: {}", failures));
}

Bus::Bus(BusKind kind, std::chrono::milliseconds timeout) : bus_(connect(kind)) {
    const auto limit = static_cast<std::uint64_t>(std::chrono::microseconds(timeout).count());
    need(Library::get().set_timeout(bus_.get(), limit), "begin a connection to D-Bus");
}

Bus::~Bus() = default;

BusMessage Bus::new_call(const BusTarget& target, const char* member) const {
    sd_bus_message* message = nullptr;
    need(Library::get().new_call(bus_.get(), &message, target.destination, target.path, target.interface, member),
         "begin a call by D-Bus");
    return BusMessage(message);
}

BusMessage Bus::call(const BusMessage& message) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* answer = nullptr;
    const int result = Library::get().call(bus_.get(), message.get(), 0, &error, &answer);
    if (result >= 0) return BusMessage(answer);
    const std::string name = error.name == nullptr ? "" : error.name;
    const std::string words = error.message == nullptr ? std::strerror(-result) : error.message;
    Library::get().free_error(&error);
    throw BusError(words, name);
}

Json Bus::property(const BusTarget& object, const char* name) {
    BusMessage question = new_call({object.destination, object.path, properties_interface}, "Get");
    question.add(object.interface).add(name);
    try {
        return call(question).read_values().at(0);
    } catch (const BusError&) {
        return {};
    }
}

Json Bus::properties(const BusTarget& object) {
    BusMessage question = new_call({object.destination, object.path, properties_interface}, "GetAll");
    question.add(object.interface);
    return call(question).read_values().at(0);
}

void Bus::listen(const char* interface, const char* member) {
    const auto keep = [](sd_bus_message* message, void* self, sd_bus_error*) {
        static_cast<Bus*>(self)->signals_.emplace_back(Library::get().ref(message));
        return 0;
    };
    need(Library::get().match_signal(bus_.get(), nullptr, nullptr, nullptr, interface, member, keep, this),
         "listen on D-Bus");
}

std::optional<BusMessage> Bus::next_signal(std::chrono::milliseconds timeout) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + timeout;
    while (signals_.empty()) {
        if (need(Library::get().process(bus_.get(), nullptr), "hear from D-Bus") > 0) continue;
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(end - Clock::now()).count();
        if (left <= 0) return std::nullopt;
        need(Library::get().wait(bus_.get(), static_cast<std::uint64_t>(left)), "wait for D-Bus");
    }
    std::optional<BusMessage> first(std::move(signals_.front()));
    signals_.pop_front();
    return first;
}

}  // namespace sandbox::os
