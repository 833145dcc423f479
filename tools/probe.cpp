// SPDX-License-Identifier: LGPL-2.1-or-later
#include "probe.hpp"

#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/handles.hpp"
#include "container.hpp"
#include "gsturireader.hpp"
#include "lib/tlstrust.hpp"
#include "lib/value.hpp"
#include "movie_facts.hpp"
#include "mp4index.hpp"
#include "structure_json.hpp"
#include "text.hpp"
#include "whole_source.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

struct ObjectUnref {
  void operator()(void* object) const noexcept { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;

Problem input_problem(std::string code, const std::string& message,
                      ExitCode exit = ExitCode::bad_input) {
  Problem problem;
  problem.domain = "stream";
  problem.code = std::move(code);
  problem.message = one_line(redact(message));
  problem.exit = exit;
  return problem;
}

Problem problem_of_fault(const cut::Error& error, const std::string& input) {
  Problem problem = input_problem("demux", error.message);
  switch (error.fault) {
    case cut::Fault::NotFound:
      problem.domain = "resource";
      problem.code = "not-found";
      break;
    case cut::Fault::NotAllowed:
      problem.domain = "resource";
      problem.code = "not-authorized";
      break;
    case cut::Fault::Read:
      problem.domain = "resource";
      problem.code = "read";
      break;
    case cut::Fault::Missing:
      problem.domain = "core";
      problem.code = "missing-plugin";
      problem.exit = ExitCode::missing_plugin;
      break;
    case cut::Fault::Settings:
      return usage_problem(error.message);
    default:
      break;
  }
  const GString_ base(g_path_get_basename(input.c_str()));
  if (problem.message.find(one_line(redact(base.get()))) == std::string::npos)
    problem.message = one_line(redact(input)) + ": " + problem.message;
  return problem;
}

Problem truncated(const std::string& input) {
  return input_problem("demux", redact(input) +
                                    " is truncated: it speaks of more data than there is. Get the "
                                    "whole file and try again.");
}

Problem too_slow(const std::string& input, const ProbeOptions& options) {
  return input_problem("timeout", redact(input) + " did not show what it is within " +
                                      std::to_string(options.timeout_s) + " s.");
}

std::string fraction_text(guint numerator, guint denominator) {
  return std::to_string(numerator) + "/" + std::to_string(denominator);
}

// The short name of a codec that caps describe: the same words as movie_facts() uses.
std::string codec_of(const GstStructure* caps) {
  const std::string_view type = gst_structure_get_name(caps);
  gint version = 0;
  gst_structure_get_int(caps, "mpegversion", &version);
  if (type == "video/mpeg") return "mpeg" + std::to_string(version);
  if (type == "audio/mpeg") {
    gint layer = 0;
    gst_structure_get_int(caps, "layer", &layer);
    return version == 1 ? "mp" + std::to_string(layer > 0 ? layer : 3) : "aac";
  }
  std::string name(type.substr(type.find('/') + 1));
  if (name == "x-raw") return type.starts_with("audio/") ? "pcm" : "raw";
  if (name.starts_with("x-")) name.erase(0, 2);
  return name;
}

Json color_of(const GstStructure* caps) {
  const gchar* text = gst_structure_get_string(caps, "colorimetry");
  GstVideoColorimetry is{};
  if (!text || !gst_video_colorimetry_from_string(&is, text)) return color_json(2, 2, 2, {});
  return color_json(gst_video_color_primaries_to_iso(is.primaries),
                    gst_video_transfer_function_to_iso(is.transfer),
                    gst_video_color_matrix_to_iso(is.matrix),
                    is.range == GST_VIDEO_COLOR_RANGE_UNKNOWN
                        ? std::nullopt
                        : std::optional(is.range == GST_VIDEO_COLOR_RANGE_0_255));
}

void add_orientation(const GstTagList* tags, Json& stream) {
  gchar* text = nullptr;
  if (tags) gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &text);
  const GString_ owner(text);
  std::string_view word = text ? text : "rotate-0";
  const bool mirrored = word.starts_with("flip-");
  if (mirrored) word.remove_prefix(5);
  stream["rotation"] = word.starts_with("rotate-") ? std::atoi(word.data() + 7) : 0;
  stream["mirrored"] = mirrored;
}

Json discovered_stream(GstDiscovererStreamInfo* info, std::size_t index) {
  const auto caps = CapsRef::adopt(gst_discoverer_stream_info_get_caps(info));
  Json stream = {{"index", index}};
  const bool known = caps && gst_caps_is_fixed(caps.get());
  const GstStructure* fields = known ? gst_caps_get_structure(caps.get(), 0) : nullptr;
  const auto bit_rate = [](guint said) { return said > 0 ? Json(said) : Json(nullptr); };
  if (GST_IS_DISCOVERER_VIDEO_INFO(info)) {
    auto* video = GST_DISCOVERER_VIDEO_INFO(info);
    stream["type"] = "video";
    stream["codec"] = fields ? Json(codec_of(fields)) : Json(nullptr);
    stream["bit_rate"] = bit_rate(gst_discoverer_video_info_get_bitrate(video));
    stream["profile"] = fields ? text_or_null(gst_structure_get_string(fields, "profile")) : Json();
    stream["level"] = fields ? text_or_null(gst_structure_get_string(fields, "level")) : Json();
    stream["width"] = gst_discoverer_video_info_get_width(video);
    stream["height"] = gst_discoverer_video_info_get_height(video);
    stream["pixel_aspect_ratio"] = fraction_text(gst_discoverer_video_info_get_par_num(video),
                                                 gst_discoverer_video_info_get_par_denom(video));
    add_orientation(gst_discoverer_stream_info_get_tags(info), stream);
    stream["interlaced"] = gst_discoverer_video_info_is_interlaced(video) == TRUE;
    guint depth = 0;
    if (fields) gst_structure_get_uint(fields, "bit-depth-luma", &depth);
    stream["bit_depth"] = depth > 0 ? Json(depth) : Json(nullptr);
    stream["chroma"] =
        fields ? text_or_null(gst_structure_get_string(fields, "chroma-format")) : Json(nullptr);
    stream["color"] = fields ? color_of(fields) : Json(nullptr);
    stream["frames"] = nullptr;
    stream["average_rate"] = nullptr;
    const guint numerator = gst_discoverer_video_info_get_framerate_num(video);
    stream["nominal_rate"] =
        numerator > 0
            ? Json(fraction_text(numerator, gst_discoverer_video_info_get_framerate_denom(video)))
            : Json(nullptr);
    stream["variable_rate"] = nullptr;
    stream["all_key_frames"] = nullptr;
    stream["key_frames"] = nullptr;
  } else if (GST_IS_DISCOVERER_AUDIO_INFO(info)) {
    auto* audio = GST_DISCOVERER_AUDIO_INFO(info);
    stream["type"] = "audio";
    stream["codec"] = fields ? Json(codec_of(fields)) : Json(nullptr);
    stream["bit_rate"] = bit_rate(gst_discoverer_audio_info_get_bitrate(audio));
    stream["profile"] = fields ? text_or_null(gst_structure_get_string(fields, "profile")) : Json();
    stream["rate"] = gst_discoverer_audio_info_get_sample_rate(audio);
    stream["channels"] = gst_discoverer_audio_info_get_channels(audio);
  } else {
    stream["type"] = GST_IS_DISCOVERER_SUBTITLE_INFO(info) ? "text" : "data";
    stream["codec"] = fields ? Json(codec_of(fields)) : Json(nullptr);
  }
  return stream;
}

std::string container_of(GstDiscovererInfo* info) {
  const ObjectPtr<GstDiscovererStreamInfo> top(gst_discoverer_info_get_stream_info(info));
  if (!top || !GST_IS_DISCOVERER_CONTAINER_INFO(top.get())) return "none";
  const auto caps = CapsRef::adopt(gst_discoverer_stream_info_get_caps(top.get()));
  if (!caps || gst_caps_is_empty(caps.get()) || gst_caps_is_any(caps.get())) return "none";
  const std::string_view type = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  if (type == "video/quicktime") return "mp4";
  std::string name(type.substr(type.find('/') + 1));
  if (name.starts_with("x-")) name.erase(0, 2);
  return name;
}

tl::expected<Json, Problem> discover(const std::string& uri, const std::string& input,
                                     const ProbeOptions& options) {
  GError* raw = nullptr;
  const ObjectPtr<GstDiscoverer> discoverer(
      gst_discoverer_new(options.timeout_s * GST_SECOND, &raw));
  if (!discoverer) {
    const ErrorPtr error(raw);
    return tl::unexpected(problem_of(*error, ExitCode::missing_plugin));
  }
  const auto source_setup =
      +[](GstDiscoverer*, GstElement* source, gpointer) { trust_certificate_file(source); };
  g_signal_connect(discoverer.get(), "source-setup", G_CALLBACK(source_setup), nullptr);
  const ObjectPtr<GstDiscovererInfo> info(
      gst_discoverer_discover_uri(discoverer.get(), uri.c_str(), &raw));
  const ErrorPtr error(raw);
  const std::string name = redact(input);
  const GstDiscovererResult result =
      info ? gst_discoverer_info_get_result(info.get()) : GST_DISCOVERER_ERROR;
  switch (result) {
    case GST_DISCOVERER_OK:
      break;
    case GST_DISCOVERER_MISSING_PLUGINS: {
      std::string missing;
      if (const auto* details =
              gst_discoverer_info_get_missing_elements_installer_details(info.get()))
        for (; *details; ++details)
          missing += (missing.empty() ? " (" : ", ") + std::string(*details);
      if (!missing.empty()) missing += ")";
      Problem problem = input_problem(
          "missing-plugin", "A GStreamer plugin is missing to look into " + name + missing + ".",
          ExitCode::missing_plugin);
      problem.domain = "core";
      return tl::unexpected(problem);
    }
    case GST_DISCOVERER_TIMEOUT:
      return tl::unexpected(too_slow(input, options));
    default:
      return tl::unexpected(
          input_problem("wrong-type", name + " is no media that can be read" +
                                          (error ? ": " + std::string(error->message) : ".")));
  }
  Json facts = {
      {"container", container_of(info.get())}, {"fragmented", nullptr}, {"size", nullptr}};
  const GstClockTime duration = gst_discoverer_info_get_duration(info.get());
  facts["duration"] = GST_CLOCK_TIME_IS_VALID(duration) ? Json(duration) : Json(nullptr);
  Json streams = Json::array();
  GList* list = gst_discoverer_info_get_stream_list(info.get());
  for (GList* at = list; at; at = at->next) {
    auto* stream = GST_DISCOVERER_STREAM_INFO(at->data);
    if (GST_IS_DISCOVERER_CONTAINER_INFO(stream)) continue;
    streams.push_back(discovered_stream(stream, streams.size()));
  }
  gst_discoverer_stream_info_list_free(list);
  if (streams.empty())
    return tl::unexpected(input_problem("wrong-type", name + " holds no stream of media."));
  facts["streams"] = std::move(streams);
  return facts;
}

// Ends what a reader waits for when the time is over.
class Deadline {
 public:
  Deadline(cut::UriReader& reader, unsigned seconds)
      : thread_([&reader, seconds](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any over;
          std::unique_lock lock(mutex);
          over.wait_for(lock, stop, std::chrono::seconds(seconds), [] { return false; });
          if (!stop.stop_requested()) reader.cancel();
        }) {}

