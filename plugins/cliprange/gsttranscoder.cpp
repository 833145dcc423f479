// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gsttranscoder.hpp"

#include <string_view>

#include "gstpacketdecoder.hpp"

namespace clips::cut {

namespace {

constexpr const char* kTask = "Re-encoding";
constexpr const char* kAvcEncoder = "x264enc";
constexpr const char* kHevcEncoder = "x265enc";

const char* avc_profile(unsigned idc, unsigned constraints) {
  switch (idc) {
    case 66:
      return constraints & 0x40 ? "constrained-baseline" : "baseline";
    case 77:
      return "main";
    case 110:
      return "high-10";
    case 122:
      return "high-4:2:2";
    case 244:
      return "high-4:4:4";
    default:
      return "high";
  }
}

constexpr const char* kCodecs[] = {"video/x-h264", "video/x-h265"};

bool writes(GstElementFactory* factory, const char* codec) {
  const auto caps = CapsRef::adopt(gst_caps_new_empty_simple(codec));
  return gst_element_factory_list_is_type(factory, GST_ELEMENT_FACTORY_TYPE_VIDEO_ENCODER) &&
         gst_element_factory_can_src_any_caps(factory, caps.get());
}

// Most encoders have a rate control of their own; a range of one quantizer leaves it no choice.
void set_quantizer(GstElement* encoder, int quality) {
  GObjectClass* klass = G_OBJECT_GET_CLASS(encoder);
  const std::string value = std::to_string(quality);
  for (const auto& [least, most] : {std::pair{"qp-min", "qp-max"}, std::pair{"min-qp", "max-qp"}}) {
    if (!g_object_class_find_property(klass, least) || !g_object_class_find_property(klass, most))
      continue;
    gst_util_set_object_arg(G_OBJECT(encoder), least, value.c_str());
    gst_util_set_object_arg(G_OBJECT(encoder), most, value.c_str());
  }
}

std::string hexadecimal(const ParameterSets& sets) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto* list : {&sets.vps, &sets.sps, &sets.pps})
    for (const Bytes& unit : *list) {
      if (!text.empty()) text += ' ';
      for (const auto byte : unit) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
      }
    }
  return text;
}

}  // namespace

Result<bool> GstTranscoder::choose_encoder() {
  const bool source_is_hevc = source_ && source_->codec == NalCodec::Hevc;
  encoder_ = wanted_.empty() ? (source_is_hevc ? kHevcEncoder : kAvcEncoder) : wanted_;
  hevc_ = encoder_ == kHevcEncoder;
  if (hevc_ || encoder_ == kAvcEncoder) return true;
  const auto factory = Ref<GstElementFactory>::adopt(gst_element_factory_find(encoder_.c_str()));
  if (!factory)
    return fail(Fault::Missing, "The encoder " + encoder_ +
                                    " is not installed: set another one, or none, as 'encoder'.");
  hevc_ = writes(factory.get(), kCodecs[1]);
  if (!hevc_ && !writes(factory.get(), kCodecs[0]))
    return fail(Fault::Settings,
                encoder_ + " does not encode H.264 or H.265: set another one as 'encoder'.");
  return true;
}

