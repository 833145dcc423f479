// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clip_name.hpp"

#include <glib.h>
#include <sys/stat.h>

#include <algorithm>

namespace clips::tool {

namespace {

// What a name may hold of an id, as in the store's names.
std::string safe(const std::string& id) {
  constexpr std::size_t longest = 100;
  std::string name;
  for (const char c : id) {
    const bool kept = g_ascii_isalnum(c) || c == '-' || c == '_';
    if (kept || name.empty() || name.back() != '_') name += kept ? c : '_';
  }
  return name.substr(0, longest);
}

std::string digest_of(Settings settings) {
  constexpr std::size_t digits = 16;
  std::erase_if(settings, [](const auto& setting) { return setting.first == "output"; });
  std::sort(settings.begin(), settings.end());
  std::string text;
  for (const auto& [key, value] : settings) text += key + '\0' + value + '\n';
  const GString_ digest(g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar*>(text.data()), text.size()));
  return std::string(digest.get()).substr(0, digits);
}

}  // namespace

std::string clip_output(const std::string& output, const std::string& id,
                        const Settings& settings) {
  struct stat status {};
  const bool folder =
      output.ends_with('/') || (stat(output.c_str(), &status) == 0 && S_ISDIR(status.st_mode));
  if (!folder) return output;
  std::string part = safe(id);
  if (part.empty()) part = digest_of(settings);
  return output + (output.ends_with('/') ? "" : "/") + "clip_" + part + "_" +
         std::to_string(g_get_real_time() / 1000) + ".mp4";
}

}  // namespace clips::tool
