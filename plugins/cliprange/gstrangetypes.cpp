// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstrangetypes.hpp"

#include "common/redact.hpp"

namespace clips::cut {

GType mode_get_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(Mode::Auto), "The least that is exact: edit, smart or exact", "auto"},
      {static_cast<gint>(Mode::Copy), "Packets from a key frame on, nothing hidden", "copy"},
      {static_cast<gint>(Mode::Edit), "Packets, exact by edit lists", "edit"},
      {static_cast<gint>(Mode::Smart), "Only the ends re-encoded", "smart"},
      {static_cast<gint>(Mode::Exact), "All pictures re-encoded, sound copied", "exact"},
      {static_cast<gint>(Mode::Whole), "Every packet, nothing cut", "whole"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsRangeMode", values);
  return type;
}

GType snap_get_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(Snap::Before), "The key frame at or before start", "before"},
      {static_cast<gint>(Snap::After), "The key frame at or after start", "after"},
      {static_cast<gint>(Snap::Nearest), "The key frame nearest to start", "nearest"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsRangeSnap", values);
  return type;
}

GType fallback_get_type() {
  static const GEnumValue values[] = {
      {static_cast<gint>(Fallback::Exact), "Re-encode all pictures of the range", "exact"},
      {static_cast<gint>(Fallback::Copy), "Copy, hide the surplus by edit lists", "copy"},
      {static_cast<gint>(Fallback::Error), "Fail", "error"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsRangeFallback", values);
  return type;
}

namespace {
constexpr gint kAutomatic = -1;
}

GType container_get_type() {
  static const GEnumValue values[] = {
      {kAutomatic, "QuickTime for a QuickTime source, else MP4", "auto"},
      {static_cast<gint>(Container::Mp4), "MP4", "mp4"},
      {static_cast<gint>(Container::Mov), "QuickTime", "mov"},
      {static_cast<gint>(Container::Matroska), "Matroska", "matroska"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstClipsContainer", values);
  return type;
}

gint container_value(std::optional<Container> container) {
  return container ? static_cast<gint>(*container) : kAutomatic;
}

std::optional<Container> container_of(gint value) {
  if (value == kAutomatic) return std::nullopt;
  return static_cast<Container>(value);
}

namespace {

std::pair<GQuark, gint> code_of(Fault fault) {
  switch (fault) {
    case Fault::Settings:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS};
    case Fault::NotFound:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND};
    case Fault::NotAllowed:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED};
    case Fault::NotSeekable:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SEEK};
    case Fault::WrongType:
    case Fault::Range:
    case Fault::Unsupported:  // no plugin that is missing would help
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE};
    case Fault::Damaged:
    case Fault::Truncated:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX};
    case Fault::NoKeyFrame:
    case Fault::Changed:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT};
    case Fault::Missing:
      return {GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN};
    case Fault::Undecodable:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE};
    case Fault::Codec:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE};
    default:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ};
  }
}

}  // namespace

void post_error(GstElement* element, const Error& error) {
  const auto [domain, code] = code_of(error.fault);
  // The details of a source's error may hold its URL too.
  gst_element_message_full(
      element, GST_MESSAGE_ERROR, domain, code, g_strdup(redact(error.message).c_str()),
      error.details.empty() ? nullptr : g_strdup(redact(error.details).c_str()), __FILE__,
      GST_FUNCTION, __LINE__);
}

GstStructure* describe(const Report& report, const Request& request) {
  const auto ns = [](int64_t v) { return static_cast<guint64>(v < 0 ? 0 : v); };
  GstStructure* s = gst_structure_new(
      "clip-range", "requested-start", G_TYPE_UINT64, static_cast<guint64>(request.start),
      "requested-stop", G_TYPE_UINT64,
      static_cast<guint64>(request.stop ? *request.stop : GST_CLOCK_TIME_NONE), "start",
      G_TYPE_UINT64, ns(report.start), "stop", G_TYPE_UINT64, ns(report.stop), "stop-past-end",
      G_TYPE_BOOLEAN, report.stop_past_end ? TRUE : FALSE, "mode", G_TYPE_STRING,
      mode_name(report.mode), "reason", G_TYPE_STRING, report.reason.c_str(), nullptr);
  if (report.has_pictures)
    gst_structure_set(s, "frames", G_TYPE_UINT64, static_cast<guint64>(report.frames), "key-frame",
                      G_TYPE_UINT64, ns(report.key_frame), "lead-frames", G_TYPE_UINT64,
                      static_cast<guint64>(report.lead), "lead-hidden", G_TYPE_BOOLEAN,
                      report.lead_hidden ? TRUE : FALSE, "frames-copied", G_TYPE_UINT64,
                      static_cast<guint64>(report.frames_copied), "frames-encoded", G_TYPE_UINT64,
                      static_cast<guint64>(report.frames_encoded), nullptr);
  if (report.has_pictures && report.numbered)
    gst_structure_set(s, "first-frame", G_TYPE_UINT64, static_cast<guint64>(report.first_frame),
                      "last-frame", G_TYPE_UINT64,
                      static_cast<guint64>(report.first_frame + report.frames - 1), nullptr);
  GValue list = G_VALUE_INIT;
  g_value_init(&list, GST_TYPE_ARRAY);
  for (const std::string& track : report.tracks) {
    GValue text = G_VALUE_INIT;
    g_value_init(&text, G_TYPE_STRING);
    g_value_set_string(&text, track.c_str());
    gst_value_array_append_and_take_value(&list, &text);
  }
  gst_structure_take_value(s, "tracks", &list);
  return s;
}

}  // namespace clips::cut
