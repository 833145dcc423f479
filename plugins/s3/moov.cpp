// SPDX-License-Identifier: LGPL-2.1-or-later
#include "moov.hpp"

#include <algorithm>
#include <limits>

namespace clips::s3 {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();

std::uint64_t read_number(Bytes bytes, std::uint64_t offset, int size) {
  std::uint64_t value = 0;
  for (int i = 0; i < size; i++)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[offset + static_cast<unsigned>(i)]);
  return value;
}

void append_number(std::vector<std::byte>& out, std::uint64_t value, int size) {
  for (int i = size - 1; i >= 0; i--) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void append(std::vector<std::byte>& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// A `stco` or `co64` box.
struct Table {
  Box box;
  std::uint64_t count = 0;
  std::uint64_t highest = 0;
  int entry_size = 4;
  bool promote = false;
};

// What is read before anything is written: the tables in the order in which they stand.
class Movie {
 public:
  Movie(Bytes bytes, std::uint64_t media_begin, std::uint64_t media_end)
      : bytes_(bytes), media_begin_(media_begin), media_end_(media_end) {}

  tl::expected<std::vector<std::byte>, std::string> relocate() {
    const auto moov = read_box(bytes_, 0);
    if (!moov || moov->type != box_type("moov")) return fail("there is no moov box");
    for (std::uint64_t at = 0; at < bytes_.size();) {
      const auto box = whole_box(at, bytes_.size());
      if (!box) return fail("the boxes at the end are not whole");
      if (at > 0 && (box->type == box_type("moov") || box->type == box_type("mdat") ||
                     box->type == box_type("moof") || box->type == box_type("mfra") ||
                     box->type == box_type("meta")))
        return fail("media or an index follows the moov box");
      at += box->size;
    }
    if (!scan(*moov, box_type("moov"))) return fail(error_);

    // Promotion lengthens the boxes, which moves the media on, which may call for promotion: each
    // round promotes at least one table more, so this ends.
    std::uint64_t shift = bytes_.size();
    for (bool changed = true; changed;) {
      changed = false;
      for (Table& table : tables_) {
        if (table.entry_size == 8 || table.promote || table.highest + shift <= kMax32) continue;
        table.promote = changed = true;
        shift += 4 * table.count;
      }
    }

    std::vector<std::byte> out;
    out.reserve(shift);
    shift_ = shift;
    if (!write(out, *moov)) return fail(error_);
    append(out, bytes_.subspan(moov->size));
    if (out.size() != shift) return fail("the boxes do not add up");
    return out;
  }

 private:
  static tl::unexpected<std::string> fail(std::string text) {
    return tl::unexpected(std::move(text));
  }
  bool refuse(std::string text) {
    error_ = std::move(text);
    return false;
  }

  std::optional<Box> whole_box(std::uint64_t at, std::uint64_t end) const {
    const auto box = read_box(bytes_.first(end), at);
    if (!box || box->size == 0 || box->size > end - at) return std::nullopt;
    return box;
  }

  // The boxes on the way to the chunk offsets.
  static bool is_path(std::uint32_t parent, std::uint32_t type) {
    return (parent == box_type("moov") && type == box_type("trak")) ||
           (parent == box_type("trak") && type == box_type("mdia")) ||
           (parent == box_type("mdia") && type == box_type("minf")) ||
           (parent == box_type("minf") && type == box_type("stbl"));
  }

  bool scan(const Box& container, std::uint32_t type) {
    const std::uint64_t end = container.offset + container.size;
    for (std::uint64_t at = container.offset + container.header_size; at < end;) {
      const auto box = whole_box(at, end);
      if (!box) return refuse("a box inside of moov is not whole");
      if (is_path(type, box->type)) {
        if (!scan(*box, box->type)) return false;
      } else if (type == box_type("stbl") &&
                 (box->type == box_type("stco") || box->type == box_type("co64"))) {
        if (!scan_table(*box)) return false;
      } else if (box->type == box_type("saio") || box->type == box_type("cmov") ||
                 box->type == box_type("mvex")) {
        return refuse("the movie is encrypted, compressed or fragmented");
      } else if (box->type == box_type("meta") || box->type == box_type("udta")) {
        if (has_item_locations(*box)) return refuse("the metadata points to places in the file");
      }
      at += box->size;
    }
    return true;
  }

  bool scan_table(const Box& box) {
    Table table{box, 0, 0, box.type == box_type("stco") ? 4 : 8, false};
    const std::uint64_t content = box.size - box.header_size;
    if (content < 8) return refuse("a chunk offset table is too short");
    const std::uint64_t first = box.offset + box.header_size + 8;
    table.count = read_number(bytes_, first - 4, 4);
    if (content - 8 != table.count * static_cast<unsigned>(table.entry_size))
      return refuse("a chunk offset table has another length than it says");
    for (std::uint64_t i = 0; i < table.count; i++) {
      const std::uint64_t value = read_number(
          bytes_, first + i * static_cast<unsigned>(table.entry_size), table.entry_size);
      if (value < media_begin_ || value >= media_end_)
        return refuse("a chunk lies outside of the media");
      table.highest = std::max(table.highest, value);
    }
    tables_.push_back(table);
    return true;
  }

  // Metadata that keeps items elsewhere in the file has an `iloc` box. It is a child of `meta`,
  // which comes with and without the four bytes of a full box: looking for the name errs on the
  // safe side.
  bool has_item_locations(const Box& box) const {
    static constexpr std::byte name[] = {std::byte{'i'}, std::byte{'l'}, std::byte{'o'},
                                         std::byte{'c'}};
    const Bytes content = bytes_.subspan(box.offset, box.size);
    return std::search(content.begin(), content.end(), std::begin(name), std::end(name)) !=
           content.end();
  }

  bool write(std::vector<std::byte>& out, const Box& container) {
    const std::size_t start = out.size();
    append(out, bytes_.subspan(container.offset, container.header_size));
    const std::uint64_t end = container.offset + container.size;
    for (std::uint64_t at = container.offset + container.header_size; at < end;) {
      const auto box = *whole_box(at, end);
      if (is_path(container.type, box.type)) {
        if (!write(out, box)) return false;
      } else if (next_table_ < tables_.size() && tables_[next_table_].box.offset == at) {
        if (!write_table(out, tables_[next_table_++])) return false;
      } else {
        append(out, bytes_.subspan(at, box.size));
      }
      at += box.size;
    }
    return patch_size(out, start, container.header_size);
  }

  bool write_table(std::vector<std::byte>& out, const Table& table) {
    const std::size_t start = out.size();
    const int size = table.promote ? 8 : table.entry_size;
    append(out, bytes_.subspan(table.box.offset, table.box.header_size + 8));
    if (table.promote)
      for (int i = 0; i < 4; i++) out[start + 4 + static_cast<unsigned>(i)] = std::byte("co64"[i]);
    const std::uint64_t first = table.box.offset + table.box.header_size + 8;
    for (std::uint64_t i = 0; i < table.count; i++) {
      const std::uint64_t value = read_number(
          bytes_, first + i * static_cast<unsigned>(table.entry_size), table.entry_size);
      append_number(out, value + shift_, size);
    }
    return patch_size(out, start, table.box.header_size);
  }

  bool patch_size(std::vector<std::byte>& out, std::size_t start, std::uint64_t header_size) {
    const std::uint64_t size = out.size() - start;
    const bool wide = header_size == 16;
    if (!wide && size > kMax32) return refuse("a box grows past 4 GiB");
    const std::size_t at = start + (wide ? 8 : 0);
    const int width = wide ? 8 : 4;
    for (int i = 0; i < width; i++)
      out[at + static_cast<unsigned>(i)] = static_cast<std::byte>(size >> (8 * (width - 1 - i)));
    return true;
  }

  Bytes bytes_;
  std::uint64_t media_begin_;
  std::uint64_t media_end_;
  std::vector<Table> tables_;
  std::size_t next_table_ = 0;
  std::uint64_t shift_ = 0;
  std::string error_;
};

}  // namespace

std::optional<Box> read_box(Bytes bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < 8) return std::nullopt;
  Box box;
  box.offset = offset;
  box.size = read_number(bytes, offset, 4);
  box.type = static_cast<std::uint32_t>(read_number(bytes, offset + 4, 4));
  box.header_size = 8;
  if (box.size == 1) {
    if (bytes.size() - offset < 16) return std::nullopt;
    box.size = read_number(bytes, offset + 8, 8);
    box.header_size = 16;
    // Zero is what a muxer may have written in advance.
    if (box.size == 0) return box;
  }
  if (box.size == 0) return box;
  if (box.size < box.header_size || box.size > std::numeric_limits<std::uint64_t>::max() - offset)
    return std::nullopt;
  return box;
}

std::optional<MediaStart> find_media(Bytes head) {
  MediaStart start;
  for (std::uint64_t at = 0; at < head.size();) {
    const auto box = read_box(head, at);
    if (!box) return std::nullopt;
    if (at == 0) {
      if (box->type != box_type("ftyp") || box->size == 0) return std::nullopt;
      start.insert_at = box->size;
    }
    if (box->type == box_type("mdat")) {
      start.mdat = *box;
      return start;
    }
    if (box->type == box_type("moov") || box->type == box_type("moof") || box->size == 0)
      return std::nullopt;
    at += box->size;
  }
  return std::nullopt;
}

tl::expected<std::vector<std::byte>, std::string> relocate_moov(Bytes boxes,
                                                                std::uint64_t media_begin,
                                                                std::uint64_t media_end) {
  return Movie(boxes, media_begin, media_end).relocate();
}

}  // namespace clips::s3
