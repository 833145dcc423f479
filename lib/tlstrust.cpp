// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tlstrust.hpp"

#include <gio/gio.h>
#include <glib/gstdio.h>

#include <memory>
#include <string>

#include "common/handles.hpp"
#include "common/thread_annotations.hpp"

namespace clips {

namespace {

struct ObjectUnref {
  void operator()(gpointer object) const noexcept { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;

// The authorities read last: a system's take as long to read as a near server to answer.
class Authorities {
 public:
  static Authorities& shared() {
    static auto* authorities = new Authorities;  // elements may outlive main()
    return *authorities;
  }

  ObjectPtr<GTlsDatabase> of(const char* path, GError** error) {
    GStatBuf status{};
    const bool there = g_stat(path, &status) == 0;
    MutexLock lock(mutex_);
    if (!there || !database_ || path_ != path || size_ != status.st_size ||
        seconds_ != status.st_mtim.tv_sec || nanoseconds_ != status.st_mtim.tv_nsec) {
      database_.reset(g_tls_file_database_new(path, error));
      path_ = path;
      size_ = status.st_size;
      seconds_ = status.st_mtim.tv_sec;
      nanoseconds_ = status.st_mtim.tv_nsec;
    }
    if (!database_) return {};
    return ObjectPtr<GTlsDatabase>(G_TLS_DATABASE(g_object_ref(database_.get())));
  }

 private:
  Mutex mutex_;
  ObjectPtr<GTlsDatabase> database_ CLIPS_GUARDED_BY(mutex_);
  std::string path_ CLIPS_GUARDED_BY(mutex_);
  goffset size_ CLIPS_GUARDED_BY(mutex_) = 0;
  gint64 seconds_ CLIPS_GUARDED_BY(mutex_) = 0, nanoseconds_ CLIPS_GUARDED_BY(mutex_) = 0;
};

// What SSL_CERT_FILE names; nothing without it.
ObjectPtr<GTlsDatabase> named_authorities(GError** error) {
  if (!names_authorities()) return {};
  // GIO takes nothing but absolute paths.
  const GString_ absolute(g_canonicalize_filename(g_getenv("SSL_CERT_FILE"), nullptr));
  return Authorities::shared().of(absolute.get(), error);
}

const char* reason_of(GTlsCertificateFlags flags) {
  if (flags & G_TLS_CERTIFICATE_UNKNOWN_CA) return "no trusted authority has signed it";
  if (flags & G_TLS_CERTIFICATE_BAD_IDENTITY) return "it is for another name";
  if (flags & G_TLS_CERTIFICATE_EXPIRED) return "it has expired";
  if (flags & G_TLS_CERTIFICATE_NOT_ACTIVATED) return "its time has not begun";
  return "it is not valid";
}

struct Handshake {
  ObjectPtr<GTlsDatabase> authorities;
  std::string reason;
};

gboolean certificate_shown(GTlsConnection*, GTlsCertificate*, GTlsCertificateFlags flags,
                           gpointer data) {
  static_cast<Handshake*>(data)->reason = reason_of(flags);
  return FALSE;
}

void connection_goes_on(GSocketClient*, GSocketClientEvent event, GSocketConnectable*,
                        GIOStream* connection, gpointer data) {
  if (event != G_SOCKET_CLIENT_TLS_HANDSHAKING) return;
  auto* handshake = static_cast<Handshake*>(data);
  if (handshake->authorities)
    g_tls_connection_set_database(G_TLS_CONNECTION(connection), handshake->authorities.get());
  // Not called for a certificate that is trusted.
  g_signal_connect(connection, "accept-certificate", G_CALLBACK(certificate_shown), data);
}

}  // namespace

bool names_authorities() {
  const gchar* path = g_getenv("SSL_CERT_FILE");
  return path && *path;
}

void trust_certificate_file(GstElement* source) {
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(source), "tls-database");
  if (!spec || !g_type_is_a(spec->value_type, G_TYPE_TLS_DATABASE)) return;
  GTlsDatabase* chosen = nullptr;
  g_object_get(source, "tls-database", &chosen, nullptr);
  if (const ObjectPtr<GTlsDatabase> owner(chosen); owner) return;
  GError* raw = nullptr;
  const auto authorities = named_authorities(&raw);
  const ErrorPtr error(raw);
  if (error) {
    GST_ELEMENT_ERROR(
        source, RESOURCE, SETTINGS,
        ("The certificate authorities that SSL_CERT_FILE names cannot be used: %s", error->message),
        (nullptr));
    return;
  }
  if (authorities) g_object_set(source, "tls-database", authorities.get(), nullptr);
}

std::string why_not_trusted(const char* uri) {
  constexpr guint patience_s = 5;
  if (!g_str_has_prefix(uri, "https://")) return {};
  Handshake handshake;
  handshake.authorities = named_authorities(nullptr);
  const ObjectPtr<GSocketClient> client(g_socket_client_new());
  g_socket_client_set_tls(client.get(), TRUE);
  g_socket_client_set_timeout(client.get(), patience_s);
  g_signal_connect(client.get(), "event", G_CALLBACK(connection_goes_on), &handshake);
  const ObjectPtr<GSocketConnection> connection(
      g_socket_client_connect_to_uri(client.get(), uri, 443, nullptr, nullptr));
  return connection ? "" : handshake.reason;
}

}  // namespace clips
