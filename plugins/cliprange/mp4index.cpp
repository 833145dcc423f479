// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mp4index.hpp"

#include <functional>
#include <map>
#include <utility>

namespace clips::cut {

namespace {

constexpr size_t kLargestMoov = size_t{512} << 20;
constexpr size_t kLargestMoof = size_t{64} << 20;
// A fragment whose media is read over rather than jumped over, and how far then at once.
constexpr uint64_t kSmallFragment = 256 << 10;
constexpr uint64_t kAhead = 4 << 20;
// No clock of a real file comes near; it keeps every later sum inside 63 bits.
constexpr int64_t kFarthest = int64_t{1} << 56;

tl::unexpected<Error> damaged(std::string what) {
  return fail(Fault::Damaged, "The source is damaged: its index contradicts itself.",
              std::move(what));
}

std::string name_of(uint32_t type) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto c = static_cast<char>(type >> shift);
    name += c >= 32 && c < 127 ? c : '?';
  }
  return name;
}

struct Box {
  uint32_t type;
  ByteView payload;
};

// Calls visit(box) for each box in `view`; visit returns a Result<void>-like that stops on error.
template <typename Visit>
Result<bool> each_box(ByteView view, Visit&& visit) {
  while (view.size() >= 8) {
    uint64_t size = be32(view.data());
    const uint32_t type = be32(view.data() + 4);
    size_t header = 8;
    if (size == 1) {
      if (view.size() < 16) return damaged("a box header is cut short");
      size = be64(view.data() + 8);
      header = 16;
    } else if (size == 0) {
      // In QuickTime a zero ends the list; in ISO it means "to the end".
      if (type == 0) break;
      size = view.size();
    }
    if (size < header || size > view.size())
      return damaged("box '" + name_of(type) + "' does not fit into its parent");
    const Result<bool> go =
        visit(Box{type, view.subspan(header, static_cast<size_t>(size) - header)});
    if (!go) return go;
    view = view.subspan(static_cast<size_t>(size));
  }
  return true;
}

// The entries of a table behind version, flags and (after `before` more bytes) a count.
Result<ByteView> entries(ByteView payload, size_t before, size_t entry, const char* name) {
  if (payload.size() < 8 + before) return damaged(std::string(name) + " is cut short");
  const uint64_t count = be32(payload.data() + 4 + before);
  const ByteView rest = payload.subspan(8 + before);
  if (count * entry > rest.size())
    return damaged(std::string(name) + " has fewer entries than it says");
  return rest.first(static_cast<size_t>(count * entry));
}

struct Edit {
  uint64_t length;  // movie ticks
  int64_t start;    // media ticks, -1: empty
  bool plain;       // rate 1
};

struct TrackBoxes {
  SampleTable::Boxes boxes;
  std::vector<Edit> edits;
  uint64_t count = 0;
  uint64_t media_duration = 0;
  bool has_stts = false, has_stsz = false, has_stsc = false, has_stco = false;
  bool external = false;
  std::vector<uint32_t> chapters;  // ids of the tracks that are this one's chapter titles
};

