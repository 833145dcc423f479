// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "commands.hpp"
#include "exit_code.hpp"
#include "interrupts.hpp"
#include "lib/value.hpp"
#include "option_text.hpp"
#include "publish_text.hpp"
#include "reporter.hpp"
#include "structure_json.hpp"
#include "tasks.hpp"
#include "text.hpp"
#include "whole_source.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

std::string listed_tasks() {
  std::string list;
  for (const std::string_view name : task_names())
    list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

tl::expected<Json, Problem> read_arguments(const std::string& file) {
  const auto text = read_whole(file);
  if (!text) return tl::unexpected(text.error());
  const auto arguments = parse_given(*text);
  if (arguments && arguments->is_object()) return *arguments;
  Problem problem = usage_problem(
      one_line(file) + " " + (arguments ? "holds no JSON object" : arguments.error()) + ".",
      "value");
  problem.exit = ExitCode::bad_input;
  return tl::unexpected(problem);
}

// A result of an earlier run must not pass for this one's.
std::optional<Problem> remove_old(const std::string& file) {
  const auto path = to_path(file);
  if (!path || unlink(path->c_str()) == 0 || errno == ENOENT) return std::nullopt;
  Problem problem = usage_problem(
      "Could not remove the old " + one_line(file) + ": " + std::strerror(errno) + ".", "write");
  problem.domain = "resource";
  problem.exit = ExitCode::not_published;
  return problem;
}

int run(const Command& command, std::vector<char*> arguments) {
  OptionText args_file;
  OptionText result_file;
  const std::array entries = {
      GOptionEntry{"args-file", 'a', 0, G_OPTION_ARG_FILENAME, &args_file.text,
                   "The task's arguments, a JSON object", "FILE"},
      GOptionEntry{"result-file", 'r', 0, G_OPTION_ARG_FILENAME, &result_file.text,
                   "Where the result goes, a JSON object", "FILE"},
  };
  const bool parsed = parse_options(
      command, arguments, entries,
      "Tasks: " + listed_tasks() +
          "\n\nA word in front of the task is passed over when it is a path, such as that of the "
          "script\nthat this command stands for. Progress goes to standard output, a line of JSON "
          "each.\nThe result file appears when the task has ended, with \"status\" \"success\" or "
          "\"error\";\na task that is killed leaves none.\n\n"
          "Exit status: 0 the status is success, else as of the run: 1 failed, 2 wrong "
          "arguments,\n3 a plugin is missing, 4 the input is unreadable or wrong, 5 an output "
          "could not be written,\n130 and 143 interrupted.");
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() == 2) {
    const std::string_view script = arguments.front();
    if (script.find_first_of("/.") != std::string_view::npos) arguments.erase(arguments.begin());
  }
  if (arguments.size() != 1)
    return usage_error(command, "Say which one task to do: " + listed_tasks());
  const std::string name = arguments.front();
  const auto names = task_names();
  if (std::find(names.begin(), names.end(), name) == names.end())
    return usage_error(command, "There is no task \"" + name + "\". They are: " + listed_tasks());
  if (!args_file.text || !result_file.text)
    return usage_error(command, "A task needs --args-file and --result-file");
  if (const auto problem = remove_old(result_file.text)) return report(*problem);
  const auto given = read_arguments(args_file.text);
  auto result = given ? run_task(name, TaskArgs(*given)) : tl::unexpected(given.error());
  if (Interrupts::received() != 0)
    return report(result ? usage_problem("Interrupted.") : result.error()),
           128 + Interrupts::received();
  int status = static_cast<int>(ExitCode::done);
  if (!result) {
    const Problem& problem = result.error();
    status = report(problem);
    result = Json{{"status", "error"},
                  {"task", name},
                  {"error",
                   {{"domain", problem.domain},
                    {"code", problem.code},
                    {"message", problem.message},
                    {"exit_code", status}}}};
  } else if ((*result)["status"] != "success") {
    // Part of it was done.
    const Json& error = (*result)["error"];
    Problem problem = usage_problem(error["message"]);
    problem.exit = static_cast<ExitCode>(error["exit_code"].get<int>());
    status = report(problem);
  }
  const int written = publish_text(json_line(*result) + "\n", result_file.text);
  return status != 0 ? status : written;
}

}  // namespace

constinit const Command task_command = {
    "task",
    "[SCRIPT] TASK --args-file=FILE --result-file=FILE",
    "Does a task with its arguments and result in files",
    run,
};

}  // namespace clips::tool
