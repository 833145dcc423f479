// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tsindex.hpp"

#include <map>

#include "nal.hpp"
#include "packetinfo.hpp"
#include "soundclock.hpp"

namespace clips::cut {

namespace {

constexpr int64_t kClock = 90'000;
constexpr size_t kPacket = 188;
constexpr size_t kLargestUnit = size_t{32} << 20;  // of one picture
constexpr uint64_t kLargestHole = 1 << 20;         // of bytes that are no packets
constexpr size_t kBlock = 1 << 20;

struct Layout {
  size_t stride = 0;  // 188; 192 with a time code in front, 204 with error correction behind
  size_t sync = 0;    // where in it the packet begins
};

std::optional<Layout> layout_of(ByteView head) {
  for (const Layout is : {Layout{188, 0}, Layout{192, 4}, Layout{204, 0}}) {
    bool all = head.size() > is.sync;
    for (size_t at = is.sync; at < std::min(head.size(), kTsHead); at += is.stride)
      all &= head[at] == 0x47;
    // At least two packets: one byte shows nothing.
    if (all && head.size() >= is.stride + is.sync + 1) return is;
  }
  return std::nullopt;
}

// A packet's fields and what it carries.
struct Packet {
  unsigned pid = 0x1fff;
  bool starts = false;         // a PES packet or a section begins in it
  bool random_access = false;  // a decoder can begin here
  bool scrambled = false;
  unsigned counter = 0;
  ByteView payload;
};

Packet read_packet(ByteView p) {
  Packet is;
  is.pid = be16(p.data() + 1) & 0x1fffu;
  is.starts = p[1] & 0x40u;
  is.scrambled = p[3] & 0xc0u;
  is.counter = p[3] & 15u;
  const unsigned control = p[3] >> 4 & 3u;
  size_t at = 4;
  if (control & 2u) {
    const size_t length = p[4];
    if (length > 0 && length <= kPacket - 5) is.random_access = p[5] & 0x40u;
    at = 5 + length;
  }
  if ((control & 1u) && at < kPacket && !(p[1] & 0x80u)) is.payload = p.subspan(at, kPacket - at);
  return is;
}

// The elementary stream of one PID, taken out of its PES packets.
class PesReader {
 public:
  struct Times {
    std::optional<int64_t> pts, dts;
  };
  // The bytes of the stream in a packet. `times` is set where a PES packet begins.
  ByteView feed(const Packet& p, std::optional<Times>& times) {
    times.reset();
    if (p.payload.empty()) return {};
    if (counter_ == p.counter) return {};  // sent twice
    lost_ += counter_ && p.counter != ((*counter_ + 1) & 15u);
    counter_ = p.counter;
    ByteView body = p.payload;
    if (p.starts) {
      inside_ = false;
      if (body.size() < 9 || body[0] != 0 || body[1] != 0 || body[2] != 1) return {};
      const size_t length = be16(body.data() + 4);
      const size_t header = 9 + size_t{body[8]};
      if ((body[6] & 0xc0u) != 0x80 || header > body.size()) return {};
      Times found;
      const unsigned which = body[7] >> 6;
      if ((which & 2u) && header >= 14) found.pts = stamp(body.data() + 9);
      if (which == 3 && header >= 19) found.dts = stamp(body.data() + 14);
      times = found;
      inside_ = true;
      bounded_ = length != 0;
      left_ = bounded_ && length + 6 > header ? length + 6 - header : 0;
      body = body.subspan(header);
    }
    if (!inside_) return {};
    if (!bounded_) return body;
    body = body.first(std::min(body.size(), left_));
    left_ -= body.size();
    return body;
  }
  // Whether a packet that says its length has not come to its end.
  bool incomplete() const { return inside_ && bounded_ && left_ > 0; }
  // How often packets are missing.
  uint64_t lost() const { return lost_; }

