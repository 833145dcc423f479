// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

namespace clips::tool {

// A text that GOption fills in: it writes through a plain pointer.
struct OptionText {
  gchar* text = nullptr;
  OptionText() = default;
  OptionText(const OptionText&) = delete;
  OptionText& operator=(const OptionText&) = delete;
  ~OptionText() { g_free(text); }
};

}  // namespace clips::tool
