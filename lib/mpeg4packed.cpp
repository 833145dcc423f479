// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpeg4packed.hpp"

#include <algorithm>
#include <array>

namespace clips {

std::optional<std::size_t> second_picture(std::span<const std::byte> packet) {
  constexpr std::array code{std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0xb6}};
  auto at = std::search(packet.begin(), packet.end(), code.begin(), code.end());
  if (at == packet.end()) return std::nullopt;
  at = std::search(at + code.size(), packet.end(), code.begin(), code.end());
  if (at == packet.end()) return std::nullopt;
  return static_cast<std::size_t>(at - packet.begin());
}

}  // namespace clips