 private:
  static int64_t stamp(const uint8_t* p) {
    return static_cast<int64_t>(p[0] >> 1 & 7u) << 30 | static_cast<int64_t>(p[1]) << 22 |
           static_cast<int64_t>(p[2] >> 1) << 15 | static_cast<int64_t>(p[3]) << 7 | p[4] >> 1;
  }
  bool inside_ = false, bounded_ = false;
  size_t left_ = 0;
  std::optional<unsigned> counter_;
  uint64_t lost_ = 0;
};

enum Rewriter : uint16_t { kAsItIs, kAvcUnits, kHevcUnits };

class TsPackets final : public PacketMap {
 public:
  explicit TsPackets(Layout layout) : layout_(layout) {}
  Result<Bytes> fetch(Blocks& blocks, const Place& place, uint64_t more) const override {
    Bytes stream;
    stream.reserve(place.length);
    PesReader pes;
    std::optional<PesReader::Times> times;
    size_t skip = place.skip;
    for (uint64_t at = place.source; stream.size() < place.length; at += layout_.stride) {
      const auto view = blocks.get(at + layout_.sync, kPacket, more);
      if (!view) return tl::make_unexpected(view.error());
      if (view->size() < kPacket || (*view)[0] != 0x47)
        return fail(Fault::Damaged, "The source is damaged inside of the range.",
                    "no packet of the transport stream at " + std::to_string(at));
      const Packet packet = read_packet(*view);
      if (packet.pid != place.stream) continue;
      ByteView part = pes.feed(packet, times);
      const size_t dropped = std::min(skip, part.size());
      skip -= dropped;
      part = part.subspan(dropped);
      part = part.first(std::min<size_t>(part.size(), place.length - stream.size()));
      stream.insert(stream.end(), part.begin(), part.end());
    }
    if (place.rewriter == kAsItIs) return stream;
    Bytes packet;
    packet.reserve(stream.size() + 64);
    to_lengths(place.rewriter == kAvcUnits ? NalCodec::Avc : NalCodec::Hevc, stream, &packet);
    return packet;
  }

 private:
  const Layout layout_;
};

enum class Kind { Avc, Hevc, Adts, Mpeg, Ac3 };

struct Stream {
  unsigned pid = 0;
  Kind kind = Kind::Avc;
  std::string language;
  PesReader pes;
  // The bytes that are being gathered: a picture, or sound that is not yet cut into frames. Where
  // they come from: `skip` bytes of the stream behind the packet at `source`.
  Bytes bytes;
  uint64_t source = 0;
  size_t skip = 0;
  std::optional<int64_t> pts, dts;
  bool random_access = false;
  // Sound: PES packets that begin inside of `bytes`, and where.
  struct Begin {
    ptrdiff_t at;
    uint64_t source;
    std::optional<int64_t> pts;
  };
  std::vector<Begin> begins;

  Track track;
  std::vector<Sample> packets;
  std::vector<std::optional<int64_t>> sound_times;
  std::optional<int64_t> newest;  // unwrapped
  SoundFrame sound;
  std::map<std::pair<unsigned, unsigned>, Bytes> sets;  // by unit type and id
  std::vector<ParameterSets> described;
  Picture picture;

  NalCodec codec() const { return kind == Kind::Hevc ? NalCodec::Hevc : NalCodec::Avc; }
  bool is_picture() const { return kind == Kind::Avc || kind == Kind::Hevc; }
};

class Indexer {
 public:
  Indexer(ByteReader& reader, Layout layout)
      : blocks_(reader, kBlock, reader.size()),
        layout_(layout),
        map_(std::make_shared<TsPackets>(layout)) {
    movie_.container = Container::MpegTs;
  }

  Result<Movie> index() {
    const auto walked = walk();
    if (!walked) return tl::make_unexpected(walked.error());
    for (Stream& s : streams_) {
      movie_.cut_short |= s.pes.incomplete();
      const auto ended = s.is_picture() ? finish_picture(s) : cut_sound(s, true);
      if (!ended) return tl::make_unexpected(ended.error());
    }
    const bool any = std::any_of(streams_.begin(), streams_.end(),
                                 [](const Stream& s) { return !s.packets.empty(); });
    if (!any)
      return fail(Fault::WrongType, "The transport stream has no picture or sound that is known.");
    settle();
    return std::move(movie_);
  }

 private:
  Result<bool> walk() {
    uint64_t at = 0;
    const uint64_t size = blocks_.size();
    while (at + layout_.sync + kPacket <= size) {
      const auto view = blocks_.get(at + layout_.sync, kPacket, size - at);
      if (!view) return tl::make_unexpected(view.error());
      if (view->size() < kPacket) break;
      if ((*view)[0] != 0x47) {
        const auto again = resync(at);
        if (!again) return tl::make_unexpected(again.error());
        at = *again;
        continue;
      }
      const auto taken = packet(read_packet(*view), at);
      if (!taken) return taken;
      at += layout_.stride;
    }
    movie_.cut_short |= at + layout_.sync < size && !lost_place_;
    return true;
  }