Result<bool> parse_stbl(ByteView payload, Track& track, TrackBoxes& found) {
  auto& b = found.boxes;
  return each_box(payload, [&](const Box& box) -> Result<bool> {
    const auto take = [&](ByteView& into, size_t before, size_t entry, const char* name,
                          bool* seen) -> Result<bool> {
      const auto table = entries(box.payload, before, entry, name);
      if (!table) return tl::make_unexpected(table.error());
      into = *table;
      if (seen) *seen = true;
      return true;
    };
    switch (box.type) {
      case fourcc("stsd"): {
        if (box.payload.size() < 8) return damaged("stsd is cut short");
        const uint32_t count = be32(box.payload.data() + 4);
        ByteView rest = box.payload.subspan(8);
        for (uint32_t i = 0; i < count && rest.size() >= 16; ++i) {
          const uint32_t size = be32(rest.data());
          if (size < 16 || size > rest.size()) return damaged("a sample description does not fit");
          track.descriptions.emplace_back(rest.begin(), rest.begin() + size);
          rest = rest.subspan(size);
        }
        if (track.descriptions.empty()) return damaged("stsd is empty");
        track.codec = be32(track.descriptions[0].data() + 4);
        return true;
      }
      case fourcc("stts"):
        return take(b.stts, 0, 8, "stts", &found.has_stts);
      case fourcc("ctts"):
        return take(b.ctts, 0, 8, "ctts", nullptr);
      case fourcc("stss"):
        return take(b.stss, 0, 4, "stss", &b.has_sync);
      case fourcc("stsc"):
        return take(b.stsc, 0, 12, "stsc", &found.has_stsc);
      case fourcc("stco"):
        return take(b.stco, 0, 4, "stco", &found.has_stco);
      case fourcc("co64"):
        b.wide_offsets = true;
        return take(b.stco, 0, 8, "co64", &found.has_stco);
      case fourcc("stsz"): {
        if (box.payload.size() < 12) return damaged("stsz is cut short");
        found.has_stsz = true;
        b.constant_size = be32(box.payload.data() + 4);
        found.count = be32(box.payload.data() + 8);
        if (b.constant_size) return true;
        return take(b.stsz, 4, 4, "stsz", nullptr);
      }
      case fourcc("stz2"): {
        if (box.payload.size() < 12) return damaged("stz2 is cut short");
        found.has_stsz = true;
        b.size_bits = box.payload[7];
        found.count = be32(box.payload.data() + 8);
        if (b.size_bits != 4 && b.size_bits != 8 && b.size_bits != 16)
          return damaged("stz2 has an unknown field size");
        if ((found.count * b.size_bits + 7) / 8 > box.payload.size() - 12)
          return damaged("stz2 has fewer entries than it says");
        b.stsz = box.payload.subspan(12);
        return true;
      }
      default:
        return true;
    }
  });
}

Result<bool> parse_minf(ByteView payload, Track& track, TrackBoxes& found) {
  return each_box(payload, [&](const Box& box) -> Result<bool> {
    switch (box.type) {
      case fourcc("stbl"):
        return parse_stbl(box.payload, track, found);
      case fourcc("vmhd"):
      case fourcc("smhd"):
      case fourcc("nmhd"):
      case fourcc("sthd"):
      case fourcc("gmhd"): {
        ByteWriter w;
        const size_t mark = w.box(box.type);
        w.raw(box.payload);
        w.end(mark);
        track.media_header = std::move(w.out);
        return true;
      }
      case fourcc("dinf"):
        return each_box(box.payload, [&](const Box& dref) -> Result<bool> {
          if (dref.type != fourcc("dref") || dref.payload.size() < 8) return true;
          return each_box(dref.payload.subspan(8), [&](const Box& entry) -> Result<bool> {
            // Flag 1: the media is in this file.
            if (entry.payload.size() >= 4 && !(entry.payload[3] & 1)) found.external = true;
            return true;
          });
        });
      default:
        return true;
    }
  });
}

Result<bool> parse_mdia(ByteView payload, Track& track, TrackBoxes& found) {
  return each_box(payload, [&](const Box& box) -> Result<bool> {
    const ByteView p = box.payload;
    switch (box.type) {
      case fourcc("mdhd"): {
        const bool wide = !p.empty() && p[0] == 1;
        if (p.size() < (wide ? 34u : 22u)) return damaged("mdhd is cut short");
        track.timescale = be32(p.data() + (wide ? 20 : 12));
        found.media_duration = wide ? be64(p.data() + 24) : be32(p.data() + 16);
        track.language = be16(p.data() + (wide ? 32 : 20));
        if (track.timescale == 0) return damaged("a track has no time scale");
        return true;
      }
      case fourcc("hdlr"):
        if (p.size() < 12) return damaged("hdlr is cut short");
        track.handler = be32(p.data() + 8);
        if (p.size() > 24) track.handler_name.assign(p.begin() + 24, p.end());
        return true;
      case fourcc("minf"):
        return parse_minf(p, track, found);
      default:
        return true;
    }
  });
}

