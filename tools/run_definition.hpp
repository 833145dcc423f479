// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "command.hpp"
#include "common/handles.hpp"
#include "definitions.hpp"
#include "option_text.hpp"
#include "reporter.hpp"

namespace clips::tool {

// The options of every command that runs pipelines.
class RunFlags {
 public:
  // Of a command that is one run, and of one that makes several: those cannot end early as a whole,
  // and have no one graph.
  std::vector<GOptionEntry> entries();
  std::vector<GOptionEntry> entries_of_several_runs();

  // How to show progress; the error is what is wrong with the flags.
  tl::expected<ProgressMode, std::string> progress() const;
  const gchar* dot() const noexcept { return dot_.text; }
  bool finish() const noexcept { return finish_; }
  bool with_parent() const noexcept { return with_parent_; }
  bool print_launch() const noexcept { return print_launch_; }
  unsigned stall_seconds() const noexcept { return static_cast<unsigned>(stall_seconds_); }

 private:
  OptionText progress_;
  OptionText dot_;
  gboolean finish_ = FALSE;
  gboolean with_parent_ = FALSE;
  gboolean print_launch_ = FALSE;
  gint stall_seconds_ = 120;
};

// The exit codes in a few lines, for the end of a command's help.
extern const char* const exit_status_help;

// Runs a definition with KEY=VALUE words behind `given`, and reports as the flags say. Returns what
// the process returns. A word may not set what `given` has set, unless the value there is a
// default.
int run_definition(const Command& command, const char* name_or_file, const Settings& given,
                   const Settings& defaults, const std::vector<char*>& words,
                   const RunFlags& flags);

}  // namespace clips::tool
