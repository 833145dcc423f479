// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "failure.hpp"
#include "task_args.hpp"

namespace clips::tool {

std::vector<std::string_view> task_names();

// Does a task and returns its result: docs/tasks.md has the arguments and results. Progress goes to
// standard output, a line of JSON each.
tl::expected<nlohmann::ordered_json, Problem> run_task(std::string_view name, TaskArgs arguments);

}  // namespace clips::tool