Result<bool> parse_elst(ByteView p, TrackBoxes& found) {
  if (p.size() < 8) return damaged("elst is cut short");
  const bool wide = p[0] == 1;
  const auto table = entries(p, 0, wide ? 20 : 12, "elst");
  if (!table) return tl::make_unexpected(table.error());
  for (size_t at = 0; at < table->size(); at += wide ? 20 : 12) {
    const uint8_t* e = table->data() + at;
    Edit edit;
    edit.length = wide ? be64(e) : be32(e);
    edit.start = wide ? static_cast<int64_t>(be64(e + 8)) : static_cast<int32_t>(be32(e + 4));
    edit.plain = be32(e + (wide ? 16 : 8)) == 0x10000;
    if (edit.length > static_cast<uint64_t>(kFarthest) || edit.start > kFarthest || edit.start < -1)
      return damaged("an edit lies outside of any media");
    found.edits.push_back(edit);
  }
  return true;
}

// Empty edits, then one piece of media: what every muxer writes. Pieces that join are one.
void apply_edits(const Movie& movie, const std::vector<Edit>& edits, Track& track) {
  bool placed = false;
  Wide length = 0;  // movie ticks
  bool open = false;
  for (const Edit& edit : edits) {
    if (edit.start < 0) {
      if (placed) {
        track.edit_fault = "it has a pause in the middle";
        return;
      }
      track.delay += static_cast<int64_t>(edit.length);
      continue;
    }
    if (!edit.plain) {
      track.edit_fault = "it changes the speed";
      return;
    }
    if (!placed) {
      track.media_start = edit.start;
      placed = true;
    } else {
      const Wide joined =
          track.media_start + round_div(length * track.timescale, Wide{movie.timescale});
      const Wide gap = joined - edit.start;
      if (open || (gap < 0 ? -gap : gap) > ceil_div(Wide{track.timescale}, Wide{movie.timescale})) {
        track.edit_fault = "it plays several pieces of the media";
        return;
      }
    }
    length += edit.length;
    open = edit.length == 0;
  }
  if (!placed || open) return;
  // Rounded up to the movie's tick: a duration of 33 ms means a frame of 33.3 ms.
  track.media_length =
      static_cast<int64_t>(ceil_div(length * track.timescale, Wide{movie.timescale}));
}

TrackKind kind_of(uint32_t handler) {
  switch (handler) {
    case fourcc("vide"):
      return TrackKind::Video;
    case fourcc("soun"):
      return TrackKind::Audio;
    case fourcc("text"):
    case fourcc("sbtl"):
    case fourcc("subt"):
    case fourcc("subp"):
    case fourcc("clcp"):
      return TrackKind::Text;
    default:
      return TrackKind::Other;
  }
}

