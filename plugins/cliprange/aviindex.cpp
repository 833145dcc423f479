// SPDX-License-Identifier: LGPL-2.1-or-later
#include "aviindex.hpp"

#include <numeric>

#include "nal.hpp"
#include "packetinfo.hpp"

namespace clips::cut {

namespace {

constexpr uint32_t kLargestPacket = 32u << 20;
constexpr uint32_t kLargestHeader = 1u << 20;
constexpr size_t kMostPackets = size_t{1} << 26;
constexpr size_t kBlock = 1 << 20;
constexpr uint32_t kMostTicks = 10'000'000;  // a second
constexpr int64_t kFarthest = int64_t{1} << 50;

uint32_t le16(const uint8_t* p) {
  return p[0] | uint32_t{p[1]} << 8;
}
uint32_t le32(const uint8_t* p) {
  return le16(p) | le16(p + 2) << 16;
}

tl::unexpected<Error> damaged(uint64_t offset, const char* what) {
  return fail(Fault::Damaged, "The source is damaged at byte " + std::to_string(offset) + ".",
              what);
}

struct Chunk {
  uint32_t id = 0;  // the type of a list
  uint64_t at = 0;  // of its header
  uint64_t body = 0;
  uint64_t size = 0;
};

// The chunk at `at` or the first one inside of it, if it is a list of media; moves `at` behind
// that. Nothing: the source is at its end.
Result<std::optional<Chunk>> next_chunk(Blocks& blocks, uint64_t& at, uint64_t more) {
  while (at < blocks.size()) {
    const auto head = blocks.get(at, 12, more);
    if (!head) return tl::make_unexpected(head.error());
    if (head->size() < 8) break;
    const uint32_t id = be32(head->data());
    const uint64_t size = le32(head->data() + 4);
    const bool list = id == fourcc("RIFF") || id == fourcc("LIST");
    if (list && head->size() < 12) break;
    const uint32_t type = list ? be32(head->data() + 8) : id;
    if (type == fourcc("AVI ") || type == fourcc("AVIX") || type == fourcc("movi") ||
        type == fourcc("rec ")) {
      at += 12;
      continue;
    }
    // Padding behind the last list.
    if (id == 0) break;
    const uint64_t skip = list ? 12 : 8;
    if (list && size < 4) return damaged(at, "a list without a type");
    Chunk chunk{type, at, at + skip, size - (skip - 8)};
    at += 8 + size + (size & 1u);
    return std::optional<Chunk>(chunk);
  }
  return std::optional<Chunk>();
}

// The number of the stream that a chunk of media belongs to.
std::optional<unsigned> stream_of(uint32_t id) {
  const unsigned tens = (id >> 24) - '0', ones = (id >> 16 & 255u) - '0';
  const uint32_t kind = id & 0xffffu;
  const bool media =
      kind == ('d' << 8 | 'c') || kind == ('d' << 8 | 'b') || kind == ('w' << 8 | 'b');
  if (tens > 9 || ones > 9 || !media) return std::nullopt;
  return tens * 10 + ones;
}

enum Rewriter : uint16_t { kAsItIs, kAvcUnits };

// Packets with start codes, and frames of sound that several chunks share.
class AviPackets final : public PacketMap {
 public:
  Result<Bytes> fetch(Blocks& blocks, const Place& place, uint64_t more) const override {
    Bytes stream;
    stream.reserve(place.length);
    uint64_t skip = place.skip;
    for (uint64_t at = place.source; stream.size() < place.length;) {
      const auto chunk = next_chunk(blocks, at, more);
      if (!chunk) return tl::make_unexpected(chunk.error());
      if (!*chunk) return fail(Fault::Truncated, "The source is truncated.");
      if (stream_of((*chunk)->id) != place.stream) continue;
      const uint64_t dropped = std::min(skip, (*chunk)->size);
      skip -= dropped;
      const auto length = static_cast<size_t>(
          std::min<uint64_t>((*chunk)->size - dropped, place.length - stream.size()));
      const auto part = blocks.get((*chunk)->body + dropped, length, more);
      if (!part) return tl::make_unexpected(part.error());
      if (part->size() < length) return fail(Fault::Truncated, "The source is truncated.");
      stream.insert(stream.end(), part->begin(), part->end());
    }
    if (place.rewriter == kAsItIs) return stream;
    Bytes packet;
    packet.reserve(stream.size() + 64);
    to_lengths(NalCodec::Avc, stream, &packet);
    return packet;
  }
};

enum class Codec { None, Avc, Mpeg4, Jpeg, Mpeg, Ac3, Adts, Aac, Pcm };

// Where a packet is.
struct Found {
  uint64_t source = 0;  // the header of the chunk that it begins in
  uint64_t skip = 0;    // bytes of that chunk in front of it
  uint64_t body = 0;    // where it begins in the source
  uint32_t length = 0;  // in the source
  bool whole = true;    // inside of one chunk
};

struct Stream {
  bool picture = false;
  Codec codec = Codec::None;
  std::string name;  // of the codec, for people
  uint32_t scale = 0, rate = 0, start = 0;
  uint32_t width = 0, height = 0;
  Sound sound;
  Bytes config;
  Track track;
  std::vector<Sample> packets;
  std::vector<Found> found;

