// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "launchtext.hpp"
#include "value.hpp"

namespace clips {

// A pipeline definition as docs/pipelines/format.md describes it, read and checked without
// GStreamer. What only GStreamer can tell (whether a factory exists, a property is known, caps are
// well-formed) is checked when the definition becomes an element.

struct DefinitionError {
  std::string file;
  int line = 0;       // 0: the whole file
  std::string group;  // without brackets; empty: the whole file
  std::string key;    // empty: the whole group
  std::string message;

  // "proxy.pipeline:12: [Parameter crf] maximum: must be …"
  std::string to_string() const;
};

// element or element.pad, as written in from=, to= and element=.
struct Endpoint {
  std::string element;
  std::string pad;  // empty: any that fits
  int line = 0;
};

struct Fragment {
  std::string text;
  LaunchText scan;
  int line = 0;
};

struct Condition {
  std::string parameter;
  bool negated = false;
  // Set for a choice: the value that it must (or must not) have.
  std::optional<std::string> value;
  int line = 0;
};

struct Branch {
  std::string name;
  std::optional<Endpoint> from;
  std::optional<Endpoint> to;
  std::string caps;  // empty: every stream
  Fragment launch;
  // Set on the pad of `to`, as name and text.
  std::vector<std::pair<std::string, std::string>> to_properties;
  int to_properties_line = 0;
  bool optional = false;
  bool multiple = false;
  // Branches with the same slot compete for one stream.
  std::string slot;
  std::optional<Condition> condition;
  int line = 0;
  int caps_line = 0;
};

struct Bind {
  std::string element;
  std::string property;
};

struct Alternative {
  std::string name;
  Fragment fragment;
};

struct Parameter {
  std::string name;
  ValueType type = ValueType::String;
  std::string description;
  bool required = false;
  std::optional<Value> default_value;
  ValueLimits limits;
  // The value that leaves the bound elements alone.
  std::optional<Value> unset;
  // Text with {} where the value goes, for a property of another type.
  std::string text_template;
  // Tried in order; the first one with a target that exists is used, for all its targets.
  std::vector<std::vector<Bind>> binds;
  // Stands where ${name} is, unless the value is unset, false or none at all.
  std::optional<Fragment> launch;
  // For a [Choice]: what the values stand for. limits.choices has the names, in the same order,
  // behind “auto” when the choice has no default.
  std::vector<Alternative> alternatives;
  int line = 0;
  int default_line = 0;
  int bind_line = 0;

  bool is_fragment_choice() const noexcept { return !alternatives.empty(); }
};

struct PadDefinition {
  bool present = false;
  Endpoint target;
  std::string caps;
  int line = 0;
  int caps_line = 0;
};

struct Definition {
  std::string file;
  std::string name;
  std::string long_name;
  std::string klass;
  std::string description;
  std::string author;
  std::vector<std::pair<std::string, Fragment>> graph;
  std::vector<Branch> branches;
  // Properties of the bin, in the file's order: [Parameter] and [Choice] groups.
  std::vector<Parameter> parameters;
  PadDefinition sink;
  PadDefinition src;

  const Parameter* find_parameter(std::string_view parameter) const noexcept;
  // The name of the element that the definition becomes: <name>bin.
  std::string element_name() const { return name + "bin"; }

  DefinitionError error(int line, std::string group, std::string key, std::string message) const;
};

// The value of a choice that has no default.
inline constexpr std::string_view kAutoChoice = "auto";
// A definition is written by hand; what is larger is something else.
inline constexpr std::size_t kMaximumDefinitionSize = 1024 * 1024;

tl::expected<Definition, DefinitionError> parse_definition(std::string_view text,
                                                           std::string_view file);

// The file's lines as groups of keys: the syntax of GKeyFile, with duplicates refused instead of
// merged. Public for the differential test against GKeyFile.
struct KeyFileEntry {
  std::string key;
  std::string raw;  // escapes not yet resolved
  int line = 0;
};
struct KeyFileGroup {
  std::string name;
  std::vector<KeyFileEntry> entries;
  int line = 0;
};
tl::expected<std::vector<KeyFileGroup>, DefinitionError> parse_key_file(std::string_view text,
                                                                        std::string_view file);
tl::expected<std::string, std::string> unescape_key_file_string(std::string_view raw);
tl::expected<std::vector<std::string>, std::string> unescape_key_file_list(std::string_view raw);

}  // namespace clips