  // Behind bytes that are no packets: where three in a row are again.
  Result<uint64_t> resync(uint64_t from) {
    lost_place_ = true;
    ++lost_;
    const uint64_t end = std::min(blocks_.size(), from + kLargestHole);
    for (uint64_t at = from + 1; at < end; ++at) {
      bool all = true;
      for (uint64_t i = 0; i < 3 && all; ++i) {
        const uint64_t sync = at + i * layout_.stride + layout_.sync;
        if (sync >= blocks_.size()) break;
        const auto byte = blocks_.get(sync, 1);
        if (!byte) return tl::make_unexpected(byte.error());
        all = !byte->empty() && (*byte)[0] == 0x47;
      }
      if (all) return at;
    }
    if (end == blocks_.size()) return end;
    return fail(Fault::Damaged, "The source is damaged at byte " + std::to_string(from) + ".",
                "no packets of a transport stream");
  }

  Result<bool> packet(const Packet& p, uint64_t at) {
    if (p.pid == 0) return section(p, program_table_, [&](ByteView s) { programs(s); });
    if (p.pid == map_pid_) return section(p, stream_table_, [&](ByteView s) { streams(s); });
    for (Stream& s : streams_)
      if (s.pid == p.pid) return elementary(s, p, at);
    return true;
  }

  // Tables come in sections, which may span packets.
  template <typename Take>
  static Result<bool> section(const Packet& p, Bytes& table, Take&& take) {
    ByteView body = p.payload;
    if (body.empty()) return true;
    if (p.starts) {
      const size_t pointer = body[0];
      if (pointer + 1 > body.size()) return true;
      table.clear();
      body = body.subspan(1 + pointer);
    } else if (table.empty()) {
      return true;
    }
    table.insert(table.end(), body.begin(), body.end());
    if (table.size() < 3) return true;
    const size_t length = 3 + (be16(table.data() + 1) & 0xfffu);
    if (table.size() < length || length < 12) return true;
    take(ByteView(table).first(length - 4));
    table.clear();
    return true;
  }

  void programs(ByteView s) {
    if (s[0] != 0 || map_pid_ != kNone) return;
    for (size_t at = 8; at + 4 <= s.size(); at += 4)
      if (be16(s.data() + at) != 0) {
        map_pid_ = be16(s.data() + at + 2) & 0x1fffu;
        if (at + 8 <= s.size())
          movie_.notes.push_back("The source has several programs: the first one is cut.");
        return;
      }
  }

  void streams(ByteView s) {
    if (s[0] != 2 || s.size() < 12) return;
    size_t at = 12 + (be16(s.data() + 10) & 0xfffu);
    while (at + 5 <= s.size()) {
      const unsigned type = s[at], pid = be16(s.data() + at + 1) & 0x1fffu;
      const size_t length = be16(s.data() + at + 3) & 0xfffu;
      if (at + 5 + length > s.size()) return;
      stream(type, pid, s.subspan(at + 5, length));
      at += 5 + length;
    }
  }

  void stream(unsigned type, unsigned pid, ByteView descriptors) {
    if (std::find(known_.begin(), known_.end(), pid) != known_.end()) return;
    known_.push_back(pid);
    Stream s;
    s.pid = pid;
    bool ac3 = type == 0x81 || type == 0x87;
    while (descriptors.size() >= 2 && descriptors.size() >= 2u + descriptors[1]) {
      const ByteView body = descriptors.subspan(2, descriptors[1]);
      const unsigned tag = descriptors[0];
      if (type == 6 && (tag == 0x6a || tag == 0x7a)) ac3 = true;
      if (tag == 0x0a && body.size() >= 3) s.language.assign(body.begin(), body.begin() + 3);
      if (tag == 5 && body.size() >= 4) {
        const uint32_t name = be32(body.data());
        ac3 |= name == fourcc("AC-3") || name == fourcc("EAC3");
        if (type == 6 && name == fourcc("HEVC")) type = 0x24;
      }
      descriptors = descriptors.subspan(2 + body.size());
    }
    switch (type) {
      case 0x1b:
        s.kind = Kind::Avc;
        break;
      case 0x24:
        s.kind = Kind::Hevc;
        break;
      case 0x0f:
        s.kind = Kind::Adts;
        break;
      case 0x03:
      case 0x04:
        s.kind = Kind::Mpeg;
        break;
      default:
        if (ac3) {
          s.kind = Kind::Ac3;
          break;
        }
        movie_.notes.push_back("Left out the stream " + std::to_string(pid) + " of type " +
                               std::to_string(type) + ": its codec is not known.");
        return;
    }
    s.track.kind = s.is_picture() ? TrackKind::Video : TrackKind::Audio;
    s.track.id = pid;
    streams_.push_back(std::move(s));
  }