// Everything that walking the tables relies on.
Result<bool> check_tables(const Track& track, TrackBoxes& found, uint64_t source_size) {
  auto& b = found.boxes;
  const std::string id = "track " + std::to_string(track.id) + ": ";
  if (found.count == 0) return true;
  if (!found.has_stts || !found.has_stsz || !found.has_stsc || !found.has_stco)
    return damaged(id + "a table is missing");
  Wide samples = 0, time = 0;
  for (size_t at = 0; at < b.stts.size(); at += 8) {
    samples += be32(&b.stts[at]);
    time += Wide{be32(&b.stts[at])} * be32(&b.stts[at + 4]);
  }
  if (samples < found.count) return damaged(id + "stts covers fewer samples than there are");
  if (time > kFarthest) return damaged(id + "stts runs out of any clock");
  const uint64_t chunks = b.stco.size() / (b.wide_offsets ? 8 : 4);
  samples = 0;
  uint64_t previous = 0;
  for (size_t at = 0; at < b.stsc.size(); at += 12) {
    const uint64_t first = be32(&b.stsc[at]);
    const uint32_t per_chunk = be32(&b.stsc[at + 4]);
    const uint32_t description = be32(&b.stsc[at + 8]);
    if ((at == 0 ? first != 1 : first <= previous) || per_chunk == 0)
      return damaged(id + "stsc is out of order");
    if (description == 0 || description > track.descriptions.size())
      return damaged(id + "stsc names a sample description that is not there");
    if (first > chunks) {
      // Runs behind the last chunk describe nothing.
      b.stsc = b.stsc.first(at);
      break;
    }
    const bool last = at + 12 >= b.stsc.size() || be32(&b.stsc[at + 12]) > chunks;
    const uint64_t end = last ? chunks + 1 : be32(&b.stsc[at + 12]);
    if (end <= first) return damaged(id + "stsc is out of order");
    samples += Wide{end - first} * per_chunk;
    previous = first;
  }
  if (samples < found.count) return damaged(id + "the chunks hold fewer samples than there are");
  uint32_t number = 0;
  for (size_t at = 0; at < b.stss.size(); at += 4) {
    const uint32_t next = be32(&b.stss[at]);
    if (next <= number) return damaged(id + "stss is out of order");
    number = next;
  }
  if (b.constant_size && Wide{b.constant_size} * found.count > source_size)
    return fail(Fault::Truncated,
                "The source is truncated: its index speaks of more data than there is.",
                id + "constant sample size");
  return true;
}

struct Defaults {  // of a fragmented track (trex)
  uint32_t description = 1, duration = 0, size = 0, flags = 0;
};

}  // namespace

bool looks_like_mp4(ByteView head) {
  if (head.size() < 8) return false;
  switch (be32(head.data() + 4)) {
    case fourcc("ftyp"):
    case fourcc("moov"):
    case fourcc("mdat"):
    case fourcc("wide"):
    case fourcc("free"):
    case fourcc("skip"):
    case fourcc("styp"):
    case fourcc("pnot"):
      return true;
    default:
      return false;
  }
}

