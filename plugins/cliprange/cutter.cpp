// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cutter.hpp"

#include "nal.hpp"

namespace clips::cut {

namespace {

std::string code_name(uint32_t code) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto c = static_cast<char>(code >> shift);
    name += c >= 32 && c < 127 ? c : '?';
  }
  return name;
}

const char* kind_name(TrackKind kind) {
  switch (kind) {
    case TrackKind::Video:
      return "video";
    case TrackKind::Audio:
      return "audio";
    case TrackKind::Text:
      return "text";
    default:
      return "other";
  }
}

bool encrypted(uint32_t codec) {
  return codec == fourcc("encv") || codec == fourcc("enca") || codec == fourcc("enct") ||
         codec == fourcc("drmi") || codec == fourcc("drms");
}

// The one sample description of the packets [first, end), or the error that there are several.
Result<uint32_t> one_description(const Track& track, uint64_t first, uint64_t end) {
  if (track.descriptions.size() == 1) return 1;
  uint32_t used = 0;
  bool mixed = false;
  track.samples.each(first, end, [&](uint64_t, const Sample& s) {
    mixed = used && s.description != used;
    used = s.description;
    return !mixed;
  });
  if (mixed)
    return fail(Fault::Changed,
                std::string("The parameters of the ") + kind_name(track.kind) +
                    " track change inside the range. Cut at the change, or use mode=exact.",
                "track " + std::to_string(track.id));
  return used;
}

// A track of the clip for packets [first, end), still without them.
Result<OutputTrack> begin_track(const Track& track, uint64_t first, uint64_t end) {
  const auto description = one_description(track, first, end);
  if (!description) return tl::make_unexpected(description.error());
  OutputTrack out;
  out.source = &track;
  out.timescale = track.timescale;
  out.description = track.descriptions[*description - 1];
  out.packets = TrackBuilder(track.timescale);
  return out;
}

void add_packet(const Track& track, const Sample& s, OutputTrack& out) {
  if (track.moment == 0) {
    out.packets.add(Store::Source, s.offset, s.size, s.dts, s.pts, s.sync, s.offset);
    return;
  }
  for (uint32_t i = 0; i < s.size / track.moment; ++i) {
    const uint64_t at = s.offset + uint64_t{i} * track.moment;
    out.packets.add(Store::Source, at, track.moment, s.dts + i, s.dts + i, true, at);
  }
}

// Sound and subtitles for [first, end) of their media, copied.
Result<std::optional<OutputTrack>> copy_track(const Track& track, int64_t first, int64_t end) {
  const auto range = find_packets(track, first, end);
  if (!range) return std::nullopt;
  auto begun = begin_track(track, range->first_index, range->end_index);
  if (!begun) return tl::make_unexpected(begun.error());
  OutputTrack out = std::move(*begun);
  std::vector<Sample> hidden;
  int64_t last = 0;
  const auto add = [&](const Sample& s) {
    add_packet(track, s, out);
    last = track.moment ? 1 : s.duration;
  };
  track.samples.each(range->first_index, range->end_index, [&](uint64_t, const Sample& s) {
    if (s.pts + s.duration <= range->first) {
      hidden.push_back(s);
      return true;
    }
    // Packets that only bring the decoder in step stand directly before the first that is heard:
    // a pause of the source among them would be counted as sound by players that skip samples.
    int64_t next = s.dts;
    for (size_t i = hidden.size(); i-- > 0; next = hidden[i].dts)
      if (track.kind == TrackKind::Audio)
        hidden[i].dts = hidden[i].pts = std::max(hidden[i].dts, next - s.duration);
    for (const Sample& before : hidden) add(before);
    hidden.clear();
    add(s);
    return true;
  });
  out.packets.finish(last);
  out.delay = range->first - first;
  out.media_start = range->first - out.packets.first_dts();
  out.length = range->end - range->first;
  return out;
}

