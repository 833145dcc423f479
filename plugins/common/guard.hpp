// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <exception>
#include <new>
#include <utility>

namespace clips {

// The body of every vfunc and callback runs in here: nothing may be thrown through GLib's C frames.
// What is thrown becomes the element's one error message and `on_error` is what the caller gets.
template <typename Result, typename Body>
Result guard(gpointer element, Result on_error, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    GST_ELEMENT_ERROR(GST_ELEMENT_CAST(element), RESOURCE, NO_SPACE_LEFT,
                      ("Out of memory. Give the process more memory or process a smaller input."),
                      (nullptr));
  } catch (const std::exception& e) {
    GST_ELEMENT_ERROR(GST_ELEMENT_CAST(element), LIBRARY, FAILED,
                      ("An internal operation failed. See the details and report them."),
                      ("%s", e.what()));
  } catch (...) {
    GST_ELEMENT_ERROR(GST_ELEMENT_CAST(element), LIBRARY, FAILED,
                      ("An internal operation failed. See the details and report them."),
                      ("unknown exception"));
  }
  return on_error;
}

template <typename Body>
void guard(gpointer element, Body&& body) noexcept {
  guard(element, false, [&] {
    std::forward<Body>(body)();
    return true;
  });
}

}  // namespace clips
