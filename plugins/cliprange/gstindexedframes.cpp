// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <deque>

#include "gstframereader.hpp"
#include "gstpacketdecoder.hpp"
#include "mp4index.hpp"

namespace clips::cut {

namespace {

// Packets between two wanted stretches that are cheaper to decode than the decoder is to restart.
constexpr uint64_t kGapPackets = 8;
// Packets looked up at once.
constexpr uint64_t kBatch = 64;

// A picture of the range: what it shows when, and where it lies in the decode order.
struct Picture {
  int64_t pts = 0;
  uint64_t index = 0;
};

struct Target {
  Picture picture;
  uint64_t number = 0;
};

// Packets [first, last] of the decode order that give targets [begin, end).
struct Stretch {
  uint64_t first = 0, last = 0;
  size_t begin = 0, end = 0;
};

// How a track's matrix turns its pictures, as the orientation tag says it (ISO/IEC 14496-12).
const char* orientation_of(const Track& track) {
  const auto at = [&](size_t i) {
    return static_cast<int32_t>(be32(track.matrix.data() + 4 * i)) / 65536;
  };
  const std::array<int, 4> turn = {at(0), at(1), at(3), at(4)};
  if (turn == std::array{0, 1, -1, 0}) return "rotate-90";
  if (turn == std::array{-1, 0, 0, -1}) return "rotate-180";
  if (turn == std::array{0, -1, 1, 0}) return "rotate-270";
  return nullptr;
}

class IndexedFrames final : public FrameReader {
 public:
  IndexedFrames(std::shared_ptr<UriReader> reader, Movie movie)
      : movie_(std::move(movie)), media_(std::move(reader), movie_), video_(*movie_.video()) {}

  Result<bool> plan(const FrameRequest& request);

  std::optional<uint64_t> count() const override { return targets_.size(); }
  std::optional<uint64_t> end() const override { return end_; }
  Result<std::optional<PickedFrame>> next() override;
  Ref<GstTagList> tags() const override {
    const char* orientation = orientation_of(video_);
    if (!orientation) return {};
    return Ref<GstTagList>::adopt(
        gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, orientation, nullptr));
  }
  uint64_t decoded() const override { return decoded_; }

 private:
  Result<bool> add_stretches();
  Result<bool> begin_stretch();
  Result<bool> feed_one();
  Result<bool> end_stretch();
  void take(GstBuffer* buffer, int64_t pts);

  const Movie movie_;
  MediaSource media_;
  const Track& video_;
  std::vector<Target> targets_;
  std::vector<uint64_t> durations_;  // ns, of each target
  uint64_t end_ = 0;
  std::vector<Stretch> stretches_;