Result<bool> GstTranscoder::prepare(const Movie&, const Track& video, Style style) {
  video_ = &video;
  style_ = style;
  entry_ = video.descriptions[0];
  if (entry_.size() < kVisualEntryHeader)
    return fail(Fault::Damaged, "The source's description of the video is cut short.");
  source_ = nal_format(video.codec, entry_);
  mine_.reset();
  const auto chosen = choose_encoder();
  if (!chosen) return chosen;
  length_size_ = 4;
  if (!style.match_source) return true;
  if (video.descriptions.size() > 1)
    return fail(Fault::Unsupported, "the source has several descriptions of its video");
  if (!source_) return fail(Fault::Unsupported, code_name(video.codec) + " has no smart cut");
  // Its parameter sets must take ids that the source leaves free.
  const char* able = source_->codec == NalCodec::Hevc ? kHevcEncoder : kAvcEncoder;
  if (encoder_ != able)
    return fail(Fault::Unsupported, "a smart cut of " + code_name(video.codec) + " takes " + able +
                                        ", not " + encoder_);
  const auto sets = parameter_sets(*source_);
  if (!sets || sets->sps.empty() || sets->pps.empty())
    return fail(Fault::Unsupported, "the source keeps its parameter sets among the pictures");
  source_sets_ = *sets;
  length_size_ = source_->length_size;
  if (hevc_) {
    const auto ids = free_hevc_ids(*sets);
    if (!ids) return fail(Fault::Unsupported, "the source leaves no parameter set id free");
    hevc_ids_ = *ids;
  } else {
    const auto id = free_avc_id(*sets);
    if (!id) return fail(Fault::Unsupported, "the source leaves no parameter set id free");
    avc_id_ = *id;
  }
  return true;
}

Result<std::unique_ptr<Chain>> GstTranscoder::make_encoder() {
  const std::string q = std::to_string(quality_);
  if (encoder_ != kAvcEncoder && encoder_ != kHevcEncoder) {
    auto chain = Chain::make("videoconvert ! " + encoder_ + " name=e ! " +
                                 (hevc_ ? "h265parse ! capsfilter caps=\"video/x-h265,"
                                          "stream-format=hvc1,alignment=au\""
                                        : "h264parse ! capsfilter caps=\"video/x-h264,"
                                          "stream-format=avc,alignment=au\""),
                             kTask);
    if (chain)
      if (const auto element = (*chain)->element("e")) set_quantizer(element.get(), quality_);
    return chain;
  }
  const bool same = source_ && (source_->codec == NalCodec::Hevc) == hevc_;
  if (hevc_) {
    std::string options =
        "log-level=none:info=0:repeat-headers=1:hrd=0:aud=0:open-gop=0:scenecut=0:wpp=0:";
    options += style_.match_source ? "bframes=0:rc-lookahead=0:keyint=-1" : "keyint=120";
    return Chain::make(
        std::string(same ? "" : "videoconvert ! ") + "x265enc name=e speed-preset=" +
            std::string(style_.match_source ? "ultrafast" : "superfast") + " qp=" + q +
            " tune=4 option-string=\"" + options +
            "\" ! h265parse ! capsfilter caps=\"video/x-h265,stream-format=hvc1,alignment=au\"",
        kTask);
  }
  std::string launch = "x264enc name=e byte-stream=false aud=false pass=quant quantizer=" + q;
  if (style_.match_source)
    launch +=
        " speed-preset=veryfast bframes=0 key-int-max=1000000 rc-lookahead=0 sync-lookahead=0 "
        "option-string=\"scenecut=0:sps-id=" +
        std::to_string(avc_id_) + "\"";
  else
    launch += " speed-preset=faster bframes=3 b-adapt=false key-int-max=120 rc-lookahead=10";
  std::string caps = "capsfilter caps=\"video/x-h264,stream-format=avc,alignment=au";
  if (same) {
    caps += std::string(",profile=") + avc_profile(source_->config[1], source_->config[2]);
    return Chain::make(launch + " ! " + caps + "\"", kTask);
  }
  // Other codecs' pictures become what every player shows.
  return Chain::make("videoconvert ! capsfilter caps=video/x-raw,format=I420 ! " + launch + " ! " +
                         caps + ",profile=high\"",
                     kTask);
}

