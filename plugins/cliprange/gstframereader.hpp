// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "common/handles.hpp"
#include "gsturireader.hpp"
#include "movie.hpp"
#include "plan.hpp"
#include "selection.hpp"

namespace clips::cut {

// A decoded frame of a source.
struct PickedFrame {
  BufferRef buffer;     // its PTS is its stream time, its offset its number
  CapsRef caps;         // set where they differ from the last frame's
  uint64_t number = 0;  // in display order, from 0 over the whole source
  uint64_t time = 0;    // ns of stream time
};

// What is wanted: a range of the source, and frames of it.
struct FrameRequest {
  std::string uri;
  Request range;
  Selection selection;
};

// Gives the wanted frames of a source in display order. All in the calling thread, but cancel().
class FrameReader {
 public:
  virtual ~FrameReader() = default;
  // How many frames will come, where that is known.
  virtual std::optional<uint64_t> count() const = 0;
  // Stream time in ns at which the range ends, where that is known: at the latest after the last
  // frame, unless the source was not read so far.
  virtual std::optional<uint64_t> end() const = 0;
  // Nothing after the last one.
  virtual Result<std::optional<PickedFrame>> next() = 0;
  // Tags of the stream that say how it is to be shown: its orientation.
  virtual Ref<GstTagList> tags() const = 0;
  // Frames that a decoder has given so far.
  virtual uint64_t decoded() const = 0;
};

// By the index of an MP4 or QuickTime file: only the packets that the wanted frames need are read
// and decoded. Fault::Unsupported where the source is another, or its codec or edits are not known.
Result<std::unique_ptr<FrameReader>> read_indexed(std::shared_ptr<UriReader> reader,
                                                  const FrameRequest& request);

// From anything that decodebin decodes. Where the selection depends on how many frames there are,
// they are counted first, by decoding; then far frames are sought.
Result<std::unique_ptr<FrameReader>> read_decoded(const FrameRequest& request,
                                                  const std::atomic<bool>& cancelled,
                                                  const UriReader::Setup& setup);

}  // namespace clips::cut
