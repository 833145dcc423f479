// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "failure.hpp"

namespace clips::tool {

// A file without a name: it is gone when the last process that has it open ends, killed or not.
class NamelessFile {
 public:
  // `on_disk`: for media; else in memory, for a document.
  static tl::expected<NamelessFile, Problem> create(bool on_disk);
  NamelessFile(NamelessFile&& other) noexcept;
  NamelessFile& operator=(NamelessFile&&) = delete;
  ~NamelessFile();

  int descriptor() const noexcept { return descriptor_; }
  std::string text() const;

 private:
  explicit NamelessFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

struct ChildOptions {
  // Behind "gst-clips": a command of those that run a pipeline.
  std::vector<std::string> words;
  // The child's descriptor 3, which it reaches as fd://3.
  const NamelessFile* file = nullptr;
  // In seconds; 0: none.
  unsigned time_limit_s = 0;
  // Each event as it comes.
  std::function<void(const nlohmann::ordered_json& event)> on_event;
};

struct ChildResult {
  int exit_code = 0;
  std::optional<Problem> problem;                 // of every failure
  std::vector<nlohmann::ordered_json> published;  // the events, without "event"
  std::vector<std::string> warnings;
  nlohmann::ordered_json done;  // the event; null when it did not come
};

// Runs gst-clips in a process of its own: a crash, an endless loop or a kill of the child is an
// error with a report, not the end of one. The first SIGINT, SIGTERM or SIGHUP is passed on; when
// this process ends in any way, so does the child.
//
// The list of processes shows the words of the child without the secrets of URLs.
ChildResult run_child(const ChildOptions& options);

// The words of this process, with what run_child() has kept out of the list of processes.
std::vector<char*> words_of_process(int count, char* words[]);

}  // namespace clips::tool
