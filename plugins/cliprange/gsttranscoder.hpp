// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cutter.hpp"
#include "encodedstore.hpp"
#include "gstchain.hpp"
#include "gstmediasource.hpp"
#include "nal.hpp"

namespace clips::cut {

// Re-encodes with stock elements: a decoder and an encoder, driven in the calling thread.
class GstTranscoder final : public Transcoder {
 public:
  // `encoder`: name of an element; empty: x264enc or x265enc, as the source is coded.
  GstTranscoder(MediaSource& reader, EncodedStore& store, int quality, std::string encoder)
      : reader_(reader), store_(store), quality_(quality), wanted_(std::move(encoder)) {}

  Result<bool> prepare(const Movie& movie, const Track& video, Style style) override;
  Result<std::vector<EncodedPicture>> encode(uint64_t first, uint64_t last, int64_t begin,
                                             int64_t end) override;
  Result<bool> end_sequence(EncodedPicture& last) override;
  Result<Bytes> description() override;

 private:
  Result<bool> choose_encoder();
  Result<bool> take_config(GstCaps* caps);
  Result<bool> take_picture(GstBuffer* buffer, int64_t pts, std::vector<EncodedPicture>& pictures);
  Result<std::unique_ptr<Chain>> make_encoder();

  MediaSource& reader_;
  EncodedStore& store_;
  const int quality_;
  const std::string wanted_;
  std::string encoder_;
  const Track* video_ = nullptr;
  Bytes entry_;  // the source's sample entry
  Style style_;
  bool hevc_ = false;                // of the encoder
  std::optional<NalFormat> source_;  // if the source is H.264 or H.265
  ParameterSets source_sets_;
  unsigned avc_id_ = 0;
  HevcIds hevc_ids_;
  unsigned length_size_ = 4;       // in the clip
  std::optional<NalFormat> mine_;  // of what was encoded, renumbered
  ParameterSets my_sets_;
};

}  // namespace clips::cut
