// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mkvindex.hpp"

#include <bit>
#include <cmath>
#include <numeric>

#include "packetinfo.hpp"
#include "sampleentry.hpp"
#include "soundclock.hpp"

namespace clips::cut {

namespace {

// No clock of a real file comes near; it keeps every later sum inside 63 bits.
constexpr int64_t kFarthest = int64_t{1} << 58;          // ns
constexpr int64_t kLongest = int64_t{1} << 40;           // of one packet, ticks or ns
constexpr uint64_t kLargestHeader = uint64_t{64} << 20;  // of all that is not media
constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kReadAtOnce = 256 << 10;
constexpr uint64_t kAhead = 4 << 20;
// The range begins this much earlier, for sound that must be decoded in front of it, and ends this
// much later: tracks are interleaved about that well.
constexpr uint64_t kBefore = kSecond / 2, kBehind = kSecond;
constexpr uint64_t kLongestSilence = 10 * kSecond;

enum Id : uint32_t {
  kEbml = 0x1a45dfa3,
  kSegment = 0x18538067,
  kSeekHead = 0x114d9b74,
  kSeek = 0x4dbb,
  kSeekId = 0x53ab,
  kSeekPosition = 0x53ac,
  kInfo = 0x1549a966,
  kTimestampScale = 0x2ad7b1,
  kDuration = 0x4489,
  kTracks = 0x1654ae6b,
  kTrackEntry = 0xae,
  kTrackNumber = 0xd7,
  kTrackType = 0x83,
  kDefaultDuration = 0x23e383,
  kTrackTimestampScale = 0x23314f,
  kCodecId = 0x86,
  kCodecPrivate = 0x63a2,
  kCodecDelay = 0x56aa,
  kLanguage = 0x22b59c,
  kVideo = 0xe0,
  kPixelWidth = 0xb0,
  kPixelHeight = 0xba,
  kDisplayWidth = 0x54b0,
  kDisplayHeight = 0x54ba,
  kDisplayUnit = 0x54b2,
  kColour = 0x55b0,
  kMatrixCoefficients = 0x55b1,
  kRange = 0x55b9,
  kTransfer = 0x55ba,
  kPrimaries = 0x55bb,
  kAudio = 0xe1,
  kSamplingFrequency = 0xb5,
  kChannels = 0x9f,
  kBitDepth = 0x6264,
  kContentEncodings = 0x6d80,
  kContentEncoding = 0x6240,
  kContentCompression = 0x5034,
  kContentCompAlgo = 0x4254,
  kContentCompSettings = 0x4255,
  kContentEncryption = 0x5035,
  kCues = 0x1c53bb6b,
  kCuePoint = 0xbb,
  kCueTime = 0xb3,
  kCueTrackPositions = 0xb7,
  kCueTrack = 0xf7,
  kCueClusterPosition = 0xf1,
  kCluster = 0x1f43b675,
  kTimestamp = 0xe7,
  kSimpleBlock = 0xa3,
  kBlockGroup = 0xa0,
  kBlock = 0xa1,
  kBlockDuration = 0x9b,
  kReferenceBlock = 0xfb,
  kDiscardPadding = 0x75a2,
  kTags = 0x1254c367,
  kChapters = 0x1043a770,
  kAttachments = 0x1941a469,
};

bool is_of_cluster(uint32_t id) {
  switch (id) {
    case kTimestamp:
    case kSimpleBlock:
    case kBlockGroup:
    case 0xa7:    // Position
    case 0xab:    // PrevSize
    case 0xaf:    // EncryptedBlock
    case 0x5854:  // SilentTracks
    case 0xbf:    // CRC-32
    case 0xec:    // Void
      return true;
    default:
      return false;
  }
}

bool is_top_level(uint32_t id) {
  switch (id) {
    case kSeekHead:
    case kInfo:
    case kTracks:
    case kCues:
    case kCluster:
    case kTags:
    case kChapters:
    case kAttachments:
    case kSegment:
    case kEbml:
      return true;
    default:
      return false;
  }
}

tl::unexpected<Error> damaged(uint64_t offset, const char* what) {
  return fail(Fault::Damaged, "The source is damaged at byte " + std::to_string(offset) + ".",
              what);
}

struct Number {
  uint64_t value = 0;
  unsigned length = 0;   // 0: there is no whole number here
  bool unknown = false;  // all bits set: a size that was not known when it was written
};

Number read_number(ByteView view, bool keep_marker) {
  Number n;
  if (view.empty() || view[0] == 0) return n;
  const auto length = static_cast<unsigned>(std::countl_zero(view[0])) + 1;
  if (view.size() < length) return n;
  n.value = keep_marker ? view[0] : view[0] & ((1u << (8 - length)) - 1u);
  for (unsigned i = 1; i < length; ++i) n.value = n.value << 8 | view[i];
  n.unknown = !keep_marker && n.value == (uint64_t{1} << (7 * length)) - 1;
  n.length = length;
  return n;
}

uint64_t to_uint(ByteView view) {
  uint64_t value = 0;
  for (const uint8_t byte : view.first(std::min<size_t>(view.size(), 8))) value = value << 8 | byte;
  return value;
}

int64_t to_int(ByteView view) {
  if (view.empty()) return 0;
  uint64_t value = view[0] & 0x80u ? ~uint64_t{0} : 0;
  for (const uint8_t byte : view.first(std::min<size_t>(view.size(), 8))) value = value << 8 | byte;
  return static_cast<int64_t>(value);
}

double to_double(ByteView view) {
  if (view.size() == 4) return static_cast<double>(std::bit_cast<float>(be32(view.data())));
  return view.size() == 8 ? std::bit_cast<double>(be64(view.data())) : 0;
}

// Rates are stored as floating point numbers; all that are used are whole.
uint32_t to_rate(ByteView view) {
  const double value = to_double(view);
  return value >= 1 && value < 1e7 ? static_cast<uint32_t>(std::lround(value)) : 0;
}

struct Element {
  uint32_t id = 0;
  uint64_t body = 0;
  uint64_t size = 0;
  bool unknown = false;
};

// Calls visit(id, payload) for each element of a master element that lies in memory.
template <typename Visit>
void each_element(ByteView view, Visit&& visit) {
  while (!view.empty()) {
    const Number id = read_number(view, true);
    if (!id.length || id.length > 4) return;
    const Number size = read_number(view.subspan(id.length), false);
    if (!size.length) return;
    view = view.subspan(id.length + size.length);
    const auto there = static_cast<size_t>(
        size.unknown ? view.size() : std::min<uint64_t>(size.value, view.size()));
    visit(static_cast<uint32_t>(id.value), view.first(there));
    view = view.subspan(there);
  }
}

struct Entry {
  uint64_t number = 0;
  unsigned type = 0;
  std::string codec;
  Bytes config;
  uint64_t default_duration = 0, codec_delay = 0;  // ns
  std::string language = "eng";
  Picture picture;
  uint64_t display_width = 0, display_height = 0, display_unit = 0;
  Sound sound{1, 16, 8000};
  Bytes prefix;  // of every packet, left out of the file
  std::string fault;

