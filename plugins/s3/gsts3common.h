// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// What s3src, s3sink and s3hlssink share: connection properties, names, errors.

#include <gst/gst.h>

#include <memory>
#include <string>

#include "client.hpp"

namespace clips::s3 {

// Property ids from here on belong to the connection; an element's own start at 1.
inline constexpr guint kFirstConnectionProperty = 1000;

void install_connection_properties(GObjectClass* klass);
// To be called under the object lock; false when the id is not one of the connection's. Secrets can
// be set and not be read.
bool set_connection_property(Config& config, guint id, const GValue* value);
bool get_connection_property(const Config& config, guint id, GValue* value);

// Where `uri`/`location` or `bucket` and `key` point to, as set by properties; whichever came last
// wins.
struct Location {
  std::string bucket;
  std::string key;
  std::string fault;  // why the last URI was none; object() tells
  // "s3://bucket/key", empty while incomplete.
  std::string uri() const;
  // False, with `error` set when given, when `text` is no such URI; null or empty clears.
  bool set_uri(const gchar* text, GError** error);
  Result<ObjectName> object() const;
};

// A client whose log goes to `category` under the element's name, and whose first trouble of each
// cause becomes one element warning. `element` must outlive the client.
Result<std::unique_ptr<Client>> make_client(GstElement* element, GstDebugCategory* category,
                                            Config config);

// Posts the one error message: "Could not <action> <uri>: <reason>.", `detail` as debug text and
// the details `http-status-code` (uint), `s3-error-code`, `request-id` (strings), each where known,
// and `replaced` (boolean) where it is no longer the object that it was.
// E.g. post_error(element, error, "write", "s3://bucket/key"). Cancelled posts nothing.
void post_error(GstElement* element, const Error& error, const char* action,
                const std::string& uri);
// The GStreamer error domain and code of an error, for other places that need them.
GQuark error_domain(ErrorKind kind);
gint error_code(ErrorKind kind, bool writing);

}  // namespace clips::s3
