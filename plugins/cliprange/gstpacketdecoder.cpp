// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstpacketdecoder.hpp"

#include <gst/video/video.h>

#include <numeric>

#include "entrance.hpp"

namespace clips::cut {

namespace {

constexpr GstClockTime kBase = 3600 * GST_SECOND;

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

const Decoder* find_decoder(uint32_t codec) {
  for (const Decoder& decoder : kDecoders)
    if (decoder.codec == codec) return &decoder;
  return nullptr;
}

void set_fraction(GstCaps* caps, const char* field, int64_t numerator, int64_t denominator) {
  if (numerator <= 0 || denominator <= 0) return;
  const int64_t divisor = std::gcd(numerator, denominator);
  numerator /= divisor;
  denominator /= divisor;
  if (numerator > G_MAXINT || denominator > G_MAXINT) return;
  gst_caps_set_simple(caps, field, GST_TYPE_FRACTION, static_cast<int>(numerator),
                      static_cast<int>(denominator), nullptr);
}

// Debian 13; Debian 12 has 1.22.
bool is_gstreamer_126() {
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return major > 1 || minor >= 24;
}

// 1.26 gives the pictures that FFmpeg makes up behind an open key frame to the frame that asked for
// them, and then throws away as ghosts the frames that other threads have not begun.
const char* hevc_decoder() {
  return is_gstreamer_126() ? "avdec_h265 thread-type=slice" : "avdec_h265";
}

}  // namespace

std::string code_name(uint32_t code) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) name += static_cast<char>(code >> shift);
  return name;
}

bool can_decode(uint32_t codec) {
  return is_avc(codec) || is_hevc(codec) || find_decoder(codec);
}

// GStreamer 1.26's avdec_h264 (Debian 13) loses every picture that stands behind a gap in
// frame_num: for the pictures that FFmpeg fills in it gives back the frame of the real one. A key
// frame that is no IDR is such a gap, so decoding starts at the IDR before it. 1.22 (Debian 12)
// decodes from any key frame.
Result<uint64_t> decoding_start(MediaSource& reader, const Track& video, uint64_t key,
                                int64_t from) {
  if (!is_avc(video.codec)) return key;
  const bool only_idr = is_gstreamer_126();
  const uint32_t description = video.samples.at(key).description;
  const auto format = nal_format(video.codec, video.descriptions[description - 1]);
  if (!format) return key;
  for (std::optional<uint64_t> at = key; at;
       at = *at > 0 ? video.samples.sync_at_or_before(*at - 1) : std::nullopt) {
    const Sample sample = video.samples.at(*at);
    if (sample.description != description) break;
    if (only_idr) {
      const auto packet = reader.read(sample.offset, sample.size, 0);
      if (!packet) return tl::make_unexpected(packet.error());
      if (key_kind(*format, *packet) == KeyKind::Closed) return *at;
      continue;
    }
    const auto whole = decodes_from(reader, video, *at, from);
    if (!whole) return tl::make_unexpected(whole.error());
    if (*whole) return *at;
  }
  return fail(Fault::Unsupported,
              only_idr
                  ? "The source has no IDR picture in front of the range, and this version of "
                    "GStreamer decodes H.264 from nothing else. Use mode=copy or mode=edit."
                  : "There is no key frame in front of the range from which all of its pictures "
                    "can be decoded.");
}

GstClockTime PacketClock::to_ns(int64_t pts) const {
  return static_cast<GstClockTime>(
      static_cast<int64_t>(kBase) +
      static_cast<int64_t>(round_div(Wide{pts - zero_} * GST_SECOND, timescale_)));
}

int64_t PacketClock::to_pts(GstClockTime ns) const {
  return zero_ +
         static_cast<int64_t>(round_div((Wide{ns} - Wide{kBase}) * timescale_, Wide{GST_SECOND}));
}

PacketDecoder::PacketDecoder(MediaSource& reader, const Track& video, const Bytes& entry,
                             std::unique_ptr<Chain> chain)
    : reader_(reader),
      video_(video),
      entry_(entry),
      chain_(std::move(chain)),
      clock_(0, video.timescale) {
  chain_->on_caps = [this](GstCaps* caps) {
    if (on_caps) on_caps(caps);
  };
  chain_->on_buffer = [this](GstBuffer* buffer, GstClockTime time) {
    on_picture(buffer, clock_.to_pts(time));
  };
}

