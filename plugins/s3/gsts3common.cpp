// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gsts3common.h"

#include <set>

#include "common/display_name.hpp"
#include "common/handles.hpp"
#include "text.hpp"

GType gst_clips_s3_addressing_get_type();
GType gst_clips_s3_payload_signing_get_type();

namespace clips::s3 {

namespace {

enum : guint {
  PROP_REGION = kFirstConnectionProperty,
  PROP_ENDPOINT_URI,
  PROP_ADDRESSING,
  PROP_FORCE_PATH_STYLE,
  PROP_CA_FILE,
  PROP_ACCESS_KEY,
  PROP_SECRET_ACCESS_KEY,
  PROP_SESSION_TOKEN,
  PROP_PROFILE,
  PROP_ANONYMOUS,
  PROP_PAYLOAD_SIGNING,
  PROP_MAX_BANDWIDTH,
  PROP_RETRY_ATTEMPTS,
  PROP_RETRY_DURATION,
  PROP_CONNECT_TIMEOUT,
  PROP_STALL_TIMEOUT,
};

// The defaults are Config's own.
const Config kDefaults;

constexpr auto kReadWrite =
    GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
// Nobody can read it back: not a dump of the pipeline, not a log, not an application.
constexpr auto kWriteOnly =
    GParamFlags(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);

GstDebugLevel debug_level(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return GST_LEVEL_ERROR;
    case LogLevel::warning:
      return GST_LEVEL_WARNING;
    case LogLevel::info:
      return GST_LEVEL_INFO;
    case LogLevel::debug:
      return GST_LEVEL_DEBUG;
    case LogLevel::trace:
      return GST_LEVEL_LOG;
  }
  return GST_LEVEL_LOG;
}

std::string text_of(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text ? text : "";
}

void set_text(GValue* value, const std::string& text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

}  // namespace

void install_connection_properties(GObjectClass* klass) {
  const auto text = [&](guint id, const char* name, const char* nick, const char* blurb,
                        GParamFlags flags = kReadWrite) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_string(name, nick, blurb, nullptr, flags));
  };
  const auto time = [&](guint id, const char* name, const char* nick, const char* blurb,
                        std::chrono::nanoseconds otherwise) {
    g_object_class_install_property(klass, id,
                                    g_param_spec_uint64(name, nick, blurb, 0, G_MAXINT64,
                                                        guint64(otherwise.count()), kReadWrite));
  };
  text(PROP_REGION, "region", "Region",
       "Region of the bucket, e.g. eu-central-1. Unset: AWS_REGION, the profile's, us-east-1; a "
       "wrong one is corrected when the store names the right one.");
  text(PROP_ENDPOINT_URI, "endpoint-uri", "Endpoint URI",
       "Where the store is, https://host[:port] or http://host[:port]. Unset: AWS_ENDPOINT_URL_S3, "
       "AWS_ENDPOINT_URL, the profile's, Amazon's of the region.");
  g_object_class_install_property(
      klass, PROP_ADDRESSING,
      g_param_spec_enum("addressing", "Addressing",
                        "Where a request names the bucket: in the path or before the host name.",
                        gst_clips_s3_addressing_get_type(), int(kDefaults.addressing), kReadWrite));
  g_object_class_install_property(
      klass, PROP_FORCE_PATH_STYLE,
      g_param_spec_boolean("force-path-style", "Force path style",
                           "True is the same as addressing=path.", FALSE, kReadWrite));
  text(PROP_CA_FILE, "ca-file", "CA file",
       "PEM file of the certificate authorities to trust. Unset: AWS_CA_BUNDLE, the profile's, the "
       "system's.");
  text(PROP_ACCESS_KEY, "access-key", "Access key",
       "Access key ID, together with secret-access-key. Unset: the standard credential chain. "
       "Cannot be read.",
       kWriteOnly);
  text(PROP_SECRET_ACCESS_KEY, "secret-access-key", "Secret access key",
       "Secret access key. Cannot be read.", kWriteOnly);
  text(PROP_SESSION_TOKEN, "session-token", "Session token",
       "Session token of temporary keys. Cannot be read.", kWriteOnly);
  text(PROP_PROFILE, "profile", "Profile",
       "Profile of the shared AWS files to take credentials and settings from. Unset: AWS_PROFILE, "
       "default.");
  g_object_class_install_property(
      klass, PROP_ANONYMOUS,
      g_param_spec_boolean("anonymous", "Anonymous",
                           "Do not sign requests: for objects that everybody may read.",
                           kDefaults.anonymous, kReadWrite));
  g_object_class_install_property(
      klass, PROP_PAYLOAD_SIGNING,
      g_param_spec_enum("payload-signing", "Payload signing",
                        "Whether the SHA-256 of what is sent becomes part of the signature.",
                        gst_clips_s3_payload_signing_get_type(), int(kDefaults.payload_signing),
                        kReadWrite));
  g_object_class_install_property(
      klass, PROP_MAX_BANDWIDTH,
      g_param_spec_uint64("max-bandwidth", "Maximum bandwidth",
                          "Most bytes per second over all connections of the element (0 = no "
                          "limit).",
                          0, G_MAXINT64, kDefaults.max_bandwidth, kReadWrite));
  g_object_class_install_property(
      klass, PROP_RETRY_ATTEMPTS,
      g_param_spec_uint("retry-attempts", "Retry attempts",
                        "How often a request is sent at most, the first time included.", 1, 1000,
                        kDefaults.max_attempts, kReadWrite));
  time(PROP_RETRY_DURATION, "retry-duration", "Retry duration",
       "How long a failing request is tried again at most, in nanoseconds; 5 s while the endpoint "
       "has never answered.",
       kDefaults.retry_budget);
  time(PROP_CONNECT_TIMEOUT, "connect-timeout", "Connect timeout",
       "How long one attempt to connect may take, in nanoseconds, at least a millisecond.",
       kDefaults.connect_timeout);
  time(PROP_STALL_TIMEOUT, "stall-timeout", "Stall timeout",
       "A transfer that moves no byte for so long is given up and tried again, in nanoseconds, "
       "rounded up to seconds.",
       kDefaults.stall_timeout);
}