Result<bool> GstTranscoder::take_config(GstCaps* caps) {
  const GstStructure* s = gst_caps_get_structure(caps, 0);
  const GValue* data = gst_structure_get_value(s, "codec_data");
  if (!data) return true;
  const BufferMap map(gst_value_get_buffer(data), GST_MAP_READ);
  if (!map) return fail(Fault::Codec, "The encoder gave no parameter sets.");
  NalFormat format;
  format.codec = hevc_ ? NalCodec::Hevc : NalCodec::Avc;
  format.length_size = 4;
  format.config.assign(map.data(), map.data() + map.size());
  auto sets = parameter_sets(format);
  if (!sets) return fail(Fault::Codec, "The encoder's parameter sets are unreadable.");
  if (hevc_ && style_.match_source) {
    for (auto* list : {&sets->vps, &sets->sps, &sets->pps})
      for (Bytes& unit : *list) {
        auto renumbered = renumber_hevc(unit, hevc_ids_);
        if (!renumbered) return fail(Fault::Codec, "The encoder's parameter sets have odd ids.");
        unit = std::move(*renumbered);
      }
  }
  // The head and the tail are different runs of the encoder, under the same ids.
  if (mine_ && !(my_sets_ == *sets))
    return fail(Fault::Codec, "The encoder changed its parameters between the ends of the clip.",
                hexadecimal(my_sets_) + " is now " + hexadecimal(*sets));
  my_sets_ = std::move(*sets);
  mine_ = std::move(format);
  return true;
}

Result<bool> GstTranscoder::take_picture(GstBuffer* buffer, int64_t pts,
                                         std::vector<EncodedPicture>& pictures) {
  const BufferMap map(buffer, GST_MAP_READ);
  if (!map) return fail(Fault::Codec, "The encoder's output is unreadable.");
  ByteWriter w;
  std::optional<Error> error;
  each_nal({map.data(), map.size()}, 4, [&](ByteView unit) {
    Bytes renumbered;
    if (hevc_) {
      const unsigned type = (unit[0] >> 1) & 63u;
      if (type >= 32) return true;  // parameter sets, delimiters, the encoder's remarks
      if (style_.match_source) {
        auto again = renumber_hevc(unit, hevc_ids_);
        if (!again) {
          error = Error{Fault::Codec, "The encoder's pictures have odd ids.", {}};
          return false;
        }
        renumbered = std::move(*again);
        unit = renumbered;
      }
    } else {
      const unsigned type = unit[0] & 31u;
      // Parameter sets stand in the sample entry alone: sets among the pictures of one part only
      // make Firefox start anew at the seam. The delimiter and x264's remark serve nobody.
      if (type == 7 || type == 8 || type == 9) return true;
      if (type == 6 && unit.size() > 1 && unit[1] == 5) return true;
    }
    for (unsigned i = length_size_; i-- > 0;) w.u8(static_cast<uint32_t>(unit.size() >> (8 * i)));
    w.raw(unit);
    return true;
  });
  if (error) return tl::make_unexpected(*error);
  if (length_size_ < 4 && w.out.size() >> (8 * length_size_))
    return fail(Fault::Codec,
                "A re-encoded picture is larger than the source's format allows. "
                "Give a larger value of 'quality'.");
  const auto at = store_.append(w.out);
  if (!at) return tl::make_unexpected(at.error());
  pictures.push_back({pts, *at, static_cast<uint32_t>(w.out.size()),
                      !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT)});
  return true;
}

