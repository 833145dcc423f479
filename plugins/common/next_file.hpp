// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace clips {

// Of the property "next-file": when a sink goes on to a new output.
enum class NextFile { never, buffer };

// A type's name is one for the whole process, so each plugin registers its own. The words are
// constants.
inline GType register_next_file(const char* type_name, const char* never, const char* buffer) {
  const GEnumValue values[] = {{static_cast<int>(NextFile::never), never, "never"},
                               {static_cast<int>(NextFile::buffer), buffer, "buffer"},
                               {0, nullptr, nullptr}};
  // The type keeps its values for ever.
  const auto* kept = static_cast<const GEnumValue*>(g_memdup2(values, sizeof values));
  return g_enum_register_static(type_name, kept);
}

inline void install_next_file_property(GObjectClass* klass, guint id, GType type,
                                       const char* blurb) {
  g_object_class_install_property(
      klass, id,
      g_param_spec_enum("next-file", "Next file", blurb, type, static_cast<int>(NextFile::never),
                        static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                 GST_PARAM_MUTABLE_READY)));
  gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
}

}  // namespace clips