// All packets of a track, as they are and when they are.
Result<OutputTrack> whole_track(const Movie& movie, const Track& track) {
  auto begun = begin_track(track, 0, track.samples.count());
  if (!begun) return begun;
  OutputTrack out = std::move(*begun);
  int64_t last = 0;
  int64_t begin = std::numeric_limits<int64_t>::max();
  int64_t end = track.media_start;
  track.samples.each(0, track.samples.count(), [&](uint64_t, const Sample& s) {
    add_packet(track, s, out);
    last = track.moment ? 1 : s.duration;
    begin = std::min(begin, s.pts);
    end = std::max(end, s.pts + s.duration);
    return true;
  });
  out.packets.finish(last);
  end = track.media_length ? track.media_start + *track.media_length : end;
  // An edit that begins before the first packet means a pause, and is written as one: FFmpeg would
  // begin with the packet at once.
  begin = std::clamp(begin, track.media_start, end);
  out.delay = static_cast<int64_t>(round_div(Wide{track.delay} * track.timescale, movie.timescale));
  out.delay += begin - track.media_start;
  out.media_start = begin - out.packets.first_dts();
  out.length = end - begin;
  return out;
}

class ClipMaker {
 public:
  ClipMaker(std::shared_ptr<const Movie> movie, ByteReader& reader, const Options& options,
            Transcoder* transcoder)
      : movie_(std::move(movie)),
        reader_(reader),
        options_(options),
        transcoder_(transcoder),
        container_(options.container                     ? *options.container
                   : options.fragment_duration > 0       ? Container::Mp4
                   : movie_->container == Container::Mov ? Container::Mov
                                                         : Container::Mp4),
        writer_(make_writer(container_, options.index_first, options.fragment_duration)) {}

  Result<Clip> make() {
    for (const Track& track : movie_->tracks)
      if (encrypted(track.codec))
        return fail(Fault::Unsupported, "The source is encrypted and cannot be cut.",
                    "track " + std::to_string(track.id));
    report_.warnings = movie_->notes;
    const Track* video = movie_->video();
    const auto done = options_.request.mode == Mode::Whole ? whole(video)
                      : video                              ? with_video(*video)
                                                           : sound_only();
    if (!done) return tl::make_unexpected(done.error());
    report_.container = container_;
    const auto finished = writer_->finish();
    if (!finished) return tl::make_unexpected(finished.error());
    if (writer_->source_end() > movie_->source_size)
      return fail(Fault::Truncated,
                  "The source is truncated: it ends before the range does. Fetch it again.",
                  std::to_string(movie_->source_size) + " bytes of at least " +
                      std::to_string(writer_->source_end()));
    return Clip{movie_, std::move(writer_), std::move(report_), entrance_};
  }

 private:
  // Nothing is cut: a range is not looked at.
  Result<bool> whole(const Track* video) {
    report_.mode = Mode::Whole;
    report_.reason = "as asked";
    if (movie_->cut_short) return cut_short();
    if (video) {
      const auto range = find_pictures(*movie_, *video, Request{});
      if (!range) return tl::make_unexpected(range.error());
      report_.has_pictures = true;
      report_.start = stream_time(*movie_, *video, range->first_pts);
      report_.stop = stream_time(*movie_, *video, range->end_pts);
      report_.frames = report_.frames_copied = range->frames;
      report_.key_frame = stream_time(*movie_, *video, range->key_pts);
      report_.lead = range->lead;
      report_.lead_hidden = range->lead > 0;
    }
    for (const Track& track : movie_->tracks) {
      if (track.kind == TrackKind::Other) {
        drop(track, "it is neither picture, sound nor text");
        continue;
      }
      if (!track.edit_fault.empty()) return edit_fault(track);
      if (const std::string why = writer_->why_not(track); !why.empty()) {
        if (track.kind == TrackKind::Video) return no_place(track, why);
        drop(track, why);
        continue;
      }
      if (track.samples.count() == 0) {
        drop(track, "it is empty");
        continue;
      }
      auto copied = whole_track(*movie_, track);
      if (!copied) return tl::make_unexpected(copied.error());
      say(track);
      writer_->add(std::move(*copied));
    }
    if (writer_->tracks().empty())
      return fail(Fault::WrongType, "There is neither video nor audio in the source.");
    return true;
  }

