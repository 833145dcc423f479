// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"

namespace clips::tool {

enum class ProgressMode { automatic, bar, json, none };
std::optional<ProgressMode> progress_mode(std::string_view text);

// All that a run says, in one of two forms: JSON lines on standard output, or for people a bar and
// one line a problem on standard error.
class Reporter {
 public:
  explicit Reporter(ProgressMode mode);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  bool json() const noexcept { return mode_ == ProgressMode::json; }

  // Nothing is shown of a position behind the last one, nor the whole duration before done().
  void progress(std::uint64_t position, std::optional<std::uint64_t> duration);
  // A message that an element has posted for applications: a cut, a published file, another.
  void element_message(const GstStructure* structure, std::string_view source);
  // Something to know that is no trouble, such as that there was nothing to do.
  void note(std::string_view text, std::string_view uri);
  // Each text once; for people only when the run succeeds, since a failure says one line.
  void warning(const Problem& problem);
  void error(const Problem& problem);
  void done(std::uint64_t milliseconds, std::uint64_t frames, std::uint64_t peak_rss_kib);

  const std::vector<std::string>& published() const noexcept { return published_; }

 private:
  void line(const nlohmann::ordered_json& event);
  void person(std::string_view text);
  void draw(std::uint64_t position, std::optional<std::uint64_t> duration);
  void clear_bar();

  ProgressMode mode_;
  bool terminal_;
  bool bar_shown_ = false;
  std::optional<std::uint64_t> last_position_;
  std::optional<std::uint64_t> last_duration_;
  std::int64_t started_;
  std::set<std::string> warned_;
  std::vector<std::string> held_back_;
  std::vector<std::string> published_;
};

// Says a problem on one line of standard error, for a command that reports nothing else. Returns
// what the process returns.
int report(const Problem& problem);

}  // namespace clips::tool