Result<std::vector<EncodedPicture>> GstTranscoder::encode(uint64_t first, uint64_t last,
                                                          int64_t begin, int64_t end) {
  std::vector<EncodedPicture> pictures;
  std::optional<Error> error;
  const auto note = [&](const auto& result) {
    if (!result && !error) error = result.error();
  };
  const auto entrance = decoding_start(reader_, *video_, first, begin);
  if (!entrance) return tl::make_unexpected(entrance.error());
  first = *entrance;
  uint64_t wanted = 0, sent = 0;
  std::optional<uint32_t> description;
  video_->samples.each(first, last + 1, [&](uint64_t, const Sample& s) {
    wanted += s.pts >= begin && s.pts < end;
    if (description && *description != s.description && !error)
      error = Error{Fault::Changed,
                    "The parameters of the video track change inside the range. "
                    "Cut at the change.",
                    {}};
    description = s.description;
    return true;
  });
  if (error) return tl::make_unexpected(*error);
  entry_ = video_->descriptions[*description - 1];
  if (source_) source_ = nal_format(video_->codec, entry_);

  auto encoder = make_encoder();
  if (!encoder) return tl::make_unexpected(encoder.error());
  auto decoder = PacketDecoder::make(reader_, *video_, *description);
  if (!decoder) return tl::make_unexpected(decoder.error());
  const PacketClock clock(video_->samples.at(first).pts, video_->timescale);
  (*encoder)->on_caps = [&](GstCaps* caps) { note(take_config(caps)); };
  (*encoder)->on_buffer = [&](GstBuffer* buffer, GstClockTime time) {
    if (!error) note(take_picture(buffer, clock.to_pts(time), pictures));
  };
  (*decoder)->on_caps = [&](GstCaps* caps) {
    if (sent == 0) {
      // x264enc codes fields only if told so before it starts.
      const gchar* scan =
          gst_structure_get_string(gst_caps_get_structure(caps, 0), "interlace-mode");
      const auto element = (*encoder)->element("e");
      if (scan && g_strcmp0(scan, "progressive") != 0 && element &&
          g_object_class_find_property(G_OBJECT_GET_CLASS(element.get()), "interlaced"))
        g_object_set(element.get(), "interlaced", TRUE, nullptr);
      (*encoder)->start(caps);
    } else if (!error)
      error = Error{Fault::Changed, "The picture's format changes inside the range.", {}};
  };
  (*decoder)->on_picture = [&](GstBuffer* buffer, int64_t pts) {
    if (error || pts < begin || pts >= end) return;
    ++sent;
    note((*encoder)->push(gst_buffer_ref(buffer)));
  };
  (*decoder)->start(video_->samples.at(first));
  const Sample tail = video_->samples.at(last);
  video_->samples.each(first, last + 1, [&](uint64_t, const Sample& s) {
    note((*decoder)->feed(s,
                          tail.offset > s.offset ? tail.offset + tail.size - s.offset - s.size : 0,
                          s.pts >= begin && s.pts < end));
    return !error;
  });
  if (!error) note((*decoder)->finish());
  if (!error && sent > 0) note((*encoder)->finish());
  if (error) return tl::make_unexpected(*error);
  if (pictures.size() != wanted)
    return fail(Fault::Codec,
                "The source is damaged in the range: not every picture could be decoded.",
                std::to_string(pictures.size()) + " of " + std::to_string(wanted) + " pictures");
  return pictures;
}

Result<bool> GstTranscoder::end_sequence(EncodedPicture& last) {
  if (!hevc_) return fail(Fault::Unsupported, "Only H.265 has seams at open key frames.");
  // An end of sequence unit (ITU-T H.265 section 7.4.2.4.4, NAL type 36).
  ByteWriter w;
  for (unsigned i = length_size_; i-- > 0;) w.u8(i ? 0 : 2);
  w.u8(36u << 1);
  w.u8(1);
  const auto at = store_.append(w.out);
  if (!at) return tl::make_unexpected(at.error());
  if (*at != last.offset + last.size)
    return fail(Fault::Codec, "An encoded picture is not where it was put.");
  last.size += static_cast<uint32_t>(w.out.size());
  return true;
}

Result<Bytes> GstTranscoder::description() {
  if (!mine_) return fail(Fault::Codec, "The encoder gave no parameter sets.");
  const uint32_t box = hevc_ ? fourcc("hvcC") : fourcc("avcC");
  if (style_.match_source)
    return visual_entry(entry_, video_->codec, box, with_sets(*source_, my_sets_));
  return visual_entry(entry_, hevc_ ? fourcc("hvc1") : fourcc("avc1"), box, mine_->config);
}

}  // namespace clips::cut