 private:
  std::jthread thread_;
};

// Containers without tables are walked through up to this size. Of a larger one the header is read,
// if it has an index of key frames, or else
constexpr std::uint64_t walked_size = std::uint64_t{32} << 20;
// up to this size all of it, and of still larger ones the start is shown.
constexpr std::uint64_t unindexed_walked_size = std::uint64_t{512} << 20;
constexpr std::uint64_t remote_walked_size = 4 << 20;

bool is_webm(const cut::Bytes& head) {
  static constexpr std::string_view doc_type = "\x42\x82\x84webm";
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  return text.substr(0, 128).find(doc_type) != std::string_view::npos;
}

// Says of each stream of a kind what its index knows, if all of that kind are in the index.
void merge_indexed(const Json& indexed, Json& found) {
  for (const char* type : {"video", "audio"}) {
    std::vector<const Json*> known;
    for (const Json& stream : indexed["streams"])
      if (stream["type"] == type) known.push_back(&stream);
    std::vector<Json*> shown;
    for (Json& stream : found["streams"])
      if (stream["type"] == type) shown.push_back(&stream);
    if (known.size() != shown.size()) continue;
    for (std::size_t i = 0; i < known.size(); ++i) {
      const Json index = (*shown[i])["index"];
      *shown[i] = *known[i];
      (*shown[i])["index"] = index;
    }
  }
}

// What the packets of a container without tables say.
tl::expected<Json, Problem> walk(cut::UriReader& reader, const std::string& uri,
                                 const std::string& input, const ProbeOptions& options) {
  cut::Wish wish;
  wish.whole_up_to = reader.remote() ? remote_walked_size : unindexed_walked_size;
  if (options.count_frames)
    wish.whole_up_to = UINT64_MAX;
  else
    wish.header_above = std::min(walked_size, wish.whole_up_to);
  const auto head = reader.read(0, 4096, 4096);
  if (!head) return tl::make_unexpected(problem_of_fault(head.error(), input));
  auto movie = cut::read_movie(reader, input, wish);
  if (!movie && movie.error().fault != cut::Fault::Unsupported &&
      movie.error().fault != cut::Fault::WrongType && movie.error().fault != cut::Fault::Changed)
    return tl::unexpected(problem_of_fault(movie.error(), input));
  std::optional<Json> facts;
  // A recording of a broadcast begins and ends anywhere.
  if (movie && movie->cut_short && movie->container != cut::Container::MpegTs)
    return tl::unexpected(truncated(input));
  if (movie && !movie->tracks.empty()) {
    facts = movie_facts(*movie, options.key_frames);
    if (is_webm(*head)) (*facts)["container"] = "webm";
    if (movie->notes.empty()) {
      (*facts)["size"] = reader.size();
      return std::move(*facts);
    }
  }
  auto found = discover(uri, input, options);
  if (!found) return found;
  if (facts) merge_indexed(*facts, *found);
  (*found)["size"] = reader.size();
  return found;
}

}  // namespace