bool set_connection_property(Config& config, guint id, const GValue* value) {
  const auto time = [value] {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(g_value_get_uint64(value)));
  };
  switch (id) {
    case PROP_REGION:
      config.region = text_of(value);
      return true;
    case PROP_ENDPOINT_URI:
      config.endpoint = text_of(value);
      return true;
    case PROP_ADDRESSING:
      config.addressing = Addressing(g_value_get_enum(value));
      return true;
    case PROP_FORCE_PATH_STYLE:
      if (g_value_get_boolean(value)) {
        config.addressing = Addressing::path;
      } else if (config.addressing == Addressing::path) {
        config.addressing = Addressing::automatic;
      }
      return true;
    case PROP_CA_FILE:
      config.ca_file = text_of(value);
      return true;
    case PROP_ACCESS_KEY:
      config.access_key = text_of(value);
      return true;
    case PROP_SECRET_ACCESS_KEY:
      config.secret_key = text_of(value);
      return true;
    case PROP_SESSION_TOKEN:
      config.session_token = text_of(value);
      return true;
    case PROP_PROFILE:
      config.profile = text_of(value);
      return true;
    case PROP_ANONYMOUS:
      config.anonymous = g_value_get_boolean(value);
      return true;
    case PROP_PAYLOAD_SIGNING:
      config.payload_signing = PayloadSigning(g_value_get_enum(value));
      return true;
    case PROP_MAX_BANDWIDTH:
      config.max_bandwidth = g_value_get_uint64(value);
      return true;
    case PROP_RETRY_ATTEMPTS:
      config.max_attempts = g_value_get_uint(value);
      return true;
    case PROP_RETRY_DURATION:
      config.retry_budget = time();
      return true;
    case PROP_CONNECT_TIMEOUT:
      config.connect_timeout = time();
      return true;
    case PROP_STALL_TIMEOUT:
      config.stall_timeout = time();
      return true;
    default:
      return false;
  }
}