namespace {

Result<Movie> parse_moov_with(std::shared_ptr<const Bytes> payload, uint64_t source_size,
                              std::map<uint32_t, Defaults>& trex) {
  Movie movie;
  movie.source_size = source_size;
  movie.storage = payload;
  const ByteView view(*payload);
  bool has_header = false;
  // The movie's time scale is needed by the tracks, and nothing says that mvhd comes first.
  auto done = each_box(view, [&](const Box& box) -> Result<bool> {
    const ByteView p = box.payload;
    if (box.type == fourcc("cmov"))
      return fail(Fault::Unsupported,
                  "The source has a compressed index, which is not supported. Remux it first.");
    if (box.type == fourcc("mvhd")) {
      const bool wide = !p.empty() && p[0] == 1;
      if (p.size() < (wide ? 32u : 20u)) return damaged("mvhd is cut short");
      movie.timescale = be32(p.data() + (wide ? 20 : 12));
      if (movie.timescale == 0) return damaged("the movie has no time scale");
      has_header = true;
    } else if (box.type == fourcc("mvex")) {
      movie.fragmented = true;
      return each_box(p, [&](const Box& inner) -> Result<bool> {
        if (inner.type != fourcc("trex")) return true;
        if (inner.payload.size() < 24) return damaged("trex is cut short");
        const uint8_t* t = inner.payload.data();
        trex[be32(t + 4)] = {be32(t + 8), be32(t + 12), be32(t + 16), be32(t + 20)};
        return true;
      });
    }
    return true;
  });
  if (!done) return tl::make_unexpected(done.error());
  if (!has_header) return damaged("mvhd is missing");

  std::vector<uint32_t> chapters;
  done = each_box(view, [&](const Box& box) -> Result<bool> {
    if (box.type != fourcc("trak")) return true;
    Track track;
    TrackBoxes found;
    const auto parsed = each_box(box.payload, [&](const Box& inner) -> Result<bool> {
      const ByteView p = inner.payload;
      switch (inner.type) {
        case fourcc("tkhd"): {
          const bool wide = !p.empty() && p[0] == 1;
          if (p.size() < (wide ? 96u : 84u)) return damaged("tkhd is cut short");
          const uint8_t* t = p.data() + (wide ? 12 : 0);
          track.flags = be32(p.data()) & 0xffffff;
          track.id = be32(p.data() + (wide ? 20 : 12));
          track.layer = be16(t + 32);
          track.group = be16(t + 34);
          track.volume = be16(t + 36);
          std::copy_n(t + 40, 36, track.matrix.begin());
          track.width = be32(t + 76);
          track.height = be32(t + 80);
          return true;
        }
        case fourcc("edts"):
          return each_box(p, [&](const Box& elst) -> Result<bool> {
            return elst.type == fourcc("elst") ? parse_elst(elst.payload, found) : true;
          });
        case fourcc("tref"):
          return each_box(p, [&](const Box& ref) -> Result<bool> {
            if (ref.type == fourcc("chap"))
              for (size_t at = 0; at + 4 <= ref.payload.size(); at += 4)
                chapters.push_back(be32(ref.payload.data() + at));
            return true;
          });
        case fourcc("mdia"):
          return parse_mdia(p, track, found);
        default:
          return true;
      }
    });
    if (!parsed) return parsed;
    track.kind = kind_of(track.handler);
    if (track.descriptions.empty()) {
      movie.notes.push_back("track " + std::to_string(track.id) + " has no sample description");
      return true;
    }
    if (found.external) {
      movie.notes.push_back("track " + std::to_string(track.id) + " lies in another file");
      return true;
    }
    const auto checked = check_tables(track, found, source_size);
    if (!checked) return checked;
    apply_edits(movie, found.edits, track);
    track.samples = SampleTable(found.boxes, found.count);
    movie.tracks.push_back(std::move(track));
    return true;
  });
  if (!done) return tl::make_unexpected(done.error());
  for (Track& track : movie.tracks)
    if (std::find(chapters.begin(), chapters.end(), track.id) != chapters.end())
      track.kind = TrackKind::Other;
  return movie;
}

// A moof's runs of samples, appended to the lists of their tracks.
struct FragmentReader {
  const std::map<uint32_t, Defaults>& trex;
  std::map<uint32_t, std::vector<Sample>> lists;
  std::map<uint32_t, int64_t> clock;  // where the next fragment starts if none says

  Result<bool> moof(ByteView payload, uint64_t moof_offset) {
    uint64_t next_data = moof_offset;
    return each_box(payload, [&](const Box& box) -> Result<bool> {
      if (box.type != fourcc("traf")) return true;
      return traf(box.payload, moof_offset, next_data);
    });
  }

