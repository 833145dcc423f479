// SPDX-License-Identifier: LGPL-2.1-or-later
#include "flvindex.hpp"

#include <bit>
#include <cmath>
#include <tuple>

#include "nal.hpp"
#include "packetinfo.hpp"
#include "soundclock.hpp"

namespace clips::cut {

namespace {

constexpr int64_t kTicks = 1000;  // timestamps are milliseconds
constexpr size_t kTagHead = 11;   // type, size, timestamp, stream
constexpr size_t kBodyHead = 16;  // more than the codecs put in front of their packets
constexpr size_t kLargestConfig = 1 << 16;
constexpr size_t kMostPackets = size_t{1} << 26;
constexpr uint64_t kAhead = 4 << 20;
constexpr int64_t kWindow = kTicks;  // what is read of a source whose header is asked for
constexpr double kFarthest = 1e8;    // s: FLV's clock has 31 bits of milliseconds

enum TagType : unsigned { kSound = 8, kPicture = 9, kScript = 18, kEncrypted = 0x20 };
enum SoundFormat : unsigned { kPcmOfHost = 0, kMp3 = 2, kPcm = 3, kAac = 10, kMp3Slow = 14 };
enum PacketType : unsigned { kConfig = 0, kFrames = 1, kFramesAtOnce = 3 };
constexpr unsigned kAvc = 7;
constexpr unsigned kCommand = 5;  // a kind of frame that is none

struct Stream {
  bool there = false;
  std::string fault;  // why its packets are not taken
  Track track;
  Picture picture;
  std::vector<Bytes> configs;
  std::vector<Sample> packets;
};

tl::unexpected<Error> damaged(uint64_t offset, const char* what) {
  return fail(Fault::Damaged, "The source is damaged at byte " + std::to_string(offset) + ".",
              what);
}

int64_t signed24(const uint8_t* p) {
  const int64_t value = int64_t{p[0]} << 16 | int64_t{p[1]} << 8 | p[2];
  return value >= 1 << 23 ? value - (1 << 24) : value;
}

// What "onMetaData" says, an object in the Action Message Format (AMF 0).
struct Header {
  double duration = 0;                // s
  double frame_rate = 0;              // 0: not said
  double size = 0;                    // bytes
  std::vector<double> times, places;  // of key frames, in s and bytes
};

class HeaderParser {
 public:
  HeaderParser(ByteView view, Header& header) : view_(view), header_(header) {}
  void parse() {
    if (byte() != kText || text() != "onMetaData") return;
    value("", 0);
  }

 private:
  enum Type : unsigned { kNumber, kBoolean, kText, kObject, kNull = 5, kArray = 8, kEnd, kList };
  static constexpr unsigned kDeepest = 8;

  bool ended() const { return broken_ || view_.empty(); }
  ByteView take(size_t length) {
    broken_ |= view_.size() < length;
    const auto taken = view_.first(broken_ ? 0 : length);
    view_ = view_.subspan(taken.size());
    return taken;
  }
  unsigned byte() {
    const auto one = take(1);
    return one.empty() ? unsigned{kEnd} : one[0];
  }
  std::string_view text() {
    const auto length = take(2);
    const auto bytes = take(length.empty() ? 0 : be16(length.data()));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  uint32_t count() {
    const auto bytes = take(4);
    return bytes.empty() ? 0 : be32(bytes.data());
  }
  void fields(unsigned depth) {
    while (!ended()) {
      const auto name = text();
      if (name.empty()) {
        broken_ |= byte() != kEnd;
        return;
      }
      value(name, depth);
    }
  }
  void number(std::string_view name) {
    const auto bytes = take(8);
    if (bytes.empty()) return;
    const auto found = std::bit_cast<double>(be64(bytes.data()));
    if (name == "duration") header_.duration = found;
    if (name == "framerate") header_.frame_rate = found;
    if (name == "filesize") header_.size = found;
    if (name == "times") header_.times.push_back(found);
    if (name == "filepositions") header_.places.push_back(found);
  }
  void value(std::string_view name, unsigned depth) {
    if (depth > kDeepest) broken_ = true;
    if (ended()) return;
    switch (byte()) {
      case kNumber:
        return number(name);
      case kBoolean:
        take(1);
        return;
      case kText:
        text();
        return;
      case kArray:
        count();
        [[fallthrough]];
      case kObject:
        return fields(depth + 1);
      case kList:
        // What it holds goes by its name.
        for (uint32_t left = count(); left > 0 && !ended(); --left) value(name, depth + 1);
        return;
      case kNull:
        return;
      default:
        broken_ = true;
    }
  }

  ByteView view_;
  Header& header_;
  bool broken_ = false;
};

class Indexer {
 public:
  Indexer(ByteReader& reader, const Wish& wish) : wish_(wish), blocks_(reader, 256 << 10, kAhead) {
    movie_.container = Container::Flv;
    movie_.source_size = reader.size();
  }

