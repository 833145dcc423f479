// SPDX-License-Identifier: LGPL-2.1-or-later
// Serves completions/gst-clips: what the shell knows is only the words, what may follow them is
// known here.
#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "commands.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "lib/cutlist.hpp"
#include "tasks.hpp"

namespace clips::tool {

namespace {

constexpr std::string_view files = ":files";

class Candidates {
 public:
  explicit Candidates(std::string_view prefix) : prefix_(prefix) {}

  void add(const std::string& candidate) const {
    if (candidate.starts_with(prefix_)) std::puts(candidate.c_str());
  }

 private:
  std::string_view prefix_;
};

bool takes_definition(std::string_view command) {
  return command == "run" || command == "describe" || command == "check";
}

bool takes_file(std::string_view command) {
  return command == "cuts" || command == "ingest" || command == "convert" || command == "probe" ||
         command == "clean";
}

bool names_two_files(std::string_view command) {
  return command == "clip" || command == "export";
}

void complete_option(const Candidates& candidates, std::string_view command) {
  candidates.add("--help");
  if (command == "clip") {
    candidates.add("--start=");
    candidates.add("--stop=");
    for (const char* option : {"--id=", "--server", "--jobs="}) candidates.add(option);
  }
  if (command == "export")
    for (const char* option : {"--range=", "--cut-list="}) candidates.add(option);
  if (command == "ingest")
    for (const char* option : {"--cuts=", "--name=", "--no-stills"}) candidates.add(option);
  const bool one_run =
      command == "run" || command == "cuts" || command == "clip" || command == "export";
  if (one_run || command == "ingest")
    for (const char* option : {"--progress=auto", "--progress=bar", "--progress=json",
                               "--progress=none", "--die-with-parent", "--stall-timeout="})
      candidates.add(option);
  if (one_run)
    for (const char* option : {"--finish-on-interrupt", "--dot=", "--print-launch"})
      candidates.add(option);
  if (command == "clean") {
    for (const char* option :
         {"--max-age=", "--max-bytes=", "--min-free=", "--dry-run", "--watch="})
      candidates.add(option);
  }
  if (command == "probe") {
    for (const char* option : {"--no-key-frames", "--timeout="}) candidates.add(option);
  }
  if (command == "job") {
    for (const char* option : {"--time-limit=", "--progress=json", "--progress=none",
                               "--index-from-environment=", "--array-size="})
      candidates.add(option);
  }
  if (command == "task") {
    for (const char* option : {"--args-file=", "--result-file="}) candidates.add(option);
  }
  if (command == "cuts") {
    for (const char* option : {"--add=", "--remove=", "--move=", "--in-place"})
      candidates.add(option);
  }
  if (command == "convert") {
    for (const CutListFormatInfo& format : cutlist_formats())
      candidates.add("--to=" + std::string(format.name));
    for (const CutListFormatInfo& format : cutlist_formats())
      candidates.add("--from=" + std::string(format.name));
    for (const char* option : {"--output=", "--frame-rate=", "--frames="}) candidates.add(option);
  }
  if (command == "list" || command == "describe") candidates.add("--json");
}

void complete_definition(const Candidates& candidates) {
  for (const DefinitionPtr& definition : list_definitions().definitions)
    candidates.add(gst_clips_definition_get_name(definition.get()));
  std::puts(files.data());
}

void complete_value(const GstClipsParameter* parameter, std::string_view typed) {
  const std::string key = std::string(gst_clips_parameter_get_name(parameter)) + "=";
  const Candidates candidates(typed);
  switch (gst_clips_parameter_get_parameter_type(parameter)) {
    case GST_CLIPS_PARAMETER_BOOLEAN:
      candidates.add(key + "true");
      candidates.add(key + "false");
      break;
    case GST_CLIPS_PARAMETER_CHOICE:
      for (const std::string& choice : texts(gst_clips_parameter_get_choices(parameter)))
        candidates.add(key + choice);
      break;
    case GST_CLIPS_PARAMETER_FILENAME:
    case GST_CLIPS_PARAMETER_URI:
      std::puts(files.data());
      break;
    default:
      break;
  }
}

void complete_setting(const char* name, const std::vector<char*>& given, std::string_view typed) {
  const auto definition = open_definition(name);
  if (!definition) return;
  const std::size_t equals = typed.find('=');
  if (equals != std::string_view::npos) {
    const auto* parameter = gst_clips_definition_find_parameter(
        definition->get(), std::string(typed.substr(0, equals)).c_str());
    if (parameter) complete_value(parameter, typed);
    return;
  }
  for (const std::string& key : parameter_names(definition->get())) {
    const bool set = std::any_of(given.begin(), given.end(), [&](std::string_view word) {
      return word.starts_with(key + "=");
    });
    if (!set) Candidates(typed).add(key + "=");
  }
}

// The words behind "gst-clips" up to the cursor; the last one is being typed.
int run(const Command&, std::vector<char*> words) {
  gst_init(nullptr, nullptr);
  if (words.empty()) return static_cast<int>(ExitCode::usage);
  const std::string_view typed = words.back();
  words.pop_back();
  const Candidates candidates(typed);
  const auto is_argument = [](std::string_view word) { return !word.starts_with("-"); };
  const auto command = std::find_if(words.begin(), words.end(), is_argument);
  if (command == words.end()) {
    for (const Command& each : commands())
      if (!each.hidden) candidates.add(each.name);
    candidates.add("--help");
    candidates.add("--version");
    return 0;
  }
  std::vector<char*> rest;
  std::copy_if(command + 1, words.end(), std::back_inserter(rest), is_argument);
  if (typed.starts_with("-")) {
    complete_option(candidates, *command);
  } else if (takes_definition(*command) && rest.empty()) {
    complete_definition(candidates);
  } else if (std::string_view(*command) == "task") {
    for (const std::string_view task : task_names()) candidates.add(std::string(task));
  } else if (std::string_view(*command) == "run") {
    complete_setting(rest.front(), rest, typed);
  } else if (std::string_view(*command) == "cuts" && !rest.empty()) {
    complete_setting("cuts", rest, typed);
  } else if (std::string_view(*command) == "ingest" && rest.size() >= 2) {
    complete_setting("ingest", rest, typed);
  } else if (std::string_view(*command) == "clip" && rest.size() >= 2) {
    complete_setting("tempclip", rest, typed);
  } else if (std::string_view(*command) == "export" && rest.size() >= 2) {
    complete_setting("export", rest, typed);
  } else if (names_two_files(*command) || (takes_file(*command) && rest.empty())) {
    std::puts(files.data());
  }
  return 0;
}

}  // namespace

constinit const Command complete_command = {
    "complete", "WORD...", "Prints what may follow the words", run, true,
};

}  // namespace clips::tool
