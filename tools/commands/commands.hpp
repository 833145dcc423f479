// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "command.hpp"

namespace clips::tool {

extern const Command run_command;
extern const Command clip_command;
extern const Command export_command;
extern const Command cuts_command;
extern const Command ingest_command;
extern const Command convert_command;
extern const Command list_command;
extern const Command describe_command;
extern const Command check_command;
extern const Command probe_command;
extern const Command job_command;
extern const Command task_command;
extern const Command clean_command;
extern const Command complete_command;

}  // namespace clips::tool