  // Pictures: the places in time that the chunks take, and which of them each packet is shown at.
  std::vector<int64_t> places;
  int64_t next_place = 0;
  std::vector<size_t> shown;  // by packet: how many are shown before it
  size_t shown_count = 0;
  std::optional<size_t> waiting;  // MPEG-4: the packet that is shown before the next of its kind
  bool start_codes = true;        // H.264 as a stream, not as in MP4
  unsigned length_size = 4;
  ParameterSets sets;
  std::optional<SequencePictures> sequence;
  std::vector<std::pair<int64_t, size_t>> group;  // order count and packet, since the last IDR
  int64_t order_high = 0, order_low = 0;          // of the last picture that others refer to

  // Sound whose frames say themselves what they are: the bytes that are not yet cut into frames,
  // and the chunks that begin in them.
  Bytes bytes;
  struct Begin {
    ptrdiff_t at;
    Chunk chunk;
  };
  std::vector<Begin> begins;
  SoundFrame frame;
};

Codec picture_codec(uint32_t name) {
  uint32_t upper = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    uint32_t c = name >> shift & 255u;
    if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
    upper |= c << shift;
  }
  for (const uint32_t is : {fourcc("H264"), fourcc("X264"), fourcc("AVC1"), fourcc("DAVC")})
    if (upper == is) return Codec::Avc;
  for (const uint32_t is : {fourcc("FMP4"), fourcc("XVID"), fourcc("DIVX"), fourcc("DX50"),
                            fourcc("MP4V"), fourcc("3IV2"), fourcc("M4S2"), fourcc("MP4S")})
    if (upper == is) return Codec::Mpeg4;
  return upper == fourcc("MJPG") ? Codec::Jpeg : Codec::None;
}

Codec sound_codec(unsigned tag, unsigned bits, const Bytes& config) {
  switch (tag) {
    case 1:
      return bits == 16 ? Codec::Pcm : Codec::None;
    case 0x50:
    case 0x55:
      return Codec::Mpeg;
    case 0x2000:
      return Codec::Ac3;
    case 0xff:
    case 0x1600:
    case 0x706d:
      return config.size() >= 2 ? Codec::Aac : Codec::Adts;
    default:
      return Codec::None;
  }
}

class Indexer {
 public:
  explicit Indexer(ByteReader& reader) : blocks_(reader, kBlock) {
    movie_.container = Container::Avi;
    movie_.source_size = reader.size();
  }

  Result<Movie> index() {
    const auto walked = walk();
    if (!walked) return tl::make_unexpected(walked.error());
    if (streams_.empty())
      return fail(movie_.cut_short ? Fault::Truncated : Fault::WrongType,
                  movie_.cut_short ? "The source is truncated: it ends before its streams."
                                   : "There is neither picture nor sound in the source.");
    for (Stream& s : streams_) {
      const auto ended = s.picture ? finish_picture(s) : finish_sound(s);
      if (!ended) return tl::make_unexpected(ended.error());
    }
    settle();
    if (movie_.tracks.empty())
      return fail(Fault::WrongType, "There is neither picture nor sound in the source.");
    return std::move(movie_);
  }

