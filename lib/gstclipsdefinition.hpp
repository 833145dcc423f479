// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/handles.hpp"
#include "definition.hpp"
#include "gst-clips.h"

// A parameter with the texts that the C API hands out, which live as long as the definition.
struct _GstClipsParameter {
  const clips::Parameter* core = nullptr;
  std::string default_text;
  std::string minimum_text;
  std::string maximum_text;
  std::vector<const gchar*> choices;
};

namespace clips {

// Which streams a branch takes: GstCaps, and “media/*” for every type of a medium.
class StreamFilter {
 public:
  static tl::expected<StreamFilter, std::string> parse(const std::string& text);
  // Every field that the filter names must be in the stream's caps.
  bool matches(GstCaps* caps) const;

 private:
  bool any_ = false;
  std::vector<std::string> media_;
  CapsRef caps_;
};

}  // namespace clips

struct _GstClipsDefinition {
  std::atomic<int> references{1};
  clips::Definition core;
  std::string element_name;
  std::string fingerprint;                   // of the file's name and text
  std::vector<clips::StreamFilter> filters;  // of core.branches
  std::deque<_GstClipsParameter> parameters;
  std::once_flag type_once;
  GType type = G_TYPE_INVALID;
};

namespace clips {

struct DefinitionRef {
  DefinitionRef() = default;
  explicit DefinitionRef(GstClipsDefinition* adopted) : definition(adopted) {}
  DefinitionRef(const DefinitionRef& other) : definition(other.definition) {
    if (definition) gst_clips_definition_ref(definition);
  }
  DefinitionRef(DefinitionRef&& other) noexcept
      : definition(std::exchange(other.definition, nullptr)) {}
  DefinitionRef& operator=(DefinitionRef other) noexcept {
    std::swap(definition, other.definition);
    return *this;
  }
  ~DefinitionRef() {
    if (definition) gst_clips_definition_unref(definition);
  }
  GstClipsDefinition* release() noexcept { return std::exchange(definition, nullptr); }
  GstClipsDefinition* operator->() const noexcept { return definition; }
  explicit operator bool() const noexcept { return definition != nullptr; }

  GstClipsDefinition* definition = nullptr;
};

// Reads, parses and checks a file, caps included. Makes no element.
DefinitionRef load_definition(const char* filename, GError** error);

// The factories that a piece of graph needs and that are not installed, each once.
std::vector<std::string> missing_factories(const LaunchText& scan);
// Whether the graph may have a video encoder in it.
bool encodes_video(const Definition& definition);
gchar** to_strv(const std::vector<std::string>& strings);
std::string joined(const std::vector<std::string>& words);

}  // namespace clips
