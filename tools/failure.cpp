// SPDX-License-Identifier: LGPL-2.1-or-later
#include "failure.hpp"

#include <string_view>
#include <utility>

#include "common/handles.hpp"
#include "lib/tlstrust.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

enum class Side { input, middle, output };

// Whose fault an element's trouble is, from the element itself up to the pipeline: the innermost
// bin or element that is clearly of one side decides.
Side side_of(GstObject* object) {
  GstObject* next = nullptr;
  for (auto at = Ref<GstObject>::retain(object); at; at = Ref<GstObject>::adopt(next)) {
    next = gst_object_get_parent(at.get());
    // A pipeline is of no side. A bin may already have let go of the element that failed.
    if (!GST_IS_ELEMENT(at.get()) || GST_IS_PIPELINE(at.get())) continue;
    const gchar* text =
        gst_element_get_metadata(GST_ELEMENT_CAST(at.get()), GST_ELEMENT_METADATA_KLASS);
    const std::string_view klass = text ? text : "";
    const auto has = [klass](std::string_view word) {
      return klass.find(word) != std::string_view::npos;
    };
    const bool sink = has("Sink");
    const bool source = has("Source") || has("Demux") || has("Decoder") || has("Parser");
    if (!sink && !source) continue;
    if (next) gst_object_unref(next);
    return sink ? Side::output : Side::input;
  }
  return Side::middle;
}