bool get_connection_property(const Config& config, guint id, GValue* value) {
  switch (id) {
    case PROP_REGION:
      set_text(value, config.region);
      return true;
    case PROP_ENDPOINT_URI:
      set_text(value, config.endpoint);
      return true;
    case PROP_ADDRESSING:
      g_value_set_enum(value, int(config.addressing));
      return true;
    case PROP_FORCE_PATH_STYLE:
      g_value_set_boolean(value, config.addressing == Addressing::path);
      return true;
    case PROP_CA_FILE:
      set_text(value, config.ca_file);
      return true;
    case PROP_PROFILE:
      set_text(value, config.profile);
      return true;
    case PROP_ANONYMOUS:
      g_value_set_boolean(value, config.anonymous);
      return true;
    case PROP_PAYLOAD_SIGNING:
      g_value_set_enum(value, int(config.payload_signing));
      return true;
    case PROP_MAX_BANDWIDTH:
      g_value_set_uint64(value, config.max_bandwidth);
      return true;
    case PROP_RETRY_ATTEMPTS:
      g_value_set_uint(value, config.max_attempts);
      return true;
    case PROP_RETRY_DURATION:
      g_value_set_uint64(value, guint64(config.retry_budget.count()));
      return true;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint64(value, guint64(config.connect_timeout.count()));
      return true;
    case PROP_STALL_TIMEOUT:
      g_value_set_uint64(value, guint64(config.stall_timeout.count()));
      return true;
    default:
      return false;
  }
}

std::string Location::uri() const {
  if (bucket.empty() || key.empty()) return {};
  return object_uri({.bucket = bucket, .key = key, .version_id = {}});
}

bool Location::set_uri(const gchar* text, GError** error) {
  *this = {};
  if (!text || !*text) return true;
  auto name = parse_object_uri(text);
  if (!name) {
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "Not the URI of an S3 object: %s.",
                name.error().reason.c_str());
    fault = std::move(name.error().reason);
    return false;
  }
  bucket = std::move(name->bucket);
  key = std::move(name->key);
  return true;
}

Result<ObjectName> Location::object() const {
  // A bucket or key that is there was set after the URI.
  if (!fault.empty() && bucket.empty() && key.empty()) {
    return tl::unexpected(Error{.kind = ErrorKind::settings, .reason = fault});
  }
  if (bucket.empty() || key.empty()) {
    return tl::unexpected(Error{.kind = ErrorKind::settings,
                                .reason = bucket.empty() && key.empty()
                                              ? "no object is named; set uri, or bucket and key"
                                          : key.empty() ? "a bucket is named and no key; set key"
                                                        : "a key is named and no bucket; set "
                                                          "bucket"});
  }
  return parse_object_uri(uri());
}

Result<std::unique_ptr<Client>> make_client(GstElement* element, GstDebugCategory* category,
                                            Config config) {
  config.log = [element, category](LogLevel level, std::string_view text) {
    GST_CAT_LEVEL_LOG(category, debug_level(level), element, "%.*s", static_cast<int>(text.size()),
                      text.data());
  };
  // Once a cause: a store that has a bad hour would else drown the bus.
  config.trouble = [element, seen = std::set<std::string>()](const Error& error) mutable {
    if (!seen.insert(std::to_string(error.http_status) + error.s3_code +
                     std::to_string(static_cast<int>(error.kind)))
             .second) {
      return;
    }
    GST_ELEMENT_WARNING(
        element, RESOURCE, FAILED,
        ("A request to the store failed and is tried again: %s.", error.reason.c_str()),
        ("%s", error.detail.c_str()));
  };
  return Client::create(std::move(config));
}