  Track track;
  bool used = false;
  bool counted = false;  // each packet says how long it is: Opus, Vorbis, PCM
  std::optional<VorbisBlocks> vorbis;
  unsigned vorbis_before = 0;
  bool prores = false;          // its packets lack their box header
  std::vector<Sample> packets;  // pts in ticks; duration in ticks, -1: not said
  uint64_t discard = 0;         // ns at the end of the last packet
  int64_t newest = INT64_MIN;   // ticks
};

// A track of the file, as an MP4 would have it. False: its codec has no place there.
bool describe(Entry& e) {
  Track& t = e.track;
  t.id = static_cast<uint32_t>(e.number);
  t.kind = e.type == 1 ? TrackKind::Video : TrackKind::Audio;
  const auto picture = [&](uint32_t code, uint32_t box, ByteView config) {
    t.codec = code;
    t.descriptions.push_back(picture_entry(code, e.picture, box, config));
    return true;
  };
  const auto sound = [&](uint32_t code, uint32_t box, ByteView config) {
    t.codec = code;
    t.descriptions.push_back(sound_entry(code, e.sound, box, config));
    return true;
  };
  const auto elementary = [&](unsigned type, const Bytes& config) {
    return sound(fourcc("mp4a"), fourcc("esds"), esds({type, config}));
  };
  const ByteView config(e.config);
  if (e.type == 1) {
    if (e.codec == "V_MPEG4/ISO/AVC" && config.size() >= 7)
      return picture(fourcc("avc1"), fourcc("avcC"), config);
    if (e.codec == "V_MPEGH/ISO/HEVC" && config.size() >= 23)
      return picture(fourcc("hvc1"), fourcc("hvcC"), config);
    if (e.codec == "V_AV1" && config.size() >= 4)
      return picture(fourcc("av01"), fourcc("av1C"), config);
    // The boxes of these are made from the first packet.
    if (e.codec == "V_VP8") return picture(fourcc("vp08"), 0, {});
    if (e.codec == "V_VP9") return picture(fourcc("vp09"), 0, {});
    if (e.codec == "V_MJPEG") return picture(fourcc("jpeg"), 0, {});
    if (e.codec == "V_PRORES" && config.size() >= 4) {
      e.prores = true;
      return picture(be32(config.data()), 0, {});
    }
    return false;
  }
  if (e.codec == "A_OPUS" && config.size() >= 19) {
    // Ogg's header with its numbers the other way round.
    ByteWriter w;
    w.u8(0);
    w.u8(config[9]);
    w.u16(static_cast<uint32_t>(config[11] << 8 | config[10]));
    for (size_t i = 15; i >= 12; --i) w.u8(config[i]);
    w.u16(static_cast<uint32_t>(config[17] << 8 | config[16]));
    w.raw(config.subspan(18));
    e.sound = {config[9], 16, 48000};
    e.counted = e.prefix.empty();
    return sound(fourcc("Opus"), fourcc("dOps"), w.out);
  }
  if (e.codec == "A_AAC") {
    const auto is = read_aac_config(config);
    if (!is) return false;
    e.sound.rate = is->rate;
    return elementary(0x40, e.config);
  }
  if (e.codec == "A_VORBIS") {
    e.vorbis = read_vorbis(config);
    e.counted = e.vorbis && e.prefix.empty();
    return elementary(0xdd, e.config);
  }
  if (e.codec == "A_MPEG/L3" || e.codec == "A_MPEG/L2") return elementary(0x6b, {});
  if (e.codec == "A_AC3") return sound(fourcc("ac-3"), 0, {});
  if (e.codec == "A_EAC3") return sound(fourcc("ec-3"), 0, {});
  const bool little = e.codec == "A_PCM/INT/LIT";
  if ((little || e.codec == "A_PCM/INT/BIG") && e.sound.bits == 16 && e.sound.channels > 0) {
    t.moment = e.sound.channels * 2;
    e.counted = true;
    return sound(little ? fourcc("sowt") : fourcc("twos"), 0, {});
  }
  if (e.codec == "A_FLAC" && config.size() >= 42) {
    ByteWriter w;
    w.u32(0);
    w.raw(config.subspan(4));
    return sound(fourcc("fLaC"), fourcc("dfLa"), w.out);
  }
  return false;
}

// Packets that lack a part which is the same in all of them.
class Completed final : public PacketMap {
 public:
  std::vector<Bytes> prefixes;  // by rewriter; an empty one: ProRes, whose head says its size
  Result<Bytes> fetch(Blocks& blocks, const Place& place, uint64_t more) const override {
    const auto part = blocks.get(place.source, place.length, more);
    if (!part) return tl::make_unexpected(part.error());
    ByteWriter w;
    const Bytes& prefix = prefixes[place.rewriter];
    if (prefix.empty() && place.stream) {
      w.u32(place.length + 8);
      w.text("icpf");
    }
    w.raw(prefix);
    w.raw(*part);
    return std::move(w.out);
  }
};

class Indexer {
 public:
  Indexer(ByteReader& reader, const Wish& wish)
      : reader_(reader), wish_(wish), blocks_(reader, kReadAtOnce, kAhead) {
    movie_.container = Container::Matroska;
    movie_.source_size = reader.size();
    if (wish.range) window_end_ = wish.range->second;
  }

