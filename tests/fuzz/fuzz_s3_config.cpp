// SPDX-License-Identifier: LGPL-2.1-or-later
// The shared configuration and credentials files.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "profile.hpp"

using namespace clips::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view half = text.substr(0, size / 2);
  const SharedFiles files = combine_shared_files(text, half);
  for (const auto& [name, settings] : files.profiles) {
    for (const auto& [setting, value] : settings) {
      // One line is one setting.
      if (setting.empty() || value.find('\n') != std::string::npos) std::abort();
      if (files.get(name, setting) != value) std::abort();
    }
    files.endpoint(name, "s3");
  }
  return 0;
}
