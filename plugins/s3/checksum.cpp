// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checksum.hpp"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <new>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace clips::s3 {
namespace {

// Eight tables, so that eight bytes go in one step ("slicing-by-8", Kounavis and Berry 2005).
template <typename Word, Word kPolynomial>
constexpr std::array<std::array<Word, 256>, 8> make_tables() {
  std::array<std::array<Word, 256>, 8> tables{};
  for (unsigned byte = 0; byte < 256; byte++) {
    Word crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (unsigned byte = 0; byte < 256; byte++)
    for (unsigned i = 1; i < 8; i++)
      tables[i][byte] = (tables[i - 1][byte] >> 8) ^ tables[0][tables[i - 1][byte] & 0xff];
  return tables;
}

template <typename Word, Word kPolynomial>
Word sliced(Word crc, std::span<const std::byte> data) {
  static constexpr auto tables = make_tables<Word, kPolynomial>();
  crc = ~crc;
  const auto* at = reinterpret_cast<const unsigned char*>(data.data());
  std::size_t left = data.size();
  if constexpr (std::endian::native == std::endian::little) {
    for (; left >= 8; at += 8, left -= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      word ^= crc;
      Word next = 0;
      for (unsigned i = 0; i < 8; i++) next ^= tables[7 - i][(word >> (8 * i)) & 0xff];
      crc = next;
    }
  }
  for (; left > 0; at++, left--) crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse(std::uint32_t crc,
                                                           std::span<const std::byte> data) {
  std::uint64_t state = ~crc;
  const auto* at = reinterpret_cast<const unsigned char*>(data.data());
  std::size_t left = data.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<std::uint32_t>(state);
  for (; left > 0; at++, left--) narrow = _mm_crc32_u8(narrow, *at);
  return ~narrow;
}
#endif

std::string base64(std::span<const unsigned char> bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

template <typename Word>
std::string base64_of(Word value) {
  std::array<unsigned char, sizeof(Word)> bytes{};
  for (std::size_t i = 0; i < bytes.size(); i++)
    bytes[i] = static_cast<unsigned char>(value >> (8 * (bytes.size() - 1 - i)));
  return base64(bytes);
}

struct EvpFree {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> data) {
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
  if (has_sse42) return crc32c_sse(crc, data);
#endif
  return sliced<std::uint32_t, 0x82f63b78u>(crc, data);
}

std::uint64_t crc64nvme(std::uint64_t crc, std::span<const std::byte> data) {
  return sliced<std::uint64_t, 0x9a6c9329ac4bc9b5u>(crc, data);
}

ChecksumNames checksum_names(Checksum kind) {
  switch (kind) {
    case Checksum::crc32c:
      return {"x-amz-checksum-crc32c", "CRC32C", "ChecksumCRC32C"};
    case Checksum::crc64nvme:
      return {"x-amz-checksum-crc64nvme", "CRC64NVME", "ChecksumCRC64NVME"};
    case Checksum::sha256:
      return {"x-amz-checksum-sha256", "SHA256", "ChecksumSHA256"};
    case Checksum::none:
      break;
  }
  return {"", "", ""};
}

std::string checksum_of(Checksum kind, std::span<const std::span<const std::byte>> pieces) {
  switch (kind) {
    case Checksum::crc32c: {
      std::uint32_t crc = 0;
      for (const auto piece : pieces) crc = crc32c(crc, piece);
      return base64_of(crc);
    }
    case Checksum::crc64nvme: {
      std::uint64_t crc = 0;
      for (const auto piece : pieces) crc = crc64nvme(crc, piece);
      return base64_of(crc);
    }
    case Checksum::sha256: {
      const std::unique_ptr<EVP_MD_CTX, EvpFree> context(EVP_MD_CTX_new());
      if (!context || !EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr))
        throw std::bad_alloc();
      for (const auto piece : pieces) EVP_DigestUpdate(context.get(), piece.data(), piece.size());
      std::array<unsigned char, 32> digest{};
      EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
      return base64(digest);
    }
    case Checksum::none:
      break;
  }
  return {};
}

}  // namespace clips::s3