  Result<Movie> index() {
    const auto walked = walk();
    if (!walked) return tl::make_unexpected(walked.error());
    if (entries_.empty()) {
      if (movie_.cut_short)
        return fail(Fault::Truncated, "The source is truncated: it ends before its tracks.");
      return fail(Fault::WrongType, "The source describes no track: there is no movie in it.");
    }
    for (Entry& e : entries_) {
      if (!e.used) continue;
      const auto finished = e.type == 1 ? finish_picture(e) : finish_sound(e);
      if (!finished) return tl::make_unexpected(finished.error());
    }
    complete();
    movie_.timescale = 1000;
    for (Entry& e : entries_) {
      if (!e.used) continue;
      const bool all_sync =
          std::all_of(e.packets.begin(), e.packets.end(), [](const Sample& s) { return s.sync; });
      e.track.samples = SampleTable(std::move(e.packets));
      e.track.samples.set_all_sync(all_sync);
      movie_.tracks.push_back(std::move(e.track));
    }
    return std::move(movie_);
  }

 private:
  // The element at `offset`; id 0: there is none before `end`.
  Result<Element> element_at(uint64_t offset, uint64_t end) {
    Element e;
    if (offset >= end) return e;
    const auto view =
        blocks_.get(offset, static_cast<size_t>(std::min<uint64_t>(12, end - offset)));
    if (!view) return tl::make_unexpected(view.error());
    const Number id = read_number(*view, true);
    const bool tight = view->size() < 12;
    if (!id.length || id.length > 4) {
      if (tight && !view->empty() && (*view)[0] != 0) return cut();
      return damaged(offset, "there is no element");
    }
    const Number size = read_number(view->subspan(id.length), false);
    if (!size.length) {
      if (tight) return cut();
      return damaged(offset, "an element without a size");
    }
    e.id = static_cast<uint32_t>(id.value);
    e.body = offset + id.length + size.length;
    e.unknown = size.unknown;
    e.size = size.unknown ? end - e.body : size.value;
    return e;
  }
  Element cut() {
    movie_.cut_short = true;
    return {};
  }

  // The payload of an element that is held in memory. Empty: it is cut short.
  Result<Bytes> payload(const Element& e) {
    if (e.size > kLargestHeader) return damaged(e.body, "a header is larger than any real one");
    auto bytes = blocks_.get(e.body, static_cast<size_t>(e.size));
    if (!bytes) return tl::make_unexpected(bytes.error());
    if (bytes->size() < e.size) {
      movie_.cut_short = true;
      return Bytes();
    }
    return Bytes(bytes->begin(), bytes->end());
  }

  Result<bool> walk() {
    uint64_t at = 0;
    const uint64_t size = reader_.size();
    while (at < size) {
      const auto e = element_at(at, size);
      if (!e) return tl::make_unexpected(e.error());
      if (e->id == 0) break;
      if (e->id == kSegment) {
        const bool beyond = !e->unknown && e->size > size - e->body;
        movie_.cut_short |= beyond;
        const auto end = e->unknown || beyond ? size : e->body + e->size;
        return segment(e->body, end);
      }
      if (e->unknown || e->size > size - e->body) {
        movie_.cut_short = true;
        break;
      }
      at = e->body + e->size;
    }
    return true;
  }