 private:
  Result<bool> walk() {
    const uint64_t size = blocks_.size();
    for (uint64_t at = 0;;) {
      const auto chunk = next_chunk(blocks_, at, size - std::min(size, at));
      if (!chunk) return tl::make_unexpected(chunk.error());
      if (!*chunk) return true;
      if ((*chunk)->size > size - std::min(size, (*chunk)->body)) {
        // Its index at the end may be missing, but not its media.
        movie_.cut_short |= stream_of((*chunk)->id) || streams_.empty();
        return true;
      }
      if ((*chunk)->id == fourcc("hdrl") && streams_.empty()) {
        const auto read = headers(**chunk);
        if (!read) return read;
      }
      const auto number = stream_of((*chunk)->id);
      if (!number || *number >= streams_.size()) continue;
      const auto taken = take(streams_[*number], **chunk);
      if (!taken) return taken;
    }
  }

  Result<bool> headers(const Chunk& list) {
    if (list.size > kLargestHeader) return damaged(list.at, "a header is larger than any real one");
    const auto view = blocks_.get(list.body, static_cast<size_t>(list.size));
    if (!view) return tl::make_unexpected(view.error());
    each(*view, [&](uint32_t id, ByteView body) {
      if (id != fourcc("LIST") || body.size() < 4 || be32(body.data()) != fourcc("strl")) return;
      Stream s;
      ByteView format;
      uint32_t kind = 0;
      each(body.subspan(4), [&](uint32_t inner, ByteView value) {
        if (inner == fourcc("strh") && value.size() >= 36) {
          kind = be32(value.data());
          s.scale = le32(value.data() + 20);
          s.rate = le32(value.data() + 24);
          s.start = le32(value.data() + 28);
        }
        if (inner == fourcc("strf")) format = value;
      });
      describe(s, kind, format);
      streams_.push_back(std::move(s));
    });
    return true;
  }

  template <typename Visit>
  static void each(ByteView view, Visit&& visit) {
    while (view.size() >= 8) {
      const size_t size = le32(view.data() + 4);
      const uint32_t id = be32(view.data());
      view = view.subspan(8);
      visit(id, view.first(std::min(size, view.size())));
      view = view.subspan(std::min(size + (size & 1u), view.size()));
    }
  }

  static void describe(Stream& s, uint32_t kind, ByteView format) {
    s.picture = kind == fourcc("vids");
    if (s.picture && format.size() >= 40) {
      s.width = le32(format.data() + 4);
      const auto height = static_cast<int32_t>(le32(format.data() + 8));
      s.height = static_cast<uint32_t>(height < 0 ? -static_cast<int64_t>(height) : height);
      const uint32_t name = be32(format.data() + 16);
      for (int shift = 24; shift >= 0; shift -= 8) {
        const auto c = static_cast<char>(name >> shift);
        s.name += c > 32 && c < 127 ? c : '?';
      }
      s.config.assign(format.begin() + 40, format.end());
      s.codec = picture_codec(name);
    } else if (kind == fourcc("auds") && format.size() >= 14) {
      const unsigned tag = le16(format.data());
      s.sound = {le16(format.data() + 2), 16, le32(format.data() + 4)};
      const unsigned bits = format.size() >= 16 ? le16(format.data() + 14) : 0;
      if (format.size() > 18) s.config.assign(format.begin() + 18, format.end());
      s.name = "format " + std::to_string(tag);
      const bool known = s.sound.channels > 0 && s.sound.rate > 0 && s.sound.rate < 1'000'000;
      s.codec = known ? sound_codec(tag, bits, s.config) : Codec::None;
    }
  }

