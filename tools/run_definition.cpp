// SPDX-License-Identifier: LGPL-2.1-or-later
#include "run_definition.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

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

// By a value that was given, or by the definition's own default.
bool writes_to_standard_output(GstElement* element) {
  guint count = 0;
  const std::unique_ptr<GParamSpec*, GFree> specs(
      g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count));
  for (guint i = 0; i < count; ++i) {
    GParamSpec* spec = specs.get()[i];
    if (spec->value_type != G_TYPE_STRING || !(spec->flags & G_PARAM_READABLE)) continue;
    gchar* text = nullptr;
    g_object_get(element, spec->name, &text, nullptr);
    const GString_ value(text);
    if (g_strcmp0(text, "fd://1") == 0 || g_strcmp0(text, "/dev/stdout") == 0) return true;
  }
  return false;
}

}  // namespace

const char* const exit_status_help =
    "Exit status: 0 done, 1 failed, 2 wrong call or value, 3 a plugin is missing,\n"
    "4 the input is unreadable or wrong, 5 the output could not be written,\n"
    "130 and 143 interrupted. Whatever is not 0 has left no output.";

std::vector<GOptionEntry> RunFlags::entries_of_several_runs() {
  return {
      GOptionEntry{"progress", 'p', 0, G_OPTION_ARG_STRING, &progress_.text,
                   "auto (a bar on a terminal), bar, json (lines on standard output) or none",
                   "FORM"},
      GOptionEntry{"die-with-parent", 0, 0, G_OPTION_ARG_NONE, &with_parent_,
                   "Stop as on SIGTERM when the process that started this one ends", nullptr},
      GOptionEntry{"stall-timeout", 0, 0, G_OPTION_ARG_INT, &stall_seconds_,
                   "Give up when nothing has moved for SECONDS (120; 0: never)", "SECONDS"},
  };
}

std::vector<GOptionEntry> RunFlags::entries() {
  auto entries = entries_of_several_runs();
  entries.insert(
      entries.end(),
      {GOptionEntry{"finish-on-interrupt", 'e', 0, G_OPTION_ARG_NONE, &finish_,
                    "On SIGINT or SIGTERM end the outputs properly instead of dropping them",
                    nullptr},
       GOptionEntry{"dot", 0, 0, G_OPTION_ARG_FILENAME, &dot_.text,
                    "Write the graph into DIRECTORY as playing.dot and error.dot (Graphviz)",
                    "DIRECTORY"},
       GOptionEntry{"print-launch", 0, 0, G_OPTION_ARG_NONE, &print_launch_,
                    "Print the equal gst-launch-1.0 line, without secrets, and do nothing",
                    nullptr}});
  return entries;
}

tl::expected<ProgressMode, std::string> RunFlags::progress() const {
  const std::string text = progress_.text ? progress_.text : "auto";
  const auto mode = progress_mode(text);
  if (!mode) return tl::unexpected("--progress is auto, bar, json or none, not \"" + text + "\"");
  if (stall_seconds_ < 0)
    return tl::unexpected(std::string("--stall-timeout is a number of seconds, 0 or more"));
  return *mode;
}

int run_definition(const Command& command, const char* name_or_file, const Settings& given,
                   const Settings& defaults, const std::vector<char*>& words,
                   const RunFlags& flags) {
  const auto mode = flags.progress();
  if (!mode) return usage_error(command, mode.error());
  Reporter reporter(*mode);
  const auto refuse = [&](const Problem& problem) {
    reporter.error(problem);
    return static_cast<int>(problem.exit);
  };
  auto definition = open_definition(name_or_file);
  if (!definition) return refuse(definition.error());
  for (const GstPadDirection direction : {GST_PAD_SINK, GST_PAD_SRC}) {
    if (!gst_clips_definition_has_pad(definition->get(), direction)) continue;
    return refuse(usage_problem(
        std::string(gst_clips_definition_get_name(definition->get())) +
        " is made to stand between other elements and does not run by itself; use the element " +
        gst_clips_definition_get_element_name(definition->get()) + " in a pipeline."));
  }
  auto settings = parse_settings(words);
  if (!settings) return refuse(settings.error());
  const auto is_set = [&](const std::string& key) {
    return std::any_of(settings->begin(), settings->end(),
                       [&](const auto& setting) { return setting.first == key; });
  };
  for (const auto& [key, value] : given)
    if (is_set(key)) return refuse(usage_problem("\"" + key + "\" is set twice."));
  settings->insert(settings->begin(), given.begin(), given.end());
  for (const auto& setting : defaults)
    if (!is_set(setting.first)) settings->push_back(setting);
  const auto element = make_element(definition->get(), *settings);
  if (!element) return refuse(element.error());
  if (reporter.json() && writes_to_standard_output(element->get())) {
    return refuse(
        usage_problem("Standard output cannot carry the media and --progress=json at once; "
                      "use another output or --progress=none."));
  }
  if (flags.print_launch()) {
    print_launch(definition->get(), *settings, element->get());
    return static_cast<int>(ExitCode::done);
  }
  if (flags.dot()) {
    struct stat status {};
    if (stat(flags.dot(), &status) != 0 || !S_ISDIR(status.st_mode))
      return refuse(usage_problem("--dot: " + std::string(flags.dot()) + " is no directory."));
  }
  if (flags.with_parent() && !die_with_parent()) {
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
  options.finish_on_interrupt = flags.finish();
  options.remove_published = true;
  for (const auto& [key, value] : *settings)
    if (key == "input") options.input_name = value;
  options.dot_directory = flags.dot() ? flags.dot() : "";
  options.stall_seconds = flags.stall_seconds();
  return run_pipeline(pipeline.get(), reporter, options);
}

}  // namespace clips::tool
