// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gsttranscoder.hpp"

#include <gst/video/video.h>

#include <functional>

namespace clips::cut {

namespace {

// Media may start before 0 on its own clock; buffers cannot.
constexpr GstClockTime kBase = 3600 * GST_SECOND;

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

struct Decoder {
  uint32_t codec;
  const char* caps;
  const char* element;
};

// Codecs without units; H.264 and H.265 are made from their configuration.
constexpr Decoder kDecoders[] = {
    {fourcc("vp08"), "video/x-vp8", "vp8dec"},
    {fourcc("vp09"), "video/x-vp9", "vp9dec"},
    {fourcc("av01"), "video/x-av1, stream-format=obu-stream, alignment=tu", "av1parse ! av1dec"},
    {fourcc("jpeg"), "image/jpeg, parsed=true", "avdec_mjpeg"},
    {fourcc("mjpa"), "image/jpeg, parsed=true", "avdec_mjpeg"},
    {fourcc("apco"), "video/x-prores, variant=proxy", "avdec_prores"},
    {fourcc("apcs"), "video/x-prores, variant=lt", "avdec_prores"},
    {fourcc("apcn"), "video/x-prores, variant=standard", "avdec_prores"},
    {fourcc("apch"), "video/x-prores, variant=hq", "avdec_prores"},
    {fourcc("ap4h"), "video/x-prores, variant=4444", "avdec_prores"},
};

std::string code_name(uint32_t code) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) name += static_cast<char>(code >> shift);
  return name;
}

}  // namespace

// A few elements in a row, fed at one end by push() and heard at the other, all in one thread.
class GstTranscoder::Chain {
 public:
  std::function<void(GstCaps*)> on_caps;
  std::function<void(GstBuffer*, GstClockTime)> on_buffer;  // its running time

