// SPDX-License-Identifier: LGPL-2.1-or-later
#include "movie_facts.hpp"

#include <gst/pbutils/pbutils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <unordered_map>

#include "nal.hpp"
#include "structure_json.hpp"

namespace clips::tool {

namespace {

using cut::be16;
using cut::be32;
using cut::ByteView;
using cut::fourcc;
using cut::Movie;
using cut::Sample;
using cut::Track;
using cut::TrackKind;
using cut::Wide;
using Json = nlohmann::ordered_json;

Rate reduced(Wide numerator, Wide denominator) {
  Wide a = numerator;
  Wide b = denominator;
  while (b != 0) a = std::exchange(b, a % b);
  if (a <= 0) return {};
  return {static_cast<std::uint64_t>(numerator / a), static_cast<std::uint64_t>(denominator / a)};
}

// What cameras and encoders make.
constexpr std::array<Rate, 16> usual_rates{{{24000, 1001},
                                            {24, 1},
                                            {25, 1},
                                            {30000, 1001},
                                            {30, 1},
                                            {48000, 1001},
                                            {48, 1},
                                            {50, 1},
                                            {60000, 1001},
                                            {60, 1},
                                            {10, 1},
                                            {12, 1},
                                            {15, 1},
                                            {100, 1},
                                            {120000, 1001},
                                            {120, 1}}};

bool on_grid(std::span<const std::int64_t> times, const Rate& rate, std::uint32_t timescale) {
  const Wide step = Wide{timescale} * static_cast<Wide>(rate.denominator);
  for (std::size_t k = 0; k < times.size(); ++k) {
    const Wide off =
        Wide{times[k] - times[0]} * static_cast<Wide>(rate.numerator) - step * static_cast<Wide>(k);
    if ((off < 0 ? -off : off) > static_cast<Wide>(rate.numerator)) return false;
  }
  return true;
}

// How far a frame of the rate is from `delta` ticks.
double distance(const Rate& rate, std::int64_t delta, std::uint32_t timescale) {
  return std::abs(static_cast<double>(timescale) * static_cast<double>(rate.denominator) /
                      static_cast<double>(rate.numerator) -
                  static_cast<double>(delta));
}

std::string fourcc_text(std::uint32_t code) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto c = static_cast<char>(code >> shift);
    text += c >= 32 && c < 127 ? c : '?';
  }
  return text;
}

// The boxes behind the fixed fields of a sample entry, and those in a QuickTime "wave".
std::optional<ByteView> find_box(ByteView boxes, std::uint32_t type) {
  while (boxes.size() >= 8) {
    const std::uint32_t size = be32(boxes.data());
    if (size < 8 || size > boxes.size()) return std::nullopt;
    const ByteView payload = boxes.subspan(8, size - 8);
    if (be32(boxes.data() + 4) == type) return payload;
    if (be32(boxes.data() + 4) == fourcc("wave")) {
      if (const auto inner = find_box(payload, type)) return inner;
    }
    boxes = boxes.subspan(size);
  }
  return std::nullopt;
}

// MPEG-4 descriptors (ISO/IEC 14496-1, 7.2.6) of an esds box.
struct ElementaryStream {
  unsigned object_type = 0;
  ByteView specific;
};

ElementaryStream read_esds(ByteView payload) {
  ElementaryStream found;
  if (payload.size() < 4) return found;
  ByteView rest = payload.subspan(4);
  while (rest.size() >= 2) {
    const unsigned tag = rest[0];
    std::size_t at = 1;
    std::size_t length = 0;
    for (int i = 0; i < 4 && at < rest.size(); ++i) {
      const unsigned byte = rest[at++];
      length = length << 7 | (byte & 127U);
      if (!(byte & 128U)) break;
    }
    rest = rest.subspan(at);
    length = std::min(length, rest.size());
    std::size_t fixed = length;
    if (tag == 3) {  // ES_Descriptor: its descriptors lie inside
      fixed = 3;
      if (length >= 3) {
        if (rest[2] & 0x80U) fixed += 2;
        if (rest[2] & 0x40U) fixed += 1U + (rest.size() > fixed ? rest[fixed] : 0U);
        if (rest[2] & 0x20U) fixed += 2;
      }
    } else if (tag == 4) {  // DecoderConfigDescriptor
      if (length >= 1) found.object_type = rest[0];
      fixed = 13;
    } else if (tag == 5) {
      found.specific = rest.first(length);
    }
    rest = rest.subspan(std::min(fixed, rest.size()));
  }
  return found;
}

