// SPDX-License-Identifier: LGPL-2.1-or-later
// What credential services and processes print, and the command lines that start the latter.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "credentials.hpp"
#include "text.hpp"

using namespace clips::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto credentials = parse_credentials_json(text)) {
    // They go into headers.
    if (credentials->access_key.empty() || credentials->secret_key.empty() ||
        has_control_characters(credentials->access_key) ||
        has_control_characters(credentials->session_token)) {
      std::abort();
    }
  }
  if (const auto words = split_command(text)) {
    if (words->empty()) std::abort();
  }
  parse_iso_time(text);
  return 0;
}
