// SPDX-License-Identifier: LGPL-2.1-or-later
#include "faststartfile.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "common/handles.hpp"

namespace clips {

namespace {

int open_nameless_file() {
  const int descriptor = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  // A filesystem without O_TMPFILE: named for a moment.
  const GString_ path(g_build_filename(g_get_tmp_dir(), "clips-faststart-XXXXXX", nullptr));
  const int named = g_mkstemp_full(path.get(), O_RDWR | O_CLOEXEC, 0600);
  if (named >= 0) unlink(path.get());
  return named;
}

bool chosen_already(GstElement* muxer) {
  gchar* text = nullptr;
  g_object_get(muxer, "faststart-file", &text, nullptr);
  const GString_ owner(text);
  // The element's own choice is a random name of this kind.
  const GString_ own(g_build_filename(g_get_tmp_dir(), "qtmux", nullptr));
  return !text || !g_str_has_prefix(text, own.get());
}

}  // namespace

void use_nameless_faststart_file(GstElement* muxer) {
  const GstElementFactory* factory = gst_element_get_factory(muxer);
  if (!factory || !g_object_class_find_property(G_OBJECT_GET_CLASS(muxer), "faststart-file"))
    return;
  if (chosen_already(muxer)) return;
  const int descriptor = open_nameless_file();
  // Without one the muxer makes its own, or says why it cannot.
  if (descriptor < 0) return;
  // The muxer opens the path anew with truncation and removes it in the end, which does nothing
  // here. The descriptor lives as long as the muxer.
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  g_object_set(muxer, "faststart-file", path.c_str(), nullptr);
  g_object_set_data_full(G_OBJECT(muxer), "clips-faststart-file", GINT_TO_POINTER(descriptor + 1),
                         [](gpointer data) { close(GPOINTER_TO_INT(data) - 1); });
}

}  // namespace clips
