// buffer: memory that an array owns, 64-byte aligned, or taken over from a std::vector without a copy.
//
// The layout of the object never depends on compiler flags, so that units compiled with different ones may share it.
#pragma once

#include <concepts>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "error.hpp"

#if defined(__linux__)
#include <sys/mman.h>

#include <cstdint>
#endif

namespace softax::detail {

/// Cache line and widest vector of today's machines.
inline constexpr std::size_t alignment = 64;

struct free_aligned {
    void operator()(void* p) const noexcept { ::operator delete(p, std::align_val_t{alignment}); }
};

/// Asks for huge pages where there is room for some: a result of 64 MiB in fresh memory then takes a sixth of the time, the rest
/// being spent on pages of 4 KiB. NumPy does so from the same size on.
inline void ask_for_huge_pages([[maybe_unused]] void* p, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::uintptr_t page = std::uintptr_t{1} << 16;  // no Linux has larger ones beside huge ones
    if (bytes < std::size_t{1} << 22) return;
    auto const begin = (reinterpret_cast<std::uintptr_t>(p) + page - 1) / page * page;
    auto const end = (reinterpret_cast<std::uintptr_t>(p) + bytes) / page * page;
    // A wish: where it cannot be had nothing changes.
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

/// count elements, uninitialized. Moves are cheap and leave the source empty; there is no copy.
template <class T>
class buffer {
public:
    buffer() noexcept = default;

    explicit buffer(index_t count) : size_(count) {
        if (count == 0) return;
        std::size_t const bytes = static_cast<std::size_t>(count) * sizeof(T);
        owned_.reset(::operator new(bytes, std::align_val_t{alignment}));
        ask_for_huge_pages(owned_.get(), bytes);
        data_ = static_cast<T*>(owned_.get());
    }

    explicit buffer(std::vector<T>&& values) noexcept
        requires(!std::same_as<T, bool>)
        : adopted_(std::move(values)), data_(adopted_.data()), size_(static_cast<index_t>(adopted_.size())) {}

    buffer(buffer&& other) noexcept { swap(other); }

    buffer& operator=(buffer&& other) noexcept {
        buffer taken(std::move(other));
        swap(taken);
        return *this;
    }

    T* data() noexcept { return data_; }
    T const* data() const noexcept { return data_; }
    index_t size() const noexcept { return size_; }

private:
    void swap(buffer& other) noexcept {
        std::swap(owned_, other.owned_);
        std::swap(adopted_, other.adopted_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    // std::vector<bool> has no elements to point at, so nothing is adopted from it.
    using adoptable = std::conditional_t<std::same_as<T, bool>, unsigned char, T>;

    std::unique_ptr<void, free_aligned> owned_;
    std::vector<adoptable> adopted_;
    T* data_ = nullptr;
    index_t size_ = 0;
};

/// The same for as long as a call takes, a few inside the object: to ask for memory takes as long as some hundred elements.
template <class T>
class near_buffer {
public:
    explicit near_buffer(index_t count) : far_(count > most ? count : 0), size_(count) {}

    T* data() noexcept { return size_ > most ? far_.data() : near_; }
    index_t size() const noexcept { return size_; }

private:
    static constexpr index_t most = (index_t{1} << 13) / static_cast<index_t>(sizeof(T));

    alignas(alignment) T near_[most];
    buffer<T> far_;
    index_t size_;
};

}  // namespace softax::detail
