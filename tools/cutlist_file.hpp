// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib.h>

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "failure.hpp"
#include "lib/cutlist.hpp"
#include "option_text.hpp"

namespace clips::tool {

// The options of the commands that read a cut list and write it again.
class CutListFlags {
 public:
  std::vector<GOptionEntry> entries();

  // A sentence about what is wrong with the options; empty when nothing is.
  std::string check();
  bool has_target() const noexcept { return static_cast<bool>(to_.text); }
  const char* output() const noexcept { return output_.text ? output_.text : "fd://1"; }
  bool has_output() const noexcept { return output_.text; }

  tl::expected<CutList, Problem> read(const std::string& file);
  // As the options say, else in the format that was read.
  tl::expected<std::string, Problem> write(const CutList& list) const;

 private:
  OptionText from_;
  OptionText to_;
  OptionText rate_;
  OptionText output_;
  gint64 frames_ = 0;
  CutListHints hints_;
  std::optional<CutListFormat> source_;
  std::optional<CutListFormat> target_;
};

// "json, csv, ..."
std::string cutlist_format_names();

}  // namespace clips::tool
