// SPDX-License-Identifier: LGPL-2.1-or-later
// Pipeline definitions. What is accepted must mean the same to GKeyFile, whose format it is, and
// must be consistent in itself; what is refused must say why.
#include <glib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "definition.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void compare_with_gkeyfile(std::string_view text, const std::vector<clips::KeyFileGroup>& groups) {
  const std::unique_ptr<GKeyFile, decltype(&g_key_file_unref)> peer(g_key_file_new(),
                                                                    g_key_file_unref);
  GError* error = nullptr;
  // GKeyFile refuses nothing that this reader takes.
  require(g_key_file_load_from_data(peer.get(), text.data(), text.size(), G_KEY_FILE_NONE, &error));
  for (const auto& group : groups) {
    for (const auto& entry : group.entries) {
      const auto read = [&](auto* get) {
        return std::unique_ptr<gchar, decltype(&g_free)>(
            get(peer.get(), group.name.c_str(), entry.key.c_str(), nullptr), g_free);
      };
      const auto raw = read(g_key_file_get_value);
      require(raw != nullptr);
      // Blanks behind a value, which nobody sees, are no part of it here.
      const bool trimmed = entry.raw != raw.get();
      if (trimmed) require(entry.raw == g_strchomp(raw.get()));
      const auto ours = clips::unescape_key_file_string(entry.raw);
      const auto theirs = read(g_key_file_get_string);
      if (ours && !trimmed) require(theirs && *ours == theirs.get());
    }
  }
}

void check_consistency(const clips::Definition& definition) {
  require(!definition.name.empty() && !definition.graph.empty());
  for (const auto& parameter : definition.parameters) {
    require(!parameter.description.empty());
    require(!parameter.required || !parameter.default_value);
    if (!parameter.default_value) continue;
    // A default is a value that a user could give too.
    const auto text = clips::format_value(parameter.type, *parameter.default_value);
    const auto again = clips::parse_value(parameter.type, text, parameter.limits);
    require(again && *again == *parameter.default_value);
  }
  for (const auto& branch : definition.branches) {
    require(!branch.slot.empty());
    if (branch.condition) require(definition.find_parameter(branch.condition->parameter));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto groups = clips::parse_key_file(text, "fuzz")) compare_with_gkeyfile(text, *groups);
  const auto definition = clips::parse_definition(text, "fuzz");
  if (definition)
    check_consistency(*definition);
  else
    require(!definition.error().message.empty() &&
            definition.error().to_string().find("fuzz:") == 0);
  return 0;
}