std::string codec_name(const Track& track, unsigned object_type) {
  switch (track.codec) {
    case fourcc("avc1"):
    case fourcc("avc3"):
      return "h264";
    case fourcc("hvc1"):
    case fourcc("hev1"):
      return "h265";
    case fourcc("av01"):
      return "av1";
    case fourcc("vp08"):
      return "vp8";
    case fourcc("vp09"):
      return "vp9";
    case fourcc("mp4v"):
      return object_type == 0x20 ? "mpeg4" : object_type == 0x6a ? "mpeg1" : "mpeg2";
    case fourcc("jpeg"):
    case fourcc("mjpa"):
    case fourcc("mjpb"):
      return "jpeg";
    case fourcc("apch"):
    case fourcc("apcn"):
    case fourcc("apcs"):
    case fourcc("apco"):
    case fourcc("ap4h"):
    case fourcc("ap4x"):
      return "prores";
    case fourcc("mp4a"):
      switch (object_type) {
        case 0x69:
        case 0x6b:
          return "mp3";
        case 0xa5:
          return "ac3";
        case 0xa6:
          return "eac3";
        case 0xdd:
          return "vorbis";
        default:
          return "aac";
      }
    case fourcc(".mp3"):
      return "mp3";
    case fourcc("Opus"):
      return "opus";
    case fourcc("fLaC"):
      return "flac";
    case fourcc("alac"):
      return "alac";
    case fourcc("ac-3"):
      return "ac3";
    case fourcc("ec-3"):
      return "eac3";
    case fourcc("sowt"):
    case fourcc("twos"):
    case fourcc("lpcm"):
    case fourcc("ipcm"):
    case fourcc("fpcm"):
    case fourcc("in24"):
    case fourcc("in32"):
    case fourcc("fl32"):
    case fourcc("fl64"):
    case fourcc("raw "):
      return "pcm";
    default:
      return fourcc_text(track.codec);
  }
}

// How many degrees clockwise a player turns the picture, and whether it is mirrored before that.
std::pair<unsigned, bool> orientation(const Track& track) {
  const auto sign = [&](std::size_t cell) {
    const auto value = static_cast<std::int32_t>(be32(track.matrix.data() + cell * 4));
    return value > 0 ? 1 : value < 0 ? -1 : 0;
  };
  const int a = sign(0), b = sign(1), c = sign(3), d = sign(4);
  if (a * d - b * c == 0) return {0, false};  // none of the eight
  const bool mirrored = a * d - b * c < 0;
  // The direction in which the left edge of the picture goes downwards.
  if (d > 0) return {0, mirrored};
  if (d < 0) return {180, mirrored};
  return {c < 0 ? 90 : 270, mirrored};
}

struct VideoDescription {
  Json profile, level;
  Json bit_depth, chroma;
  Json color = color_json(2, 2, 2, {});
  Json interlaced;
};

std::string chroma_text(unsigned format) {
  static constexpr std::array<const char*, 4> names{"4:0:0", "4:2:0", "4:2:2", "4:4:4"};
  return names[format & 3U];
}

Json color_of(const cut::SequencePictures& pictures) {
  const cut::Colour& colour = pictures.picture.colour;
  return color_json(colour.primaries, colour.transfer, colour.matrix,
                    colour.known() ? std::optional(colour.full_range) : std::nullopt);
}

void describe_avc(const cut::NalFormat& format, VideoDescription& found) {
  const auto sets = cut::parameter_sets(format);
  if (!sets || sets->sps.empty() || sets->sps.front().size() < 4) return;
  const cut::Bytes& sps = sets->sps.front();
  const auto* data = sps.data() + 1;
  const auto size = static_cast<guint>(sps.size() - 1);
  found.profile = text_or_null(gst_codec_utils_h264_get_profile(data, size));
  found.level = text_or_null(gst_codec_utils_h264_get_level(data, size));
  const auto is = cut::avc_pictures(sps);
  if (!is) return;
  found.bit_depth = is->bit_depth;
  found.chroma = chroma_text(is->chroma_format);
  found.interlaced = !is->progressive;
  found.color = color_of(*is);
}