ExitCode exit_of(const GError& error, Side side) {
  if (g_error_matches(&error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
      g_error_matches(&error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND))
    return ExitCode::missing_plugin;
  if (error.domain == GST_RESOURCE_ERROR) {
    switch (error.code) {
      case GST_RESOURCE_ERROR_SETTINGS:
        return ExitCode::usage;
      case GST_RESOURCE_ERROR_OPEN_WRITE:
      case GST_RESOURCE_ERROR_WRITE:
      case GST_RESOURCE_ERROR_SYNC:
        return ExitCode::not_published;
      case GST_RESOURCE_ERROR_NO_SPACE_LEFT:
        // From a source or decoder it is memory that has run out.
        return side == Side::input ? ExitCode::failed : ExitCode::not_published;
      default:
        break;
    }
  }
  if (side == Side::output) return ExitCode::not_published;
  if (side == Side::input) return ExitCode::bad_input;
  if (error.domain == GST_RESOURCE_ERROR) {
    switch (error.code) {
      case GST_RESOURCE_ERROR_NOT_FOUND:
      case GST_RESOURCE_ERROR_OPEN_READ:
      case GST_RESOURCE_ERROR_READ:
      case GST_RESOURCE_ERROR_SEEK:
      case GST_RESOURCE_ERROR_NOT_AUTHORIZED:
        return ExitCode::bad_input;
      default:
        return ExitCode::failed;
    }
  }
  if (error.domain == GST_STREAM_ERROR) {
    switch (error.code) {
      case GST_STREAM_ERROR_TYPE_NOT_FOUND:
      case GST_STREAM_ERROR_WRONG_TYPE:
      case GST_STREAM_ERROR_DECODE:
      case GST_STREAM_ERROR_DEMUX:
      case GST_STREAM_ERROR_FORMAT:
      case GST_STREAM_ERROR_DECRYPT:
      case GST_STREAM_ERROR_DECRYPT_NOKEY:
        return ExitCode::bad_input;
      default:
        return ExitCode::failed;
    }
  }
  return ExitCode::failed;
}

std::string code_of(const GError& error) {
  GType type = G_TYPE_INVALID;
  if (error.domain == GST_RESOURCE_ERROR) type = GST_TYPE_RESOURCE_ERROR;
  if (error.domain == GST_STREAM_ERROR) type = GST_TYPE_STREAM_ERROR;
  if (error.domain == GST_CORE_ERROR) type = GST_TYPE_CORE_ERROR;
  if (error.domain == GST_LIBRARY_ERROR) type = GST_TYPE_LIBRARY_ERROR;
  if (type == G_TYPE_INVALID) return std::to_string(error.code);
  auto* values = static_cast<GEnumClass*>(g_type_class_ref(type));
  const GEnumValue* value = g_enum_get_value(values, error.code);
  const std::string nick = value ? value->value_nick : std::to_string(error.code);
  g_type_class_unref(values);
  return nick;
}

std::string domain_of(const GError& error) {
  if (error.domain == GST_RESOURCE_ERROR) return "resource";
  if (error.domain == GST_STREAM_ERROR) return "stream";
  if (error.domain == GST_CORE_ERROR) return "core";
  if (error.domain == GST_LIBRARY_ERROR) return "library";
  return g_quark_to_string(error.domain);
}

// Elements that say nothing of their own get the code's standard text; what they know is in the
// debug text then, behind a first line of file, line and path.
std::string details_of(std::string_view debug) {
  const std::size_t first_line = debug.find('\n');
  return first_line == std::string_view::npos ? "" : std::string(debug.substr(first_line + 1));
}

// The file or URL that an element reads or writes; empty when it has none.
std::string location_of(GstObject* element) {
  for (const char* name : {"location", "uri"}) {
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
    if (!spec || spec->value_type != G_TYPE_STRING || !(spec->flags & G_PARAM_READABLE)) continue;
    gchar* text = nullptr;
    g_object_get(element, name, &text, nullptr);
    const GString_ owner(text);
    if (text && *text) return text;
  }
  return {};
}

// A sentence with the object's name for the standard texts, which have none.
std::string sentence_of(const GError& error, GstObject* element, std::string_view debug) {
  std::string text = error.message ? error.message : "";
  // mp4mux does not name the folder that its file without a name is in.
  if (text == "Failed to write to temporary file")
    return std::string(
               "There is no space left for the temporary file that an MP4 with its index in "
               "front needs, as large as the output. TMPDIR is ") +
           g_get_tmp_dir() + ".";
  const GString_ standard(gst_error_get_message(error.domain, error.code));
  if (!element) return text;
  // A source says this and nothing else when it could not connect, for instance.
  const bool broke_off = g_error_matches(&error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED) &&
                         GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SOURCE);
  if (text != standard.get() && !broke_off) return text;
  const std::string location = location_of(element);
  if (broke_off && !location.empty())
    if (const std::string why = why_not_trusted(location.c_str()); !why.empty())
      return "Could not read " + location + ": its server's certificate is not trusted, because " +
             why + ". SSL_CERT_FILE can name other authorities.";
  if (broke_off && !location.empty())
    return "Could not read " + location + ": its data broke off or never came.";
  if (error.domain == GST_RESOURCE_ERROR && !location.empty()) {
    switch (error.code) {
      case GST_RESOURCE_ERROR_NOT_FOUND:
        return "Could not find " + location + ".";
      case GST_RESOURCE_ERROR_OPEN_READ:
        text = "Could not open " + location + " for reading";
        break;
      case GST_RESOURCE_ERROR_READ:
        text = "Could not read " + location;
        break;
      case GST_RESOURCE_ERROR_OPEN_WRITE:
        text = "Could not open " + location + " for writing";
        break;
      case GST_RESOURCE_ERROR_WRITE:
        text = "Could not write " + location;
        break;
      default:
        text = location + ": " + text;
        break;
    }
  }
  while (!text.empty() && text.back() == '.') text.pop_back();
  const std::string details = details_of(debug);
  return details.empty() ? text + "." : text + " (" + details + ").";
}

}  // namespace

Problem problem_of(const GError& error, ExitCode exit) {
  Problem problem;
  problem.domain = domain_of(error);
  problem.code = code_of(error);
  problem.message = one_line(redact(error.message ? error.message : "unknown error"));
  problem.exit = exit;
  return problem;
}

Problem problem_of(GstMessage* message) {
  GError* raw = nullptr;
  gchar* raw_debug = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning(message, &raw, &raw_debug);
  } else {
    gst_message_parse_error(message, &raw, &raw_debug);
  }
  const ErrorPtr error(raw);
  const GString_ debug(raw_debug);
  Problem problem = problem_of(*error, exit_of(*error, side_of(GST_MESSAGE_SRC(message))));
  if (GST_MESSAGE_SRC(message)) {
    problem.message =
        one_line(redact(sentence_of(*error, GST_MESSAGE_SRC(message), debug ? debug.get() : "")));
    const GString_ path(gst_object_get_path_string(GST_MESSAGE_SRC(message)));
    problem.source = path.get();
  }
  problem.consequence = g_error_matches(error.get(), GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
  return problem;
}

Problem usage_problem(std::string message, std::string code) {
  Problem problem;
  problem.domain = "usage";
  problem.code = std::move(code);
  problem.message = one_line(redact(message));
  problem.exit = ExitCode::usage;
  return problem;
}

}  // namespace clips::tool