  static Result<std::unique_ptr<Chain>> make(const std::string& launch) {
    GError* raw = nullptr;
    auto bin = ElementRef::sink(gst_parse_bin_from_description_full(
        launch.c_str(), TRUE, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &raw));
    const ErrorPtr error(raw);
    if (!bin)
      return fail(Fault::Missing,
                  "An element that re-encoding needs is missing. Install the GStreamer plugins "
                  "libav, ugly (x264enc) and bad (x265enc).",
                  error ? error->message : launch);
    auto chain = std::unique_ptr<Chain>(new Chain(bin));
    if (gst_element_set_state(chain->pipeline_.get(), GST_STATE_PLAYING) ==
        GST_STATE_CHANGE_FAILURE)
      return tl::make_unexpected(chain->trouble("could not start"));
    return chain;
  }
  ~Chain() {
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    gst_pad_set_active(in_.get(), FALSE);
    gst_pad_set_active(out_.get(), FALSE);
    gst_pad_unlink(in_.get(), sink_.get());
    gst_pad_unlink(src_.get(), out_.get());
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // x264enc codes fields only if told so before it starts.
  void set_interlaced() {
    const auto encoder = ElementRef::adopt(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "e"));
    if (encoder && g_object_class_find_property(G_OBJECT_GET_CLASS(encoder.get()), "interlaced"))
      g_object_set(encoder.get(), "interlaced", TRUE, nullptr);
  }
  void start(GstCaps* caps) {
    gst_pad_push_event(in_.get(), gst_event_new_stream_start("clip"));
    gst_pad_push_event(in_.get(), gst_event_new_caps(caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(in_.get(), gst_event_new_segment(&segment));
  }
  Result<bool> push(GstBuffer* buffer) {
    const GstFlowReturn flow = gst_pad_push(in_.get(), buffer);
    if (flow != GST_FLOW_OK) return tl::make_unexpected(trouble(gst_flow_get_name(flow)));
    return true;
  }
  Result<bool> finish() {
    gst_pad_push_event(in_.get(), gst_event_new_eos());
    const auto message = MessageRef::adopt(gst_bus_pop_filtered(bus(), GST_MESSAGE_ERROR));
    if (!message) return true;
    gst_bus_post(bus(), gst_message_ref(message.get()));
    return tl::make_unexpected(trouble("at the end"));
  }

 private:
  explicit Chain(ElementRef bin)
      : pipeline_(ElementRef::sink(gst_pipeline_new(nullptr))),
        in_(PadRef::sink(gst_pad_new("in", GST_PAD_SRC))),
        out_(PadRef::sink(gst_pad_new("out", GST_PAD_SINK))) {
    gst_bin_add(GST_BIN(pipeline_.get()), bin.get());
    sink_ = PadRef::adopt(gst_element_get_static_pad(bin.get(), "sink"));
    src_ = PadRef::adopt(gst_element_get_static_pad(bin.get(), "src"));
    gst_pad_set_element_private(out_.get(), this);
    gst_pad_set_chain_function(out_.get(), chain);
    gst_pad_set_event_function(out_.get(), event);
    gst_segment_init(&segment_, GST_FORMAT_TIME);
    gst_pad_link_full(in_.get(), sink_.get(), GST_PAD_LINK_CHECK_NOTHING);
    gst_pad_link_full(src_.get(), out_.get(), GST_PAD_LINK_CHECK_NOTHING);
    gst_pad_set_active(in_.get(), TRUE);
    gst_pad_set_active(out_.get(), TRUE);
  }
  static Chain& self(GstPad* pad) { return *static_cast<Chain*>(gst_pad_get_element_private(pad)); }
  static GstFlowReturn chain(GstPad* pad, GstObject*, GstBuffer* buffer) {
    Chain& c = self(pad);
    const auto owned = BufferRef::adopt(buffer);
    // Encoders may shift times to make room for negative ones, and say so in the segment.
    if (GST_BUFFER_PTS_IS_VALID(buffer))
      c.on_buffer(buffer, GST_BUFFER_PTS(buffer) - c.segment_.start);
    return GST_FLOW_OK;
  }
  static gboolean event(GstPad* pad, GstObject*, GstEvent* event) {
    Chain& c = self(pad);
    const auto owned = EventRef::adopt(event);
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) gst_event_copy_segment(event, &c.segment_);
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS && c.on_caps) {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      c.on_caps(caps);
    }
    return TRUE;
  }
  GstBus* bus() { return GST_ELEMENT_BUS(pipeline_.get()); }
  Error trouble(const char* what) {
    const auto message = MessageRef::adopt(gst_bus_pop_filtered(bus(), GST_MESSAGE_ERROR));
    if (!message)
      return {Fault::Codec, "Re-encoding failed. The source may be damaged in the range.", what};
    GError* raw = nullptr;
    gchar* debug = nullptr;
    gst_message_parse_error(message.get(), &raw, &debug);
    const ErrorPtr error(raw);
    const GString_ details(debug);
    return {Fault::Codec, std::string("Re-encoding failed: ") + error->message,
            details ? details.get() : what};
  }

  ElementRef pipeline_;
  PadRef in_, out_, sink_, src_;
  GstSegment segment_{};
};

