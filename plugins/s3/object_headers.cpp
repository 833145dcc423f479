// SPDX-License-Identifier: LGPL-2.1-or-later
#include "object_headers.hpp"

#include <algorithm>
#include <utility>

namespace clips::s3 {
namespace {

using Row = std::pair<std::string_view, std::string_view>;

constexpr Row kByExtension[] = {
    {"aac", "audio/aac"},
    {"avi", "video/x-msvideo"},
    {"csv", "text/csv"},
    {"edl", "text/plain"},
    {"flac", "audio/flac"},
    {"flv", "video/x-flv"},
    {"gif", "image/gif"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4s", "video/mp4"},
    {"m4v", "video/mp4"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"mxf", "application/mxf"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otio", "application/json"},
    {"png", "image/png"},
    {"srt", "application/x-subrip"},
    {"ts", "video/mp2t"},
    {"txt", "text/plain"},
    {"vtt", "text/vtt"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"xml", "application/xml"},
};

constexpr Row kByCaps[] = {
    {"application/ogg", "application/ogg"},
    {"application/x-hls", "application/vnd.apple.mpegurl"},
    {"application/mxf", "application/mxf"},
    {"audio/mpeg", "audio/mpeg"},
    {"audio/ogg", "audio/ogg"},
    {"audio/webm", "audio/webm"},
    {"audio/x-flac", "audio/flac"},
    {"audio/x-m4a", "audio/mp4"},
    {"audio/x-matroska", "audio/x-matroska"},
    {"audio/x-wav", "audio/wav"},
    {"image/gif", "image/gif"},
    {"image/jpeg", "image/jpeg"},
    {"image/png", "image/png"},
    {"image/webp", "image/webp"},
    {"text/x-raw", "text/plain"},
    {"video/mpegts", "video/mp2t"},
    {"video/ogg", "video/ogg"},
    {"video/webm", "video/webm"},
    {"video/x-flv", "video/x-flv"},
    {"video/x-matroska", "video/x-matroska"},
    {"video/x-msvideo", "video/x-msvideo"},
};

template <std::size_t kRows>
std::string_view look_up(const Row (&rows)[kRows], std::string_view name) {
  const auto* row =
      std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.first == name; });
  return row == std::end(rows) ? std::string_view() : row->second;
}

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace

tl::expected<Headers, std::string> object_headers(const ObjectSettings& settings) {
  Headers headers;
  std::string wrong;
  const auto add = [&](const char* header, const char* property, const std::string& value) {
    if (value.empty()) return;
    if (!is_one_line(value)) wrong = std::string(property) + " has control characters in it";
    headers.push_back({header, value});
  };
  add("Content-Type", "content-type", settings.content_type);
  add("Cache-Control", "cache-control", settings.cache_control);
  add("Content-Disposition", "content-disposition", settings.content_disposition);
  add("Content-Encoding", "content-encoding", settings.content_encoding);
  add("Content-Language", "content-language", settings.content_language);
  add("x-amz-storage-class", "storage-class", settings.storage_class);
  add("x-amz-acl", "acl", settings.acl);
  add("x-amz-server-side-encryption", "sse", settings.sse);
  add("x-amz-server-side-encryption-aws-kms-key-id", "sse-kms-key-id", settings.sse_kms_key_id);
  for (const auto& [name, value] : settings.metadata) {
    if (!is_name(name)) wrong = "metadata has a name that a header cannot have";
    add(("x-amz-meta-" + name).c_str(), "metadata", value);
  }
  std::string tags;
  for (const auto& [name, value] : settings.tags) {
    if (!tags.empty()) tags += '&';
    tags += percent_encode(name, false) + "=" + percent_encode(value, false);
  }
  add("x-amz-tagging", "tagging", tags);
  if (!wrong.empty()) return tl::unexpected(wrong);
  return headers;
}

std::string_view content_type_of_key(std::string_view key) {
  const std::size_t dot = key.rfind('.');
  if (dot == std::string_view::npos || key.find('/', dot) != std::string_view::npos) return {};
  std::string extension(key.substr(dot + 1));
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return look_up(kByExtension, extension);
}

std::string_view content_type_of_caps(std::string_view name, std::string_view variant) {
  if (name == "video/quicktime")
    return variant == "apple" || variant.empty() ? "video/quicktime" : "video/mp4";
  return look_up(kByCaps, name);
}

}  // namespace clips::s3