  Result<bool> segment(uint64_t begin, uint64_t end) {
    segment_ = begin;
    uint64_t at = begin;
    bool started = false;
    while (at < end && !past_range_) {
      const auto e = element_at(at, end);
      if (!e) return tl::make_unexpected(e.error());
      // A live stream that was written on: what follows has a clock and tracks of its own.
      if (e->id == 0 || e->id == kEbml || e->id == kSegment) break;
      const uint64_t behind = e->unknown || e->size > end - e->body ? end : e->body + e->size;
      switch (e->id) {
        case kSeekHead:
        case kInfo:
        case kTracks:
        case kCues: {
          const auto read = header(*e);
          if (!read) return read;
          at = behind;
          break;
        }
        case kCluster: {
          if (!started) {
            started = true;
            const auto there = jump(at, end);
            if (!there) return tl::make_unexpected(there.error());
            if (*there != at) {
              at = *there;
              break;
            }
          }
          const auto next = cluster(*e, behind);
          if (!next) return tl::make_unexpected(next.error());
          at = *next;
          break;
        }
        default:
          if (e->unknown) return damaged(at, "an element of unknown size that must have one");
          movie_.cut_short |= e->size > end - e->body;
          at = behind;
      }
    }
    return true;
  }

  Result<bool> header(const Element& e) {
    const auto bytes = payload(e);
    if (!bytes) return tl::make_unexpected(bytes.error());
    switch (e.id) {
      case kSeekHead:
        each_element(*bytes, [&](uint32_t id, ByteView seek) {
          if (id != kSeek) return;
          uint64_t what = 0, where = 0;
          each_element(seek, [&](uint32_t field, ByteView value) {
            if (field == kSeekId) what = to_uint(value);
            if (field == kSeekPosition) where = to_uint(value);
          });
          if (what == kCues) cues_at_ = where;
        });
        break;
      case kInfo:
        each_element(*bytes, [&](uint32_t id, ByteView value) {
          if (id == kTimestampScale) scale_ = to_uint(value);
          if (id == kDuration) duration_ = to_double(value);
        });
        if (scale_ == 0 || scale_ > kSecond) return damaged(e.body, "no clock");
        break;
      case kTracks:
        // Live streams may repeat it.
        if (!entries_.empty()) break;
        each_element(*bytes, [&](uint32_t id, ByteView value) {
          if (id == kTrackEntry) entry(value);
        });
        break;
      case kCues:
        each_element(*bytes, [&](uint32_t id, ByteView value) {
          if (id == kCuePoint) cue(value);
        });
        break;
      default:
        break;
    }
    return true;
  }

  void entry(ByteView view) {
    Entry e;
    const auto text = [](ByteView value) {
      std::string s(value.begin(), value.end());
      return s.substr(0, s.find('\0'));
    };
    each_element(view, [&](uint32_t id, ByteView value) {
      switch (id) {
        case kTrackNumber:
          e.number = to_uint(value);
          break;
        case kTrackType:
          e.type = static_cast<unsigned>(to_uint(value));
          break;
        case kDefaultDuration:
          e.default_duration = std::min<uint64_t>(to_uint(value), kLongest);
          break;
        case kCodecDelay:
          e.codec_delay = std::min<uint64_t>(to_uint(value), 60 * kSecond);
          break;
        case kCodecId:
          e.codec = text(value);
          break;
        case kCodecPrivate:
          e.config.assign(value.begin(), value.end());
          break;
        case kLanguage:
          e.language = text(value);
          break;
        case kTrackTimestampScale:
          if (!value.empty() && to_rate(value) != 1) e.fault = "its clock is stretched";
          break;
        case kVideo:
          video(value, e);
          break;
        case kAudio:
          each_element(value, [&](uint32_t field, ByteView v) {
            if (field == kSamplingFrequency && to_rate(v)) e.sound.rate = to_rate(v);
            if (field == kChannels) e.sound.channels = static_cast<unsigned>(to_uint(v) & 255u);
            if (field == kBitDepth) e.sound.bits = static_cast<unsigned>(to_uint(v) & 255u);
          });
          break;
        case kContentEncodings:
          each_element(value, [&](uint32_t field, ByteView encoding) {
            if (field == kContentEncoding) encoded(encoding, e);
          });
          break;
        default:
          break;
      }
    });
    const std::string name = "track " + std::to_string(e.number) + " (" + e.codec + ")";
    if (e.type == 17)
      movie_.notes.push_back("Left out the text " + name +
                             ": Matroska's subtitles are not copied.");
    if (e.type == 1 || e.type == 2) {
      e.used = e.fault.empty() && describe(e);
      if (!e.used)
        movie_.notes.push_back("Left out " + name + ": " +
                               (e.fault.empty() ? "its codec is not known." : e.fault + "."));
    }
    if (e.used) place_track(e.track, e.picture, e.language);
    entries_.push_back(std::move(e));
  }

