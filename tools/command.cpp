// SPDX-License-Identifier: LGPL-2.1-or-later
#include "command.hpp"

#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>

#include <cstdio>

#include "common/handles.hpp"
#include "exit_code.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

// FFmpeg's decoder of GIF, wrapped by GStreamer 1.22, gives the first picture again and again for
// ever. Without it a GIF is what nothing here decodes.
void leave_out_what_never_ends() {
  if (GstPluginFeature* decoder = gst_registry_lookup_feature(gst_registry_get(), "avdec_gif")) {
    gst_plugin_feature_set_rank(decoder, GST_RANK_NONE);
    gst_object_unref(decoder);
  }
}

}  // namespace

bool parse_options(const Command& command, std::vector<char*>& arguments,
                   std::span<const GOptionEntry> entries, const std::string& description,
                   gpointer data) {
  // The usage line begins with the program's name, which is "gst-clips run" to a reader.
  const std::string name = std::string("gst-clips ") + command.name;
  g_set_prgname(name.c_str());
  const std::unique_ptr<GOptionContext, decltype(&g_option_context_free)> context(
      g_option_context_new(command.arguments), g_option_context_free);
  g_option_context_set_summary(context.get(), command.summary);
  if (!description.empty()) g_option_context_set_description(context.get(), description.c_str());
  std::vector<GOptionEntry> terminated(entries.begin(), entries.end());
  terminated.push_back(GOptionEntry{});
  GOptionGroup* group = g_option_group_new(nullptr, nullptr, nullptr, data, nullptr);
  g_option_group_add_entries(group, terminated.data());
  g_option_context_set_main_group(context.get(), group);
  g_option_context_add_group(context.get(), gst_init_get_option_group());

  // GOption wants the program's name first and shifts the rest.
  static char program[] = "gst-clips";
  std::vector<char*> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.push_back(nullptr);
  int count = static_cast<int>(words.size()) - 1;
  char** vector = words.data();
  GError* raw = nullptr;
  if (!g_option_context_parse(context.get(), &count, &vector, &raw)) {
    const ErrorPtr error(raw);
    usage_error(command, error->message);
    return false;
  }
  gst_pb_utils_init();
  leave_out_what_never_ends();
  arguments.assign(vector + 1, vector + count);
  // What stands behind "--" is an argument even when it begins with a dash.
  if (!arguments.empty() && g_str_equal(arguments.front(), "--"))
    arguments.erase(arguments.begin());
  return true;
}

int usage_error(const Command& command, const std::string& message) {
  std::string line = one_line(redact(message));
  if (!line.empty() && line.back() != '.' && line.back() != '?') line += '.';
  std::fprintf(stderr, "gst-clips: %s See: gst-clips %s --help\n", line.c_str(), command.name);
  return static_cast<int>(ExitCode::usage);
}

}  // namespace clips::tool
