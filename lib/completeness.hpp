// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace clips {

enum class Completeness {
  undecided,  // the walk has not seen enough yet
  complete,   // everything that the container announces is there
  truncated,  // the container announces more than there is
  unknown,    // the format states no lengths, or it is none that is known here
};

// Whether a media file is whole, from the lengths that its container states, without decoding.
//
// Demuxers end a cut-off file with a plain end of stream, so that a pipeline would make a short
// output and call it done. The walk reads only headers: of an MP4 the head of each top-level box
// (ISO/IEC 14496-12), of Matroska and WebM the segment's size or the heads of its clusters
// (RFC 9559), of AVI and WAV the RIFF sizes, of FLV each tag's head; a transport stream must
// end with a whole packet.
//
// The walk says what it wants to see next, and its user either reads exactly that from a file or
// shows it all bytes as they pass. Nothing but the wanted bytes is kept.
class ContainerWalk {
 public:
  struct Range {
    std::uint64_t offset;
    std::size_t size;
  };

  // `size` is that of the whole file, if it is known already.
  explicit ContainerWalk(std::optional<std::uint64_t> size = std::nullopt);

  Completeness state() const noexcept { return state_; }
  // Where the missing end would be, at least; 0 unless truncated and stated by the container.
  std::uint64_t expected_size() const noexcept { return expected_; }
  // "MP4", "Matroska", ...; empty before the container is known.
  std::string_view container() const noexcept { return container_; }

  // What to feed next; nothing once the state is decided.
  std::optional<Range> wants() const;
  // Bytes of the file that begin at `offset`. Those that are not wanted are ignored.
  void feed(std::uint64_t offset, std::span<const std::byte> bytes);
  // The file has ended at `size`.
  void finish(std::uint64_t size);

 private:
  enum class Format { detect, iso, ebml, matroska, whole, riff, flv, transport };

  void advance();
  void step(std::span<const std::byte> head);
  void detect(std::span<const std::byte> head);
  void iso_box(std::span<const std::byte> head);
  void ebml_element(std::span<const std::byte> head);
  void matroska_element(std::span<const std::byte> head);
  void riff_chunk(std::span<const std::byte> head);
  void flv_tag(std::span<const std::byte> head);
  void want(std::uint64_t offset, std::size_t size, std::uint64_t slack = 0);
  void await_end();
  void decide(Completeness state) { state_ = state; }
  void truncate(std::uint64_t expected);
  // Whether the file reaches up to `end`; without a known size it does until finish().
  bool reaches(std::uint64_t end) const noexcept { return !size_ || end <= *size_; }

  std::optional<std::uint64_t> size_;
  Completeness state_ = Completeness::undecided;
  Format format_ = Format::detect;
  std::string_view container_;
  std::uint64_t expected_ = 0;
  std::uint64_t slack_ = 0;  // bytes before wanted_.offset that may be missing
  std::uint64_t packet_ = 0;
  bool last_box_opens_fragment_ = false;
  Range wanted_{};
  std::vector<std::byte> seen_;
};

}  // namespace clips