  static void video(ByteView view, Entry& e) {
    each_element(view, [&](uint32_t id, ByteView value) {
      const uint64_t number = to_uint(value);
      switch (id) {
        case kPixelWidth:
          e.picture.width = static_cast<uint32_t>(std::min<uint64_t>(number, 0xffff));
          break;
        case kPixelHeight:
          e.picture.height = static_cast<uint32_t>(std::min<uint64_t>(number, 0xffff));
          break;
        case kDisplayWidth:
          e.display_width = std::min<uint64_t>(number, 0xfffff);
          break;
        case kDisplayHeight:
          e.display_height = std::min<uint64_t>(number, 0xfffff);
          break;
        case kDisplayUnit:
          e.display_unit = number;
          break;
        case kColour:
          each_element(value, [&](uint32_t field, ByteView v) {
            const auto n = static_cast<unsigned>(to_uint(v) & 255u);
            if (field == kMatrixCoefficients) e.picture.colour.matrix = n;
            if (field == kTransfer) e.picture.colour.transfer = n;
            if (field == kPrimaries) e.picture.colour.primaries = n;
            if (field == kRange) e.picture.colour.full_range = n == 2;
          });
          break;
        default:
          break;
      }
    });
    // Sizes to show, in pixels or as a ratio.
    if ((e.display_unit == 0 || e.display_unit == 3) && e.display_width && e.display_height) {
      const uint64_t x = e.display_width * e.picture.height;
      const uint64_t y = e.display_height * e.picture.width;
      const uint64_t divisor = std::gcd(x, y);
      // Sizes that were rounded to whole pixels are no aspect.
      const uint64_t apart = x > y ? x - y : y - x;
      if (divisor && apart > std::max(e.picture.width, e.picture.height)) {
        e.picture.pixel_width = static_cast<uint32_t>(x / divisor);
        e.picture.pixel_height = static_cast<uint32_t>(y / divisor);
      }
    }
  }

  static void encoded(ByteView view, Entry& e) {
    each_element(view, [&](uint32_t id, ByteView value) {
      if (id == kContentEncryption) e.fault = "it is encrypted";
      if (id != kContentCompression) return;
      uint64_t algorithm = 0;
      ByteView settings;
      each_element(value, [&](uint32_t field, ByteView v) {
        if (field == kContentCompAlgo) algorithm = to_uint(v);
        if (field == kContentCompSettings) settings = v;
      });
      if (algorithm == 3)
        e.prefix.assign(settings.begin(), settings.end());
      else
        e.fault = "its packets are compressed";
    });
  }

  void cue(ByteView view) {
    uint64_t time = 0;
    each_element(view, [&](uint32_t id, ByteView value) {
      if (id == kCueTime) time = to_uint(value);
      if (id != kCueTrackPositions) return;
      Cue c{time, 0, 0};
      each_element(value, [&](uint32_t field, ByteView v) {
        if (field == kCueTrack) c.track = to_uint(v);
        if (field == kCueClusterPosition) c.cluster = to_uint(v);
      });
      cues_.push_back(c);
    });
  }

  // Where to begin: at the first cluster, or where the cues say that the range is near.
  Result<uint64_t> jump(uint64_t first, uint64_t end) {
    const bool header_only = wish_.header_above && reader_.size() > *wish_.header_above;
    if (!header_only && (!wish_.range || reader_.size() <= wish_.whole_up_to)) return first;
    if (cues_.empty() && cues_at_) {
      const auto e = element_at(segment_ + std::min(*cues_at_, end), end);
      if (e && e->id == kCues) {
        const auto read = header(*e);
        if (!read) return tl::make_unexpected(read.error());
      }
    }
    if (header_only) return tell(first);
    uint64_t lead = 0;  // the track whose key frames count
    for (const Entry& e : entries_)
      if (e.used && (lead == 0 || e.type == 1)) {
        lead = e.number;
        if (e.type == 1) break;
      }
    const uint64_t start = wish_.range->first > kBefore ? wish_.range->first - kBefore : 0;
    const Cue* best = nullptr;
    for (const Cue& c : cues_)
      if (c.track == lead && Wide{c.time} * scale_ <= start && (!best || c.time >= best->time))
        best = &c;
    if (cues_.empty()) return first;
    movie_.windowed = true;
    if (!best || best->cluster > end - segment_) return first;
    return std::max(first, segment_ + best->cluster);
  }

  // Puts down what the header tells of the whole, if it tells of key frames.
  Result<uint64_t> tell(uint64_t first) {
    for (Entry& e : entries_) {
      if (!e.used || e.type != 1) continue;
      for (const Cue& c : cues_)
        if (c.track == e.number && c.time <= static_cast<uint64_t>(kFarthest) / scale_)
          e.track.key_times.push_back(c.time * scale_);
      std::sort(e.track.key_times.begin(), e.track.key_times.end());
      movie_.windowed |= !e.track.key_times.empty();
      if (e.default_duration)
        e.track.frame_rate = static_cast<double>(kSecond) / static_cast<double>(e.default_duration);
    }
    if (!movie_.windowed) {
      if (reader_.size() <= wish_.whole_up_to) return first;
      return fail(Fault::Unsupported, "The source is large and has no index.");
    }
    const double length = duration_ * static_cast<double>(scale_);
    if (length > 0 && length < static_cast<double>(kFarthest))
      movie_.duration = static_cast<uint64_t>(std::llround(length));
    window_end_ = 0;
    return first;
  }

