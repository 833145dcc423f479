// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include "common/handles.hpp"

namespace clips {

// The path of a `file://` URI; null when it is none or names another machine, which
// g_filename_from_uri() alone would ignore.
inline GString_ local_path(const char* uri) {
  gchar* host = nullptr;
  GString_ path(g_filename_from_uri(uri, &host, nullptr));
  const GString_ owned(host);
  if (host && *host && g_ascii_strcasecmp(host, "localhost") != 0) path.reset();
  return path;
}

}  // namespace clips