  static tl::unexpected<Error> cut_short() {
    return fail(Fault::Truncated,
                "The source is truncated: it ends inside the range. Fetch it again, or give a stop "
                "in front of its end.");
  }

  static tl::unexpected<Error> no_place(const Track& track, const std::string& why) {
    return fail(Fault::Unsupported,
                "The codec is unsupported for the mode: " + code_name(track.codec) +
                    " cannot be copied, since " + why + ". Use mode=exact.");
  }

  static tl::unexpected<Error> edit_fault(const Track& track) {
    return fail(Fault::Unsupported,
                "The source has an edit list that cannot be cut: " + track.edit_fault +
                    ". Re-encode or remux the source first.",
                "track " + std::to_string(track.id));
  }

  Result<bool> with_video(const Track& video) {
    auto wanted = find_pictures(*movie_, video, options_.request);
    if (!wanted) return tl::make_unexpected(wanted.error());
    PictureRange range = *wanted;
    if (movie_->cut_short && range.at_end) return cut_short();
    if (damaged(video, range))
      return fail(Fault::Damaged, "The source is damaged inside of the range.");
    const auto mode = choose(video, range);
    if (!mode) return tl::make_unexpected(mode.error());
    report_.mode = *mode;
    if (*mode == Mode::Copy) {
      auto snapped = snap_to_key(*movie_, video, options_.request, range);
      if (!snapped) return tl::make_unexpected(snapped.error());
      range = *snapped;
      if (!writer_->hides()) range = close_group(video, range);
    }
    report_.has_pictures = true;
    report_.numbered = !movie_->windowed;
    report_.start = stream_time(*movie_, video, range.first_pts);
    report_.stop = stream_time(*movie_, video, range.end_pts);
    report_.first_frame = range.first_frame;
    report_.frames = range.frames;
    report_.key_frame = stream_time(*movie_, video, range.key_pts);
    report_.lead = range.lead;
    report_.stop_past_end = range.stop_past_end;

    const auto built = *mode == Mode::Copy || *mode == Mode::Edit
                           ? copy_video(video, range)
                           : encode_video(video, range, *mode);
    if (!built) return built;
    const bool copied = report_.mode == Mode::Copy || report_.mode == Mode::Edit;
    if (copied && is_avc(video.codec) && !video.samples.all_sync() &&
        range.key_pts <= wanted->first_pts)
      entrance_ = {range.key_index, wanted->first_pts};
    bool first_video = true;
    for (const Track& track : movie_->tracks) {
      if (track.kind == TrackKind::Video) {
        if (!first_video) drop(track, "only the first video track is cut");
        first_video = false;
        continue;
      }
      const auto added = add_track(track, media_time_across(*movie_, video, range.first_pts, track),
                                   media_time_across(*movie_, video, range.end_pts, track));
      if (!added) return added;
    }
    return true;
  }

  Result<bool> sound_only() {
    const Track* lead = nullptr;
    for (const Track& track : movie_->tracks)
      if (track.kind == TrackKind::Audio && !lead) lead = &track;
    if (!lead) return fail(Fault::WrongType, "There is neither video nor audio in the source.");
    const auto range = find_sound(*movie_, *lead, options_.request);
    if (!range) return tl::make_unexpected(range.error());
    if (movie_->cut_short && range->at_end) return cut_short();
    report_.mode = options_.request.mode == Mode::Copy ? Mode::Copy : Mode::Edit;
    report_.reason = "there is only sound, which is cut to the sample without re-encoding";
    report_.start = stream_time(*movie_, *lead, range->first);
    report_.stop = stream_time(*movie_, *lead, range->end);
    report_.stop_past_end = range->stop_past_end;
    for (const Track& track : movie_->tracks) {
      const auto added = add_track(track, media_time_across(*movie_, *lead, range->first, track),
                                   media_time_across(*movie_, *lead, range->end, track));
      if (!added) return added;
    }
    return true;
  }

