// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "result.hpp"

namespace clips::cut {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

// A 128-bit integer holds every product of a timestamp and two time scales.
__extension__ using Wide = __int128;

inline uint16_t be16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}
inline uint32_t be32(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | p[3];
}
inline uint64_t be64(const uint8_t* p) {
  return static_cast<uint64_t>(be32(p)) << 32 | be32(p + 4);
}

constexpr uint32_t fourcc(const char (&name)[5]) {
  return static_cast<uint32_t>(static_cast<uint8_t>(name[0])) << 24 |
         static_cast<uint32_t>(static_cast<uint8_t>(name[1])) << 16 |
         static_cast<uint32_t>(static_cast<uint8_t>(name[2])) << 8 |
         static_cast<uint32_t>(static_cast<uint8_t>(name[3]));
}

// Division that rounds down, up, or to the nearest whole number, whatever the sign.
inline Wide floor_div(Wide a, Wide b) {
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
inline Wide ceil_div(Wide a, Wide b) {
  return -floor_div(-a, b);
}
inline Wide round_div(Wide a, Wide b) {
  return floor_div(2 * a + b, 2 * b);
}

// Appends big-endian numbers.
class ByteWriter {
 public:
  Bytes out;

  void u8(uint32_t v) { out.push_back(static_cast<uint8_t>(v)); }
  void u16(uint32_t v) {
    u8(v >> 8);
    u8(v);
  }
  void u24(uint32_t v) {
    u8(v >> 16);
    u16(v);
  }
  void u32(uint32_t v) {
    u16(v >> 16);
    u16(v);
  }
  void u64(uint64_t v) {
    u32(static_cast<uint32_t>(v >> 32));
    u32(static_cast<uint32_t>(v));
  }
  void zeros(size_t n) { out.resize(out.size() + n); }
  void raw(ByteView v) { out.insert(out.end(), v.begin(), v.end()); }
  void text(std::string_view v) { out.insert(out.end(), v.begin(), v.end()); }

  // A box around what is written until end() is called with the returned mark.
  [[nodiscard]] size_t box(uint32_t type) {
    const size_t mark = out.size();
    u32(0);
    u32(type);
    return mark;
  }
  [[nodiscard]] size_t full_box(uint32_t type, uint32_t version, uint32_t flags) {
    const size_t mark = box(type);
    u32(version << 24 | flags);
    return mark;
  }
  void end(size_t mark) { put32(mark, static_cast<uint32_t>(out.size() - mark)); }
  void put32(size_t at, uint32_t v) {
    for (int i = 0; i < 4; ++i)
      out[at + static_cast<size_t>(i)] = static_cast<uint8_t>(v >> (24 - 8 * i));
  }
};

// Where the bytes of a source come from: a file, an object, a server.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // Size of the whole source in bytes.
  virtual uint64_t size() const = 0;
  // Exactly `length` bytes at `offset`; fewer only where the source ends. `more` says how many
  // bytes behind them the caller is likely to want next, so that one request can serve them.
  virtual Result<Bytes> read(uint64_t offset, size_t length, uint64_t more = 0) = 0;
};

}  // namespace clips::cut