  // Walks a cluster; says where the next element of the segment is.
  Result<uint64_t> cluster(const Element& c, uint64_t end) {
    int64_t time = 0;
    uint64_t at = c.body;
    // The rest of a damaged cluster is lost, but not what is behind it.
    const auto lost = [&](const Error& error) -> Result<uint64_t> {
      if (c.unknown || error.fault != Fault::Damaged) return tl::make_unexpected(error);
      movie_.damages.push_back(at);
      return end;
    };
    while (at < end) {
      const auto e = element_at(at, end);
      if (!e) return lost(e.error());
      if (e->id == 0) return end;
      if (c.unknown && is_top_level(e->id)) return at;
      if (!is_of_cluster(e->id)) return lost(damaged(at, "an element that no cluster has").value());
      if (e->size > end - e->body) {
        if (end < reader_.size() && !c.unknown)
          return lost(damaged(at, "an element does not fit into its cluster").value());
        movie_.cut_short = true;
        return end;
      }
      const uint64_t behind = e->body + e->size;
      if (e->id == kTimestamp) {
        const auto bytes =
            blocks_.get(e->body, static_cast<size_t>(std::min<uint64_t>(8, e->size)));
        if (!bytes) return tl::make_unexpected(bytes.error());
        const uint64_t value = to_uint(*bytes);
        if (value > static_cast<uint64_t>(kFarthest) / scale_)
          return damaged(at, "a time out of any clock");
        time = static_cast<int64_t>(value);
      } else if (e->id == kSimpleBlock) {
        const auto taken = block(*e, time, std::nullopt, std::nullopt, 0);
        if (!taken) return lost(taken.error());
      } else if (e->id == kBlockGroup) {
        const auto taken = group(*e, time);
        if (!taken) return lost(taken.error());
      }
      at = behind;
      if (past_range()) {
        past_range_ = true;
        return at;
      }
    }
    return end;
  }

  Result<bool> group(const Element& g, int64_t time) {
    Element inner;
    bool key = true;
    std::optional<uint64_t> duration;
    uint64_t discard = 0;
    const uint64_t end = g.body + g.size;
    for (uint64_t at = g.body; at < end;) {
      const auto e = element_at(at, end);
      if (!e) return tl::make_unexpected(e.error());
      if (e->id == 0 || e->unknown || e->size > end - e->body)
        return damaged(at, "an element does not fit into its block group");
      const auto value = [&]() -> Result<ByteView> {
        return blocks_.get(e->body, static_cast<size_t>(std::min<uint64_t>(8, e->size)));
      };
      if (e->id == kBlock) inner = *e;
      if (e->id == kReferenceBlock) key = false;
      if (e->id == kBlockDuration || e->id == kDiscardPadding) {
        const auto bytes = value();
        if (!bytes) return tl::make_unexpected(bytes.error());
        if (e->id == kBlockDuration)
          duration = std::min<uint64_t>(to_uint(*bytes), kLongest);
        else
          discard = static_cast<uint64_t>(std::clamp<int64_t>(to_int(*bytes), 0, kLongest));
      }
      at = e->body + e->size;
    }
    if (!inner.id) return true;
    return block(inner, time, key, duration, discard);
  }

  Entry* find(uint64_t number) {
    for (Entry& e : entries_)
      if (e.number == number) return &e;
    return nullptr;
  }

  Result<bool> block(const Element& b, int64_t cluster_time, std::optional<bool> key,
                     std::optional<uint64_t> duration, uint64_t discard) {
    const auto head = blocks_.get(b.body, static_cast<size_t>(std::min<uint64_t>(b.size, 16)));
    if (!head) return tl::make_unexpected(head.error());
    const Number number = read_number(*head, false);
    if (!number.length || head->size() < number.length + 3)
      return damaged(b.body, "a block is cut short");
    Entry* e = find(number.value);
    if (!e || !e->used) return true;
    const uint8_t* p = head->data() + number.length;
    const int64_t time = cluster_time + static_cast<int16_t>(be16(p));
    const unsigned flags = p[2];
    const uint64_t header = number.length + 3;
    Sample s;
    s.offset = b.body + header;
    s.pts = time;
    s.duration = duration ? static_cast<int64_t>(*duration) : -1;
    s.sync = e->type != 1 || (key ? *key : (flags & 0x80u) != 0);
    e->newest = std::max(e->newest, time);
    e->discard = discard;
    const uint64_t body = b.size - header;
    if (body > 0xffffffff) return damaged(b.body, "a block is larger than any real one");
    if (!(flags & 6u)) {
      s.size = static_cast<uint32_t>(body);
      return take(*e, s);
    }
    return laced(*e, s, body, flags >> 1 & 3u);
  }

