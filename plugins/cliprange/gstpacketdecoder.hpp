// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gstchain.hpp"
#include "gstmediasource.hpp"
#include "movie.hpp"
#include "nal.hpp"

namespace clips::cut {

// The four characters of a codec.
std::string code_name(uint32_t code);

// Whether packets of the codec can be decoded one by one.
bool can_decode(uint32_t codec);

// Where decoding has to start, at the key frame `key` or one before it, so that the pictures from
// the media time `from` on come out as they are. In decode order.
Result<uint64_t> decoding_start(MediaSource& reader, const Track& video, uint64_t key,
                                int64_t from);

// A clock for the buffers of a track: media may start before 0 on its own, buffers cannot.
class PacketClock {
 public:
  PacketClock(int64_t zero, uint32_t timescale) : zero_(zero), timescale_(timescale) {}
  GstClockTime to_ns(int64_t pts) const;
  int64_t to_pts(GstClockTime ns) const;

 private:
  int64_t zero_;
  uint32_t timescale_;
};

// Decodes the packets of an index with stock elements, in the calling thread. The pictures come out
// in display order, each with its pts in ticks of the track, during feed() and finish().
class PacketDecoder {
 public:
  std::function<void(GstCaps*)> on_caps;
  std::function<void(GstBuffer*, int64_t pts)> on_picture;

  static Result<std::unique_ptr<PacketDecoder>> make(MediaSource& reader, const Track& video,
                                                     uint32_t description);
  // Hands on what the container says of pixel aspect and colour, where the codec does not.
  void describe();

  // Begins with the key frame at `first` of the decode order; leading pictures of an open GOP,
  // which refer to what is not decoded, are left out. After finish() it may begin anew.
  void start(const Sample& first);
  // `more`: bytes behind the packet that are wanted next. A picture that is not `wanted` itself is
  // left out if nothing refers to it.
  Result<bool> feed(const Sample& sample, uint64_t more, bool wanted = true);
  Result<bool> finish() { return chain_->finish(); }

 private:
  PacketDecoder(MediaSource& reader, const Track& video, const Bytes& entry,
                std::unique_ptr<Chain> chain);

  MediaSource& reader_;
  const Track& video_;
  const Bytes& entry_;
  std::unique_ptr<Chain> chain_;
  CapsRef caps_;
  unsigned avc_length_size_ = 0;  // 0: no H.264
  int64_t zero_ = 0;
  PacketClock clock_;
};

}  // namespace clips::cut