VideoDescription describe_video(const Track& track, ByteView entry) {
  VideoDescription found;
  if (const auto format = cut::nal_format(track.codec, entry)) {
    if (format->codec == cut::NalCodec::Avc) {
      describe_avc(*format, found);
    } else {
      // ISO/IEC 14496-15, 8.3.3.1: profile_tier_level begins behind the version.
      const auto& config = format->config;
      found.profile = text_or_null(gst_codec_utils_h265_get_profile(config.data() + 1, 12));
      found.level = text_or_null(gst_codec_utils_h265_get_level(config.data() + 1, 12));
      found.chroma = chroma_text(config[16]);
      found.bit_depth = 8 + std::max(config[17] & 7U, config[18] & 7U);
      if (const auto sets = cut::parameter_sets(*format); sets && !sets->sps.empty())
        if (const auto is = cut::hevc_pictures(sets->sps.front())) found.color = color_of(*is);
    }
  } else if (const auto av1 = cut::visual_entry_box(entry, fourcc("av1C"));
             av1 && av1->size() >= 4) {
    const unsigned flags = (*av1)[2];
    found.profile = std::array{"main", "high", "professional"}[std::min((*av1)[1] >> 5, 2)];
    const unsigned level = (*av1)[1] & 31U;
    found.level = std::to_string(2 + level / 4) + "." + std::to_string(level % 4);
    found.bit_depth = flags & 0x40U ? (flags & 0x20U ? 12 : 10) : 8;
    found.chroma = flags & 0x10U ? "4:0:0"
                   : flags & 8U  ? (flags & 4U ? "4:2:0" : "4:2:2")
                                 : "4:4:4";
  } else if (const auto vpx = cut::visual_entry_box(entry, fourcc("vpcC"));
             vpx && vpx->size() >= 10) {
    found.profile = std::to_string((*vpx)[4]);
    found.level = std::to_string((*vpx)[5] / 10) + "." + std::to_string((*vpx)[5] % 10);
    found.bit_depth = (*vpx)[6] >> 4;
    const unsigned chroma = ((*vpx)[6] >> 1) & 7U;
    found.chroma = chroma <= 1 ? "4:2:0" : chroma == 2 ? "4:2:2" : "4:4:4";
    found.color = color_json((*vpx)[7], (*vpx)[8], (*vpx)[9], ((*vpx)[6] & 1U) != 0);
  }
  // What the container says is what a player goes by.
  if (const auto colr = cut::visual_entry_box(entry, fourcc("colr")); colr && colr->size() >= 10) {
    const std::uint32_t kind = be32(colr->data());
    if (kind == fourcc("nclx") || kind == fourcc("nclc")) {
      std::optional<bool> full;
      if (kind == fourcc("nclx") && colr->size() >= 11) full = ((*colr)[10] & 0x80U) != 0;
      Json color =
          color_json(be16(colr->data() + 4), be16(colr->data() + 6), be16(colr->data() + 8), full);
      if (color["range"].is_null()) color["range"] = found.color["range"];
      found.color = std::move(color);
    }
  }
  if (const auto fiel = cut::visual_entry_box(entry, fourcc("fiel")); fiel && !fiel->empty())
    found.interlaced = (*fiel)[0] == 2;
  return found;
}

struct Shown {
  std::vector<std::int64_t> times;  // of the frames that are shown, in their order
  std::int64_t end = 0;             // media time at which the track ends
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
};

Shown read_samples(const Track& track) {
  Shown shown;
  shown.times.reserve(track.samples.count());
  const std::int64_t stop =
      track.media_length ? track.media_start + *track.media_length : INT64_MAX;
  std::int64_t end = track.media_start;
  track.samples.each(0, track.samples.count(), [&](std::uint64_t, const Sample& sample) {
    shown.bytes += sample.size;
    ++shown.packets;
    end = std::max(end, sample.pts + sample.duration);
    if (sample.pts + sample.duration <= track.media_start || sample.pts >= stop) return true;
    // A packet of sound may begin before the track does; a picture belongs to its own time.
    if (sample.pts < track.media_start && track.kind == TrackKind::Video) return true;
    shown.times.push_back(sample.pts);
    return true;
  });
  shown.end = std::min(end, stop);
  if (!std::is_sorted(shown.times.begin(), shown.times.end()))
    std::sort(shown.times.begin(), shown.times.end());
  return shown;
}