  // Whether pictures may be missing in the range, or in front of it where it is decoded from.
  bool damaged(const Track& video, const PictureRange& range) const {
    if (movie_->packets) return false;  // samples do not stand where the source has them
    uint64_t first = range.key_index;
    if (range.first_index == first && first > 0) --first;
    const uint64_t behind = range.last_index + 1;
    const uint64_t begin = video.samples.at(first).offset;
    const uint64_t end =
        behind < video.samples.count() ? video.samples.at(behind).offset : UINT64_MAX;
    return std::any_of(movie_->damages.begin(), movie_->damages.end(),
                       [&](uint64_t at) { return at > begin && at < end; });
  }

  void drop(const Track& track, const std::string& why) {
    report_.warnings.push_back("Left out the " + std::string(kind_name(track.kind)) + " track " +
                               std::to_string(track.id) + " (" + code_name(track.codec) +
                               "): " + why + ".");
  }

  void say(const Track& track) {
    report_.tracks.push_back(std::string(kind_name(track.kind)) + " " + code_name(track.codec));
  }

  Result<bool> add_track(const Track& track, int64_t first, int64_t end) {
    if (track.kind == TrackKind::Other) {
      drop(track, "it is neither picture, sound nor text");
      return true;
    }
    if (!track.edit_fault.empty()) return edit_fault(track);
    if (const std::string why = writer_->why_not(track); !why.empty()) {
      drop(track, why);
      return true;
    }
    auto copied = copy_track(track, first, end);
    if (!copied) return tl::make_unexpected(copied.error());
    if (!*copied) {
      drop(track, "it has nothing in the range");
      return true;
    }
    say(track);
    writer_->add(std::move(**copied));
    return true;
  }

  static tl::unexpected<Error> cannot_hide() {
    return fail(Fault::Unsupported,
                "Matroska and fragmented MP4 cannot hide the pictures around the range that "
                "mode=edit keeps. Use mode=smart, exact or copy, or an ordinary MP4.");
  }

  // Which of the modes cuts the range, and why.
  Result<Mode> choose(const Track& video, const PictureRange& range) {
    const Mode asked = options_.request.mode;
    if (asked == Mode::Edit && !writer_->hides() && surplus(video, range)) return cannot_hide();
    if (asked != Mode::Auto && asked != Mode::Smart) {
      report_.reason = "as asked";
      return asked;
    }
    const bool at_key = range.key_pts == range.first_pts;
    bool closed = at_key;
    if (at_key && !video.samples.all_sync()) {
      const auto kind = seam_kind(video, range.key_index);
      if (!kind) return tl::make_unexpected(kind.error());
      closed = *kind != Seam::None;
    }
    if (asked == Mode::Auto && closed && (writer_->hides() || !surplus(video, range))) {
      report_.reason = "the range starts at a key frame that nothing refers across";
      return Mode::Edit;
    }
    if (video.codec != fourcc("avc1") && video.codec != fourcc("hvc1"))
      return fall_back("smart cuts know avc1 and hvc1, not " + code_name(video.codec), Mode::Exact);
    // The sets of the encoded head promise no reordering. FFmpeg's decoder, which has seen no other
    // set of a fragmented movie when it begins, then drops interlaced pictures behind the seam.
    if (options_.fragment_duration > 0 && interlaced(video))
      return fall_back("the pictures are interlaced, and the clip has fragments", Mode::Exact);
    report_.reason = asked == Mode::Smart ? "as asked" : "the range starts between key frames";
    return Mode::Smart;
  }

  static bool interlaced(const Track& video) {
    const auto format = nal_format(video.codec, video.descriptions.front());
    if (!format || format->codec != NalCodec::Avc) return false;
    const auto sets = parameter_sets(*format);
    if (!sets) return false;
    return std::any_of(sets->sps.begin(), sets->sps.end(), [](const Bytes& sps) {
      const auto pictures = avc_pictures(sps);
      return pictures && !pictures->progressive;
    });
  }

