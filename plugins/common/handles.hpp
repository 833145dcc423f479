// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <memory>
#include <utility>

namespace clips {

// How a reference-counted type is kept alive. GObjects use the default; mini objects that have
// their own calls are listed below. Only types in use stand here.
template <typename T>
struct RefTraits {
  static void ref(T* object) noexcept { gst_object_ref(object); }
  static void unref(T* object) noexcept { gst_object_unref(object); }
};

template <typename T>
struct MiniObjectTraits {
  static void ref(T* object) noexcept { gst_mini_object_ref(GST_MINI_OBJECT_CAST(object)); }
  static void unref(T* object) noexcept { gst_mini_object_unref(GST_MINI_OBJECT_CAST(object)); }
};

template <>
struct RefTraits<GstBuffer> : MiniObjectTraits<GstBuffer> {};
template <>
struct RefTraits<GstBufferList> : MiniObjectTraits<GstBufferList> {};
template <>
struct RefTraits<GstCaps> : MiniObjectTraits<GstCaps> {};
template <>
struct RefTraits<GstEvent> : MiniObjectTraits<GstEvent> {};
template <>
struct RefTraits<GstMessage> : MiniObjectTraits<GstMessage> {};
template <>
struct RefTraits<GstQuery> : MiniObjectTraits<GstQuery> {};
template <>
struct RefTraits<GstSample> : MiniObjectTraits<GstSample> {};
template <>
struct RefTraits<GstMemory> : MiniObjectTraits<GstMemory> {};
template <>
struct RefTraits<GstToc> : MiniObjectTraits<GstToc> {};
template <>
struct RefTraits<GstTagList> : MiniObjectTraits<GstTagList> {};

// One counted reference. The two ways in name the transfer, so that a call site reads like the
// annotation of the C function beside it: adopt() for "transfer full", retain() for "transfer
// none".
template <typename T>
class Ref {
 public:
  Ref() noexcept = default;
  static Ref adopt(T* object) noexcept { return Ref(object); }
  static Ref retain(T* object) noexcept {
    if (object) RefTraits<T>::ref(object);
    return Ref(object);
  }
  // A new element or object comes floating; this takes it over.
  static Ref sink(T* object) noexcept {
    if (object) gst_object_ref_sink(object);
    return Ref(object);
  }

  Ref(const Ref& other) noexcept : object_(other.object_) {
    if (object_) RefTraits<T>::ref(object_);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) RefTraits<T>::unref(object_);
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  // Gives the reference away, for "transfer full" parameters.
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }
  void reset() noexcept { *this = Ref(); }
  // For functions that replace a reference in place, e.g. gst_buffer_make_writable().
  void replace(T* object) noexcept { *this = Ref(object); }

 private:
  explicit Ref(T* object) noexcept : object_(object) {}
  T* object_ = nullptr;
};

using ElementRef = Ref<GstElement>;
using PadRef = Ref<GstPad>;
using BusRef = Ref<GstBus>;
using BufferRef = Ref<GstBuffer>;
using CapsRef = Ref<GstCaps>;
using EventRef = Ref<GstEvent>;
using MessageRef = Ref<GstMessage>;
using QueryRef = Ref<GstQuery>;
using SampleRef = Ref<GstSample>;

struct GFree {
  void operator()(void* memory) const noexcept { g_free(memory); }
};
struct StrvFree {
  void operator()(gchar** strings) const noexcept { g_strfreev(strings); }
};
struct ErrorFree {
  void operator()(GError* error) const noexcept { g_error_free(error); }
};
struct StructureFree {
  void operator()(GstStructure* structure) const noexcept { gst_structure_free(structure); }
};
using GString_ = std::unique_ptr<gchar, GFree>;
using GStrv_ = std::unique_ptr<gchar*, StrvFree>;
using ErrorPtr = std::unique_ptr<GError, ErrorFree>;
using StructurePtr = std::unique_ptr<GstStructure, StructureFree>;

// A mapped buffer; empty when the map failed, so test it before use.
class BufferMap {
 public:
  BufferMap(GstBuffer* buffer, GstMapFlags flags) noexcept
      : buffer_(gst_buffer_map(buffer, &info_, flags) ? buffer : nullptr) {}
  BufferMap(const BufferMap&) = delete;
  BufferMap& operator=(const BufferMap&) = delete;
  ~BufferMap() {
    if (buffer_) gst_buffer_unmap(buffer_, &info_);
  }
  explicit operator bool() const noexcept { return buffer_ != nullptr; }
  guint8* data() const noexcept { return info_.data; }
  gsize size() const noexcept { return info_.size; }

 private:
  GstMapInfo info_{};
  GstBuffer* buffer_;
};

}  // namespace clips