GQuark error_domain(ErrorKind) {
  return GST_RESOURCE_ERROR;
}

gint error_code(ErrorKind kind, bool writing) {
  switch (kind) {
    case ErrorKind::settings:
      return GST_RESOURCE_ERROR_SETTINGS;
    case ErrorKind::credentials:
    case ErrorKind::not_authorized:
      return GST_RESOURCE_ERROR_NOT_AUTHORIZED;
    case ErrorKind::not_found:
    case ErrorKind::no_such_bucket:
      return GST_RESOURCE_ERROR_NOT_FOUND;
    case ErrorKind::no_space:
      return GST_RESOURCE_ERROR_NO_SPACE_LEFT;
    case ErrorKind::range:
      return GST_RESOURCE_ERROR_SEEK;
    case ErrorKind::connection:
    case ErrorKind::tls:
    case ErrorKind::precondition:
    case ErrorKind::conflict:
      return writing ? GST_RESOURCE_ERROR_OPEN_WRITE : GST_RESOURCE_ERROR_OPEN_READ;
    case ErrorKind::cancelled:
    case ErrorKind::changed:
    case ErrorKind::timeout:
    case ErrorKind::server:
    case ErrorKind::protocol:
      return writing ? GST_RESOURCE_ERROR_WRITE : GST_RESOURCE_ERROR_READ;
  }
  return GST_RESOURCE_ERROR_FAILED;
}

void post_error(GstElement* element, const Error& error, const char* action,
                const std::string& uri) {
  if (error.kind == ErrorKind::cancelled) return;
  GstStructure* details = gst_structure_new_empty("details");
  if (error.http_status) {
    gst_structure_set(details, "http-status-code", G_TYPE_UINT, guint(error.http_status), nullptr);
  }
  if (!error.s3_code.empty()) {
    gst_structure_set(details, "s3-error-code", G_TYPE_STRING, error.s3_code.c_str(), nullptr);
  }
  if (!error.request_id.empty()) {
    gst_structure_set(details, "request-id", G_TYPE_STRING, error.request_id.c_str(), nullptr);
  }
  if (error.kind == ErrorKind::changed) {
    gst_structure_set(details, "replaced", G_TYPE_BOOLEAN, TRUE, nullptr);
  }
  const bool writing = g_strcmp0(action, "read") != 0;
  const std::string text = std::string("Could not ") + action + " " +
                           (uri.empty() ? std::string("an S3 object") : display_name(uri)) + ": " +
                           error.reason + ".";
  // The message takes both texts and the details.
  gst_element_message_full_with_details(
      element, GST_MESSAGE_ERROR, error_domain(error.kind), error_code(error.kind, writing),
      g_strdup(text.c_str()), error.detail.empty() ? nullptr : g_strdup(error.detail.c_str()),
      __FILE__, "s3", __LINE__, details);
}

}  // namespace clips::s3

GType gst_clips_s3_addressing_get_type() {
  using clips::s3::Addressing;
  static const GEnumValue values[] = {
      {int(Addressing::automatic), "Before Amazon's host names where possible, else in the path",
       "auto"},
      {int(Addressing::path), "https://endpoint/bucket/key", "path"},
      {int(Addressing::virtual_host), "https://bucket.endpoint/key", "virtual-host"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstClipsS3Addressing", values);
  return type;
}

GType gst_clips_s3_payload_signing_get_type() {
  using clips::s3::PayloadSigning;
  static const GEnumValue values[] = {
      {int(PayloadSigning::automatic), "Over plain HTTP, not over TLS", "auto"},
      {int(PayloadSigning::always), "Always", "always"},
      {int(PayloadSigning::never), "Never", "never"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstClipsS3PayloadSigning", values);
  return type;
}
