// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>

#include "commands.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

int run(const Command& command, std::vector<char*> arguments) {
  const bool parsed =
      parse_options(command, arguments, {},
                    "Reads the file, builds its graph with every alternative and tries every "
                    "bind, without\nrunning it. Exit status: 0 without a fault, 2 with one, 3 when "
                    "an element is not installed.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(command, "Say which one file to check");
  GError* raw = nullptr;
  const DefinitionPtr definition(gst_clips_load_definition(arguments.front(), &raw));
  if (definition && gst_clips_definition_check(definition.get(), &raw)) {
    std::printf("%s: no fault found\n", one_line(arguments.front()).c_str());
    return static_cast<int>(ExitCode::done);
  }
  const ErrorPtr error(raw);
  const Problem problem = library_problem(*error);
  const std::string file = one_line(arguments.front());
  const GString_ base(g_path_get_basename(file.c_str()));
  const bool named = problem.message.find(base.get()) != std::string::npos;
  std::fprintf(stderr, "gst-clips: %s%s\n", named ? "" : (file + ": ").c_str(),
               problem.message.c_str());
  return static_cast<int>(problem.exit);
}

}  // namespace

constinit const Command check_command = {
    "check",
    "FILE",
    "Checks a pipeline definition without running it",
    run,
};

}  // namespace clips::tool