Result<bool> GstTranscoder::prepare(const Movie&, const Track& video, Style style) {
  video_ = &video;
  style_ = style;
  entry_ = video.descriptions[0];
  if (entry_.size() < kVisualEntryHeader)
    return fail(Fault::Damaged, "The source's description of the video is cut short.");
  source_ = nal_format(video.codec, entry_);
  mine_.reset();
  hevc_ = source_ && source_->codec == NalCodec::Hevc;
  length_size_ = 4;
  if (!style.match_source) return true;
  if (video.descriptions.size() > 1)
    return fail(Fault::Unsupported, "the source has several descriptions of its video");
  if (!source_) return fail(Fault::Unsupported, code_name(video.codec) + " has no smart cut");
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

Result<std::unique_ptr<GstTranscoder::Chain>> GstTranscoder::make_decoder() {
  if (source_) return Chain::make(hevc_ ? "avdec_h265" : "avdec_h264");
  for (const Decoder& decoder : kDecoders)
    if (decoder.codec == video_->codec) return Chain::make(decoder.element);
  return fail(Fault::Unsupported,
              "The codec is unsupported for the mode: " + code_name(video_->codec) +
                  " cannot be decoded. Use mode=copy or mode=edit.");
}

Result<std::unique_ptr<GstTranscoder::Chain>> GstTranscoder::make_encoder() {
  const std::string q = std::to_string(quality_);
  const std::string threads = "0";
  if (hevc_) {
    std::string options =
        "log-level=none:info=0:repeat-headers=1:hrd=0:aud=0:open-gop=0:scenecut=0:wpp=0:";
    options += style_.match_source ? "bframes=0:rc-lookahead=0:keyint=-1" : "keyint=120";
    return Chain::make(
        "x265enc name=e speed-preset=" +
        std::string(style_.match_source ? "ultrafast" : "superfast") + " qp=" + q +
        " tune=4 option-string=\"" + options +
        "\" ! h265parse ! capsfilter caps=\"video/x-h265,stream-format=hvc1,alignment=au\"");
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
  if (source_) {
    caps += std::string(",profile=") + avc_profile(source_->config[1], source_->config[2]);
    return Chain::make(launch + " ! " + caps + "\"");
  }
  // Other codecs' pictures become what every player shows.
  return Chain::make("videoconvert ! capsfilter caps=video/x-raw,format=I420 ! " + launch + " ! " +
                     caps + ",profile=high\"");
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
    return fail(Fault::Codec, "The encoder changed its parameters between the ends of the clip.");
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

// GStreamer 1.26's avdec_h264 (Debian 13) loses every picture that stands behind a gap in
// frame_num: for the pictures that FFmpeg fills in it gives back the frame of the real one. A key
// frame that is no IDR is such a gap, so decoding starts at the IDR before it. 1.22 (Debian 12)
// decodes from any key frame.
Result<uint64_t> GstTranscoder::decoding_start(uint64_t key) {
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  if (!source_ || source_->codec != NalCodec::Avc || (major == 1 && minor < 24)) return key;
  const uint32_t description = video_->samples.at(key).description;
  for (std::optional<uint64_t> at = key; at;
       at = *at > 0 ? video_->samples.sync_at_or_before(*at - 1) : std::nullopt) {
    const Sample sample = video_->samples.at(*at);
    if (sample.description != description) break;
    const auto packet = reader_.read(sample.offset, sample.size, 0);
    if (!packet) return tl::make_unexpected(packet.error());
    bool idr = false;
    each_nal(*packet, source_->length_size, [&](ByteView unit) {
      idr = !unit.empty() && (unit[0] & 31u) == 5;
      return !idr;
    });
    if (idr) return *at;
  }
  return fail(Fault::Unsupported,
              "The source has no IDR picture in front of the range, and this version of GStreamer "
              "decodes H.264 from nothing else. Use mode=copy or mode=edit.");
}

Result<std::vector<EncodedPicture>> GstTranscoder::encode(uint64_t first, uint64_t last,
                                                          int64_t begin, int64_t end) {
  std::vector<EncodedPicture> pictures;
  std::optional<Error> error;
  const auto note = [&](const auto& result) {
    if (!result && !error) error = result.error();
  };
  const auto entrance = decoding_start(first);
  if (!entrance) return tl::make_unexpected(entrance.error());
  first = *entrance;
  const int64_t zero = video_->samples.at(first).pts;
  const uint32_t scale = video_->timescale;
  const auto to_ns = [&](int64_t pts) {
    return static_cast<GstClockTime>(
        static_cast<int64_t>(kBase) +
        static_cast<int64_t>(round_div(Wide{pts - zero} * GST_SECOND, scale)));
  };
  const auto to_pts = [&](GstClockTime ns) {
    return zero +
           static_cast<int64_t>(round_div((Wide{ns} - Wide{kBase}) * scale, Wide{GST_SECOND}));
  };
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
  if (!source_ && (is_avc(video_->codec) || is_hevc(video_->codec)))
    return fail(Fault::Damaged, "The source's description of the video is unreadable.");

  auto encoder = make_encoder();
  if (!encoder) return tl::make_unexpected(encoder.error());
  auto decoder = make_decoder();
  if (!decoder) return tl::make_unexpected(decoder.error());
  (*encoder)->on_caps = [&](GstCaps* caps) { note(take_config(caps)); };
  (*encoder)->on_buffer = [&](GstBuffer* buffer, GstClockTime time) {
    if (!error) note(take_picture(buffer, to_pts(time), pictures));
  };
  (*decoder)->on_caps = [&](GstCaps* caps) {
    if (sent == 0) {
      const gchar* scan =
          gst_structure_get_string(gst_caps_get_structure(caps, 0), "interlace-mode");
      if (scan && g_strcmp0(scan, "progressive") != 0) (*encoder)->set_interlaced();
      (*encoder)->start(caps);
    } else if (!error)
      error = Error{Fault::Changed, "The picture's format changes inside the range.", {}};
  };
  (*decoder)->on_buffer = [&](GstBuffer* buffer, GstClockTime time) {
    const int64_t pts = to_pts(time);
    if (error || pts < begin || pts >= end) return;
    ++sent;
    note((*encoder)->push(gst_buffer_ref(buffer)));
  };

  CapsRef caps;
  const auto width = static_cast<int>(be16(entry_.data() + 32));
  const auto height = static_cast<int>(be16(entry_.data() + 34));
  if (source_) {
    caps = CapsRef::adopt(
        gst_caps_new_simple(hevc_ ? "video/x-h265" : "video/x-h264", "stream-format", G_TYPE_STRING,
                            hevc_ ? "hvc1" : "avc", "alignment", G_TYPE_STRING, "au", nullptr));
    const auto config =
        BufferRef::adopt(gst_buffer_new_memdup(source_->config.data(), source_->config.size()));
    gst_caps_set_simple(caps.get(), "codec_data", GST_TYPE_BUFFER, config.get(), nullptr);
  } else {
    for (const Decoder& known : kDecoders)
      if (known.codec == video_->codec) caps = CapsRef::adopt(gst_caps_from_string(known.caps));
  }
  gst_caps_set_simple(caps.get(), "width", G_TYPE_INT, width, "height", G_TYPE_INT, height,
                      nullptr);
  // Of the whole track: both ends of a clip must be encoded with the same parameters.
  const uint64_t count = video_->samples.count();
  const int64_t span = video_->samples.at(count - 1).dts - video_->samples.at(0).dts;
  if (count > 1 && span > 0) {
    gint rate = 0, per = 1;
    gst_video_guess_framerate(
        static_cast<GstClockTime>(
            round_div(Wide{span} * GST_SECOND, Wide{scale} * static_cast<int64_t>(count - 1))),
        &rate, &per);
    gst_caps_set_simple(caps.get(), "framerate", GST_TYPE_FRACTION, rate, per, nullptr);
  }
  (*decoder)->start(caps.get());
  const Sample tail = video_->samples.at(last);
  video_->samples.each(first, last + 1, [&](uint64_t, const Sample& s) {
    // Leading pictures of an open GOP refer to what was not decoded.
    if (s.pts < zero) return true;
    auto packet = reader_.read_buffer(
        s.offset, s.size, tail.offset > s.offset ? tail.offset + tail.size - s.offset - s.size : 0);
    if (!packet) {
      note(packet);
      return false;
    }
    if (gst_buffer_get_size(packet->get()) < s.size) {
      error = Error{Fault::Truncated, "The source is truncated: it ended inside the range.", {}};
      return false;
    }
    GstBuffer* buffer = gst_buffer_make_writable(packet->release());
    GST_BUFFER_PTS(buffer) = to_ns(s.pts);
    GST_BUFFER_DTS(buffer) = to_ns(s.dts);
    GST_BUFFER_DURATION(buffer) =
        gst_util_uint64_scale(static_cast<guint64>(s.duration), GST_SECOND, scale);
    if (!s.sync) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    note((*decoder)->push(buffer));
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
