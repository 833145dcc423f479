// SPDX-License-Identifier: LGPL-2.1-or-later
// What fdsink lacks for a program's stdout: fdsink's write to a pipe whose reader is gone ends the
// whole process with SIGPIPE, and its fd counts as seekable whenever it is a file.
#include "gstfdpublishsink.h"

#include <cerrno>
#include <optional>
#include <vector>

#include "common/error_watch.hpp"
#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "pipe_writer.hpp"

GST_DEBUG_CATEGORY_STATIC(fd_publish_sink_debug);
#define GST_CAT_DEFAULT fd_publish_sink_debug

namespace {

using clips::publish::PipeWriter;

struct Private {
  int fd = -1;
  // Between open() and close(). unlock() uses it from the thread that changes the state, which is
  // the one that opens and closes.
  std::optional<PipeWriter> writer;
  std::uint64_t bytes = 0;
  bool failed = false;
  clips::ErrorWatch error_watch;
};

}  // namespace

struct _GstClipsFdPublishSink {
  GstBaseSink parent;
};
using GstClipsFdPublishSinkPrivate = Private;

#define gst_clips_fd_publish_sink_parent_class parent_class
G_DEFINE_FINAL_TYPE_WITH_PRIVATE(GstClipsFdPublishSink, gst_clips_fd_publish_sink,
                                 GST_TYPE_BASE_SINK)

namespace {

Private& priv(gpointer self) {
  return *static_cast<Private*>(
      gst_clips_fd_publish_sink_get_instance_private(static_cast<GstClipsFdPublishSink*>(self)));
}

bool open(GstElement* self) {
  return clips::guard(self, false, [&] {
    auto& p = priv(self);
    p.bytes = 0;
    p.failed = false;
    auto writer = PipeWriter::open(p.fd);
    if (!writer) {
      GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE,
                        ("Could not write to fd://%d: %s.", p.fd,
                         writer.error() == EBADF ? "no such descriptor is open for writing"
                                                 : g_strerror(writer.error())),
                        ("errno %d", writer.error()));
      return false;
    }
    p.writer.emplace(std::move(*writer));
    p.error_watch.start(self);
    return true;
  });
}

void close(GstElement* self) {
  priv(self).error_watch.stop();
  priv(self).writer.reset();
}

// Not start() and stop(): where start() fails the base class adds a second error of its own.
GstStateChangeReturn change_state(GstElement* self, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open(self))
    return GST_STATE_CHANGE_FAILURE;
  const auto result = GST_ELEMENT_CLASS(parent_class)->change_state(self, transition);
  const bool failed_to_pause =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_to_pause) close(self);
  return result;
}

gboolean unlock(GstBaseSink* self) {
  if (priv(self).writer) priv(self).writer->interrupt();
  return TRUE;
}

gboolean unlock_stop(GstBaseSink* self) {
  if (priv(self).writer) priv(self).writer->resume();
  return TRUE;
}

GstFlowReturn post_error(gpointer self, int code) {
  auto& p = priv(self);
  p.failed = true;
  if (code == EPIPE || code == ECONNRESET) {
    GST_ELEMENT_ERROR(self, RESOURCE, WRITE,
                      ("Could not write to fd://%d: its reader is gone.", p.fd),
                      ("%s after %" G_GUINT64_FORMAT " bytes", g_strerror(code), p.bytes));
  } else if (code == ENOSPC || code == EDQUOT) {
    GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT,
                      ("Could not write to fd://%d: no space is left on the disk.", p.fd),
                      ("%s after %" G_GUINT64_FORMAT " bytes", g_strerror(code), p.bytes));
  } else {
    GST_ELEMENT_ERROR(self, RESOURCE, WRITE,
                      ("Could not write to fd://%d: %s.", p.fd, g_strerror(code)),
                      ("errno %d after %" G_GUINT64_FORMAT " bytes", code, p.bytes));
  }
  return GST_FLOW_ERROR;
}

