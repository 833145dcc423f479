// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clean.hpp"

#include "nal.hpp"
#include "sampleentry.hpp"

namespace clips::cut {

namespace {

// ITU-T H.273
bool is_hdr(unsigned transfer) {
  return transfer == 16 || transfer == 18;
}

std::string why_not_clean_picture(const Track& track) {
  if (track.codec != fourcc("avc1")) return "its picture is not H.264";
  const auto& entry = track.descriptions.front();
  const auto format = nal_format(track.codec, entry);
  const auto sets = format ? parameter_sets(*format) : std::nullopt;
  if (!sets || sets->sps.empty() || sets->pps.empty()) return "its H.264 lacks parameter sets";
  for (const Bytes& sps : sets->sps) {
    const auto is = avc_pictures(sps);
    if (!is) return "its H.264 parameters are not readable";
    if (is->profile != 66 && is->profile != 77 && is->profile != 100)
      return "its H.264 profile is none of Baseline, Main and High";
    if (is->chroma_format != 1 || is->bit_depth != 8) return "its pictures are not 8-bit 4:2:0";
    if (!is->progressive) return "its pictures may be interlaced";
    if (is_hdr(is->picture.colour.transfer)) return "its pictures are HDR";
  }
  // nclx: primaries, transfer, matrix
  if (const auto colour = visual_entry_box(entry, fourcc("colr"));
      colour && colour->size() >= 8 && is_hdr(be16(colour->data() + 6)))
    return "its pictures are HDR";
  return {};
}

// Whether an audio sample entry (version 0) is that of AAC: Low Complexity, with or without SBR
// and PS.
bool is_aac(ByteView entry) {
  if (entry.size() < 18 || be16(entry.data() + 16) != 0) return false;
  const auto box = sound_entry_box(entry, fourcc("esds"));
  const auto is = box ? read_esds(*box) : std::nullopt;
  if (!is || is->object_type != 0x40 || is->specific.size() < 2) return false;
  const unsigned type = is->specific[0] >> 3;
  return type == 2 || type == 5 || type == 29;
}

}  // namespace

std::string why_not_clean(const Movie& movie, bool with_sound) {
  if (movie.container == Container::Mov) return "it is a QuickTime file";
  const Track* picture = nullptr;
  const Track* sound = nullptr;
  for (const Track& track : movie.tracks) {
    if (track.kind == TrackKind::Other) continue;
    if (!track.edit_fault.empty()) return "of an edit list: " + track.edit_fault;
    if (track.descriptions.size() != 1) return "its parameters change on the way";
    if (track.kind == TrackKind::Text) continue;
    if (track.samples.count() == 0) return "a track is empty";
    const Track*& one = track.kind == TrackKind::Video ? picture : sound;
    if (one) return "it has several tracks of a kind";
    one = &track;
  }
  if (!picture) return "it has no picture";
  if (sound && !with_sound) return "it has sound, which is not wanted";
  if (sound && (sound->codec != fourcc("mp4a") || !is_aac(sound->descriptions.front())))
    return "its sound is not AAC";
  return why_not_clean_picture(*picture);
}

}  // namespace clips::cut