  size_t stretch_ = 0;    // the one that is being decoded, or comes next
  bool running_ = false;  // whether it has begun
  uint64_t cursor_ = 0;   // its next packet
  size_t wanted_ = 0;     // the next target
  std::vector<Sample> batch_;
  uint64_t batch_first_ = 0;
  std::unique_ptr<PacketDecoder> decoder_;
  uint32_t description_ = 0;
  CapsRef caps_;
  bool caps_changed_ = false;
  std::deque<PickedFrame> ready_;
  uint64_t decoded_ = 0;
};

Result<bool> IndexedFrames::plan(const FrameRequest& request) {
  const auto range = find_pictures(movie_, video_, request.range);
  if (!range) return tl::make_unexpected(range.error());
  std::vector<Picture> pictures;
  pictures.reserve(range->frames);
  video_.samples.each_time([&](uint64_t index, int64_t, int64_t pts, bool) {
    if (pts >= range->first_pts && pts < range->end_pts) pictures.push_back({pts, index});
  });
  std::sort(pictures.begin(), pictures.end(),
            [](const Picture& a, const Picture& b) { return a.pts < b.pts; });
  const auto time_of = [&](int64_t pts) {
    return static_cast<uint64_t>(std::max<int64_t>(0, stream_time(movie_, video_, pts)));
  };
  std::vector<uint64_t> times;
  times.reserve(pictures.size());
  for (const Picture& picture : pictures) times.push_back(time_of(picture.pts));
  const uint64_t end = end_ = time_of(range->end_pts);
  const auto chosen = select_frames(request.selection, times, range->first_frame, end);
  if (!chosen) return tl::make_unexpected(chosen.error());
  for (const uint64_t i : *chosen) {
    targets_.push_back({pictures[i], range->first_frame + i});
    const uint64_t next = i + 1 < times.size() ? times[i + 1] : end;
    durations_.push_back(next > times[i] ? next - times[i] : 0);
  }
  return add_stretches();
}

Result<bool> IndexedFrames::add_stretches() {
  for (size_t i = 0; i < targets_.size(); ++i) {
    const Picture& picture = targets_[i].picture;
    auto key = video_.samples.sync_at_or_before(picture.index);
    // A picture that is shown before the key frame in front of it is decoded from the one before.
    while (key && video_.samples.at(*key).pts > picture.pts)
      key = *key > 0 ? video_.samples.sync_at_or_before(*key - 1) : std::nullopt;
    if (!key)
      return fail(Fault::NoKeyFrame, "There is no key frame at or before frame " +
                                         std::to_string(targets_[i].number) +
                                         ", so it cannot be decoded.");
    if (!stretches_.empty() && *key <= stretches_.back().last + kGapPackets) {
      Stretch& last = stretches_.back();
      last.last = std::max(last.last, picture.index);
      last.end = i + 1;
      continue;
    }
    const auto first = decoding_start(media_, video_, *key, picture.pts);
    if (!first) return tl::make_unexpected(first.error());
    stretches_.push_back({*first, picture.index, i, i + 1});
  }
  return true;
}

void IndexedFrames::take(GstBuffer* buffer, int64_t pts) {
  ++decoded_;
  // Pictures come in display order: what is passed over does not come any more.
  if (wanted_ >= stretches_[stretch_].end || pts != targets_[wanted_].picture.pts) return;
  const Target& target = targets_[wanted_];
  PickedFrame frame;
  frame.buffer = BufferRef::adopt(gst_buffer_make_writable(gst_buffer_ref(buffer)));
  frame.number = target.number;
  frame.time = static_cast<uint64_t>(std::max<int64_t>(0, stream_time(movie_, video_, pts)));
  GST_BUFFER_PTS(frame.buffer.get()) = frame.time;
  GST_BUFFER_DTS(frame.buffer.get()) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(frame.buffer.get()) = durations_[wanted_];
  GST_BUFFER_OFFSET(frame.buffer.get()) = target.number;
  GST_BUFFER_OFFSET_END(frame.buffer.get()) = target.number + 1;
  if (std::exchange(caps_changed_, false)) frame.caps = caps_;
  ready_.push_back(std::move(frame));
  ++wanted_;
}

Result<bool> IndexedFrames::begin_stretch() {
  const Stretch& stretch = stretches_[stretch_];
  cursor_ = stretch.first;
  wanted_ = stretch.begin;
  batch_.clear();
  const Sample first = video_.samples.at(cursor_);
  if (!decoder_ || first.description != description_) {
    if (first.description == 0 || first.description > video_.descriptions.size())
      return fail(Fault::Damaged, "The source's index names a description that it does not have.");
    auto decoder = PacketDecoder::make(media_, video_, first.description);
    if (!decoder) return tl::make_unexpected(decoder.error());
    decoder_ = std::move(*decoder);
    decoder_->describe();
    decoder_->on_caps = [this](GstCaps* caps) {
      if (caps_ && gst_caps_is_equal(caps, caps_.get())) return;
      caps_ = CapsRef::retain(caps);
      caps_changed_ = true;
    };
    decoder_->on_picture = [this](GstBuffer* buffer, int64_t pts) { take(buffer, pts); };
    description_ = first.description;
  }
  decoder_->start(first);
  running_ = true;
  return true;
}

Result<bool> IndexedFrames::feed_one() {
  const Stretch& stretch = stretches_[stretch_];
  if (batch_.empty() || cursor_ - batch_first_ >= batch_.size()) {
    batch_.clear();
    batch_first_ = cursor_;
    video_.samples.each(cursor_, std::min(cursor_ + kBatch, stretch.last + 1),
                        [&](uint64_t, const Sample& sample) {
                          batch_.push_back(sample);
                          return true;
                        });
    if (batch_.empty()) return fail(Fault::Damaged, "The source's index is cut short.");
  }
  const Sample& sample = batch_[cursor_ - batch_first_];
  if (sample.description != description_)
    return fail(Fault::Changed,
                "The parameters of the video change between a key frame and the frames behind it.");
  const Sample& last = batch_.back();
  const uint64_t end = last.offset + last.size;
  const uint64_t behind = sample.offset + sample.size;
  const bool wanted = std::binary_search(
      targets_.begin() + static_cast<ptrdiff_t>(stretch.begin),
      targets_.begin() + static_cast<ptrdiff_t>(stretch.end), Target{{sample.pts, 0}, 0},
      [](const Target& a, const Target& b) { return a.picture.pts < b.picture.pts; });
  ++cursor_;
  return decoder_->feed(sample, end > behind ? end - behind : 0, wanted);
}

Result<bool> IndexedFrames::end_stretch() {
  const auto finished = decoder_->finish();
  if (!finished) return finished;
  const Stretch& stretch = stretches_[stretch_];
  if (wanted_ < stretch.end)
    return fail(Fault::Undecodable, "Frame " + std::to_string(targets_[wanted_].number) +
                                        " could not be decoded: the source is damaged there.");
  running_ = false;
  ++stretch_;
  return true;
}

Result<std::optional<PickedFrame>> IndexedFrames::next() {
  while (ready_.empty()) {
    if (stretch_ == stretches_.size()) return std::optional<PickedFrame>();
    const auto done = !running_                              ? begin_stretch()
                      : cursor_ <= stretches_[stretch_].last ? feed_one()
                                                             : end_stretch();
    if (!done) return tl::make_unexpected(done.error());
  }
  std::optional<PickedFrame> frame = std::move(ready_.front());
  ready_.pop_front();
  return frame;
}

}  // namespace

