// SPDX-License-Identifier: LGPL-2.1-or-later
#include "digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>
#include <memory>
#include <new>

#include "text.hpp"

namespace clips::s3 {

namespace {

struct ContextFree {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

class Hash {
 public:
  explicit Hash(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) throw std::bad_alloc();
  }
  void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  void add(const Body& body) {
    for (const auto& piece : body.pieces) add(piece.data(), piece.size());
  }
  void finish(unsigned char* out) { EVP_DigestFinal_ex(context_.get(), out, nullptr); }

 private:
  std::unique_ptr<EVP_MD_CTX, ContextFree> context_;
};

std::string_view unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return etag;
}

}  // namespace

Sha256 sha256(std::string_view text) {
  Hash hash(EVP_sha256());
  hash.add(text.data(), text.size());
  Sha256 result;
  hash.finish(result.data());
  return result;
}

Sha256 sha256(const Body& body) {
  Hash hash(EVP_sha256());
  hash.add(body);
  Sha256 result;
  hash.finish(result.data());
  return result;
}

std::string sha256_hex(std::string_view text) {
  return to_hex(sha256(text));
}
std::string sha256_hex(const Body& body) {
  return to_hex(sha256(body));
}

Sha256 hmac_sha256(std::span<const unsigned char> key, std::string_view text) {
  Sha256 result;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char*>(text.data()), text.size(), result.data(),
            nullptr)) {
    throw std::bad_alloc();
  }
  return result;
}

std::string md5_hex(const Body& body) {
  Hash hash(EVP_md5());
  hash.add(body);
  std::array<unsigned char, 16> result;
  hash.finish(result.data());
  return to_hex(result);
}

std::string multipart_etag(std::span<const Part> parts) {
  Hash hash(EVP_md5());
  for (const Part& part : parts) {
    const std::string_view hex = unquoted(part.etag);
    if (hex.size() != 32) return {};
    std::array<unsigned char, 16> sum;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const char* digits = hex.data() + 2 * i;
      const auto [end, error] = std::from_chars(digits, digits + 2, sum[i], 16);
      if (error != std::errc() || end != digits + 2) return {};
    }
    hash.add(sum.data(), sum.size());
  }
  std::array<unsigned char, 16> result;
  hash.finish(result.data());
  return to_hex(result) + "-" + std::to_string(parts.size());
}

}  // namespace clips::s3