tl::expected<Json, Problem> probe(const std::string& path_or_uri, const ProbeOptions& options) {
  const auto uri = to_uri(path_or_uri);
  if (!uri) return tl::unexpected(usage_problem("The input " + uri.error() + "."));
  auto facts = [&]() -> tl::expected<Json, Problem> {
    cut::UriReader reader;
    const Deadline deadline(reader, options.timeout_s);
    const auto opened = reader.open(*uri, {});
    if (!opened && opened.error().fault == cut::Fault::Cancelled)
      return tl::unexpected(too_slow(path_or_uri, options));
    if (!opened && opened.error().fault != cut::Fault::NotSeekable)
      return tl::unexpected(problem_of_fault(opened.error(), path_or_uri));
    if (!opened) return discover(*uri, path_or_uri, options);
    const auto head = reader.read(0, 16, 4096);
    if (!head) return tl::unexpected(problem_of_fault(head.error(), path_or_uri));
    if (!cut::looks_like_mp4(*head)) {
      auto found = walk(reader, *uri, path_or_uri, options);
      if (!found && reader.cancelled()) return tl::unexpected(too_slow(path_or_uri, options));
      return found;
    }
    const auto movie = cut::read_mp4(reader);
    if (!movie && movie.error().fault == cut::Fault::Cancelled)
      return tl::unexpected(too_slow(path_or_uri, options));
    if (!movie) return tl::unexpected(problem_of_fault(movie.error(), path_or_uri));
    if (is_cut_off(*movie)) return tl::unexpected(truncated(path_or_uri));
    if (movie->tracks.empty())
      return tl::unexpected(input_problem("wrong-type", redact(path_or_uri) + " holds no track."));
    return movie_facts(*movie, options.key_frames);
  }();
  if (!facts) return facts;
  Json whole = {{"format", "clips-probe/1"}, {"uri", redact(*uri)}};
  // An hour's index of key frames is large: it is moved, not copied.
  for (auto& [key, value] : facts->items()) whole[key] = std::move(value);
  return whole;
}

tl::expected<std::string, Problem> read_whole(const std::string& path_or_uri) {
  const auto uri = to_uri(path_or_uri);
  if (!uri) return tl::unexpected(usage_problem("The input " + uri.error() + "."));
  cut::UriReader reader;
  if (const auto opened = reader.open(*uri, {}); !opened)
    return tl::unexpected(problem_of_fault(opened.error(), path_or_uri));
  constexpr std::uint64_t largest = 64 << 20;
  if (reader.size() > largest)
    return tl::unexpected(input_problem("format", redact(path_or_uri) + " is larger than 64 MiB."));
  const auto bytes = reader.read(0, static_cast<std::size_t>(reader.size()), 0);
  if (!bytes) return tl::unexpected(problem_of_fault(bytes.error(), path_or_uri));
  return std::string(bytes->begin(), bytes->end());
}

}  // namespace clips::tool