  // Several packets in one block: the first has its time.
  Result<bool> laced(Entry& e, Sample s, uint64_t body, unsigned kind) {
    const auto view = blocks_.get(s.offset, static_cast<size_t>(std::min<uint64_t>(body, 4096)));
    if (!view) return tl::make_unexpected(view.error());
    if (view->empty()) return damaged(s.offset, "a lace is cut short");
    const unsigned count = (*view)[0] + 1u;
    size_t at = 1;
    std::vector<uint64_t> sizes;
    uint64_t sum = 0;
    const auto bad = [&] { return damaged(s.offset, "a lace does not fit into its block"); };
    if (kind == 2) {
      if ((body - 1) % count) return bad();
      sizes.assign(count, (body - 1) / count);
    } else {
      int64_t size = 0;
      for (unsigned i = 0; i + 1 < count; ++i) {
        if (kind == 1) {
          size = 0;
          for (bool more = true; more; ++at) {
            if (at >= view->size()) return bad();
            size += (*view)[at];
            more = (*view)[at] == 255;
          }
        } else {
          const Number n = read_number(view->subspan(std::min(at, view->size())), false);
          if (!n.length) return bad();
          at += n.length;
          // Differences, made positive by half of their range.
          const auto half = static_cast<int64_t>((uint64_t{1} << (7 * n.length - 1)) - 1);
          size =
              i == 0 ? static_cast<int64_t>(n.value) : size + static_cast<int64_t>(n.value) - half;
        }
        if (size < 0 || static_cast<uint64_t>(size) > body) return bad();
        sizes.push_back(static_cast<uint64_t>(size));
        sum += static_cast<uint64_t>(size);
      }
      if (at + sum > body) return bad();
      sizes.push_back(body - at - sum);
    }
    uint64_t offset = s.offset + (kind == 2 ? 1 : at);
    for (size_t i = 0; i < sizes.size(); ++i) {
      Sample part = s;
      part.offset = offset;
      part.size = static_cast<uint32_t>(sizes[i]);
      part.duration = -1;
      if (i > 0) part.description = 0;  // no time of its own
      offset += sizes[i];
      const auto taken = take(e, part);
      if (!taken) return taken;
    }
    return true;
  }

  Result<bool> take(Entry& e, Sample s) {
    if (e.track.moment) {
      s.duration = s.size / e.track.moment;
      s.size -= s.size % e.track.moment;
    } else if (e.counted) {
      const auto head = blocks_.get(s.offset, std::min<size_t>(s.size, 2));
      if (!head) return tl::make_unexpected(head.error());
      s.duration = e.vorbis ? e.vorbis->samples(*head, e.vorbis_before) : opus_samples(*head);
    }
    if (e.packets.size() >= kMostPackets)
      return damaged(s.offset, "more packets than any real file");
    e.packets.push_back(s);
    return true;
  }

  // Whether every track that still goes on is behind the range.
  bool past_range() const {
    if (!movie_.windowed || window_end_ == UINT64_MAX) return false;
    const Wide end = Wide{window_end_} + kBehind;
    bool behind = true, any = false, far = false;
    for (const Entry& e : entries_) {
      if (!e.used || e.packets.empty()) continue;
      const Wide newest = Wide{e.newest} * scale_;
      // A picture behind the range is the end of its last one; sound may have ended long ago.
      if (e.type == 1 && newest <= end) return false;
      any = true;
      behind &= newest > end;
      far |= newest > end + kLongestSilence;
    }
    return any && (behind || far);
  }

  int64_t ticks() const {
    return kSecond % scale_ == 0 ? static_cast<int64_t>(kSecond / scale_) : 1'000'000;
  }
  // A number of the file's ticks in the movie's.
  int64_t in_ticks(int64_t value) const {
    if (kSecond % scale_ == 0) return value;
    return static_cast<int64_t>(round_div(Wide{value} * scale_, 1000));
  }
  int64_t ns_in_ticks(uint64_t ns) const {
    return static_cast<int64_t>(round_div(Wide{ns} * ticks(), Wide{kSecond}));
  }

  Result<bool> finish_picture(Entry& e) {
    e.track.timescale = static_cast<uint32_t>(ticks());
    auto& list = e.packets;
    for (Sample& s : list) {
      s.pts = in_ticks(s.pts);
      if (s.duration >= 0) s.duration = in_ticks(s.duration);
      s.description = 1;
    }
    derive_decode_times(list, ns_in_ticks(e.default_duration));
    return read_first(e);
  }

  Result<bool> finish_sound(Entry& e) {
    const auto known = read_first(e);
    if (!known) return known;
    std::vector<Sample> packets = std::move(e.packets);
    e.packets.clear();
    e.packets.reserve(packets.size());
    const int64_t samples = packets.empty() ? 0 : frame_length(e);
    Track& t = e.track;
    if (e.counted || samples > 0) {
      t.timescale = e.sound.rate;
      SoundClock clock(e.packets, ticks(), t.timescale);
      for (Sample& s : packets) {
        std::optional<int64_t> time;
        if (s.description) time = in_ticks(s.pts);
        s.description = 1;
        if (!e.counted) s.duration = samples;
        clock.add(s, time);
      }
      clock.finish();
    } else {
      t.timescale = static_cast<uint32_t>(ticks());
      for (size_t i = 0; i < packets.size(); ++i) {
        Sample s = packets[i];
        s.dts = s.pts = in_ticks(s.pts);
        if (!s.description && i > 0) {
          // Laced, of unknown length: as long as the packet before it.
          s.dts = s.pts =
              e.packets[i - 1].dts + std::max<int64_t>(1, ns_in_ticks(e.default_duration));
        }
        s.description = 1;
        if (i > 0) {
          s.dts = s.pts = std::max(s.dts, e.packets[i - 1].dts);
          e.packets[i - 1].duration = s.dts - e.packets[i - 1].dts;
        }
        if (s.duration < 0)
          s.duration = e.default_duration ? ns_in_ticks(e.default_duration)
                       : i > 0            ? e.packets[i - 1].duration
                                          : 1;
        e.packets.push_back(s);
      }
    }
    const auto in_samples = [&](uint64_t ns) {
      return static_cast<int64_t>(round_div(Wide{ns} * t.timescale, Wide{kSecond}));
    };
    t.media_start = in_samples(e.codec_delay);
    if (e.discard && !e.packets.empty() && !movie_.windowed) {
      const Sample& last = e.packets.back();
      t.media_length =
          std::max<int64_t>(1, last.pts + last.duration - in_samples(e.discard) - t.media_start);
    }
    return true;
  }