  Result<Mode> fall_back(const std::string& why, Mode exact) {
    report_.reason = why;
    switch (options_.fallback) {
      case Fallback::Exact:
        return exact;
      case Fallback::Copy:
        return Mode::Edit;
      default:
        return fail(Fault::Unsupported, "The codec is unsupported for the mode: " + why + ".");
    }
  }

  // How a key frame can begin a copied stretch.
  enum class Seam {
    None,    // pictures behind it refer across it: H.264's recovery points
    Closed,  // nothing does
    Open,    // only pictures shown before it do, which are left out: H.265's CRA
  };
  Result<Seam> seam_kind(const Track& video, uint64_t index) {
    const Sample sample = video.samples.at(index);
    const auto format = nal_format(video.codec, video.descriptions[sample.description - 1]);
    if (!format) return Seam::Closed;  // VP9, AV1, ProRes, MJPEG: key frames are always closed
    if (sample.offset + sample.size > movie_->source_size)
      return fail(Fault::Truncated,
                  "The source is truncated: it ends before the range does. Fetch it again.");
    const auto bytes = reader_.read(sample.offset, std::min<uint32_t>(sample.size, 64 << 10));
    if (!bytes) return tl::make_unexpected(bytes.error());
    const KeyKind kind = key_kind(*format, *bytes);
    if (kind == KeyKind::Closed) return Seam::Closed;
    return kind == KeyKind::Open && format->codec == NalCodec::Hevc ? Seam::Open : Seam::None;
  }

  Result<bool> copy_video(const Track& video, const PictureRange& range) {
    if (const std::string why = writer_->why_not(video); !why.empty()) return no_place(video, why);
    auto begun = begin_track(video, range.key_index, range.last_index + 1);
    if (!begun) return tl::make_unexpected(begun.error());
    OutputTrack out = std::move(*begun);
    int64_t last = 0;
    video.samples.each(range.key_index, range.last_index + 1, [&](uint64_t, const Sample& s) {
      // Leading pictures of an open GOP refer to what is not in the clip.
      if (s.pts < range.key_pts) return true;
      // Players begin at the last key frame in front of what an edit list shows.
      const bool entrance = !options_.request.key_before || s.pts > range.first_pts ||
                            s.pts < *options_.request.key_before;
      out.packets.add(Store::Source, s.offset, s.size, s.dts, s.pts, s.sync && entrance, s.offset);
      last = s.duration;
      return true;
    });
    out.packets.finish(last);
    out.media_start = range.first_pts - out.packets.first_dts();
    out.length = range.end_pts - range.first_pts;
    report_.frames_copied = range.frames;
    report_.lead_hidden = report_.mode == Mode::Edit && range.lead > 0;
    say(video);
    writer_->add(std::move(out));
    return true;
  }

  // Encoded pictures come in decode order without decode times. Theirs are the presentation times
  // in order, moved back by as much as reordering needs.
  static std::vector<int64_t> decode_times(const std::vector<EncodedPicture>& pictures) {
    std::vector<int64_t> times;
    for (const EncodedPicture& picture : pictures) times.push_back(picture.pts);
    std::sort(times.begin(), times.end());
    int64_t back = 0;
    for (size_t i = 0; i < times.size(); ++i) back = std::max(back, times[i] - pictures[i].pts);
    for (int64_t& time : times) time -= back;
    return times;
  }

  // Where the packets of the pictures [begin, end) stand in the source, in decode order: encoded
  // ones take their places among the sound.
  std::vector<uint64_t> places(const Track& video, uint64_t first, uint64_t last, int64_t begin,
                               int64_t end) {
    std::vector<uint64_t> offsets;
    video.samples.each(first, last + 1, [&](uint64_t, const Sample& s) {
      if (s.pts >= begin && s.pts < end)
        offsets.push_back(offsets.empty() ? s.offset : std::max(s.offset, offsets.back()));
      return true;
    });
    return offsets;
  }

