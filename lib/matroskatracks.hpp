// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace clips {

// Reads from the head of a Matroska or WebM file (RFC 9559) by how much the times of each sound
// track are late. A track's CodecDelay is the length of what its encoder put before the sound,
// and every block's timestamp includes it. FFmpeg writes it for Opus only up to version 6 and for
// all codecs since version 7.
//
// Shown the file's bytes as a demuxer gets them: the heads of the elements before Tracks in their
// order, and Tracks itself. Pieces may overlap and repeat.
class MatroskaTracks {
 public:
  // Bytes of the file that begin at `offset`. Those that are not wanted are ignored.
  void feed(std::uint64_t offset, std::span<const std::byte> bytes);
  // No more bytes are wanted: the tracks are known, or this is nothing that can be read.
  bool done() const noexcept { return state_ == State::done; }
  // The delay of the track of that number in ns; 0 for one that states none. Opus has 0 too:
  // matroskademux subtracts its delay itself.
  std::uint64_t delay(std::uint64_t number) const;

 private:
  enum class State { header, segment, child, tracks, done };

  void step(std::span<const std::byte> piece);
  // Goes on at `offset`, behind or inside the piece.
  void want(std::uint64_t offset, std::size_t size, std::span<const std::byte> piece);
  void read_tracks(std::span<const std::byte> body);

  State state_ = State::header;
  std::uint64_t offset_ = 0;
  std::size_t size_ = 12;  // the longest head of an element
  std::vector<std::byte> seen_;
  std::map<std::uint64_t, std::uint64_t> delays_;
};

}  // namespace clips
