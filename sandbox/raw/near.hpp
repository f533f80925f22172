// Pointers that say how far it is from where they stand to what they point to. Memory that has only such pointers, all
// into itself, is right wherever it lies: it can be copied in one piece, written to a file and mapped by another
// process. As the pointers of Cap'n Proto and FlatBuffers. launch/task_image.hpp makes such memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace sandbox {

template <class T>
class Near {
  public:
    Near() noexcept = default;
    // A copy would stand elsewhere, and point elsewhere.
    Near(const Near&) = delete;
    Near& operator=(const Near&) = delete;

    [[nodiscard]] T* get() const noexcept {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): that is what it is for
        return distance_ == 0 ? nullptr : reinterpret_cast<T*>(reinterpret_cast<intptr_t>(this) + distance_);
    }
    void point_to(T* target) noexcept {
        distance_ = target == nullptr ? 0 : reinterpret_cast<intptr_t>(target) - reinterpret_cast<intptr_t>(this);
    }

  private:
    intptr_t distance_ = 0;  // 0: null, since nothing points to itself
};

template <class T>
class NearList {
  public:
    [[nodiscard]] size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] T* begin() const noexcept { return first_.get(); }
    [[nodiscard]] T* end() const noexcept { return first_.get() + count_; }
    [[nodiscard]] T& operator[](size_t index) const noexcept { return first_.get()[index]; }
    void point_to(T* first, size_t count) noexcept {
        first_.point_to(first);
        count_ = count;
    }

  private:
    Near<T> first_;
    size_t count_ = 0;
};

// Texts, and room for as many ordinary pointers with a null one behind them, which is what exec takes.
class NearTexts {
  public:
    [[nodiscard]] size_t size() const noexcept { return texts_.size(); }
    [[nodiscard]] const char* operator[](size_t index) const noexcept { return texts_[index].get(); }
    // The pointers, made anew: right only where this memory lies now.
    [[nodiscard]] const char** pointers() const noexcept {
        const char** const all = pointers_.get();
        for (size_t i = 0; i < texts_.size(); ++i) all[i] = texts_[i].get();
        all[texts_.size()] = nullptr;
        return all;
    }
    void point_to(Near<const char>* texts, const char** room, size_t count) noexcept {
        texts_.point_to(texts, count);
        pointers_.point_to(room);
    }

  private:
    NearList<Near<const char>> texts_;
    Near<const char*> pointers_;
};

}  // namespace sandbox