  Result<Movie> index() {
    const auto head = blocks_.get(0, 9);
    if (!head) return tl::make_unexpected(head.error());
    if (head->size() < 9) return fail(Fault::Truncated, "The source is truncated.");
    const auto walked = walk(uint64_t{be32(head->data() + 5)} + 4);
    if (!walked) return tl::make_unexpected(walked.error());
    if (picture_.there && picture_.packets.empty())
      return fail(Fault::Unsupported,
                  "The picture of the source cannot be copied: " +
                      (picture_.fault.empty() ? "it has no packets" : picture_.fault) + ".");
    if (sound_.there && sound_.packets.empty() && !sound_.fault.empty())
      movie_.notes.push_back("Left out the sound: " + sound_.fault + ".");
    if (picture_.packets.empty() && sound_.packets.empty())
      return fail(movie_.cut_short ? Fault::Truncated : Fault::WrongType,
                  movie_.cut_short ? "The source is truncated: it ends before its media."
                                   : "There is neither picture nor sound in the source.");
    settle();
    return std::move(movie_);
  }

 private:
  Result<bool> walk(uint64_t at) {
    const uint64_t size = blocks_.size();
    while (at < size) {
      const auto head = blocks_.get(at, kTagHead + kBodyHead);
      if (!head) return tl::make_unexpected(head.error());
      if (head->size() < kTagHead) {
        movie_.cut_short = true;
        break;
      }
      const uint8_t* p = head->data();
      const unsigned type = p[0];
      const uint32_t length = be32(p) & 0xffffffu;
      const int64_t time =
          static_cast<int32_t>(uint32_t{p[7]} << 24 | uint32_t{p[4]} << 16 | be16(p + 5));
      const uint64_t body = at + kTagHead;
      if (type & kEncrypted && (type & 31u) != kScript)
        return fail(Fault::Unsupported, "The source is encrypted and cannot be cut.");
      if (type != kSound && type != kPicture && type != kScript)
        return damaged(at, "there is no tag");
      if (length > size - body) {
        movie_.cut_short = true;
        break;
      }
      const ByteView view =
          head->subspan(kTagHead, std::min<size_t>(length, head->size() - kTagHead));
      if (type == kScript && wish_.header_above && size > *wish_.header_above && !started_) {
        const auto read = header(body, length);
        if (!read) return read;
      }
      if (type != kScript && !view.empty()) {
        if (!std::exchange(started_, true)) {
          const auto decided = decide();
          if (!decided) return decided;
        }
        if (movie_.windowed && time > first_time_ + kWindow) break;
        if (movie_.windowed) first_time_ = std::min(first_time_, time);
        const auto taken = type == kPicture
                               ? take_picture(Bytes(view.begin(), view.end()), body, length, time)
                               : take_sound(Bytes(view.begin(), view.end()), body, length, time);
        if (!taken) return taken;
      }
      // Its size once more, for players that go backwards.
      at = body + length + 4;
    }
    return true;
  }

  Result<Bytes> config(uint64_t offset, uint32_t length) {
    if (length > kLargestConfig) return damaged(offset, "a header is larger than any real one");
    const auto view = blocks_.get(offset, length);
    if (!view) return tl::make_unexpected(view.error());
    return Bytes(view->begin(), view->end());
  }

  Result<bool> header(uint64_t offset, uint32_t length) {
    const auto view = blocks_.get(offset, length);
    if (!view) return tl::make_unexpected(view.error());
    HeaderParser(*view, header_).parse();
    return true;
  }

  // Before the first packet: whether the header does.
  Result<bool> decide() {
    const uint64_t size = blocks_.size();
    if (!wish_.header_above || size <= *wish_.header_above) return true;
    const auto& [times, places] = std::tie(header_.times, header_.places);
    // Of a file that is not as it was written the header is not believed.
    movie_.windowed = !times.empty() && times.size() == places.size() &&
                      std::max(header_.size, places.back()) <= static_cast<double>(size);
    if (!movie_.windowed && size > wish_.whole_up_to)
      return fail(Fault::Unsupported, "The source is large and has no index.");
    return true;
  }