Json key_frame_index(const Movie& movie, const Track& track, const Shown& shown) {
  Json::array_t frames, times, offsets, sizes;
  const std::size_t expected = track.samples.all_sync() ? track.samples.count() : 0;
  for (auto* list : {&frames, &times, &offsets, &sizes}) list->reserve(expected);
  auto at = shown.times.begin();
  track.samples.each(0, track.samples.count(), [&](std::uint64_t, const Sample& sample) {
    if (!sample.sync) return true;
    // Mostly it is the one behind the last.
    if (at == shown.times.end() || *at != sample.pts)
      at = std::lower_bound(shown.times.begin(), shown.times.end(), sample.pts);
    if (at != shown.times.end() && *at == sample.pts) {
      frames.emplace_back(static_cast<std::uint64_t>(at - shown.times.begin()));
      ++at;
    } else {
      frames.emplace_back(nullptr);
    }
    times.emplace_back(stream_time(movie, track, sample.pts));
    // Packets that the source does not hold in one piece have no place in it.
    if (movie.packets)
      offsets.emplace_back(nullptr);
    else
      offsets.emplace_back(sample.offset);
    sizes.emplace_back(sample.size);
    return true;
  });
  Json index = {{"count", frames.size()}};
  index["frame"] = std::move(frames);
  index["time"] = std::move(times);
  index["offset"] = std::move(offsets);
  index["size"] = std::move(sizes);
  return index;
}

// What the index in the header of a container names; the packets themselves are not looked at.
Json told_key_frames(const Track& track) {
  const std::size_t count = track.key_times.size();
  const Json::array_t unknown(count);
  return {{"count", count},
          {"frame", unknown},
          {"time", track.key_times},
          {"offset", unknown},
          {"size", unknown}};
}

// The usual rate that a header means by a number, or by a duration in whole nanoseconds.
Rate told_rate(double value) {
  for (const Rate& rate : usual_rates) {
    const double exact =
        static_cast<double>(rate.numerator) / static_cast<double>(rate.denominator);
    if (std::abs(value / exact - 1) < 1e-5) return rate;
  }
  const auto thousandths = static_cast<std::int64_t>(std::llround(value * 1000));
  return reduced(thousandths, 1000);
}

void add_video(const Movie& movie, const Track& track, ByteView entry, const Shown& shown,
               bool key_frames, Json& stream) {
  const VideoDescription is = describe_video(track, entry);
  const bool sized = entry.size() >= cut::kVisualEntryHeader;
  stream["profile"] = is.profile;
  stream["level"] = is.level;
  stream["width"] = sized ? Json(be16(entry.data() + 32)) : Json(nullptr);
  stream["height"] = sized ? Json(be16(entry.data() + 34)) : Json(nullptr);
  Rate aspect{1, 1};
  if (const auto pasp = cut::visual_entry_box(entry, fourcc("pasp")); pasp && pasp->size() >= 8) {
    const Rate said = reduced(be32(pasp->data()), be32(pasp->data() + 4));
    if (said.numerator > 0) aspect = said;
  }
  stream["pixel_aspect_ratio"] = rate_text(aspect);
  const auto [rotation, mirrored] = orientation(track);
  stream["rotation"] = rotation;
  stream["mirrored"] = mirrored;
  stream["interlaced"] = is.interlaced;
  stream["bit_depth"] = is.bit_depth;
  stream["chroma"] = is.chroma;
  stream["color"] = is.color;
  if (movie.windowed) {
    for (const char* unknown :
         {"frames", "average_rate", "nominal_rate", "variable_rate", "all_key_frames"})
      stream[unknown] = nullptr;
    if (track.frame_rate > 0 && track.frame_rate < 1e4)
      stream["nominal_rate"] = rate_text(told_rate(track.frame_rate));
    if (key_frames) stream["key_frames"] = told_key_frames(track);
    return;
  }
  const FrameRates rates = frame_rates(shown.times, shown.end, track.timescale);
  stream["frames"] = shown.times.size();
  stream["average_rate"] = rate_text(rates.average);
  stream["nominal_rate"] = rate_text(rates.nominal);
  stream["variable_rate"] = rates.variable;
  stream["all_key_frames"] = track.samples.all_sync();
  if (key_frames) stream["key_frames"] = key_frame_index(movie, track, shown);
}

