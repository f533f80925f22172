#include "sandbox/launch/task_image.hpp"

#include "sandbox/os/embedded_program.hpp"
#include "sandbox/os/files.hpp"
#include "sandbox/os/memory_file.hpp"

STAGEBOX_EMBED_PROGRAM(stagebox_init, STAGEBOX_INIT_PROGRAM);

namespace sandbox {

using os::Fd;

int init_program() {
    static const Fd program = os::new_program_file("stagebox-init", {stagebox_init_begin, stagebox_init_end});
    return program.get();
}

std::size_t TaskImage::append(const void* data, std::size_t size, std::size_t alignment) {
    const std::size_t at = (bytes_.size() + alignment - 1) / alignment * alignment;
    bytes_.resize(at);
    if (data == nullptr) {
        bytes_.resize(at + size);
    } else {
        const auto* const begin = static_cast<const char*>(data);
        bytes_.insert(bytes_.end(), begin, begin + size);
    }
    return at;
}

void TaskImage::set(Near<const char>& text, std::string_view value) {
    const std::size_t field = place_of(&text);
    const std::size_t at = append(value.data(), value.size(), 1);
    append_empty<char>(1);
    find<Near<const char>>(field).point_to(&find<const char>(at));
}

void TaskImage::set(NearTexts& texts, const std::vector<std::string>& values) {
    using TextPlace = Near<const char>;
    const std::size_t field = place_of(&texts);
    const std::size_t places = append_empty<TextPlace>(values.size());
    const std::size_t room = append_empty<const char*>(values.size() + 1);
    find<NearTexts>(field).point_to(find_if<TextPlace>(places, values.size()), &find<const char*>(room), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) set(find<TextPlace>(places + i * sizeof(TextPlace)), values[i]);
}

void TaskImage::set(NearList<FilterCode>& filters, const std::vector<FilterProgram>& values) {
    const std::size_t field = place_of(&filters);
    const std::size_t places = append_empty<FilterCode>(values.size());
    find<NearList<FilterCode>>(field).point_to(find_if<FilterCode>(places, values.size()), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        set(find<FilterCode>(places + i * sizeof(FilterCode)), values[i].instructions);
    }
}

void set_plan(TaskImage& image, const Plan& plan) {
    const auto task = [&image]() -> ChildTask& { return image.task<ChildTask>(); };
    task().uid = plan.uid;
    task().gid = plan.gid;
    task().follow_links = plan.overlap == Overlap::allowed;
    image.set(task().steps, plan.steps);
    image.set(task().texts, plan.texts());
    image.set(task().argv, plan.argv);
    image.set(task().envp, plan.envp);
    image.set(task().executables, plan.executables);
}

Fd write_image(const TaskImage& image) {
    Fd file = os::new_memory_file("stagebox-task");
    os::write_all(file.get(), {image.bytes().data(), image.bytes().size()}, "the jail's task");
    return file;
}

}  // namespace sandbox