  Result<bool> elementary(Stream& s, const Packet& p, uint64_t at) {
    if (p.scrambled)
      return fail(Fault::Unsupported, "The source is encrypted and cannot be cut.",
                  "stream " + std::to_string(s.pid));
    std::optional<PesReader::Times> times;
    const ByteView part = s.pes.feed(p, times);
    if (times) {
      if (s.is_picture()) {
        // Without a time of its own it goes on with the picture before it.
        if (times->pts || s.bytes.empty()) {
          const auto done = finish_picture(s);
          if (!done) return done;
          s.source = at;
          s.skip = 0;
          s.pts = unwrap(s, times->pts);
          s.dts = times->dts ? unwrap(s, times->dts) : s.pts;
          s.random_access = p.random_access;
        }
      } else {
        const auto pts = unwrap(s, times->pts);
        s.begins.push_back({static_cast<ptrdiff_t>(s.bytes.size()), at, pts});
      }
    }
    if (s.bytes.size() + part.size() > kLargestUnit)
      return fail(Fault::Damaged, "The source is damaged: a picture has no end.",
                  "stream " + std::to_string(s.pid));
    s.bytes.insert(s.bytes.end(), part.begin(), part.end());
    return s.is_picture() ? true : cut_sound(s, false);
  }

  // Timestamps have 33 bits; the clock of a stream goes on where they begin anew. The program's
  // streams have one clock.
  std::optional<int64_t> unwrap(Stream& s, std::optional<int64_t> time) {
    if (!time) return std::nullopt;
    constexpr int64_t kTurn = int64_t{1} << 33;
    const int64_t near = s.newest ? *s.newest : clock_ ? *clock_ : *time;
    int64_t found = *time + (near - *time) / kTurn * kTurn;
    while (found - near > kTurn / 2) found -= kTurn;
    while (near - found > kTurn / 2) found += kTurn;
    s.newest = clock_ = found;
    return found;
  }

  Result<bool> finish_picture(Stream& s) {
    if (s.bytes.empty() || !s.pts) {
      s.bytes.clear();
      return true;
    }
    Sample sample;
    sample.pts = *s.pts;
    sample.dts = *s.dts;
    bool closed = false, slice = false, recovery = false;
    const NalCodec codec = s.codec();
    unsigned delimiters = 0;
    each_annex_b(s.bytes, [&](ByteView nal) {
      const unsigned type = codec == NalCodec::Avc ? nal[0] & 31u : (nal[0] >> 1) & 63u;
      if (is_parameter_set(codec, nal)) {
        s.sets[{type, set_id(codec, nal)}].assign(nal.begin(), nal.end());
        return;
      }
      if (codec == NalCodec::Avc) {
        closed |= type == 5;
        slice |= type >= 1 && type <= 5;
        delimiters += type == 9;
        // A recovery point after no picture at all.
        recovery |= type == 6 && avc_recovery(nal) == 0u;
      } else {
        closed |= type >= 16 && type <= 21;
        slice |= type <= 21;
        delimiters += type == 35;
      }
    });
    if (delimiters > 1)
      return fail(Fault::Unsupported,
                  "The transport stream has several pictures in one packet, which cannot be cut. "
                  "Remux it first.",
                  "stream " + std::to_string(s.pid));
    sample.sync = closed || recovery || (s.random_access && slice && codec == NalCodec::Avc);
    // What cannot be decoded at all is not a picture: a recording begins anywhere.
    if (slice && !s.sets.empty() && (sample.sync || !s.packets.empty())) {
      sample.description = describe(s);
      if (sample.description == 0) return damaged_sets(s);
      sample.offset = map_->size();
      sample.size = to_lengths(codec, s.bytes, nullptr);
      map_->add({0, s.source, static_cast<uint32_t>(s.skip), static_cast<uint32_t>(s.bytes.size()),
                 static_cast<uint16_t>(s.pid),
                 static_cast<uint16_t>(codec == NalCodec::Avc ? kAvcUnits : kHevcUnits)},
                sample.size);
      s.packets.push_back(sample);
    }
    s.bytes.clear();
    s.pts.reset();
    return true;
  }