void add_audio(const Track& track, ByteView entry, ByteView boxes, const ElementaryStream& es,
               Json& stream) {
  Json channels = nullptr;
  Json rate = nullptr;
  Json profile = nullptr;
  if (entry.size() >= 36) {
    channels = be16(entry.data() + 24);
    rate = be32(entry.data() + 32) >> 16;
    // QuickTime's second version has fields of its own.
    if (be16(entry.data() + 16) == 2 && entry.size() >= 60) channels = be32(entry.data() + 48);
  }
  const auto specific_size = static_cast<guint>(es.specific.size());
  if (stream["codec"] == "aac" && specific_size >= 2) {
    profile = text_or_null(gst_codec_utils_aac_get_profile(es.specific.data(), specific_size));
    const guint said = gst_codec_utils_aac_get_channels(es.specific.data(), specific_size);
    if (said > 0) channels = said;
    const guint sampled = gst_codec_utils_aac_get_sample_rate(es.specific.data(), specific_size);
    if (sampled > 0) rate = sampled;
  } else if (const auto opus = find_box(boxes, fourcc("dOps")); opus && opus->size() >= 2) {
    channels = (*opus)[1];
    rate = 48000;
  }
  if (rate == 0) rate = track.timescale;
  stream["profile"] = profile;
  stream["rate"] = rate;
  stream["channels"] = channels;
}

ByteView boxes_of_audio(ByteView entry) {
  std::size_t header = 36;
  if (entry.size() >= 18) {
    const unsigned version = be16(entry.data() + 16);
    header += version == 1 ? 16 : version == 2 ? 36 : 0;
  }
  return entry.size() > header ? entry.subspan(header) : ByteView{};
}

}  // namespace

Json color_json(unsigned primaries, unsigned transfer, unsigned matrix,
                std::optional<bool> full_range) {
  const auto name = [](unsigned value, std::span<const char* const> names) -> Json {
    if (value < names.size() && names[value]) return names[value];
    return value == 2 || value == 0 ? Json(nullptr) : Json(std::to_string(value));
  };
  static constexpr std::array<const char*, 13> primaries_names{
      nullptr,     "bt709", nullptr,  nullptr,    "bt470m",   "bt470bg", "smpte170m",
      "smpte240m", "film",  "bt2020", "smpte428", "smpte431", "smpte432"};
  static constexpr std::array<const char*, 19> transfer_names{
      nullptr,     "bt709",     nullptr,     nullptr,    "bt470m",       "bt470bg", "smpte170m",
      "smpte240m", "linear",    "log100",    "log316",   "iec61966-2-4", "bt1361e", "iec61966-2-1",
      "bt2020-10", "bt2020-12", "smpte2084", "smpte428", "arib-std-b67"};
  static constexpr std::array<const char*, 15> matrix_names{
      "gbr",   "bt709",    nullptr,   nullptr,     "fcc",   "bt470bg", "smpte170m", "smpte240m",
      "ycgco", "bt2020nc", "bt2020c", "smpte2085", nullptr, nullptr,   "ictcp"};
  return {{"primaries", name(primaries, primaries_names)},
          {"transfer", name(transfer, transfer_names)},
          {"matrix", name(matrix, matrix_names)},
          {"range", full_range ? Json(*full_range ? "full" : "limited") : Json(nullptr)}};
}

std::string rate_text(const Rate& rate) {
  return std::to_string(rate.numerator) + "/" + std::to_string(rate.denominator);
}

FrameRates frame_rates(std::span<const std::int64_t> times, std::int64_t end,
                       std::uint32_t timescale) {
  FrameRates rates;
  if (times.empty()) return rates;
  const std::int64_t span = end - times.front();
  if (span > 0) rates.average = reduced(Wide(times.size()) * timescale, span);
  if (times.size() == 1) {
    rates.nominal = rates.average;
    return rates;
  }
  std::unordered_map<std::int64_t, std::size_t> seen;
  for (std::size_t k = 1; k < times.size(); ++k) ++seen[times[k] - times[k - 1]];
  const auto common = std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second < b.second : a.first > b.first;
  });
  const std::int64_t delta = common->first;
  const Rate exact = delta > 0 ? reduced(timescale, delta) : Rate{};
  if (seen.size() == 1 && delta > 0) {
    rates.nominal = rates.average = exact;
    return rates;
  }
  // A time scale that does not divide by the rate rounds each frame to its nearest tick.
  std::vector<Rate> candidates(usual_rates.begin(), usual_rates.end());
  if (exact.numerator > 0) candidates.push_back(exact);
  const auto goal =
      static_cast<double>(rates.average.numerator) / static_cast<double>(rates.average.denominator);
  const auto away = [goal](const Rate& rate) {
    return std::abs(static_cast<double>(rate.numerator) / static_cast<double>(rate.denominator) -
                    goal);
  };
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Rate& a, const Rate& b) { return away(a) < away(b); });
  for (const Rate& rate : candidates) {
    if (!on_grid(times, rate, timescale)) continue;
    rates.nominal = rates.average = rate;
    return rates;
  }
  rates.variable = true;
  const auto usual =
      std::min_element(usual_rates.begin(), usual_rates.end(), [&](const Rate& a, const Rate& b) {
        return distance(a, delta, timescale) < distance(b, delta, timescale);
      });
  rates.nominal = delta == 0 || distance(*usual, delta, timescale) < 1 ? *usual : exact;
  return rates;
}

