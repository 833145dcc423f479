// SPDX-License-Identifier: LGPL-2.1-or-later
#include "faststartfile.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/handles.hpp"

namespace clips {

namespace {

int open_nameless_file_in(const char* folder) {
  const int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  // A filesystem without O_TMPFILE: named for a moment.
  const GString_ path(g_build_filename(folder, "clips-faststart-XXXXXX", nullptr));
  const int named = g_mkstemp_full(path.get(), O_RDWR | O_CLOEXEC, 0600);
  if (named >= 0) unlink(path.get());
  return named;
}

// In the folder for temporary files, or if that is missing or may not be written, where such files
// may be elsewhere.
int open_nameless_file() {
  for (const char* folder : {g_get_tmp_dir(), "/var/tmp", "/tmp"}) {
    const int descriptor = open_nameless_file_in(folder);
    if (descriptor >= 0) return descriptor;
    GST_WARNING("no temporary file in %s: %s", folder, g_strerror(errno));
  }
  // Nothing can be written at all: in memory, as large as the output.
  return memfd_create("clips-faststart", MFD_CLOEXEC);
}

bool chosen_already(GstElement* muxer) {
  gchar* text = nullptr;
  g_object_get(muxer, "faststart-file", &text, nullptr);
  const GString_ owner(text);
  // The element's own choice is a random name of this kind.
  const GString_ own(g_build_filename(g_get_tmp_dir(), "qtmux", nullptr));
  return !text || !g_str_has_prefix(text, own.get());
}

constexpr char kOwnFile[] = "clips-faststart-file";

bool is_made_by(GstElement* element, const char* factory_name) {
  GstElementFactory* factory = gst_element_get_factory(element);
  return factory && g_str_equal(GST_OBJECT_NAME(factory), factory_name);
}

bool has_faststart_file(GstElement* element) {
  return gst_element_get_factory(element) &&
         g_object_class_find_property(G_OBJECT_GET_CLASS(element), "faststart-file");
}

// With a temporary file that nobody asked for.
bool puts_header_first(GstElement* element) {
  if (!has_faststart_file(element)) return false;
  if (!g_object_get_data(G_OBJECT(element), kOwnFile) && chosen_already(element)) return false;
  gboolean first = FALSE;
  g_object_get(element, "faststart", &first, nullptr);
  return first;
}

}  // namespace

void leave_index_to_s3sink(GstBin* bin, GstElement* added) {
  if (!is_made_by(added, "s3sink") && !puts_header_first(added)) return;
  std::vector<ElementRef> muxers;
  bool to_s3 = false;
  bool elsewhere = false;
  using Iterator = std::unique_ptr<GstIterator, decltype(&gst_iterator_free)>;
  const Iterator elements(gst_bin_iterate_recurse(bin), gst_iterator_free);
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(elements.get(), &item) == GST_ITERATOR_OK) {
    auto* element = GST_ELEMENT(g_value_get_object(&item));
    if (puts_header_first(element)) muxers.push_back(ElementRef::retain(element));
    if (!GST_IS_BIN(element) && GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK))
      (is_made_by(element, "s3sink") ? to_s3 : elsewhere) = true;
    g_value_reset(&item);
  }
  if (muxers.size() != 1 || !to_s3 || elsewhere) return;
  g_object_set(muxers.front().get(), "faststart", FALSE, nullptr);
  g_object_set_data(G_OBJECT(muxers.front().get()), kOwnFile, nullptr);
}

void use_nameless_faststart_file(GstElement* muxer) {
  if (!has_faststart_file(muxer) || chosen_already(muxer)) return;
  const int descriptor = open_nameless_file();
  // The muxer then makes a file of its own. Where it cannot it waits for ever (1.22 to 1.26).
  if (descriptor < 0) return;
  // The muxer opens the path anew with truncation and removes it in the end, which does nothing
  // here. The descriptor lives as long as the muxer.
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  g_object_set(muxer, "faststart-file", path.c_str(), nullptr);
  g_object_set_data_full(G_OBJECT(muxer), kOwnFile, GINT_TO_POINTER(descriptor + 1),
                         [](gpointer data) { close(GPOINTER_TO_INT(data) - 1); });
}

}  // namespace clips