  Result<bool> encode_video(const Track& video, const PictureRange& range, Mode mode) {
    if (!transcoder_) return fail(Fault::Unsupported, "The codec is unsupported for the mode.");
    if (mode == Mode::Smart) {
      const auto done = smart_video(video, range);
      if (!done) return done;
      if (*done) return true;
      if (report_.mode == Mode::Edit) {
        if (!writer_->hides() && surplus(video, range)) return cannot_hide();
        return copy_video(video, range);
      }
    }
    return exact_video(video, range);
  }

  Result<bool> exact_video(const Track& video, const PictureRange& range) {
    report_.mode = Mode::Exact;
    const auto ready = transcoder_->prepare(*movie_, video, {.match_source = false});
    if (!ready) return ready;
    const auto pictures =
        transcoder_->encode(range.key_index, range.last_index, range.first_pts, range.end_pts);
    if (!pictures) return tl::make_unexpected(pictures.error());
    OutputTrack out;
    out.source = &video;
    out.timescale = video.timescale;
    auto description = transcoder_->description();
    if (!description) return tl::make_unexpected(description.error());
    out.description = std::move(*description);
    out.packets = TrackBuilder(video.timescale);
    const auto times = decode_times(*pictures);
    const auto where =
        places(video, range.key_index, range.last_index, range.first_pts, range.end_pts);
    for (size_t i = 0; i < pictures->size(); ++i) {
      const EncodedPicture& p = (*pictures)[i];
      out.packets.add(Store::Encoded, p.offset, p.size, times[i], p.pts, p.key, where[i]);
    }
    finish_video(std::move(out), range, range.end_pts);
    report_.frames_encoded = range.frames;
    return true;
  }

  void finish_video(OutputTrack out, const PictureRange& range, int64_t last_end) {
    // The last packet in decode order lasts until the pictures end.
    const int64_t shift = range.first_pts - out.packets.first_dts();
    out.packets.finish(std::max<int64_t>(1, last_end - shift - out.packets.last_dts()));
    out.media_start = shift;
    out.length = range.end_pts - range.first_pts;
    report_.lead = 0;
    say(*out.source);
    writer_->add(std::move(out));
  }

  // True: done. False: it cannot be, and report_ names the mode to use and why.
  Result<bool> smart_video(const Track& video, const PictureRange& range) {
    const auto give_up = [&](const std::string& why) -> Result<bool> {
      const auto other = fall_back(why, Mode::Exact);
      if (!other) return tl::make_unexpected(other.error());
      report_.mode = *other;
      return false;
    };
    const auto ready = transcoder_->prepare(*movie_, video, {.match_source = true});
    if (!ready && ready.error().fault == Fault::Unsupported) return give_up(ready.error().message);
    if (!ready) return ready;
    const auto seam = find_seam(video, range);
    if (!seam) return tl::make_unexpected(seam.error());
    if (!*seam) return give_up("there is no key frame in the range that nothing refers across");
    const SmartRange split = split_at(video, range, (*seam)->index);
    const auto one = one_description(video, range.key_index, range.last_index + 1);
    if (!one) return tl::make_unexpected(one.error());
    // A lone key frame behind a seam: no gain, and FFmpeg loses it if it is coded in fields.
    if (split.copy_end - split.copy_first < 2)
      return give_up("there are not two pictures in a row to copy");

    const Sample first_copied = video.samples.at(split.copy_first);
    const int64_t delay = first_copied.pts - first_copied.dts;
    OutputTrack out;
    out.source = &video;
    out.timescale = video.timescale;
    out.packets = TrackBuilder(video.timescale);
    bool encoded = false;
    int64_t clock = std::numeric_limits<int64_t>::min();
    const auto add_encoded = [&](uint64_t first, uint64_t last, int64_t begin, int64_t end,
                                 bool ends_sequence) -> Result<bool> {
      auto pictures = transcoder_->encode(first, last, begin, end);
      if (!pictures) return tl::make_unexpected(pictures.error());
      if (ends_sequence) {
        const auto ended = transcoder_->end_sequence(pictures->back());
        if (!ended) return ended;
      }
      auto where = places(video, first, last, begin, end);
      // Pictures of the head may be stored behind the seam that they are shown before.
      if (begin < split.copy_pts)
        for (uint64_t& place : where) place = std::min(place, first_copied.offset);
      for (size_t i = 0; i < pictures->size(); ++i) {
        const EncodedPicture& p = (*pictures)[i];
        // The source's own distance at its key frames: decode times rise evenly across seams.
        clock = std::max(p.pts - delay, clock + 1);
        out.packets.add(Store::Encoded, p.offset, p.size, clock, p.pts, p.key, where[i]);
      }
      report_.frames_encoded += pictures->size();
      encoded = true;
      return true;
    };
    if (range.first_pts < split.copy_pts) {
      const auto head = add_encoded(range.key_index, split.head_last, range.first_pts,
                                    split.copy_pts, (*seam)->kind == Seam::Open);
      if (!head) return head;
    }
    video.samples.each(split.copy_first, split.copy_end, [&](uint64_t, const Sample& s) {
      if (s.pts < split.copy_pts) return true;  // leading pictures: the head has them
      clock = s.dts;
      out.packets.add(Store::Source, s.offset, s.size, s.dts, s.pts, s.sync, s.offset);
      ++report_.frames_copied;
      return true;
    });
    if (split.tail_pts < range.end_pts) {
      const auto tail =
          add_encoded(split.tail_key, range.last_index, split.tail_pts, range.end_pts, false);
      if (!tail) return tail;
    }
    if (encoded) {
      auto description = transcoder_->description();
      if (!description) return tl::make_unexpected(description.error());
      out.description = std::move(*description);
    } else {
      out.description = video.descriptions[*one - 1];
    }
    finish_video(std::move(out), range, range.end_pts);
    return true;
  }