Result<std::unique_ptr<FrameReader>> read_indexed(std::shared_ptr<UriReader> reader,
                                                  const FrameRequest& request) {
  const auto head = reader->read(0, 16, 4096);
  if (!head) return tl::make_unexpected(head.error());
  if (!looks_like_mp4(*head)) return fail(Fault::Unsupported, "The source is no MP4.");
  auto movie = read_mp4(*reader);
  if (!movie) return tl::make_unexpected(movie.error());
  const Track* video = movie->video();
  if (!video) return fail(Fault::WrongType, "There is no video stream in the source.");
  if (!can_decode(video->codec) || !video->edit_fault.empty())
    return fail(Fault::Unsupported, "The source's video is not decoded packet by packet.");
  // Wanted or not: a short file is no sound source for anything.
  uint64_t end = 0;
  for (const Track& track : movie->tracks)
    track.samples.each(0, track.samples.count(), [&](uint64_t, const Sample& sample) {
      end = std::max(end, sample.offset + sample.size);
      return true;
    });
  if (end > reader->size())
    return fail(Fault::Truncated, request.uri + " is truncated: its index names byte " +
                                      std::to_string(end) + ", but it ends after " +
                                      std::to_string(reader->size()) +
                                      ". Get the whole file and try again.");
  auto frames = std::make_unique<IndexedFrames>(std::move(reader), std::move(*movie));
  const auto planned = frames->plan(request);
  if (!planned) return tl::make_unexpected(planned.error());
  return std::unique_ptr<FrameReader>(std::move(frames));
}

}  // namespace clips::cut