  Result<bool> take(Stream& s, const Chunk& c) {
    if (s.codec == Codec::None) return true;
    if (c.size > kLargestPacket) return damaged(c.at, "a packet is larger than any real one");
    if (s.packets.size() >= kMostPackets) return damaged(c.at, "more packets than any real file");
    if (s.picture) return take_picture(s, c);
    if (c.size == 0) return true;
    Sample sample;
    sample.sync = true;
    switch (s.codec) {
      case Codec::Pcm: {
        const uint32_t moment = s.sound.channels * 2;
        s.track.moment = moment;
        sample.size = static_cast<uint32_t>(c.size - c.size % moment);
        sample.duration = sample.size / moment;
        if (sample.size) add(s, sample, {c.at, 0, c.body, sample.size, true});
        return true;
      }
      case Codec::Aac:
        sample.size = static_cast<uint32_t>(c.size);
        add(s, sample, {c.at, 0, c.body, sample.size, true});
        return true;
      default: {
        const auto view = blocks_.get(c.body, static_cast<size_t>(c.size));
        if (!view) return tl::make_unexpected(view.error());
        s.begins.push_back({static_cast<ptrdiff_t>(s.bytes.size()), c});
        s.bytes.insert(s.bytes.end(), view->begin(), view->end());
        return cut_sound(s, false);
      }
    }
  }

  static void add(Stream& s, const Sample& sample, const Found& found) {
    s.packets.push_back(sample);
    s.found.push_back(found);
  }

  static std::optional<SoundFrame> read_frame(Codec codec, ByteView bytes) {
    switch (codec) {
      case Codec::Adts:
        return read_adts(bytes);
      case Codec::Ac3:
        return read_ac3(bytes);
      default:
        return read_mpeg_sound(bytes);
    }
  }

  // Takes whole frames off the front of the sound that came.
  Result<bool> cut_sound(Stream& s, bool end) {
    constexpr size_t kLongestHeader = 9;
    size_t at = 0;
    while (at < s.bytes.size()) {
      const ByteView rest = ByteView(s.bytes).subspan(at);
      if (rest.size() < kLongestHeader && !end) break;
      const auto frame = read_frame(s.codec, rest);
      if (!frame || frame->size <= frame->header) {
        ++at;  // to the next frame
        continue;
      }
      if (frame->size > rest.size()) break;
      const auto here = static_cast<ptrdiff_t>(at);
      size_t from = 0;
      while (from + 1 < s.begins.size() && s.begins[from + 1].at <= here) ++from;
      const Stream::Begin& begin = s.begins[from];
      if (s.packets.empty()) s.frame = *frame;
      if (frame->rate != s.frame.rate || frame->config.size() != s.frame.config.size())
        return fail(
            Fault::Changed,
            "The sound's parameters change on the way. Cut at the change, or re-encode it.");
      Sample sample;
      sample.sync = true;
      sample.size = static_cast<uint32_t>(frame->size - frame->header);
      sample.duration = frame->samples;
      const auto skip = static_cast<uint64_t>(here - begin.at) + frame->header;
      add(s, sample,
          {begin.chunk.at, skip, begin.chunk.body + skip, sample.size,
           skip + sample.size <= begin.chunk.size});
      at += frame->size;
    }
    s.bytes.erase(s.bytes.begin(), s.bytes.begin() + static_cast<ptrdiff_t>(at));
    for (Stream::Begin& begin : s.begins) begin.at -= static_cast<ptrdiff_t>(at);
    size_t past = 0;
    while (past + 1 < s.begins.size() && s.begins[past + 1].at <= 0) ++past;
    s.begins.erase(s.begins.begin(), s.begins.begin() + static_cast<ptrdiff_t>(past));
    return true;
  }

  Result<bool> take_picture(Stream& s, const Chunk& c) {
    const int64_t place = s.next_place++;
    // Nothing new is shown here.
    if (c.size == 0) return true;
    const auto view = blocks_.get(c.body, static_cast<size_t>(c.size));
    if (!view) return tl::make_unexpected(view.error());
    Sample sample;
    sample.size = static_cast<uint32_t>(c.size);
    sample.sync = true;
    const size_t number = s.packets.size();
    s.shown.push_back(0);
    if (s.codec == Codec::Jpeg) {
      s.shown[number] = s.shown_count++;
    } else {
      const auto ordered = s.codec == Codec::Avc ? take_avc(s, *view, number, sample, c.at)
                                                 : take_mpeg4(s, *view, number, sample);
      if (!ordered) return tl::make_unexpected(ordered.error());
      if (!*ordered) {
        s.shown.pop_back();
        return true;
      }
    }
    s.places.push_back(place);
    add(s, sample, {c.at, 0, c.body, static_cast<uint32_t>(c.size), true});
    return true;
  }