Result<std::unique_ptr<PacketDecoder>> PacketDecoder::make(MediaSource& reader, const Track& video,
                                                           uint32_t description) {
  const Bytes& entry = video.descriptions.at(description - 1);
  if (entry.size() < kVisualEntryHeader)
    return fail(Fault::Damaged, "The source's description of the video is cut short.");
  CapsRef caps;
  std::string launch;
  if (is_avc(video.codec) || is_hevc(video.codec)) {
    const auto format = nal_format(video.codec, entry);
    if (!format)
      return fail(Fault::Damaged, "The source's description of the video is unreadable.");
    const bool hevc = format->codec == NalCodec::Hevc;
    launch = hevc ? hevc_decoder() : "avdec_h264";
    caps = CapsRef::adopt(gst_caps_new_simple(hevc ? "video/x-h265" : "video/x-h264",
                                              "stream-format", G_TYPE_STRING, hevc ? "hvc1" : "avc",
                                              "alignment", G_TYPE_STRING, "au", nullptr));
    const auto config =
        BufferRef::adopt(gst_buffer_new_memdup(format->config.data(), format->config.size()));
    gst_caps_set_simple(caps.get(), "codec_data", GST_TYPE_BUFFER, config.get(), nullptr);
  } else if (const Decoder* decoder = find_decoder(video.codec)) {
    launch = decoder->element;
    caps = CapsRef::adopt(gst_caps_from_string(decoder->caps));
  } else {
    return fail(Fault::Unsupported,
                "The codec is unsupported for the mode: " + code_name(video.codec) +
                    " cannot be decoded. Use mode=copy or mode=edit.");
  }
  gst_caps_set_simple(caps.get(), "width", G_TYPE_INT, int{be16(entry.data() + 32)}, "height",
                      G_TYPE_INT, int{be16(entry.data() + 34)}, nullptr);
  // Of the whole track: what is encoded of several parts must get the same parameters.
  const uint64_t count = video.samples.count();
  const int64_t span = video.samples.at(count - 1).dts - video.samples.at(0).dts;
  if (count > 1 && span > 0) {
    gint rate = 0, per = 1;
    gst_video_guess_framerate(
        static_cast<GstClockTime>(round_div(
            Wide{span} * GST_SECOND, Wide{video.timescale} * static_cast<int64_t>(count - 1))),
        &rate, &per);
    gst_caps_set_simple(caps.get(), "framerate", GST_TYPE_FRACTION, rate, per, nullptr);
  }
  auto chain = Chain::make(launch, "Decoding");
  if (!chain) return tl::make_unexpected(chain.error());
  auto made =
      std::unique_ptr<PacketDecoder>(new PacketDecoder(reader, video, entry, std::move(*chain)));
  made->caps_ = std::move(caps);
  if (is_avc(video.codec))
    if (const auto format = nal_format(video.codec, entry))
      made->avc_length_size_ = format->length_size;
  return made;
}

// As qtdemux reads it.
void PacketDecoder::describe() {
  GstCaps* caps = caps_.get();
  const int64_t width = be16(entry_.data() + 32);
  const int64_t height = be16(entry_.data() + 34);
  if (const auto pasp = visual_entry_box(entry_, fourcc("pasp")); pasp && pasp->size() >= 8)
    set_fraction(caps, "pixel-aspect-ratio", be32(pasp->data()), be32(pasp->data() + 4));
  else
    set_fraction(caps, "pixel-aspect-ratio", int64_t{video_.width >> 16} * height,
                 int64_t{video_.height >> 16} * width);
  const auto colr = visual_entry_box(entry_, fourcc("colr"));
  if (!colr || colr->size() < 10) return;
  const uint32_t kind = be32(colr->data());
  if (kind != fourcc("nclx") && kind != fourcc("nclc")) return;
  GstVideoColorimetry colour{};
  colour.primaries = gst_video_color_primaries_from_iso(be16(colr->data() + 4));
  colour.transfer = gst_video_transfer_function_from_iso(be16(colr->data() + 6));
  colour.matrix = gst_video_color_matrix_from_iso(be16(colr->data() + 8));
  const bool full = kind == fourcc("nclx") && colr->size() > 10 && (*colr)[10] >> 7;
  colour.range = full ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235;
  if (const GString_ text(gst_video_colorimetry_to_string(&colour)); text)
    gst_caps_set_simple(caps, "colorimetry", G_TYPE_STRING, text.get(), nullptr);
}

void PacketDecoder::start(const Sample& first) {
  zero_ = first.pts;
  clock_ = PacketClock(zero_, video_.timescale);
  chain_->start(CapsRef::adopt(gst_caps_copy(caps_.get())).get());
}

Result<bool> PacketDecoder::feed(const Sample& sample, uint64_t more, bool wanted) {
  if (sample.pts < zero_) return true;
  auto packet = reader_.read_buffer(sample.offset, sample.size, more);
  if (!packet) return tl::make_unexpected(packet.error());
  if (gst_buffer_get_size(packet->get()) < sample.size)
    return fail(Fault::Truncated, "The source is truncated: it ended inside the range.");
  if (!wanted && avc_length_size_) {
    const BufferMap map(packet->get(), GST_MAP_READ);
    if (map && is_avc_disposable({map.data(), map.size()}, avc_length_size_)) return true;
  }
  GstBuffer* buffer = gst_buffer_make_writable(packet->release());
  GST_BUFFER_PTS(buffer) = clock_.to_ns(sample.pts);
  GST_BUFFER_DTS(buffer) = clock_.to_ns(sample.dts);
  GST_BUFFER_DURATION(buffer) =
      gst_util_uint64_scale(static_cast<guint64>(sample.duration), GST_SECOND, video_.timescale);
  if (!sample.sync) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return chain_->push(buffer);
}

}  // namespace clips::cut
