// What the supervisor hands to a jail's first process: its program, and what it has to do as one piece of memory
// (init/task.hpp). Knows nothing of processes (launch).
#pragma once
#include <cstddef>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sandbox/init/task.hpp"
#include "sandbox/os/fd.hpp"
#include "sandbox/plan/plan.hpp"

namespace sandbox {

// The init program in a file that exists in memory only and that nobody can change any more (memfd_create(2), file
// seals in fcntl(2)). Made once; borrowed.
int init_program();

// Memory that begins with a task, which points to what lies behind it. Each set() appends a copy of the values and
// makes the pointer lead there, which is one of the task's, or of what was appended. It may move the memory, and with
// it the task.
class TaskImage {
  public:
    template <class T>
    void set(NearList<const T>& list, std::type_identity_t<std::span<const T>> values) {
        const std::size_t field = place_of(&list);
        const std::size_t at = append(values.data(), values.size_bytes(), alignof(T));
        find<NearList<const T>>(field).point_to(find_if<const T>(at, values.size()), values.size());
    }
    void set(Near<const char>& text, std::string_view value);
    void set(NearTexts& texts, const std::vector<std::string>& values);
    void set(NearList<FilterCode>& filters, const std::vector<FilterProgram>& values);

    // The task with which the memory was begun; a ChildTask, where it begins with one.
    template <class Task>
    [[nodiscard]] Task& task() {
        return find<Task>(0);
    }
    [[nodiscard]] std::span<const char> bytes() const { return bytes_; }

    // Begins with a task that says nothing yet.
    template <class Task>
    static TaskImage of() {
        TaskImage image;
        new (&image.find<Task>(image.append_empty<Task>(1))) Task;
        return image;
    }

  private:
    TaskImage() = default;

    [[nodiscard]] std::size_t place_of(const void* field) const {
        return static_cast<std::size_t>(static_cast<const char*>(field) - bytes_.data());
    }
    template <class T>
    [[nodiscard]] T& find(std::size_t at) {
        return *reinterpret_cast<T*>(bytes_.data() + at);
    }
    template <class T>
    [[nodiscard]] T* find_if(std::size_t at, std::size_t count) {
        return count == 0 ? nullptr : &find<T>(at);
    }
    std::size_t append(const void* data, std::size_t size, std::size_t alignment);
    // Zeroes, which are null pointers and empty lists.
    template <class T>
    std::size_t append_empty(std::size_t count) {
        return append(nullptr, count * sizeof(T), alignof(T));
    }

    std::vector<char> bytes_;
};

// What every task has of its plan.
void set_plan(TaskImage& image, const Plan& plan);

// The memory in a file that exists in memory only.
os::Fd write_image(const TaskImage& image);

}  // namespace sandbox
