// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "clipwriter.hpp"

namespace clips::cut {

// Writes one Matroska file (RFC 9559). Matroska has no edit lists: sound is cut to the sample by
// CodecDelay and DiscardPadding, pictures that are not to be shown cannot be in the file.
class MkvWriter final : public ClipWriter {
 public:
  explicit MkvWriter(bool index_first) : index_first_(index_first) {}
  std::string why_not(const Track& track) const override;
  bool hides() const override { return false; }
  Result<bool> finish() override;

 private:
  // One block of the file.
  struct Block {
    uint32_t track;
    Store store;
    uint64_t offset;
    uint32_t size;
    int64_t time;  // ticks
    bool key;
    uint64_t discard;     // ns at its end that are not heard
    uint64_t bytes = 0;   // with its headers
    uint64_t header = 0;  // bytes in front of the packet
  };
  struct Cluster {
    size_t first = 0, end = 0;  // blocks
    int64_t time = 0;
    uint64_t bytes = 0;  // of its payload
    uint64_t at = 0;     // in the segment
  };
  struct Cue {
    size_t cluster;
    uint32_t track;
    int64_t time;
  };
  Result<bool> gather();
  void gather_clusters();
  Bytes tracks_element() const;
  void track_entry(ByteWriter& w, size_t index) const;
  Bytes cues_element(uint64_t before) const;

  const bool index_first_;
  std::vector<Block> blocks_;
  std::vector<Cluster> clusters_;
  std::vector<Cue> cues_;
  int64_t end_ = 0;  // ns
};

}  // namespace clips::cut
