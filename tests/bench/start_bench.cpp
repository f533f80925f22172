// Runs commands in turns and says how long each took: A B C, A B C, … so that what disturbs the machine
// disturbs all.
//     start_bench ROUNDS[xCOPIES] [AGAINST...] < COMMANDS
// A line of COMMANDS has three fields with tabs between: a name, a preparation for the shell that is not
// measured (may be empty), and the command, whose words are separated by single blanks. With ten rounds or
// more, one before them fills the caches and is not counted. Prints a table: minimum, median and maximum of
// the wall time, the median of the processor time (with that of all children that were waited for), and for
// each name in AGAINST the median of the ratio to it, round by round. The command's output goes nowhere; one
// that fails ends the measurement, and is run again to show what it says.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;

struct Contestant {
    std::string name;
    std::string preparation;
    std::vector<std::string> words;
    std::vector<double> wall;  // seconds, one for each round
    std::vector<double> cpu;
};

struct Measured {
    double wall = 0;
    double cpu = 0;
    int status = 0;  // as of wait(2)
};

enum class Output { discarded, shown };

// posix_spawn(3) uses vfork, so the size of this process is no part of what is measured.
class Spawner {
  public:
    explicit Spawner(Output output) {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
        if (output == Output::shown) return;
        for (const int stream : {1, 2}) {
            ::posix_spawn_file_actions_addopen(&actions_, stream, "/dev/null", O_WRONLY, 0);
        }
    }
    ~Spawner() { ::posix_spawn_file_actions_destroy(&actions_); }
    Spawner(const Spawner&) = delete;
    Spawner& operator=(const Spawner&) = delete;

    [[nodiscard]] Measured run(const std::vector<std::string>& words, int copies = 1) const {
        std::vector<char*> argv;
        argv.reserve(words.size() + 1);
        for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        const Clock::time_point began = Clock::now();
        std::vector<pid_t> running;
        running.reserve(static_cast<std::size_t>(copies));
        for (int i = 0; i < copies; ++i) running.push_back(start(argv));
        Measured measured;
        for (const pid_t pid : running) wait_for(pid, measured);
        measured.wall = std::chrono::duration<double>(Clock::now() - began).count();
        return measured;
    }

  private:
    static double seconds(const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    }

    [[nodiscard]] pid_t start(const std::vector<char*>& argv) const {
        pid_t pid = -1;
        const int error = ::posix_spawnp(&pid, argv[0], &actions_, nullptr, argv.data(), environ);
        if (error != 0) throw std::system_error(error, std::generic_category(), argv[0]);
        return pid;
    }

    static void wait_for(pid_t pid, Measured& measured) {
        int status = 0;
        rusage usage{};
        if (::wait4(pid, &status, 0, &usage) != pid) {
            throw std::system_error(errno, std::generic_category(), "wait");
        }
        if (status != 0) measured.status = status;
        measured.cpu += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }

    posix_spawn_file_actions_t actions_{};
};

std::vector<std::string> split(const std::string& line, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(line);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

std::vector<Contestant> read_contestants() {
    std::vector<Contestant> contestants;
    for (std::string line; std::getline(std::cin, line);) {
        const std::vector<std::string> fields = split(line, '\t');
        if (fields.size() != 3) throw std::invalid_argument("three fields with tabs between: " + line);
        contestants.push_back({fields[0], fields[1], split(fields[2], ' '), {}, {}});
    }
    if (contestants.empty()) throw std::invalid_argument("there is nothing to measure");
    return contestants;
}

struct Repetition {
    int rounds = 0;
    int copies = 1;
};

Repetition parse_repetition(const char* text) {
    Repetition repetition;
    char* end = nullptr;
    repetition.rounds = static_cast<int>(std::strtol(text, &end, 10));
    if (*end == 'x') repetition.copies = static_cast<int>(std::strtol(end + 1, &end, 10));
    if (*end != '\0' || repetition.rounds < 1 || repetition.copies < 1) {
        throw std::invalid_argument("usage: start_bench ROUNDS[xCOPIES] [AGAINST...] < COMMANDS");
    }
    return repetition;
}

Measured measure(const Contestant& contestant, int copies) {
    const Spawner spawner(Output::discarded);
    if (!contestant.preparation.empty()) {
        const Measured prepared = Spawner(Output::shown).run({"sh", "-c", contestant.preparation});
        if (prepared.status != 0) throw std::runtime_error(contestant.name + ": its preparation failed");
    }
    const Measured measured = spawner.run(contestant.words, copies);
    if (measured.status != 0) {
        static_cast<void>(Spawner(Output::shown).run(contestant.words));
        throw std::runtime_error(contestant.name + " failed");
    }
    return measured;
}

void run_rounds(std::vector<Contestant>& contestants, const Repetition& repetition) {
    for (int round = repetition.rounds < 10 ? 0 : -1; round < repetition.rounds; ++round) {
        for (Contestant& contestant : contestants) {
            const Measured measured = measure(contestant, repetition.copies);
            if (round < 0) continue;
            contestant.wall.push_back(measured.wall);
            contestant.cpu.push_back(measured.cpu);
        }
    }
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double ratio(const Contestant& one, const Contestant& other) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < one.wall.size(); ++i) ratios.push_back(one.wall[i] / other.wall[i]);
    return median(std::move(ratios));
}

void print_table(const std::vector<Contestant>& contestants, const std::vector<std::string>& against) {
    std::printf("%-34s %10s %10s %10s %10s", "milliseconds", "min", "median", "max", "cpu");
    for (const std::string& name : against) std::printf("  %14.14s", ("/ " + name).c_str());
    std::printf("\n");
    for (const Contestant& one : contestants) {
        const auto [least, most] = std::minmax_element(one.wall.begin(), one.wall.end());
        std::printf("%-34s %10.3f %10.3f %10.3f %10.3f", one.name.c_str(), *least * 1e3, median(one.wall) * 1e3,
                    *most * 1e3, median(one.cpu) * 1e3);
        for (const std::string& name : against) {
            const auto other = std::find_if(contestants.begin(), contestants.end(),
                                            [&](const Contestant& candidate) { return candidate.name == name; });
            if (other == contestants.end()) throw std::invalid_argument("there is no " + name + " to compare with");
            std::printf("  %14.3f", ratio(one, *other));
        }
        std::printf("\n");
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Repetition repetition = parse_repetition(argc > 1 ? argv[1] : "");
        std::vector<Contestant> contestants = read_contestants();
        run_rounds(contestants, repetition);
        print_table(contestants, {argv + 2, argv + argc});
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "start_bench: %s\n", error.what());
        return 1;
    }
}