GstFlowReturn render(GstBaseSink* self, GstBuffer* buffer) {
  return clips::guard(self, GST_FLOW_ERROR, [&] {
    auto& p = priv(self);
    if (p.failed) return GST_FLOW_ERROR;
    // What is made of a stream that has failed is for nobody: a cut list that is written at its
    // end, say. Not GST_FLOW_ERROR, for which the source would post another error.
    if (p.error_watch.failed()) return GST_FLOW_FLUSHING;
    const clips::BufferMap map(buffer, GST_MAP_READ);
    if (!map) return post_error(self, EFAULT);
    std::size_t from = 0;
    while (true) {
      const iovec piece{map.data() + from, map.size() - from};
      const auto done = p.writer->write({&piece, 1});
      if (done) {
        p.bytes += map.size() - from;
        return GST_FLOW_OK;
      }
      from += done.error().written;
      p.bytes += done.error().written;
      if (done.error().code != ECANCELED) return post_error(self, done.error().code);
      // Paused, or on the way to READY: only the base class knows.
      const GstFlowReturn waited = gst_base_sink_wait_preroll(self);
      if (waited != GST_FLOW_OK) return waited;
    }
  });
}

gboolean event(GstBaseSink* self, GstEvent* event) {
  auto& p = priv(self);
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
    const GstSegment* segment = nullptr;
    gst_event_parse_segment(event, &segment);
    if (segment->format == GST_FORMAT_BYTES && segment->start != p.bytes && !p.failed) {
      p.failed = true;
      GST_ELEMENT_ERROR(
          self, RESOURCE, SEEK,
          ("Could not write to fd://%d: the stream goes back to rewrite its start, "
           "and a pipe cannot. Use a streamable format such as fragmented MP4, "
           "Matroska or MPEG-TS.",
           p.fd),
          ("from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, p.bytes, segment->start));
      gst_event_unref(event);
      return FALSE;
    }
  }
  return GST_BASE_SINK_CLASS(parent_class)->event(self, event);
}

GstFlowReturn wait_event(GstBaseSink* self, GstEvent* event) {
  const GstFlowReturn waited = GST_BASE_SINK_CLASS(parent_class)->wait_event(self, event);
  auto& p = priv(self);
  if (waited != GST_FLOW_OK || GST_EVENT_TYPE(event) != GST_EVENT_EOS) return waited;
  if (p.failed || p.error_watch.failed()) return GST_FLOW_ERROR;
  const clips::GString_ uri(g_strdup_printf("fd://%d", p.fd));
  gst_element_post_message(
      GST_ELEMENT_CAST(self),
      gst_message_new_element(
          GST_OBJECT_CAST(self),
          gst_structure_new("published", "uri", G_TYPE_STRING, uri.get(), "bytes", G_TYPE_UINT64,
                            p.bytes, "index", G_TYPE_UINT64, G_GUINT64_CONSTANT(0), nullptr)));
  return GST_FLOW_OK;
}

gboolean query(GstBaseSink* self, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_SEEKING) {
    GstFormat format;
    gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
    gst_query_set_seeking(query, format, FALSE, 0, -1);
    return TRUE;
  }
  return GST_BASE_SINK_CLASS(parent_class)->query(self, query);
}

void finalize(GObject* self) {
  clips::destroy_private<Private>(&priv(self));
  G_OBJECT_CLASS(parent_class)->finalize(self);
}

}  // namespace

static void gst_clips_fd_publish_sink_init(GstClipsFdPublishSink* self) {
  clips::construct_private<Private>(gst_clips_fd_publish_sink_get_instance_private(self));
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}

static void gst_clips_fd_publish_sink_class_init(GstClipsFdPublishSinkClass* klass) {
  GST_DEBUG_CATEGORY_INIT(fd_publish_sink_debug, "fdpublishsink", 0, "writes to a descriptor");
  auto* sink_class = GST_BASE_SINK_CLASS(klass);
  G_OBJECT_CLASS(klass)->finalize = finalize;
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Descriptor sink", "Sink/File",
                                        "Writes to a pipe, socket or file that is open already",
                                        "The gst-plugins-clips developers");
  static GstStaticPadTemplate sink_template =
      GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &sink_template);
  sink_class->unlock = unlock;
  sink_class->unlock_stop = unlock_stop;
  GST_ELEMENT_CLASS(klass)->change_state = change_state;
  sink_class->render = render;
  sink_class->event = event;
  sink_class->wait_event = wait_event;
  sink_class->query = query;
}

GstElement* gst_clips_fd_publish_sink_new(int fd) {
  auto* self = GST_ELEMENT(g_object_new(GST_CLIPS_TYPE_FD_PUBLISH_SINK, nullptr));
  priv(self).fd = fd;
  return self;
}
