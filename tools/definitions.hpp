// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "common/handles.hpp"
#include "failure.hpp"
#include "lib/gst-clips.h"

namespace clips::tool {

struct DefinitionUnref {
  void operator()(GstClipsDefinition* definition) const noexcept {
    gst_clips_definition_unref(definition);
  }
};
using DefinitionPtr = std::unique_ptr<GstClipsDefinition, DefinitionUnref>;

struct ListedDefinitions {
  std::vector<DefinitionPtr> definitions;
  // A sentence for each file that is no right definition.
  std::vector<std::string> errors;
};
ListedDefinitions list_definitions();

// A definition by its name, or from a file: what has a slash or ends in ".pipeline" is a file.
tl::expected<DefinitionPtr, Problem> open_definition(const char* name_or_file);

// The key=value words of a command line, in their order.
using Settings = std::vector<std::pair<std::string, std::string>>;
tl::expected<Settings, Problem> parse_settings(const std::vector<char*>& words);

// A new element of the definition with all values set and checked, ready to run.
tl::expected<ElementRef, Problem> make_element(GstClipsDefinition* definition,
                                               const Settings& settings);

// The exit code that an error of the library calls for, with its text.
Problem library_problem(const GError& error);

std::vector<std::string> parameter_names(const GstClipsDefinition* definition);
std::vector<std::string> texts(const gchar* const* words);

}  // namespace clips::tool
