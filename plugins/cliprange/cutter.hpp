// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "clipwriter.hpp"
#include "plan.hpp"

namespace clips::cut {

enum class Fallback { Exact, Copy, Error };

struct Options {
  Request request;
  Fallback fallback = Fallback::Exact;
  bool index_first = true;
  uint64_t fragment_duration = 0;  // ns; 0: an ordinary file
  // Nothing: QuickTime for QuickTime, else MP4.
  std::optional<Container> container;
};

// What was really cut.
struct Report {
  Mode mode = Mode::Edit;
  std::string reason;           // why this mode and no other
  int64_t start = 0, stop = 0;  // ns of the source's stream time
  bool has_pictures = false;
  bool numbered = true;  // first_frame is known
  uint64_t first_frame = 0, frames = 0;
  int64_t key_frame = 0;  // ns
  uint64_t lead = 0;      // pictures in the file in front of the first wanted one
  bool lead_hidden = false;
  uint64_t frames_copied = 0, frames_encoded = 0;
  bool stop_past_end = false;
  Container container = Container::Mp4;
  std::vector<std::string> tracks;    // "video avc1", "audio mp4a", ...
  std::vector<std::string> warnings;  // tracks that were dropped, and why
};

struct Clip {
  std::shared_ptr<const Movie> movie;
  std::unique_ptr<ClipWriter> writer;
  Report report;
  // Where copied pictures are entered, if that has yet to be looked at: with decodes_from(), when
  // the bytes are there. If they are not whole by then, the clip has to be made anew with
  // Request::key_before.
  struct Entrance {
    uint64_t key = 0;  // decode order
    int64_t from = 0;  // media time of the first picture that must be whole
  };
  std::optional<Entrance> entrance;
};

// One encoded picture.
struct EncodedPicture {
  int64_t pts = 0;      // media time of the source's video track
  uint64_t offset = 0;  // in the store of encoded bytes
  uint32_t size = 0;
  bool key = false;
};

// Decodes pictures of the source's video track and encodes those that are wanted.
class Transcoder {
 public:
  virtual ~Transcoder() = default;
  // How the encoder must write so that its pictures may stand beside copied ones.
  struct Style {
    bool match_source = false;  // same codec, profile, ... and parameter sets under free ids
  };
  // Whether pictures of this track can be re-encoded; the reason if not.
  virtual Result<bool> prepare(const Movie& movie, const Track& video, Style style) = 0;
  // Decodes the packets [first, last] (decode order) and encodes the pictures with a timestamp in
  // [begin, end), in display order, the first one as a key frame.
  virtual Result<std::vector<EncodedPicture>> encode(uint64_t first, uint64_t last, int64_t begin,
                                                     int64_t end) = 0;
  // Says behind the last of them that what follows is decoded without anything in front of it.
  virtual Result<bool> end_sequence(EncodedPicture& last) = 0;
  // The sample entry for everything encoded so far and, with match_source, the copied part too.
  virtual Result<Bytes> description() = 0;
};

// Decides what to do with each packet and lays the clip out. Reads at most a few pictures to look
// at their type; with modes that encode, the media around the ends.
Result<Clip> make_clip(std::shared_ptr<const Movie> movie, ByteReader& reader,
                       const Options& options, Transcoder* transcoder);

// Whether the range of a request exists in the movie; nothing is read.
Result<bool> check_request(const Movie& movie, const Request& request);

const char* mode_name(Mode mode);

}  // namespace clips::cut