  // MPEG-4 part 2 (ISO/IEC 14496-2 section 6.2). False: there is no picture in it.
  static Result<bool> take_mpeg4(Stream& s, ByteView packet, size_t number, Sample& sample) {
    unsigned pictures = 0, kind = 0;
    for (size_t at = 0; at + 4 < packet.size();) {
      if (packet[at + 2] > 1) {
        at += 3;
      } else if (packet[at] == 0 && packet[at + 1] == 0 && packet[at + 2] == 1) {
        if (packet[at + 3] == 0xb6) {
          if (pictures == 0 && s.config.empty())
            s.config.assign(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(at));
          if (pictures++ == 0) kind = packet[at + 4] >> 6;
        }
        at += 4;
      } else {
        ++at;
      }
    }
    if (pictures > 1)
      return fail(Fault::Unsupported,
                  "The AVI has two pictures in one packet (DivX's packed bitstream), which MP4 "
                  "cannot hold. Unpack it first: ffmpeg -i IN -c copy -bsf:v mpeg4_unpack_bframes "
                  "OUT.avi");
    if (pictures == 0) return false;
    constexpr unsigned kIntra = 0, kBidirectional = 2;
    sample.sync = kind == kIntra;
    if (kind == kBidirectional) {
      s.shown[number] = s.shown_count++;
    } else {
      // Shown once the pictures between it and the one before it have been.
      if (s.waiting) s.shown[*s.waiting] = s.shown_count++;
      s.waiting = number;
    }
    return true;
  }

  // H.264 (section 8.2.1). False: there is no picture in it.
  static Result<bool> take_avc(Stream& s, ByteView packet, size_t number, Sample& sample,
                               uint64_t at) {
    if (number == 0 && s.sets.sps.empty()) begin_avc(s);
    ByteView slice;
    bool changed = false, recovery = false;
    const auto look = [&](ByteView unit) {
      const unsigned type = unit[0] & 31u;
      if (type == 7 || type == 8) {
        auto& list = type == 7 ? s.sets.sps : s.sets.pps;
        const Bytes copy(unit.begin(), unit.end());
        if (std::find(list.begin(), list.end(), copy) == list.end()) {
          changed |= std::any_of(list.begin(), list.end(), [&](const Bytes& other) {
            return set_id(NalCodec::Avc, other) == set_id(NalCodec::Avc, copy);
          });
          list.push_back(copy);
        }
      } else if (type == 6) {
        recovery |= avc_recovery(unit) == 0u;
      } else if (type >= 1 && type <= 5 && slice.empty()) {
        slice = unit;
      }
      return true;
    };
    if (s.start_codes)
      each_annex_b(packet, look);
    else
      each_nal(packet, s.length_size, look);
    if (changed)
      return fail(
          Fault::Changed,
          "The picture's parameters change on the way. Cut at the change, or re-encode it.");
    if (slice.empty()) return false;
    if (s.sets.sps.empty()) return damaged(at, "a picture in front of its parameters");
    if (!s.sequence) s.sequence = avc_pictures(s.sets.sps.front());
    if (!s.sequence) return damaged(at, "the picture's parameters are unreadable");
    if (s.start_codes) sample.size = to_lengths(NalCodec::Avc, packet, nullptr);
    const bool first = (slice[0] & 31u) == 5;
    sample.sync = first || recovery;
    if (first) end_group(s);
    int64_t order = 0;
    if (s.sequence->order_type == 2) {
      order = static_cast<int64_t>(s.group.size());
    } else {
      const auto low = avc_order_bits(*s.sequence, slice);
      if (!low)
        return fail(Fault::Unsupported,
                    "The order in which the AVI's pictures are shown cannot be found out, and AVI "
                    "has no timestamps. Re-encode it.");
      const int64_t turn = int64_t{1} << s.sequence->order_bits;
      int64_t high = s.order_high;
      if (*low < s.order_low && s.order_low - *low >= turn / 2) high += turn;
      if (*low > s.order_low && *low - s.order_low > turn / 2) high -= turn;
      order = high + *low;
      if (slice[0] & 0x60u) {
        s.order_high = high;
        s.order_low = *low;
      }
    }
    s.group.emplace_back(order, number);
    return true;
  }

