// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace clips {

// What stands in a piece of gst-launch text, found without making any element: enough to say
// which factories it needs and which names can be bound, linked from and linked to. The piece is
// parsed for real by GStreamer when the bin is built.
struct LaunchText {
  struct Element {
    std::string factory;
    std::string name;  // empty when the text gives none
  };
  std::vector<Element> elements;
  // The choices named by ${...} tokens, in order.
  std::vector<std::string> tokens;
};

tl::expected<LaunchText, std::string> scan_launch_text(std::string_view text);

}  // namespace clips
