// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "client.hpp"

namespace clips::s3 {

// What an object gets besides its bytes. Empty strings mean "not given".
struct ObjectSettings {
  std::string content_type;
  std::string cache_control;
  std::string content_disposition;
  std::string content_encoding;
  std::string content_language;
  std::string storage_class;
  std::string acl;
  std::string sse;
  std::string sse_kms_key_id;
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::string> tags;
};

// The headers of PutObject and CreateMultipartUpload. Refused, with a clause that names the
// property, is what would not be one header: control characters, odd names of metadata.
tl::expected<Headers, std::string> object_headers(const ObjectSettings& settings);

// By the ending of the key; empty when it is not known.
std::string_view content_type_of_key(std::string_view key);
// By the name of GStreamer caps and their `variant` field; empty when they say nothing.
std::string_view content_type_of_caps(std::string_view name, std::string_view variant);

}  // namespace clips::s3