  Result<bool> traf(ByteView payload, uint64_t moof_offset, uint64_t& next_data) {
    uint32_t id = 0;
    Defaults defaults;
    uint64_t base = moof_offset;
    return each_box(payload, [&](const Box& box) -> Result<bool> {
      const ByteView p = box.payload;
      if (p.size() < 8) return true;
      const uint32_t flags = be32(p.data()) & 0xffffff;
      if (box.type == fourcc("tfhd")) {
        id = be32(p.data() + 4);
        const auto known = trex.find(id);
        if (known != trex.end()) defaults = known->second;
        size_t at = 8;
        const auto need = [&](size_t n) { return at + n <= p.size(); };
        // Without an own base: the moof where it says so, else behind the previous track's data.
        base = flags & 0x20000 ? moof_offset : next_data;
        if (flags & 1) {
          if (!need(8)) return damaged("tfhd is cut short");
          base = be64(p.data() + at);
          at += 8;
        }
        const auto field = [&](uint32_t bit, uint32_t& into) {
          if (!(flags & bit)) return true;
          if (!need(4)) return false;
          into = be32(p.data() + at);
          at += 4;
          return true;
        };
        if (!field(2, defaults.description) || !field(8, defaults.duration) ||
            !field(16, defaults.size) || !field(32, defaults.flags))
          return damaged("tfhd is cut short");
      } else if (box.type == fourcc("tfdt")) {
        const bool wide = p[0] == 1;
        if (p.size() < (wide ? 12u : 8u)) return damaged("tfdt is cut short");
        const uint64_t time = wide ? be64(p.data() + 4) : be32(p.data() + 4);
        if (time > static_cast<uint64_t>(kFarthest)) return damaged("tfdt is out of any clock");
        clock[id] = static_cast<int64_t>(time);
      } else if (box.type == fourcc("trun")) {
        return trun(p, flags, id, defaults, base, next_data);
      }
      return true;
    });
  }

  Result<bool> trun(ByteView p, uint32_t flags, uint32_t id, const Defaults& defaults,
                    uint64_t base, uint64_t& next_data) {
    const uint32_t count = be32(p.data() + 4);
    size_t at = 8;
    uint64_t offset = next_data > base ? next_data : base;
    uint32_t first_flags = defaults.flags;
    if (flags & 1) {
      if (at + 4 > p.size()) return damaged("trun is cut short");
      offset = base + static_cast<uint64_t>(
                          static_cast<int64_t>(static_cast<int32_t>(be32(p.data() + at))));
      at += 4;
    }
    if (flags & 4) {
      if (at + 4 > p.size()) return damaged("trun is cut short");
      first_flags = be32(p.data() + at);
      at += 4;
    }
    size_t entry = 0;
    for (const uint32_t bit : {0x100u, 0x200u, 0x400u, 0x800u}) entry += flags & bit ? 4 : 0;
    if (uint64_t{count} * entry > p.size() - at || (entry == 0 && count > 1'000'000))
      return damaged("trun has fewer entries than it says");
    auto& list = lists[id];
    int64_t dts = clock[id];
    for (uint32_t i = 0; i < count; ++i) {
      Sample s;
      uint32_t duration = defaults.duration, size = defaults.size;
      uint32_t sample_flags = i == 0 && (flags & 4) ? first_flags : defaults.flags;
      int32_t shift = 0;
      const auto field = [&](uint32_t bit, auto& into) {
        if (!(flags & bit)) return;
        into = static_cast<std::remove_reference_t<decltype(into)>>(be32(p.data() + at));
        at += 4;
      };
      field(0x100, duration);
      field(0x200, size);
      field(0x400, sample_flags);
      field(0x800, shift);
      s.offset = offset;
      s.size = size;
      s.dts = dts;
      s.pts = dts + shift;
      s.duration = duration;
      s.description = defaults.description;
      s.sync = !(sample_flags & 0x10000);
      list.push_back(s);
      offset += size;
      dts += duration;
      if (dts > kFarthest) return damaged("trun runs out of any clock");
    }
    clock[id] = dts;
    next_data = offset;
    return true;
  }
};

}  // namespace

Result<Movie> parse_moov(std::shared_ptr<const Bytes> payload, uint64_t source_size) {
  std::map<uint32_t, Defaults> trex;
  return parse_moov_with(std::move(payload), source_size, trex);
}

