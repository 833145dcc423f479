// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "sampleentry.hpp"

namespace clips::cut {

// H.264 (ITU-T H.264, ISO/IEC 14496-15 section 5) and H.265 (ITU-T H.265, 14496-15 section 8) as
// they lie in MP4: units with a length in front.
enum class NalCodec { Avc, Hevc };

struct NalFormat {
  NalCodec codec = NalCodec::Avc;
  unsigned length_size = 4;
  Bytes config;  // avcC or hvcC, without the box header
};

bool is_avc(uint32_t code);
bool is_hevc(uint32_t code);

// What a sample entry says; nothing for other codecs or a broken entry.
std::optional<NalFormat> nal_format(uint32_t code, ByteView sample_entry);

// Where the boxes behind the fixed fields of a visual sample entry begin.
constexpr size_t kVisualEntryHeader = 86;
// The payload of the box `type` in a visual sample entry.
std::optional<ByteView> visual_entry_box(ByteView sample_entry, uint32_t type);

// Calls visit(unit) for each whole unit of a packet; it returns false to stop. A unit that is cut
// short is given as far as it goes.
template <typename Visit>
void each_nal(ByteView packet, unsigned length_size, Visit&& visit) {
  while (packet.size() > length_size) {
    uint64_t length = 0;
    for (unsigned i = 0; i < length_size; ++i) length = length << 8 | packet[i];
    packet = packet.subspan(length_size);
    const auto there = static_cast<size_t>(std::min<uint64_t>(length, packet.size()));
    if (there && !visit(packet.first(there))) return;
    packet = packet.subspan(there);
  }
}

// What kind of random access a packet gives.
enum class KeyKind {
  None,
  Closed,  // IDR, or BLA: nothing behind it refers across it
  Open,    // H.264 recovery point or H.265 CRA: pictures shown before it may
};
KeyKind key_kind(const NalFormat& format, ByteView packet);

// The parameter sets of an avcC or hvcC, as whole units.
struct ParameterSets {
  std::vector<Bytes> vps, sps, pps;  // no vps in H.264
  bool operator==(const ParameterSets&) const = default;
};
std::optional<ParameterSets> parameter_sets(const NalFormat& format);

// What a sequence parameter set says of its pictures. H.265: up to the bit depth, and the size.
struct SequencePictures {
  unsigned profile = 0;
  unsigned chroma_format = 1;  // 1: 4:2:0
  unsigned bit_depth = 8;      // the larger of brightness and colour
  unsigned luma_depth = 8, chroma_depth = 8;
  bool progressive = true;
  Picture picture;  // as shown, without what is cropped
  // H.264: how slices say when a picture is shown.
  bool separate_planes = false;
  unsigned frame_number_bits = 4;
  unsigned order_type = 0;
  unsigned order_bits = 4;
};
std::optional<SequencePictures> avc_pictures(ByteView sps);
std::optional<SequencePictures> hevc_pictures(ByteView sps);

// An avcC or hvcC of parameter sets, with lengths of four bytes; nothing if they are unreadable.
std::optional<Bytes> make_config(NalCodec codec, const ParameterSets& sets);
// The id of a parameter set of any kind.
unsigned set_id(NalCodec codec, ByteView unit);

// Calls visit(unit) for each unit behind a start code (annex B of both standards).
template <typename Visit>
void each_annex_b(ByteView stream, Visit&& visit) {
  size_t begin = stream.size();
  size_t at = 0;
  const auto close = [&](size_t end) {
    while (end > begin && stream[end - 1] == 0) --end;
    if (end > begin) visit(stream.subspan(begin, end - begin));
  };
  while (at + 3 <= stream.size()) {
    if (stream[at + 2] > 1) {
      at += 3;
    } else if (stream[at] == 0 && stream[at + 1] == 0 && stream[at + 2] == 1) {
      if (begin < at) close(at);
      begin = at + 3;
      at += 3;
    } else {
      ++at;
    }
  }
  if (begin < stream.size()) close(stream.size());
}
// Units of a stream that MP4 keeps elsewhere or not at all: delimiters, filler, parameter sets.
bool only_in_streams(NalCodec codec, ByteView unit);
bool is_parameter_set(NalCodec codec, ByteView unit);
// An access unit of a stream as MP4 has it: lengths of four bytes for start codes, nothing that
// only streams need. Gives its size; `into` may be null.
uint32_t to_lengths(NalCodec codec, ByteView stream, Bytes* into);

// After how many frame numbers the pictures of a decoder that begins here are right, as
// supplemental information of H.264 says; nothing if it says none of that. 0: at once.
std::optional<unsigned> avc_recovery(ByteView sei);
// The same of a packet, up to its first slice. What says nothing is right at once.
unsigned avc_recovery(const NalFormat& format, ByteView packet);

// Whether no picture of H.264 refers to this one.
bool is_avc_disposable(ByteView packet, unsigned length_size);

// The low bits of a picture's order count, from the head of one of its H.264 slices; nothing if it
// cannot be read.
std::optional<unsigned> avc_order_bits(const SequencePictures& sequence, ByteView slice);

// A number that no set of H.264 parameters uses as its id, below 32: sequence and picture
// parameter sets of an encoder can both be given it. Nothing if all are taken.
std::optional<unsigned> free_avc_id(const ParameterSets& sets);

// An avcC or hvcC with the sets of `extra` behind its own.
Bytes with_sets(const NalFormat& format, const ParameterSets& extra);

// The ids that an H.265 encoder's sets get, so that they can stand beside the source's. Encoders
// number theirs 0. A picture parameter set id of 15 to 30 takes 9 bits where 0 takes 1: put into a
// slice header, everything behind it moves by exactly one byte and stays as it is.
struct HevcIds {
  unsigned vps = 0, sps = 15, pps = 15;
};
std::optional<HevcIds> free_hevc_ids(const ParameterSets& sets);
// Renumbers a unit whose ids are all 0: a parameter set or a slice; others stay. Nothing if the
// unit is not of that form.
std::optional<Bytes> renumber_hevc(ByteView unit, const HevcIds& ids);

// A visual sample entry of type `code` with the picture's description of `entry` (size, pixel
// aspect, colour) and the given configuration box instead of its own.
Bytes visual_entry(ByteView entry, uint32_t code, uint32_t box, ByteView config);

}  // namespace clips::cut