bool is_cut_off(const Movie& movie) {
  return std::any_of(movie.tracks.begin(), movie.tracks.end(), [&](const Track& track) {
    bool behind = false;
    track.samples.each(0, track.samples.count(), [&](std::uint64_t, const Sample& sample) {
      behind = sample.offset > movie.source_size || sample.size > movie.source_size - sample.offset;
      return !behind;
    });
    return behind;
  });
}

Json movie_facts(const Movie& movie, bool key_frames) {
  Json facts;
  switch (movie.container) {
    case cut::Container::Mp4:
      facts["container"] = "mp4";
      break;
    case cut::Container::Mov:
      facts["container"] = "mov";
      break;
    case cut::Container::Matroska:
      facts["container"] = "matroska";
      break;
    case cut::Container::MpegTs:
      facts["container"] = "mpegts";
      break;
    case cut::Container::Flv:
      facts["container"] = "flv";
      break;
    case cut::Container::Avi:
      facts["container"] = "avi";
      break;
  }
  const bool boxed =
      movie.container == cut::Container::Mp4 || movie.container == cut::Container::Mov;
  facts["fragmented"] = boxed ? Json(movie.fragmented) : Json(nullptr);
  facts["size"] = movie.source_size;
  facts["duration"] = nullptr;
  Json streams = Json::array();
  std::int64_t end = 0;
  for (const Track& track : movie.tracks) {
    const ByteView entry(track.descriptions.front());
    const bool video = track.kind == TrackKind::Video;
    const bool audio = track.kind == TrackKind::Audio;
    const ByteView boxes = audio ? boxes_of_audio(entry)
                           : entry.size() > cut::kVisualEntryHeader && video
                               ? entry.subspan(cut::kVisualEntryHeader)
                               : ByteView{};
    ElementaryStream es;
    if (const auto esds = find_box(boxes, fourcc("esds"))) es = read_esds(*esds);
    const Shown shown = read_samples(track);
    Json stream = {{"index", streams.size()},
                   {"id", track.id},
                   {"type", video                           ? "video"
                            : audio                         ? "audio"
                            : track.kind == TrackKind::Text ? "text"
                                                            : "data"},
                   {"codec", codec_name(track, es.object_type)},
                   {"tag", boxed ? Json(fourcc_text(track.codec)) : Json(nullptr)},
                   {"time_base", "1/" + std::to_string(track.timescale)}};
    const std::int64_t first = shown.times.empty() ? track.media_start : shown.times.front();
    const std::int64_t from = stream_time(movie, track, std::max(first, track.media_start));
    const std::int64_t until = std::max(from, stream_time(movie, track, shown.end));
    stream["start"] = from;
    if (movie.windowed) {
      for (const char* unknown : {"duration", "packets", "bytes", "bit_rate"})
        stream[unknown] = nullptr;
      if (video) add_video(movie, track, entry, shown, key_frames, stream);
      if (audio) add_audio(track, entry, boxes, es, stream);
      streams.push_back(std::move(stream));
      continue;
    }
    stream["duration"] = until - from;
    stream["packets"] = shown.packets;
    stream["bytes"] = shown.bytes;
    if (until > from) {
      stream["bit_rate"] = static_cast<std::uint64_t>(
          cut::round_div(Wide(shown.bytes) * 8 * 1'000'000'000, Wide{until - from}));
    } else {
      stream["bit_rate"] = nullptr;
    }
    if (video) add_video(movie, track, entry, shown, key_frames, stream);
    if (audio) add_audio(track, entry, boxes, es, stream);
    if (video || audio) end = std::max(end, until);
    streams.push_back(std::move(stream));
  }
  if (movie.windowed)
    facts["duration"] = movie.duration > 0 ? Json(movie.duration) : Json(nullptr);
  else
    facts["duration"] = end;
  facts["streams"] = std::move(streams);
  return facts;
}

}  // namespace clips::tool