  static void begin_avc(Stream& s) {
    if (s.config.size() < 7 || s.config[0] != 1) {
      // Sets of a stream may stand in the header, too.
      each_annex_b(s.config, [&](ByteView unit) {
        if ((unit[0] & 31u) == 7) s.sets.sps.emplace_back(unit.begin(), unit.end());
        if ((unit[0] & 31u) == 8) s.sets.pps.emplace_back(unit.begin(), unit.end());
      });
      return;
    }
    s.start_codes = false;
    s.length_size = (s.config[4] & 3u) + 1;
    if (auto sets = parameter_sets({NalCodec::Avc, s.length_size, s.config}))
      s.sets = std::move(*sets);
  }

  // Pictures up to an IDR are all shown before it.
  static void end_group(Stream& s) {
    std::sort(s.group.begin(), s.group.end());
    for (const auto& [order, number] : s.group) s.shown[number] = s.shown_count++;
    s.group.clear();
    s.order_high = s.order_low = 0;
  }

  Result<bool> finish_picture(Stream& s) {
    if (s.codec == Codec::None)
      return fail(Fault::Unsupported,
                  "The picture of the source cannot be copied: an MP4 cannot "
                  "hold its codec, or it is not known (" +
                      s.name + ").");
    if (s.packets.empty()) return true;
    if (s.rate == 0 || s.scale == 0 || s.scale / s.rate > 3600)
      return damaged(0, "the rate of the pictures is none");
    if (s.waiting) s.shown[*s.waiting] = s.shown_count++;
    end_group(s);
    const uint32_t divisor = std::gcd(s.rate, s.scale);
    uint64_t ticks = s.rate / divisor, step = s.scale / divisor;
    if (ticks > kMostTicks) {
      // No rate of a real file; the nearest that can be counted in.
      step = std::max<uint64_t>(1, step * kMostTicks / ticks);
      ticks = kMostTicks;
    }
    // Fine enough that edit lists of the clip can name any moment.
    constexpr uint64_t kFine = 10'000;
    const uint64_t finer = ticks < kFine ? kFine / ticks : 1;
    Track& t = s.track;
    t.timescale = static_cast<uint32_t>(ticks * finer);
    const auto tick = static_cast<int64_t>(step * finer);
    const Wide begin = Wide{s.start} * tick;
    const Wide end = begin + Wide{s.next_place} * tick;
    if (end > kFarthest) return damaged(0, "a time out of any clock");
    for (size_t i = 0; i < s.packets.size(); ++i) {
      s.packets[i].pts = static_cast<int64_t>(begin) + s.places[s.shown[i]] * tick;
      s.packets[i].duration = -1;
    }
    derive_decode_times(s.packets, (s.next_place - s.places.back()) * tick);
    Picture picture;
    picture.width = std::min(s.width, 0xffffu);
    picture.height = std::min(s.height, 0xffffu);
    switch (s.codec) {
      case Codec::Avc: {
        const auto config =
            s.start_codes ? make_config(NalCodec::Avc, s.sets) : std::optional<Bytes>(s.config);
        if (!config) return damaged(0, "the picture's parameters are unreadable");
        picture = s.sequence->picture;
        t.codec = fourcc("avc1");
        t.descriptions = {picture_entry(t.codec, picture, fourcc("avcC"), *config)};
        break;
      }
      case Codec::Mpeg4:
        t.codec = fourcc("mp4v");
        t.descriptions = {
            picture_entry(t.codec, picture, fourcc("esds"), esds({0x20, s.config, true}))};
        break;
      default:
        t.codec = fourcc("jpeg");
        t.descriptions = {picture_entry(t.codec, picture, 0, {})};
    }
    t.kind = TrackKind::Video;
    place_track(t, picture, "");
    return true;
  }