  static tl::unexpected<Error> damaged_sets(const Stream& s) {
    return fail(Fault::Damaged, "The source is damaged: its parameter sets are unreadable.",
                "stream " + std::to_string(s.pid));
  }

  // The sample description of pictures with the sets as they are now; 0: they are unreadable.
  static uint32_t describe(Stream& s) {
    ParameterSets sets;
    const NalCodec codec = s.codec();
    for (const auto& [id, unit] : s.sets) {
      const bool avc = codec == NalCodec::Avc;
      auto& list = id.first == (avc ? 7u : 33u) ? sets.sps : id.first == 32 ? sets.vps : sets.pps;
      list.push_back(unit);
    }
    if (!s.described.empty() && s.described.back() == sets)
      return static_cast<uint32_t>(s.described.size());
    for (size_t i = 0; i < s.described.size(); ++i)
      if (s.described[i] == sets) return static_cast<uint32_t>(i + 1);
    const auto config = make_config(codec, sets);
    const auto is = sets.sps.empty()         ? std::nullopt
                    : codec == NalCodec::Avc ? avc_pictures(sets.sps[0])
                                             : hevc_pictures(sets.sps[0]);
    if (!config || !is) return 0;
    // Sets under new ids can stand beside the others: what was described so far stays true.
    if (!s.described.empty() && holds(sets, s.described.back())) {
      s.described.pop_back();
      s.track.descriptions.pop_back();
    }
    if (s.described.empty()) s.picture = is->picture;
    s.track.codec = codec == NalCodec::Avc ? fourcc("avc1") : fourcc("hvc1");
    s.track.descriptions.push_back(
        picture_entry(s.track.codec, is->picture,
                      codec == NalCodec::Avc ? fourcc("avcC") : fourcc("hvcC"), *config));
    s.described.push_back(std::move(sets));
    return static_cast<uint32_t>(s.described.size());
  }

  static bool holds(const ParameterSets& all, const ParameterSets& some) {
    const auto within = [](const std::vector<Bytes>& in, const std::vector<Bytes>& of) {
      return std::all_of(of.begin(), of.end(), [&](const Bytes& unit) {
        return std::find(in.begin(), in.end(), unit) != in.end();
      });
    };
    return within(all.vps, some.vps) && within(all.sps, some.sps) && within(all.pps, some.pps);
  }

  static std::optional<SoundFrame> read_frame(Kind kind, ByteView bytes) {
    switch (kind) {
      case Kind::Adts:
        return read_adts(bytes);
      case Kind::Mpeg:
        return read_mpeg_sound(bytes);
      default:
        return read_ac3(bytes);
    }
  }

  // Takes whole frames off the front of the sound that came.
  Result<bool> cut_sound(Stream& s, bool end) {
    constexpr size_t kLongestHeader = 9;
    size_t at = 0;
    while (at < s.bytes.size() && !s.begins.empty()) {
      const ByteView rest = ByteView(s.bytes).subspan(at);
      if (rest.size() < kLongestHeader && !end) break;
      const auto frame = read_frame(s.kind, rest);
      if (!frame || frame->size == 0) {
        ++at;  // to the next frame
        continue;
      }
      if (frame->size > rest.size()) {
        movie_.cut_short |= end;
        break;
      }
      // Where the frame begins: in the last PES packet that begins in front of it.
      size_t from = 0;
      const auto here = static_cast<ptrdiff_t>(at);
      while (from + 1 < s.begins.size() && s.begins[from + 1].at <= here) ++from;
      Stream::Begin& begin = s.begins[from];
      if (s.packets.empty()) s.sound = *frame;
      const bool same = frame->rate == s.sound.rate &&
                        frame->config.size() == s.sound.config.size() &&
                        (s.kind != Kind::Adts || frame->config == s.sound.config);
      if (!same)
        return fail(Fault::Changed,
                    "The sound's parameters change on the way. Cut at the change, or re-encode it.",
                    "stream " + std::to_string(s.pid));
      Sample sample;
      sample.offset = map_->size();
      sample.size = static_cast<uint32_t>(frame->size - frame->header);
      sample.duration = frame->samples;
      sample.sync = true;
      const auto skip =
          static_cast<uint32_t>(here - begin.at) + static_cast<uint32_t>(frame->header);
      map_->add({0, begin.source, skip, sample.size, static_cast<uint16_t>(s.pid), kAsItIs},
                sample.size);
      // A PES packet's time is that of the first frame that begins in it.
      s.sound_times.push_back(begin.pts);
      begin.pts.reset();
      s.packets.push_back(sample);
      at += frame->size;
    }
    // Of the PES packets, the last that begins in front of what is left is still needed.
    s.bytes.erase(s.bytes.begin(), s.bytes.begin() + static_cast<ptrdiff_t>(at));
    for (Stream::Begin& begin : s.begins) begin.at -= static_cast<ptrdiff_t>(at);
    size_t past = 0;
    while (past + 1 < s.begins.size() && s.begins[past + 1].at <= 0) ++past;
    s.begins.erase(s.begins.begin(), s.begins.begin() + static_cast<ptrdiff_t>(past));
    return true;
  }