  Result<bool> take_picture(const Bytes& head, uint64_t body, uint32_t length, int64_t time) {
    Stream& s = picture_;
    s.there = true;
    const bool enhanced = head[0] & 0x80u;
    const unsigned kind = head[0] >> 4 & 7u;
    NalCodec codec = NalCodec::Avc;
    unsigned packet = 0;
    size_t skip = 0;
    if (enhanced) {
      if (head.size() < 5) return true;
      const uint32_t name = be32(head.data() + 1);
      if (name != fourcc("hvc1") && name != fourcc("avc1")) return unknown_picture("");
      codec = name == fourcc("hvc1") ? NalCodec::Hevc : NalCodec::Avc;
      packet = head[0] & 15u;
      skip = packet == kFrames ? 8 : 5;
      if (packet == kFramesAtOnce) packet = kFrames;
    } else {
      if ((head[0] & 15u) != kAvc) return unknown_picture(std::to_string(head[0] & 15u));
      if (head.size() < 5) return true;
      packet = head[1];
      skip = 5;
    }
    if (packet == kConfig) {
      auto box = config(body + skip, length - static_cast<uint32_t>(skip));
      if (!box) return tl::make_unexpected(box.error());
      return describe(s, codec, std::move(*box), body);
    }
    if (packet != kFrames || kind == kCommand || length <= skip) return true;
    if (s.configs.empty()) {
      s.fault = "its parameters are missing";
      return true;
    }
    Sample sample;
    sample.offset = body + skip;
    sample.size = length - static_cast<uint32_t>(skip);
    sample.dts = time;
    // Behind the packet's type; at once means at the time of decoding.
    const bool delayed = !enhanced || (head[0] & 15u) == kFrames;
    sample.pts = time + (delayed ? signed24(head.data() + skip - 3) : 0);
    sample.sync = kind == 1;
    sample.description = static_cast<uint32_t>(s.configs.size());
    return add(s, sample);
  }

  Result<bool> unknown_picture(const std::string& number) {
    picture_.fault = "an MP4 cannot hold its codec, or it is not known" +
                     (number.empty() ? "" : " (number " + number + " of Flash Video)");
    return true;
  }

  Result<bool> describe(Stream& s, NalCodec codec, Bytes box, uint64_t at) {
    if (!s.configs.empty() && s.configs.back() == box) return true;
    const NalFormat format{codec, 4, box};
    const auto sets = parameter_sets(format);
    if (!sets || sets->sps.empty()) return damaged(at, "no parameters of the picture");
    const auto is =
        codec == NalCodec::Avc ? avc_pictures(sets->sps[0]) : hevc_pictures(sets->sps[0]);
    if (!is) return damaged(at, "no parameters of the picture");
    if (s.configs.empty()) s.picture = is->picture;
    s.track.codec = codec == NalCodec::Avc ? fourcc("avc1") : fourcc("hvc1");
    s.track.descriptions.push_back(picture_entry(
        s.track.codec, is->picture, codec == NalCodec::Avc ? fourcc("avcC") : fourcc("hvcC"), box));
    s.configs.push_back(std::move(box));
    return true;
  }

  Result<bool> take_sound(const Bytes& head, uint64_t body, uint32_t length, int64_t time) {
    static constexpr uint32_t kRates[] = {5512, 11025, 22050, 44100};
    Stream& s = sound_;
    s.there = true;
    const unsigned format = head[0] >> 4;
    const Sound said{head[0] & 1u ? 2u : 1u, head[0] & 2u ? 16u : 8u, kRates[head[0] >> 2 & 3u]};
    Sample sample;
    sample.sync = true;
    sample.dts = sample.pts = time;
    sample.offset = body + 1;
    sample.size = length - 1;
    switch (format) {
      case kAac: {
        if (length < 2) return true;
        if (head[1] == 0) {
          auto specific = config(body + 2, length - 2);
          if (!specific) return tl::make_unexpected(specific.error());
          return describe_aac(s, std::move(*specific), body);
        }
        if (s.configs.empty()) {
          s.fault = "its parameters are missing";
          return true;
        }
        sample.offset = body + 2;
        sample.size = length - 2;
        sample.duration = frame_;
        break;
      }
      case kMp3:
      case kMp3Slow: {
        const auto is = read_mpeg_sound(ByteView(head).subspan(1));
        if (!is) return true;  // not the beginning of a frame
        if (s.track.descriptions.empty()) {
          s.track.codec = fourcc("mp4a");
          s.track.timescale = is->rate;
          s.track.descriptions = {sound_entry(fourcc("mp4a"), {is->channels, 16, is->rate},
                                              fourcc("esds"), esds({0x6b, {}}))};
        }
        sample.duration = is->samples;
        break;
      }
      case kPcm:
      case kPcmOfHost:
        if (said.bits == 16) {
          const uint32_t moment = said.channels * 2;
          if (s.track.descriptions.empty()) {
            s.track.codec = fourcc("sowt");
            s.track.timescale = said.rate;
            s.track.moment = moment;
            s.track.descriptions = {sound_entry(fourcc("sowt"), said, 0, {})};
          }
          if (moment != s.track.moment || sample.size < moment) return true;
          sample.duration = sample.size / moment;
          sample.size -= sample.size % moment;
          break;
        }
        [[fallthrough]];
      default:
        s.fault = "an MP4 cannot hold its codec, or it is not known (number " +
                  std::to_string(format) + " of Flash Video)";
        return true;
    }
    if (sample.size == 0) return true;
    return add(s, sample);
  }

