// SPDX-License-Identifier: LGPL-2.1-or-later

// OpenTimelineIO (https://opentimelineio.readthedocs.io): one video track with a clip for each
// scene. Every clip refers to the whole video as its available range, so that an editor has handles
// to trim into. Our exact integers travel in the metadata under "clips-cutlist".

#include <cmath>

#include "cutlist_json.hpp"

namespace clips::detail {

using nlohmann::json;

namespace {

// OTIO times are doubles: integers are exact in them up to here.
constexpr std::uint64_t kExact = std::uint64_t{1} << 53;
constexpr const char* kNamespace = "clips-cutlist";

struct Ruler {
  double rate = 0;
  bool frames = true;  // values are frames; else nanoseconds
};

std::string rational_time(std::uint64_t value, const Ruler& ruler) {
  return "{\"OTIO_SCHEMA\":\"RationalTime.1\",\"rate\":" + format_decimal(ruler.rate) +
         (ruler.rate == std::floor(ruler.rate) ? ".0" : "") +
         ",\"value\":" + std::to_string(value) + ".0}";
}

std::string time_range(std::uint64_t start, std::uint64_t duration, const Ruler& ruler) {
  return "{\"OTIO_SCHEMA\":\"TimeRange.1\",\"start_time\":" + rational_time(start, ruler) +
         ",\"duration\":" + rational_time(duration, ruler) + '}';
}

// The rates that a double stands for: whole numbers and the NTSC family.
std::optional<FrameRate> rate_of(double rate) {
  if (!std::isfinite(rate) || rate < 0.01 || rate > 1000) return {};
  const double whole = std::round(rate);
  if (whole >= 1 && std::abs(rate - whole) < 1e-6)
    return FrameRate{static_cast<std::uint32_t>(whole), 1};
  const double ntsc = std::round(rate * 1.001);
  if (ntsc >= 1 && std::abs(rate - ntsc / 1.001) < 2e-3)
    return FrameRate{static_cast<std::uint32_t>(ntsc) * 1000, 1001};
  return FrameRate{static_cast<std::uint32_t>(std::lround(rate * 1000)), 1000};
}

struct Range {
  std::uint64_t start = 0;
  std::uint64_t duration = 0;
  double rate = 0;
};

bool has_schema(const json& value, std::string_view prefix) {
  if (!value.is_object()) return false;
  const auto schema = value.find("OTIO_SCHEMA");
  return schema != value.end() && schema->is_string() &&
         schema->get_ref<const std::string&>().starts_with(prefix);
}

// Whole, not negative, exact in a double.
std::optional<std::uint64_t> whole_value(const json& time, double& rate) {
  if (!has_schema(time, "RationalTime.") || !time.contains("value") || !time.contains("rate") ||
      !time["value"].is_number() || !time["rate"].is_number())
    return {};
  const double value = time["value"].get<double>();
  rate = time["rate"].get<double>();
  if (!(value >= 0) || value > static_cast<double>(kExact) || value != std::floor(value)) return {};
  return static_cast<std::uint64_t>(value);
}

std::optional<Range> range_of(const json& item, const char* key) {
  const auto found = item.find(key);
  if (found == item.end() || !has_schema(*found, "TimeRange.") || !found->contains("start_time") ||
      !found->contains("duration"))
    return {};
  double first_rate = 0;
  double second_rate = 0;
  const auto start = whole_value((*found)["start_time"], first_rate);
  const auto duration = whole_value((*found)["duration"], second_rate);
  if (!start || !duration || first_rate != second_rate) return {};
  return Range{*start, *duration, first_rate};
}

const json* media_reference(const json& clip) {
  // Clip.1 has one reference, Clip.2 several with one of them active.
  const auto one = clip.find("media_reference");
  if (one != clip.end() && one->is_object()) return &*one;
  const auto several = clip.find("media_references");
  if (several == clip.end() || !several->is_object()) return nullptr;
  std::string active = "DEFAULT_MEDIA";
  const auto key = clip.find("active_media_reference_key");
  if (key != clip.end() && key->is_string()) active = key->get<std::string>();
  const auto found = several->find(active);
  return found != several->end() && found->is_object() ? &*found : nullptr;
}

const json* first_video_track(const json& timeline) {
  const auto stack = timeline.find("tracks");
  if (stack == timeline.end() || !has_schema(*stack, "Stack.") || !stack->contains("children") ||
      !(*stack)["children"].is_array())
    return nullptr;
  for (const json& track : (*stack)["children"])
    if (has_schema(track, "Track.") && track.contains("kind") && track["kind"] == "Video" &&
        track.contains("children") && track["children"].is_array())
      return &track;
  return nullptr;
}

const json* own_metadata(const json& item) {
  const auto metadata = item.find("metadata");
  if (metadata == item.end() || !metadata->is_object()) return nullptr;
  const auto own = metadata->find(kNamespace);
  return own != metadata->end() && own->is_object() ? &*own : nullptr;
}

}  // namespace

CutListResult<std::string> write_otio(const CutList& list) {
  const CutSource& source = list.source;
  Ruler ruler;
  if (source.variable || !source.rate.known()) {
    if (source.start == kNoTime || source.duration == kNoTime)
      return failure("OTIO needs a frame rate or times, but the video has neither.");
    ruler = {1e9, false};
  } else {
    ruler = {static_cast<double>(source.rate.numerator) / source.rate.denominator, true};
  }
  const std::uint64_t available = ruler.frames ? source.frames : source.duration;
  if (available > kExact) return failure("The video is too long for OTIO.");
  const std::string target = json_string(source.uri);
  const std::string title = json_string(title_of(source.uri));
  std::string text = "{\"OTIO_SCHEMA\":\"Timeline.1\",\"name\":" + title +
                     ",\"global_start_time\":null,\"metadata\":{\"" + kNamespace +
                     "\":{\"facts\":" + json_string(facts_line(source)) + "}},\n";
  text +=
      "\"tracks\":{\"OTIO_SCHEMA\":\"Stack.1\",\"name\":\"tracks\",\"metadata\":{},"
      "\"source_range\":null,\"effects\":[],\"markers\":[],\"children\":[\n"
      "{\"OTIO_SCHEMA\":\"Track.1\",\"name\":\"V1\",\"kind\":\"Video\",\"metadata\":{},"
      "\"source_range\":null,\"effects\":[],\"markers\":[],\"children\":[";
  const std::vector<Clip> clips = list.clips();
  for (std::size_t i = 0; i < clips.size(); ++i) {
    const Clip& clip = clips[i];
    const std::uint64_t start = ruler.frames ? clip.start_frame : clip.start - source.start;
    const std::uint64_t end = ruler.frames ? clip.end_frame : clip.end - source.start;
    text += std::string(i == 0 ? "\n" : ",\n") + "{\"OTIO_SCHEMA\":\"Clip.1\",\"name\":\"Clip " +
            std::to_string(i + 1) + "\",\"source_range\":" + time_range(start, end - start, ruler) +
            ",\"effects\":[],\"markers\":[],\"metadata\":{\"" + kNamespace + "\":{" +
            (i == 0 ? "" : "\"cut\":" + json_cut(list.cuts[i - 1])) +
            "}},\"media_reference\":{\"OTIO_SCHEMA\":\"ExternalReference.1\",\"name\":" + title +
            ",\"metadata\":{},\"target_url\":" + target +
            ",\"available_range\":" + time_range(0, available, ruler) + "}}";
  }
  return text + "]}]}}\n";
}

CutListResult<CutList> read_otio(std::string_view text, const CutListHints& hints) {
  const auto document = parse_json(text);
  if (!document) return tl::unexpected(document.error());
  if (!has_schema(*document, "Timeline.")) return failure("The text is no OTIO timeline.");
  const json* track = first_video_track(*document);
  if (!track) return failure("The OTIO timeline has no video track.");
  CutSource facts;
  if (const json* own = own_metadata(*document)) {
    const auto line = own->find("facts");
    if (line != own->end() && line->is_string()) {
      const auto& comment = line->get_ref<const std::string&>();
      if (auto parsed = parse_facts(comment, facts, 0); !parsed)
        return tl::unexpected(parsed.error());
    }
  }
  std::vector<FrameClip> by_frame;
  std::vector<TimedClip> by_time;
  std::vector<Cut> known;
  double rate = 0;
  std::uint64_t origin = 0;
  for (const json& item : (*track)["children"]) {
    if (!has_schema(item, "Clip."))
      return failure("The video track holds something that is not a clip.");
    const json* media = media_reference(item);
    auto range = range_of(item, "source_range");
    const auto available = media ? range_of(*media, "available_range") : std::nullopt;
    // A clip without a source range is its whole media.
    if (!range) range = available;
    if (!range || range->duration == 0) return failure("A clip has no whole-frame source range.");
    if (available && range->rate != available->rate)
      return failure("A clip counts at another rate than its media.");
    if (by_frame.empty() && by_time.empty()) {
      rate = range->rate;
      origin = available ? available->start : 0;
      if (media && media->contains("target_url") && (*media)["target_url"].is_string())
        facts.uri = (*media)["target_url"].get<std::string>();
      if (available && rate <= 1000 && facts.frames == 0) facts.frames = available->duration;
    }
    if (range->rate != rate) return failure("The clips count at several rates.");
    if (range->start < origin) return failure("A clip starts before its media.");
    const std::uint64_t start = range->start - origin;
    if (rate == 1e9)
      by_time.push_back({facts.start + start, facts.start + start + range->duration, 0});
    else
      by_frame.push_back({start, start + range->duration, 0});
    if (const json* own = own_metadata(item)) {
      const auto cut = own->find("cut");
      if (cut != own->end()) {
        const auto parsed = parse_json_cut(*cut);
        if (!parsed) return tl::unexpected(parsed.error());
        known.push_back(*parsed);
      }
    }
  }
  CutListResult<CutList> list;
  if (!by_time.empty()) {
    // Our own cuts name their frames, which times of a variable rate cannot.
    if (known.size() + 1 == by_time.size() && facts.frames != 0) {
      list = CutList{};
      list->source = facts;
      list->cuts = known;
      if (list->source.duration == kNoTime)
        list->source.duration = by_time.back().end - facts.start;
      for (std::size_t i = 0; i < known.size(); ++i)
        if (known[i].time != by_time[i + 1].start || by_time[i].end != by_time[i + 1].start)
          return failure("The clips contradict their metadata. Remove the metadata.");
      return list;
    }
    list = from_timed_clips(by_time, facts, hints, TimePrecision::nanoseconds);
  } else {
    if (!facts.rate.known()) {
      const auto known_rate = rate_of(rate);
      if (!by_frame.empty() && !known_rate) return failure("The rate of the clips is not known.");
      if (known_rate) facts.rate = *known_rate;
    }
    list = from_frame_clips(by_frame, {}, facts, hints);
  }
  if (!list) return list;
  // What else we know of a cut is kept where an editor left the cut in its place.
  for (Cut& cut : list->cuts)
    for (const Cut& own : known)
      if (own.frame == cut.frame) cut = own;
  return list;
}

}  // namespace clips::detail
