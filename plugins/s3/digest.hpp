// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "client.hpp"

namespace clips::s3 {

// OpenSSL's: GLib's GChecksum is five times slower, and halves the throughput of an upload.
using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view text);
Sha256 sha256(const Body& body);
std::string sha256_hex(std::string_view text);
std::string sha256_hex(const Body& body);
Sha256 hmac_sha256(std::span<const unsigned char> key, std::string_view text);

// Only for ETags, which are MD5 sums. Hexadecimal.
std::string md5_hex(const Body& body);
// The ETag, without quotes, of an object made of parts with these ETags; empty when those are no
// MD5 sums. Undocumented by Amazon, the same in all stores that show MD5 sums:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
std::string multipart_etag(std::span<const Part> parts);

}  // namespace clips::s3