  // Puts all streams on one clock that begins at 0.
  void settle() {
    std::optional<int64_t> zero;
    const auto earliest = [&](int64_t time) { zero = zero ? std::min(*zero, time) : time; };
    for (const Stream& s : streams_) {
      lost_ += s.pes.lost();
      if (s.is_picture())
        for (const Sample& sample : s.packets) earliest(sample.pts);
      else
        for (const auto& time : s.sound_times)
          if (time) earliest(*time);
    }
    for (Stream& s : streams_) {
      if (s.packets.empty()) continue;
      Track& t = s.track;
      bool all_sync = true;
      if (s.is_picture()) {
        t.timescale = kClock;
        for (Sample& sample : s.packets) {
          sample.pts -= *zero;
          sample.dts -= *zero;
          all_sync &= sample.sync;
        }
        set_durations(s.packets, 0);
        place_track(t, s.picture, s.language);
      } else {
        t.timescale = s.sound.rate;
        const Sound sound{s.sound.channels, 16, s.sound.rate};
        if (s.kind == Kind::Ac3) {
          t.codec = s.sound.enhanced ? fourcc("ec-3") : fourcc("ac-3");
          t.descriptions = {sound_entry(
              t.codec, sound, s.sound.enhanced ? fourcc("dec3") : fourcc("dac3"), s.sound.config)};
        } else {
          t.codec = fourcc("mp4a");
          t.descriptions = {
              sound_entry(t.codec, sound, fourcc("esds"),
                          esds({s.kind == Kind::Adts ? 0x40u : 0x6bu, s.sound.config}))};
        }
        std::vector<Sample> packets = std::move(s.packets);
        s.packets.clear();
        SoundClock clock(s.packets, kClock, t.timescale);
        for (size_t i = 0; i < packets.size(); ++i)
          clock.add(packets[i], s.sound_times[i] ? std::optional<int64_t>(*s.sound_times[i] - *zero)
                                                 : std::nullopt);
        clock.finish();
        place_track(t, {}, s.language);
      }
      t.samples = SampleTable(std::move(s.packets));
      t.samples.set_all_sync(all_sync);
      movie_.tracks.push_back(std::move(t));
    }
    movie_.source_size = map_->size();
    movie_.packets = map_;
    if (lost_)
      movie_.notes.push_back("The source lost packets in " + std::to_string(lost_) +
                             " places: pictures or sound may be damaged there.");
  }

  static constexpr unsigned kNone = 0x2000;

  Blocks blocks_;
  const Layout layout_;
  const std::shared_ptr<TsPackets> map_;
  Movie movie_;
  Bytes program_table_, stream_table_;
  unsigned map_pid_ = kNone;
  std::vector<unsigned> known_;
  std::vector<Stream> streams_;
  std::optional<int64_t> clock_;  // the newest timestamp of any stream
  uint64_t lost_ = 0;
  bool lost_place_ = false;
};

}  // namespace

bool looks_like_ts(ByteView head) {
  return layout_of(head).has_value();
}

Result<Movie> read_ts(ByteReader& reader) {
  const auto head = reader.read(0, kTsHead, 1 << 20);
  if (!head) return tl::make_unexpected(head.error());
  const auto layout = layout_of(*head);
  if (!layout) return fail(Fault::WrongType, "The source is no transport stream.");
  return Indexer(reader, *layout).index();
}

}  // namespace clips::cut
