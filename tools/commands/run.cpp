// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <string_view>

#include "commands.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "pipeline_run.hpp"
#include "process.hpp"
#include "reporter.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

// A word for the text of gst-launch-1.0, which reads backslashes and quotes in its own way.
std::string launch_quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// The same work as a line for gst-launch-1.0. Times are nanoseconds there.
void print_launch(GstClipsDefinition* definition, const Settings& settings, GstElement* element) {
  std::string line = "gst-launch-1.0 -e ";
  line += gst_clips_definition_get_element_name(definition);
  for (const auto& [key, value] : settings) {
    std::string text = value;
    const auto* parameter = gst_clips_definition_find_parameter(definition, key.c_str());
    if (gst_clips_parameter_get_parameter_type(parameter) == GST_CLIPS_PARAMETER_TIME) {
      guint64 time = 0;
      g_object_get(element, key.c_str(), &time, nullptr);
      text = std::to_string(time);
    }
    line += " " + shell_quote(key + "=" + launch_quote(redact(text)));
  }
  std::puts(line.c_str());
}

bool writes_to_standard_output(const Settings& settings) {
  for (const auto& [key, value] : settings)
    if (value == "fd://1" || value == "/dev/stdout") return true;
  return false;
}

int run(const Command& command, std::vector<char*> arguments) {
  gchar* progress = nullptr;
  gchar* dot = nullptr;
  gboolean finish = FALSE;
  gboolean with_parent = FALSE;
  gboolean launch = FALSE;
  const std::array entries = {
      GOptionEntry{"progress", 'p', 0, G_OPTION_ARG_STRING, &progress,
                   "auto (a bar on a terminal), bar, json (lines on standard output) or none",
                   "FORM"},
      GOptionEntry{"finish-on-interrupt", 'e', 0, G_OPTION_ARG_NONE, &finish,
                   "On SIGINT or SIGTERM end the outputs properly instead of dropping them",
                   nullptr},
      GOptionEntry{"die-with-parent", 0, 0, G_OPTION_ARG_NONE, &with_parent,
                   "Stop as on SIGTERM when the process that started this one ends", nullptr},
      GOptionEntry{"dot", 0, 0, G_OPTION_ARG_FILENAME, &dot,
                   "Write the graph into DIRECTORY as playing.dot and error.dot (Graphviz)",
                   "DIRECTORY"},
      GOptionEntry{"print-launch", 0, 0, G_OPTION_ARG_NONE, &launch,
                   "Print the equal gst-launch-1.0 line, without secrets, and do nothing", nullptr},
  };
  const bool parsed = parse_options(
      command, arguments, entries,
      "Example:\n  gst-clips run proxy input=video.mov output=proxy.mp4 crf=30\n\n"
      "\"gst-clips list\" names the definitions, \"gst-clips describe NAME\" their keys.\n"
      "Exit status: 0 done, 1 failed, 2 wrong call or value, 3 a plugin is missing,\n"
      "4 the input is unreadable or wrong, 5 the output could not be written,\n"
      "130 and 143 interrupted. Whatever is not 0 has left no output.");
  const GString_ progress_owner(progress);
  const GString_ dot_owner(dot);
  if (!parsed) return static_cast<int>(ExitCode::usage);

  const auto mode = progress_mode(progress ? progress : "auto");
  if (!mode) {
    return usage_error(
        command, "--progress is auto, bar, json or none, not \"" + std::string(progress) + "\"");
  }
  if (arguments.empty())
    return usage_error(command, "Say which definition to run, by name or as a file");

  Reporter reporter(*mode);
  const auto refuse = [&](const Problem& problem) {
    reporter.error(problem);
    return static_cast<int>(problem.exit);
  };
  auto definition = open_definition(arguments.front());
  if (!definition) return refuse(definition.error());
  arguments.erase(arguments.begin());
  for (const GstPadDirection direction : {GST_PAD_SINK, GST_PAD_SRC}) {
    if (!gst_clips_definition_has_pad(definition->get(), direction)) continue;
    return refuse(usage_problem(
        std::string(gst_clips_definition_get_name(definition->get())) +
        " is made to stand between other elements and does not run by itself; use the element " +
        gst_clips_definition_get_element_name(definition->get()) + " in a pipeline."));
  }
  const auto settings = parse_settings(arguments);
  if (!settings) return refuse(settings.error());
  if (reporter.json() && writes_to_standard_output(*settings)) {
    return refuse(
        usage_problem("Standard output cannot carry the media and --progress=json at once; "
                      "use another output or --progress=none."));
  }
  const auto element = make_element(definition->get(), *settings);
  if (!element) return refuse(element.error());
  if (launch) {
    print_launch(definition->get(), *settings, element->get());
    return static_cast<int>(ExitCode::done);
  }
  if (dot) {
    struct stat status {};
    if (stat(dot, &status) != 0 || !S_ISDIR(status.st_mode))
      return refuse(usage_problem("--dot: " + std::string(dot) + " is no directory."));
  }
  if (with_parent && !die_with_parent()) {
    Problem problem;
    problem.domain = "interrupt";
    problem.code = "parent";
    problem.message = "The process that started this one has ended.";
    problem.exit = ExitCode::failed;
    return refuse(problem);
  }

  const auto pipeline = ElementRef::sink(gst_pipeline_new("pipeline"));
  gst_bin_add(GST_BIN(pipeline.get()), element->get());
  RunOptions options;
  options.finish_on_interrupt = finish;
  options.dot_directory = dot ? dot : "";
  return run_pipeline(pipeline.get(), reporter, options);
}

}  // namespace

constinit const Command run_command = {
    "run",
    "NAME|FILE [KEY=VALUE...]",
    "Runs a pipeline definition to its end",
    run,
};

}  // namespace clips::tool
