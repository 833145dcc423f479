// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remove_outputs.hpp"

#include <glib/gstdio.h>
#include <gst/gst.h>

#include <cerrno>

#include "common/handles.hpp"

namespace clips::tool {

bool remove_outputs(const std::vector<std::string>& uris, std::chrono::milliseconds patience) {
  bool all = true;
  std::vector<const gchar*> objects;
  for (const std::string& uri : uris) {
    if (gst_uri_has_protocol(uri.c_str(), "s3")) {
      objects.push_back(uri.c_str());
      continue;
    }
    const GString_ path(g_filename_from_uri(uri.c_str(), nullptr, nullptr));
    if (path && g_unlink(path.get()) != 0 && errno != ENOENT && errno != ENOTDIR) all = false;
  }
  if (objects.empty()) return all;
  objects.push_back(nullptr);
  const auto sink = ElementRef::sink(gst_element_factory_make("s3sink", nullptr));
  if (!sink) return false;
  gboolean removed = FALSE;
  g_signal_emit_by_name(
      sink.get(), "delete-objects", objects.data(),
      static_cast<guint64>(std::chrono::duration_cast<std::chrono::nanoseconds>(patience).count()),
      &removed);
  return all && removed;
}

}  // namespace clips::tool