  Result<bool> finish_sound(Stream& s) {
    if (s.codec == Codec::None) {
      if (!s.name.empty())
        movie_.notes.push_back("Left out the sound of " + s.name +
                               ": an MP4 cannot hold its codec, or it is not known.");
      return true;
    }
    const auto cut = cut_sound(s, true);
    if (!cut) return cut;
    if (s.packets.empty()) return true;
    Track& t = s.track;
    Sound sound = s.sound;
    if (s.frame.rate) {
      sound.rate = s.frame.rate;
      sound.channels = s.frame.channels;
    }
    switch (s.codec) {
      case Codec::Pcm:
        t.codec = fourcc("sowt");
        t.descriptions = {sound_entry(t.codec, sound, 0, {})};
        break;
      case Codec::Ac3:
        t.codec = s.frame.enhanced ? fourcc("ec-3") : fourcc("ac-3");
        t.descriptions = {sound_entry(
            t.codec, sound, s.frame.enhanced ? fourcc("dec3") : fourcc("dac3"), s.frame.config)};
        break;
      case Codec::Aac: {
        const auto is = read_aac_config(s.config);
        if (!is) return damaged(0, "the sound's parameters are unreadable");
        sound.rate = is->rate;
        for (Sample& sample : s.packets) sample.duration = is->frame;
        t.codec = fourcc("mp4a");
        t.descriptions = {sound_entry(t.codec, sound, fourcc("esds"), esds({0x40, s.config}))};
        break;
      }
      default:
        t.codec = fourcc("mp4a");
        t.descriptions = {
            sound_entry(t.codec, sound, fourcc("esds"),
                        esds({s.codec == Codec::Adts ? 0x40u : 0x6bu, s.frame.config}))};
    }
    t.timescale = sound.rate;
    t.kind = TrackKind::Audio;
    // The packets follow each other without a pause.
    Wide begin = 0;
    if (s.rate > 0) begin = round_div(Wide{s.start} * s.scale * sound.rate, s.rate);
    if (begin > kFarthest) return damaged(0, "a time out of any clock");
    auto time = static_cast<int64_t>(begin);
    for (Sample& sample : s.packets) {
      sample.dts = sample.pts = time;
      time += sample.duration;
    }
    place_track(t, {}, "");
    return true;
  }

  void settle() {
    bool mapped = false;
    for (const Stream& s : streams_)
      mapped |=
          (s.codec == Codec::Avc && s.start_codes) ||
          std::any_of(s.found.begin(), s.found.end(), [](const Found& f) { return !f.whole; });
    if (mapped) {
      map_packets();
    } else {
      for (Stream& s : streams_)
        for (size_t i = 0; i < s.packets.size(); ++i) s.packets[i].offset = s.found[i].body;
    }
    uint32_t id = 0;
    for (Stream& s : streams_) {
      ++id;
      if (s.packets.empty()) continue;
      const bool all_sync =
          std::all_of(s.packets.begin(), s.packets.end(), [](const Sample& p) { return p.sync; });
      s.track.id = id;
      s.track.samples = SampleTable(std::move(s.packets));
      s.track.samples.set_all_sync(all_sync);
      movie_.tracks.push_back(std::move(s.track));
    }
  }

  // Puts all packets into one row, in the order of the source.
  void map_packets() {
    struct Item {
      Sample* sample;
      const Found* found;
      uint16_t stream;
      uint16_t rewriter;
    };
    std::vector<Item> items;
    for (size_t i = 0; i < streams_.size(); ++i) {
      Stream& s = streams_[i];
      const auto rewriter =
          static_cast<uint16_t>(s.codec == Codec::Avc && s.start_codes ? kAvcUnits : kAsItIs);
      for (size_t k = 0; k < s.packets.size(); ++k)
        items.push_back({&s.packets[k], &s.found[k], static_cast<uint16_t>(i), rewriter});
    }
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.found->body < b.found->body; });
    auto map = std::make_shared<AviPackets>();
    for (const Item& item : items) {
      item.sample->offset = map->size();
      map->add({0, item.found->source, static_cast<uint32_t>(item.found->skip), item.found->length,
                item.stream, item.rewriter},
               item.sample->size);
    }
    movie_.source_size = map->size();
    movie_.packets = std::move(map);
  }

  Blocks blocks_;
  Movie movie_;
  std::vector<Stream> streams_;
};

}  // namespace

bool looks_like_avi(ByteView head) {
  return head.size() >= 12 && be32(head.data()) == fourcc("RIFF") &&
         be32(head.data() + 8) == fourcc("AVI ");
}

Result<Movie> read_avi(ByteReader& reader) {
  return Indexer(reader).index();
}

}  // namespace clips::cut