  Result<bool> describe_aac(Stream& s, Bytes specific, uint64_t at) {
    if (!s.configs.empty()) {
      if (s.configs.back() == specific) return true;
      return fail(Fault::Changed,
                  "The sound's parameters change on the way. Cut at the change, or re-encode it.");
    }
    const auto is = read_aac_config(specific);
    if (!is) return damaged(at, "no parameters of the sound");
    frame_ = is->frame;
    s.track.codec = fourcc("mp4a");
    s.track.timescale = is->rate;
    s.track.descriptions = {sound_entry(fourcc("mp4a"), {is->channels, 16, is->rate},
                                        fourcc("esds"), esds({0x40, specific}))};
    s.configs.push_back(std::move(specific));
    return true;
  }

  Result<bool> add(Stream& s, const Sample& sample) {
    if (s.packets.size() >= kMostPackets)
      return damaged(sample.offset, "more packets than any real file");
    s.packets.push_back(sample);
    return true;
  }

  // Puts down what the header tells of the whole.
  void tell(Track& track, int64_t zero) {
    for (const double time : header_.times) {
      if (!(time >= 0 && time < kFarthest)) continue;
      const int64_t ticks = std::llround(time * kTicks) - zero;
      track.key_times.push_back(static_cast<uint64_t>(std::max<int64_t>(0, ticks)) * 1'000'000);
    }
    track.frame_rate = header_.frame_rate;
    if (header_.duration > 0 && header_.duration < kFarthest)
      movie_.duration = static_cast<uint64_t>(std::llround(header_.duration * 1e9));
  }

  // Puts both on one clock that begins at 0.
  void settle() {
    int64_t zero = INT64_MAX;
    for (const Stream* s : {&picture_, &sound_})
      for (const Sample& sample : s->packets) zero = std::min(zero, sample.pts);
    if (!picture_.packets.empty()) {
      Track& t = picture_.track;
      t.kind = TrackKind::Video;
      t.id = 1;
      t.timescale = static_cast<uint32_t>(kTicks);
      bool all_sync = true;
      int64_t last = INT64_MIN;
      for (Sample& sample : picture_.packets) {
        sample.pts -= zero;
        // Decode times never go back; those of a recorder may.
        sample.dts = last = std::max(last, sample.dts - zero);
        all_sync &= sample.sync;
      }
      set_durations(picture_.packets, 0);
      if (movie_.windowed) tell(t, zero);
      place_track(t, picture_.picture, "");
      t.samples = SampleTable(std::move(picture_.packets));
      t.samples.set_all_sync(all_sync);
      movie_.tracks.push_back(std::move(t));
    }
    if (!sound_.packets.empty()) {
      Track& t = sound_.track;
      t.kind = TrackKind::Audio;
      t.id = 2;
      std::vector<Sample> packets = std::move(sound_.packets);
      sound_.packets.clear();
      SoundClock clock(sound_.packets, kTicks, t.timescale);
      for (const Sample& sample : packets) clock.add(sample, sample.pts - zero);
      clock.finish();
      // What begins at 0 by its milliseconds must not lose samples to their rounding.
      const int64_t early = std::min<int64_t>(0, sound_.packets.front().pts);
      for (Sample& sample : sound_.packets) {
        sample.pts -= early;
        sample.dts -= early;
      }
      place_track(t, {}, "");
      t.samples = SampleTable(std::move(sound_.packets));
      t.samples.set_all_sync(true);
      movie_.tracks.push_back(std::move(t));
    }
  }

  const Wish wish_;
  Blocks blocks_;
  Movie movie_;
  Header header_;
  bool started_ = false;  // a packet was seen
  int64_t first_time_ = INT64_MAX / 2;
  Stream picture_, sound_;
  int64_t frame_ = 1024;  // samples in a packet of AAC
};

}  // namespace

bool looks_like_flv(ByteView head) {
  return head.size() >= 9 && head[0] == 'F' && head[1] == 'L' && head[2] == 'V' && head[3] == 1;
}

Result<Movie> read_flv(ByteReader& reader, const Wish& wish) {
  return Indexer(reader, wish).index();
}

}  // namespace clips::cut