  // The first key frame of the range that can begin a copied stretch.
  struct SeamAt {
    uint64_t index;
    Seam kind;
  };
  Result<std::optional<SeamAt>> find_seam(const Track& video, const PictureRange& range) {
    constexpr size_t kTries = 64;  // each is a read
    std::vector<uint64_t> keys;
    video.samples.each(range.key_index, range.last_index + 1, [&](uint64_t i, const Sample& s) {
      if (s.sync && s.pts >= range.first_pts && s.pts < range.end_pts) keys.push_back(i);
      return keys.size() < kTries;
    });
    for (const uint64_t key : keys) {
      const auto kind = seam_kind(video, key);
      if (!kind) return tl::make_unexpected(kind.error());
      if (*kind != Seam::None) return SeamAt{key, *kind};
    }
    return std::nullopt;
  }

  std::shared_ptr<const Movie> movie_;
  ByteReader& reader_;
  const Options& options_;
  Transcoder* transcoder_;
  const Container container_;
  std::unique_ptr<ClipWriter> writer_;
  Report report_;
  std::optional<Clip::Entrance> entrance_;
};

}  // namespace

const char* mode_name(Mode mode) {
  switch (mode) {
    case Mode::Copy:
      return "copy";
    case Mode::Edit:
      return "edit";
    case Mode::Smart:
      return "smart";
    case Mode::Exact:
      return "exact";
    case Mode::Whole:
      return "whole";
    default:
      return "auto";
  }
}

Result<bool> check_request(const Movie& movie, const Request& request) {
  if (const Track* video = movie.video()) {
    const auto range = find_pictures(movie, *video, request);
    if (!range) return tl::make_unexpected(range.error());
    return true;
  }
  for (const Track& track : movie.tracks) {
    if (track.kind != TrackKind::Audio) continue;
    const auto range = find_sound(movie, track, request);
    if (!range) return tl::make_unexpected(range.error());
    return true;
  }
  return fail(Fault::WrongType, "There is neither video nor audio in the source.");
}

Result<Clip> make_clip(std::shared_ptr<const Movie> movie, ByteReader& reader,
                       const Options& options, Transcoder* transcoder) {
  return ClipMaker(std::move(movie), reader, options, transcoder).make();
}

}  // namespace clips::cut