  // Completes a description with what only the packets say.
  Result<bool> read_first(Entry& e) {
    if (e.packets.empty()) return true;
    const Sample& first = e.packets.front();
    const auto got = blocks_.get(first.offset, std::min<size_t>(first.size, 64));
    if (!got) return tl::make_unexpected(got.error());
    Bytes head = e.prefix;
    head.insert(head.end(), got->begin(), got->end());
    first_ = std::move(head);
    Track& t = e.track;
    switch (t.codec) {
      case fourcc("vp08"):
      case fourcc("vp09"):
        t.descriptions[0] = picture_entry(t.codec, e.picture, fourcc("vpcC"),
                                          vp_config(t.codec == fourcc("vp09"), first_, e.picture));
        break;
      case fourcc("ac-3"):
      case fourcc("ec-3"): {
        const auto is = read_ac3(first_);
        if (!is) return damaged(first.offset, "this is no AC-3");
        e.sound.rate = is->rate;
        e.sound.channels = is->channels;
        t.descriptions[0] =
            sound_entry(t.codec, e.sound,
                        t.codec == fourcc("ac-3") ? fourcc("dac3") : fourcc("dec3"), is->config);
        break;
      }
      default:
        break;
    }
    return true;
  }

  // Samples in a packet; 0: they differ.
  int64_t frame_length(const Entry& e) const {
    if (e.codec == "A_AAC") {
      const auto is = read_aac_config(e.config);
      return is ? is->frame : 0;
    }
    if (e.codec == "A_AC3" || e.codec == "A_EAC3") {
      const auto is = read_ac3(first_);
      return is ? is->samples : 0;
    }
    if (e.codec == "A_MPEG/L3" || e.codec == "A_MPEG/L2") {
      const auto is = read_mpeg_sound(first_);
      return is && is->rate == e.sound.rate ? is->samples : 0;
    }
    if (e.codec == "A_FLAC") {
      const unsigned least = be16(&e.config[8]), most = be16(&e.config[10]);
      return least == most ? least : 0;
    }
    return 0;
  }

  // Gives packets that lack a part their place in a row of whole ones.
  void complete() {
    bool lacking = false;
    for (const Entry& e : entries_) lacking |= e.used && (e.prores || !e.prefix.empty());
    if (!lacking) return;
    auto map = std::make_shared<Completed>();
    struct Item {
      Sample* sample;
      uint16_t rewriter;
      bool prores;
    };
    std::vector<Item> items;
    for (Entry& e : entries_) {
      if (!e.used) continue;
      for (Sample& s : e.packets)
        items.push_back({&s, static_cast<uint16_t>(map->prefixes.size()), e.prores});
      map->prefixes.push_back(e.prefix);
    }
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.sample->offset < b.sample->offset; });
    for (const Item& item : items) {
      const uint64_t at = map->size();
      const uint32_t size = item.sample->size;
      const auto extra =
          static_cast<uint32_t>(item.prores ? 8 : map->prefixes[item.rewriter].size());
      map->add({0, item.sample->offset, 0, size, item.prores, item.rewriter}, size + extra);
      item.sample->offset = at;
      item.sample->size = size + extra;
    }
    movie_.source_size = map->size();
    movie_.packets = std::move(map);
  }

  struct Cue {
    uint64_t time, track, cluster;
  };
  static constexpr size_t kMostPackets = size_t{1} << 28;

  ByteReader& reader_;
  const Wish wish_;
  Blocks blocks_;
  Movie movie_;
  uint64_t scale_ = 1'000'000;  // ns
  double duration_ = 0;         // ticks
  uint64_t window_end_ = UINT64_MAX;
  uint64_t segment_ = 0;
  std::optional<uint64_t> cues_at_;
  std::vector<Cue> cues_;
  std::vector<Entry> entries_;
  Bytes first_;  // the beginning of the first packet of the track that is looked at
  bool past_range_ = false;
};

}  // namespace

bool looks_like_mkv(ByteView head) {
  return head.size() >= 4 && be32(head.data()) == kEbml;
}

Result<Movie> read_mkv(ByteReader& reader, const Wish& wish) {
  return Indexer(reader, wish).index();
}

}  // namespace clips::cut
