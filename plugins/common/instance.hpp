// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib-object.h>

#include <memory>
#include <utility>

namespace clips {

// The C++ state of a GObject lives in the memory that G_DEFINE_FINAL_TYPE_WITH_PRIVATE reserves:
// zeroed, never constructed by GLib. An element's init() calls construct_private() and its
// finalize() destroy_private(), then chains up.
template <typename Private, typename... Args>
Private* construct_private(gpointer memory, Args&&... args) {
  return std::construct_at(static_cast<Private*>(memory), std::forward<Args>(args)...);
}

template <typename Private>
void destroy_private(gpointer memory) noexcept {
  std::destroy_at(static_cast<Private*>(memory));
}

}  // namespace clips