Result<Movie> read_mp4(ByteReader& reader) {
  const uint64_t size = reader.size();
  std::shared_ptr<Bytes> moov;
  std::map<uint32_t, Defaults> trex;
  Movie movie;
  bool have_movie = false;
  bool quicktime = true;  // files from before ftyp
  std::optional<FragmentReader> fragments;
  uint64_t at = 0;
  bool cut_short = false;
  bool after_media = false, many_small = false;
  while (at + 8 <= size) {
    // Behind media without an index before it, the rest of the source is the index. Small
    // fragments are passed over faster than a server answers.
    const uint64_t more = after_media && !have_movie ? size - at : many_small ? kAhead : 4096;
    auto head = reader.read(at, static_cast<size_t>(std::min<uint64_t>(16, size - at)), more);
    if (!head) return tl::make_unexpected(head.error());
    uint64_t length = be32(head->data());
    const uint32_t type = be32(head->data() + 4);
    uint64_t header = 8;
    if (length == 1 && head->size() >= 16) {
      length = be64(head->data() + 8);
      header = 16;
    } else if (length == 0) {
      length = size - at;
    }
    if (length < header) {
      if (have_movie) break;  // trash behind the movie
      return damaged("a box at the top is shorter than its header");
    }
    cut_short = length > size - at;
    after_media |= type == fourcc("mdat");
    if (type == fourcc("mdat")) many_small = have_movie && length <= kSmallFragment;
    const bool wanted = type == fourcc("moov") || type == fourcc("moof") || type == fourcc("ftyp");
    if (wanted && cut_short)
      return fail(Fault::Truncated, "The source is truncated: it ends inside its index.",
                  "box '" + name_of(type) + "' at " + std::to_string(at));
    if (wanted && length - header > (type == fourcc("moov") ? kLargestMoov : kLargestMoof))
      return damaged("the index is larger than any real one");
    if (wanted) {
      auto payload = reader.read(at + header, static_cast<size_t>(length - header));
      if (!payload) return tl::make_unexpected(payload.error());
      if (payload->size() != length - header)
        return fail(Fault::Truncated, "The source is truncated: it ends inside its index.");
      if (type == fourcc("ftyp")) {
        quicktime = payload->size() >= 4 && be32(payload->data()) == fourcc("qt  ");
      } else if (type == fourcc("moov") && !have_movie) {
        moov = std::make_shared<Bytes>(std::move(*payload));
        auto parsed = parse_moov_with(moov, size, trex);
        if (!parsed) return parsed;
        movie = std::move(*parsed);
        movie.container = quicktime ? Container::Mov : Container::Mp4;
        have_movie = true;
        if (!movie.fragmented) return movie;
        fragments.emplace(FragmentReader{trex, {}, {}});
      } else if (type == fourcc("moof") && fragments) {
        const auto read = fragments->moof(*payload, at);
        if (!read) return tl::make_unexpected(read.error());
      }
    }
    if (cut_short) break;
    at += length;
  }
  if (!have_movie) {
    if (cut_short)
      return fail(Fault::Truncated,
                  "The source is truncated: it ends before its index, which cannot be rebuilt.");
    return fail(Fault::WrongType, "The source has no index: there is no movie in it.");
  }
  for (Track& track : movie.tracks) {
    auto& list = fragments->lists[track.id];
    if (list.empty()) continue;
    if (track.samples.count() > 0) {
      // A movie that goes on in fragments.
      std::vector<Sample> all;
      track.samples.each(0, track.samples.count(), [&](uint64_t, const Sample& s) {
        all.push_back(s);
        return true;
      });
      all.insert(all.end(), list.begin(), list.end());
      list = std::move(all);
    }
    for (const Sample& s : list)
      if (s.description == 0 || s.description > track.descriptions.size())
        return damaged("a fragment names a sample description that is not there");
    const bool all_sync =
        std::all_of(list.begin(), list.end(), [](const Sample& s) { return s.sync; });
    // A fragment may say less than it has: the next fragment's clock is the truth.
    for (size_t i = 0; i + 1 < list.size(); ++i)
      list[i].duration = std::max<int64_t>(0, list[i + 1].dts - list[i].dts);
    track.samples = SampleTable(std::move(list));
    track.samples.set_all_sync(all_sync);
  }
  return movie;
}

}  // namespace clips::cut
