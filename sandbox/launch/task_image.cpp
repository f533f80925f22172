#include "sandbox/launch/task_image.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "sandbox/os/embedded_program.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/memory_file.hpp"

STAGEBOX_EMBED_PROGRAM(stagebox_init, STAGEBOX_INIT_PROGRAM);

namespace sandbox {
namespace {

using os::Fd;

// The pieces, one after the other; where each begins is its pointer.
class Image {
  public:
    explicit Image(std::size_t header) : bytes_(header) {}

    template <class T>
    T* add(const T* values, std::size_t count) {
        bytes_.resize((bytes_.size() + alignof(T) - 1) / alignof(T) * alignof(T));
        return std::bit_cast<T*>(append(values, count * sizeof(T)));
    }
    // With the NUL behind it. `size`: at least so many bytes before that.
    const char* text(const char* text, std::size_t size = 0) {
        if (text == nullptr) return nullptr;
        return std::bit_cast<const char*>(append(text, std::max(size, std::strlen(text)) + 1));
    }
    const char* const* texts(const std::vector<const char*>& texts) {
        std::vector<const char*> moved;
        moved.reserve(texts.size());
        for (const char* one : texts) moved.push_back(text(one));
        return add(moved.data(), moved.size());
    }

    [[nodiscard]] std::vector<char>& bytes() { return bytes_; }

  private:
    std::uintptr_t append(const void* data, std::size_t size) {
        const std::size_t at = bytes_.size();
        const auto* begin = static_cast<const char*>(data);
        bytes_.insert(bytes_.end(), begin, begin + size);
        return at;
    }
    std::vector<char> bytes_;
};

}  // namespace

int init_program() {
    static const Fd program = os::new_program_file("stagebox-init", {stagebox_init_begin, stagebox_init_end});
    return program.get();
}

Fd write_task(const ChildTask& task, const Plan& plan) {
    Image image(sizeof(ChildTask));
    ChildTask moved = task;
    std::vector<Step> steps = plan.steps;
    for (Step& step : steps) {
        step.path = image.text(step.path);
        step.text = image.text(step.text, step.size);
        step.aux = image.text(step.aux);
    }
    moved.steps = image.add(steps.data(), steps.size());
    moved.keep = image.add(task.keep, task.keep_count);
    moved.argv = image.texts(plan.argv);
    moved.envp = image.texts(plan.envp);
    moved.executables = image.texts(plan.executables);
    moved.cwd = image.text(plan.cwd);
    moved.rlimits = image.add(task.rlimits, task.rlimit_count);
    std::vector<std::uint64_t> instructions;
    std::vector<std::size_t> lengths;
    for (const FilterProgram& filter : plan.more_filters) {
        instructions.insert(instructions.end(), filter.instructions.begin(), filter.instructions.end());
        lengths.push_back(filter.instructions.size());
    }
    moved.more_filters = image.add(instructions.data(), instructions.size());
    moved.more_filter_lengths = image.add(lengths.data(), lengths.size());
    moved.more_filter_count = lengths.size();
    moved.filter = image.add(task.filter, task.filter_length);
    moved.unreported_filter = image.add(task.unreported_filter, task.unreported_filter_length);
    std::memcpy(image.bytes().data(), &moved, sizeof moved);
    Fd file = os::new_memory_file("stagebox-task");
    os::write_all(file.get(), {image.bytes().data(), image.bytes().size()}, "the jail's task");
    return file;
}

}  // namespace sandbox
