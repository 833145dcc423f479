// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clipwriter.hpp"

#include <limits>

#include "mkvwriter.hpp"
#include "mp4writer.hpp"

namespace clips::cut {

namespace {

// Between tracks that the source keeps within this of each other, its own order of packets stays:
// then one pass over the source is one pass over the clip.
constexpr int64_t kLargestSkewMs = 1000;
// A piece ends here so that players need not buffer more.
constexpr uint64_t kPieceBytes = 1 << 20;

void append(std::vector<TrackBuilder::Entry>& table, int64_t value) {
  if (!table.empty() && table.back().value == value &&
      table.back().count < std::numeric_limits<uint32_t>::max())
    ++table.back().count;
  else
    table.push_back({1, value});
}

}  // namespace

void TrackBuilder::add(Store store, uint64_t offset, uint32_t size, int64_t dts, int64_t pts,
                       bool sync, uint64_t order) {
  if (count_ == 0) {
    first_dts_ = dts;
    constant_size_ = size;
  } else {
    append(stts_, std::max<int64_t>(0, dts - last_dts_));
    if (constant_size_ && size != constant_size_) {
      sizes_.assign(static_cast<size_t>(count_), constant_size_);
      constant_size_ = 0;
    }
  }
  if (!constant_size_) sizes_.push_back(size);
  append(ctts_, pts - dts);
  shifted_ |= pts != dts;
  negative_ |= pts < dts;
  last_dts_ = std::max(dts, count_ ? last_dts_ : dts);
  ++count_;
  if (sync) sync_.push_back(static_cast<uint32_t>(count_));
  if (!pieces_.empty()) {
    Piece& piece = pieces_.back();
    if (piece.store == store && piece.offset + piece.bytes == offset &&
        piece.bytes + size <= kPieceBytes && dts < piece_end_) {
      piece.bytes += size;
      ++piece.samples;
      return;
    }
  }
  pieces_.push_back({store, offset, size, 1, dts, order});
  piece_end_ = dts + half_second_;
}

void TrackBuilder::finish(int64_t last_duration) {
  append(stts_, last_duration);
  duration_ = last_dts_ - first_dts_ + last_duration;
}

uint64_t ClipWriter::source_end() const {
  uint64_t end = 0;
  for (const Run& run : runs_)
    if (run.store == Store::Source) end = std::max(end, run.offset + run.length);
  return end;
}

void ClipWriter::add_run(Store store, uint64_t offset, uint64_t length) {
  if (!runs_.empty() && runs_.back().store == store &&
      runs_.back().offset + runs_.back().length == offset)
    runs_.back().length += length;
  else
    runs_.push_back({store, offset, length});
}

std::vector<ClipWriter::Item> ClipWriter::in_order() const {
  std::vector<Item> items;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const OutputTrack& track = tracks_[i];
    const int64_t zero = track.packets.first_dts();
    for (const auto& piece : track.packets.pieces())
      items.push_back({static_cast<uint32_t>(i), &piece,
                       static_cast<int64_t>(floor_div(
                           Wide{piece.dts - zero - track.media_start + track.delay} * 1'000'000,
                           track.timescale))});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.piece->order < b.piece->order; });
  // How far the source's order runs ahead in one track while another waits.
  int64_t skew = 0;
  int64_t latest = std::numeric_limits<int64_t>::min();
  for (const Item& item : items) {
    latest = std::max(latest, item.time);
    skew = std::max(skew, latest - item.time);
  }
  if (skew > kLargestSkewMs * 1000)
    std::stable_sort(items.begin(), items.end(),
                     [](const Item& a, const Item& b) { return a.time < b.time; });

  return items;
}

std::unique_ptr<ClipWriter> make_writer(Container container, bool index_first,
                                        uint64_t fragment_duration) {
  if (container == Container::Matroska) return std::make_unique<MkvWriter>(index_first);
  return std::make_unique<MovieWriter>(container, index_first, fragment_duration);
}

}  // namespace clips::cut
