// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace clips {

// What an element's GstURIHandler interface needs; `uri_of_property` and `set_uri_property` serve
// elements whose property "uri" is all there is to it.
struct UriHandler {
  GstURIType type;
  const gchar* const* protocols;  // ends with null
  gchar* (*get_uri)(GstURIHandler* self);
  gboolean (*set_uri)(GstURIHandler* self, const gchar* uri, GError** error);
};

inline gchar* uri_of_property(GstURIHandler* self) {
  gchar* uri = nullptr;
  g_object_get(self, "uri", &uri, nullptr);
  return uri;
}

inline gboolean set_uri_property(GstURIHandler* self, const gchar* uri, GError**) {
  g_object_set(self, "uri", uri, nullptr);
  return TRUE;
}

// For G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, init_uri_handler<handler>). Each element gives
// its handler a name of its own: GCC 14 lets the linker merge what is made for two of one name,
// even when both are local to their files.
template <const UriHandler& kHandler>
void init_uri_handler(gpointer iface, gpointer) {
  auto* handler = static_cast<GstURIHandlerInterface*>(iface);
  handler->get_type = [](GType) { return kHandler.type; };
  handler->get_protocols = [](GType) { return kHandler.protocols; };
  handler->get_uri = kHandler.get_uri;
  handler->set_uri = kHandler.set_uri;
}

}  // namespace clips
