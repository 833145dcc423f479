// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> missing_factories(const GstClipsDefinition* definition) {
  const GStrv_ missing(gst_clips_definition_get_missing(definition));
  return texts(missing.get());
}

void print_json(const ListedDefinitions& listed) {
  Json all = Json::array();
  for (const DefinitionPtr& definition : listed.definitions) {
    const GstClipsDefinition* d = definition.get();
    all.push_back({{"name", gst_clips_definition_get_name(d)},
                   {"element", gst_clips_definition_get_element_name(d)},
                   {"long-name", gst_clips_definition_get_long_name(d)},
                   {"klass", gst_clips_definition_get_klass(d)},
                   {"description", gst_clips_definition_get_description(d)},
                   {"missing", missing_factories(d)}});
  }
  std::puts(all.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void print_table(const ListedDefinitions& listed) {
  std::size_t width = 0;
  for (const DefinitionPtr& definition : listed.definitions)
    width =
        std::max(width, std::string_view(gst_clips_definition_get_name(definition.get())).size());
  for (const DefinitionPtr& definition : listed.definitions) {
    const GstClipsDefinition* d = definition.get();
    std::string line = one_line(gst_clips_definition_get_long_name(d));
    const auto missing = missing_factories(d);
    if (!missing.empty()) line += " (unavailable, missing: " + joined(missing) + ")";
    std::printf("%-*s  %s\n", static_cast<int>(width), gst_clips_definition_get_name(d),
                line.c_str());
  }
}

int run(const Command& command, std::vector<char*> arguments) {
  gboolean json = FALSE;
  const std::array entries = {
      GOptionEntry{"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print a JSON array", nullptr},
  };
  const bool parsed =
      parse_options(command, arguments, entries,
                    "Definitions are read from the folders in GST_CLIPS_PIPELINE_PATH, then from "
                    "the\ninstalled one. A file that is wrong is told on standard error.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (!arguments.empty())
    return usage_error(command, "\"" + std::string(arguments.front()) + "\" is one word too many");
  const ListedDefinitions listed = list_definitions();
  if (json) {
    print_json(listed);
  } else {
    print_table(listed);
  }
  for (const std::string& error : listed.errors)
    std::fprintf(stderr, "gst-clips: warning: %s\n", one_line(error).c_str());
  return static_cast<int>(ExitCode::done);
}

}  // namespace

constinit const Command list_command = {
    .name = "list",
    .arguments = "",
    .summary = "Lists the pipeline definitions",
    .run = run,
    .result_is_printed = true,
};

}  // namespace clips::tool
