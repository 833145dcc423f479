// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>

#include "command.hpp"
#include "commands/commands.hpp"

namespace clips::tool {

std::span<const Command> commands() {
  static const std::array all = {
      run_command,     clip_command, export_command,   cuts_command,     ingest_command,
      convert_command, list_command, describe_command, check_command,    probe_command,
      job_command,     task_command, clean_command,    complete_command,
  };
  return all;
}

}  // namespace clips::tool
