// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <cstdio>

#include "commands.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

// "integer from 0 to 51, default 28" as the definition's own words have it.
std::string value_line(const GstClipsParameter* parameter) {
  std::string line = gst_clips_parameter_get_type_name(parameter);
  const gchar* minimum = gst_clips_parameter_get_minimum(parameter);
  const gchar* maximum = gst_clips_parameter_get_maximum(parameter);
  if (minimum) line += std::string(" from ") + minimum;
  if (maximum) line += std::string(minimum ? " to " : " up to ") + maximum;
  if (gst_clips_parameter_is_required(parameter)) {
    line += ", required";
  } else if (const gchar* value = gst_clips_parameter_get_default(parameter)) {
    line += std::string(", default ") + (*value ? value : "empty");
  }
  return line;
}

void print(const GstClipsDefinition* definition) {
  std::printf("%s - %s\n", gst_clips_definition_get_name(definition),
              one_line(gst_clips_definition_get_long_name(definition)).c_str());
  std::printf("%s\n\n", one_line(gst_clips_definition_get_description(definition)).c_str());
  std::printf("Element:  %s (%s)\n", gst_clips_definition_get_element_name(definition),
              gst_clips_definition_get_klass(definition));
  std::printf("File:     %s\n", one_line(gst_clips_definition_get_filename(definition)).c_str());
  const GStrv_ missing(gst_clips_definition_get_missing(definition));
  if (missing) {
    const GString_ names(g_strjoinv(", ", missing.get()));
    std::printf("Missing:  %s\n", names.get());
  }
  std::printf("\nParameters:\n");
  for (guint i = 0; i < gst_clips_definition_get_n_parameters(definition); ++i) {
    const GstClipsParameter* parameter = gst_clips_definition_get_parameter(definition, i);
    std::printf("  %s  (%s)\n", gst_clips_parameter_get_name(parameter),
                one_line(value_line(parameter)).c_str());
    const gchar* description = gst_clips_parameter_get_description(parameter);
    if (description && *description) std::printf("      %s\n", one_line(description).c_str());
    for (const std::string& choice : texts(gst_clips_parameter_get_choices(parameter))) {
      const GStrv_ absent(gst_clips_parameter_get_choice_missing(parameter, choice.c_str()));
      std::string note;
      if (absent) {
        const GString_ names(g_strjoinv(", ", absent.get()));
        note = std::string("  (unavailable, missing: ") + names.get() + ")";
      }
      std::printf("      - %s%s\n", choice.c_str(), note.c_str());
    }
  }
}

int run(const Command& command, std::vector<char*> arguments) {
  gboolean json = FALSE;
  const std::array entries = {
      GOptionEntry{"json", 0, 0, G_OPTION_ARG_NONE, &json,
                   "Print a JSON Schema of an object with a member a parameter", nullptr},
  };
  if (!parse_options(command, arguments, entries)) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1)
    return usage_error(command, "Say which one definition to describe, by name or as a file");
  const auto definition = open_definition(arguments.front());
  if (!definition) {
    std::fprintf(stderr, "gst-clips: %s\n", definition.error().message.c_str());
    return static_cast<int>(definition.error().exit);
  }
  if (json) {
    const GString_ schema(gst_clips_definition_to_json_schema(definition->get()));
    std::puts(schema.get());
  } else {
    print(definition->get());
  }
  return static_cast<int>(ExitCode::done);
}

}  // namespace

constinit const Command describe_command = {
    .name = "describe",
    .arguments = "NAME|FILE",
    .summary = "Describes a definition and its parameters",
    .run = run,
    .result_is_printed = true,
};

}  // namespace clips::tool
