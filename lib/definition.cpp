// SPDX-License-Identifier: LGPL-2.1-or-later
#include "definition.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace clips {

namespace {

// Thrown inside of this file only; parse_definition() catches it.
struct Refused {
  DefinitionError error;
};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string quoted(std::string_view text) {
  return "“" + display_location(text) + "”";
}

// The names that become GObject properties, element names and enum nicks.
bool is_identifier(std::string_view text) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || text.size() > 64 || !lower(text.front()) || text.back() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return lower(c) || digit(c) || c == '-'; });
}

bool is_nick(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '+';
  });
}

bool is_element_name(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

// GObject and GstElement have these already.
constexpr std::array<std::string_view, 4> kReservedParameters{"name", "parent", "async-handling",
                                                              "message-forward"};

class Parser {
 public:
  Parser(std::string_view file, std::vector<KeyFileGroup> groups) : groups_(std::move(groups)) {
    definition_.file = file;
  }

  Definition parse() {
    for (const auto& group : groups_) parse_group(group);
    check_whole();
    return std::move(definition_);
  }

 private:
  [[noreturn]] void refuse(int line, const std::string& group, const std::string& key,
                           std::string message) const {
    throw Refused{definition_.error(line, group, key, std::move(message))};
  }
  [[noreturn]] void refuse(const KeyFileGroup& group, const KeyFileEntry& entry,
                           std::string message) const {
    refuse(entry.line, group.name, entry.key, std::move(message));
  }
  [[noreturn]] void refuse(const KeyFileGroup& group, std::string message) const {
    refuse(group.line, group.name, {}, std::move(message));
  }

  void check_keys(const KeyFileGroup& group, std::initializer_list<std::string_view> known) const {
    for (const auto& entry : group.entries) {
      if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
      std::string all;
      for (const auto key : known) all += (all.empty() ? "" : ", ") + std::string(key);
      refuse(group, entry, "is an unknown key; this group has " + all);
    }
  }

  static const KeyFileEntry* find(const KeyFileGroup& group, std::string_view key) {
    for (const auto& entry : group.entries)
      if (entry.key == key) return &entry;
    return nullptr;
  }

  const KeyFileEntry& require(const KeyFileGroup& group, std::string_view key) const {
    const auto* entry = find(group, key);
    if (!entry) refuse(group.line, group.name, std::string(key), "is missing");
    return *entry;
  }

  std::string text(const KeyFileGroup& group, const KeyFileEntry& entry) const {
    auto value = unescape_key_file_string(entry.raw);
    if (!value) refuse(group, entry, value.error());
    if (value->empty()) refuse(group, entry, "is empty");
    return *value;
  }

  std::string optional_text(const KeyFileGroup& group, std::string_view key) const {
    const auto* entry = find(group, key);
    return entry ? text(group, *entry) : std::string();
  }

  bool boolean(const KeyFileGroup& group, std::string_view key) const {
    const auto* entry = find(group, key);
    if (!entry) return false;
    if (entry->raw == "true") return true;
    if (entry->raw == "false") return false;
    refuse(group, *entry, "must be true or false, not " + quoted(entry->raw));
  }

  Fragment fragment(const KeyFileGroup& group, const KeyFileEntry& entry) const {
    Fragment fragment;
    fragment.text = text(group, entry);
    fragment.line = entry.line;
    auto scan = scan_launch_text(fragment.text);
    if (!scan) refuse(group, entry, scan.error());
    fragment.scan = *std::move(scan);
    return fragment;
  }

  Endpoint endpoint(const KeyFileGroup& group, const KeyFileEntry& entry) const {
    const std::string value = text(group, entry);
    const auto dot = value.find('.');
    Endpoint endpoint{value.substr(0, dot), {}, entry.line};
    if (dot != std::string::npos) endpoint.pad = value.substr(dot + 1);
    if (!is_element_name(endpoint.element) ||
        (dot != std::string::npos && !is_element_name(endpoint.pad)))
      refuse(group, entry, "must be an element or element.pad, not " + quoted(value));
    return endpoint;
  }

  void parse_group(const KeyFileGroup& group) {
    const auto space = group.name.find(' ');
    const std::string kind = group.name.substr(0, space);
    const std::string name = space == std::string::npos ? "" : group.name.substr(space + 1);
    if (group.name == "Pipeline") return parse_pipeline(group);
    if (group.name == "Graph") return parse_graph(group);
    if (group.name == "Pad sink") return parse_pad(group, definition_.sink);
    if (group.name == "Pad src") return parse_pad(group, definition_.src);
    if (kind == "Branch" || kind == "Parameter" || kind == "Choice") {
      if (!is_identifier(name))
        refuse(group, "needs a name of lower-case letters, digits and dashes, such as [" + kind +
                          " video]");
      if (kind == "Branch") return parse_branch(group, name);
      if (kind == "Parameter") return parse_parameter(group, name);
      return parse_choice(group, name);
    }
    refuse(group,
           "is an unknown group; there are [Pipeline], [Graph], [Branch NAME], [Parameter NAME], "
           "[Choice NAME], [Pad sink] and [Pad src]");
  }

  void parse_pipeline(const KeyFileGroup& group) {
    check_keys(group, {"format", "name", "long-name", "klass", "description", "author"});
    const auto& format = require(group, "format");
    if (format.raw != "1") refuse(group, format, "must be 1, not " + quoted(format.raw));
    const auto& name = require(group, "name");
    definition_.name = text(group, name);
    if (!is_identifier(definition_.name) || definition_.name.find('-') != std::string::npos)
      refuse(group, name,
             "must have lower-case letters and digits only and start with a letter, not " +
                 quoted(definition_.name));
    definition_.long_name = text(group, require(group, "long-name"));
    definition_.klass = text(group, require(group, "klass"));
    definition_.description = text(group, require(group, "description"));
    definition_.author = optional_text(group, "author");
  }

  void parse_graph(const KeyFileGroup& group) {
    if (group.entries.empty()) refuse(group, "has no chain");
    for (const auto& entry : group.entries)
      definition_.graph.emplace_back(entry.key, fragment(group, entry));
  }

  void parse_pad(const KeyFileGroup& group, PadDefinition& pad) {
    check_keys(group, {"element", "caps"});
    pad.present = true;
    pad.line = group.line;
    pad.target = endpoint(group, require(group, "element"));
    if (const auto* caps = find(group, "caps")) {
      pad.caps = text(group, *caps);
      pad.caps_line = caps->line;
    }
  }

  Condition condition(const KeyFileGroup& group, const KeyFileEntry& entry) const {
    std::string value = text(group, entry);
    Condition condition;
    condition.line = entry.line;
    if (value.starts_with('!')) {
      condition.negated = true;
      value.erase(0, 1);
    }
    const auto equals = value.find('=');
    condition.parameter = value.substr(0, equals);
    if (equals != std::string::npos) condition.value = value.substr(equals + 1);
    return condition;
  }

  void parse_branch(const KeyFileGroup& group, const std::string& name) {
    check_keys(group, {"from", "caps", "to", "to-properties", "launch", "optional", "multiple",
                       "stream", "if"});
    Branch branch;
    branch.name = name;
    branch.line = group.line;
    branch.launch = fragment(group, require(group, "launch"));
    if (const auto* from = find(group, "from")) branch.from = endpoint(group, *from);
    if (const auto* to = find(group, "to")) branch.to = endpoint(group, *to);
    if (const auto* caps = find(group, "caps")) {
      branch.caps = text(group, *caps);
      branch.caps_line = caps->line;
    }
    if (const auto* entry = find(group, "to-properties")) {
      if (!branch.to) refuse(group, *entry, "needs to, the element whose pad has the properties");
      branch.to_properties_line = entry->line;
      for (const auto& item : list(group, *entry)) {
        const auto equals = item.find('=');
        const std::string property(trimmed(std::string_view(item).substr(0, equals)));
        if (equals == std::string::npos || !is_element_name(property))
          refuse(group, *entry, "must be property=value, not " + quoted(item));
        branch.to_properties.emplace_back(property,
                                          trimmed(std::string_view(item).substr(equals + 1)));
      }
    }
    branch.optional = boolean(group, "optional");
    branch.multiple = boolean(group, "multiple");
    branch.slot = name;
    if (const auto* slot = find(group, "stream")) {
      branch.slot = text(group, *slot);
      if (!is_identifier(branch.slot))
        refuse(
            group, *slot,
            "must be a name of lower-case letters, digits and dashes, not " + quoted(branch.slot));
    }
    if (const auto* entry = find(group, "if")) branch.condition = condition(group, *entry);
    for (const char* key : {"caps", "optional", "multiple", "stream"}) {
      if (const auto* entry = find(group, key); entry && !branch.from)
        refuse(group, *entry, "needs from, the element that has the stream");
    }
    definition_.branches.push_back(std::move(branch));
  }

  void add_parameter(const KeyFileGroup& group, Parameter parameter) {
    if (std::find(kReservedParameters.begin(), kReservedParameters.end(), parameter.name) !=
        kReservedParameters.end())
      refuse(group, "has a name that every bin uses itself");
    if (definition_.find_parameter(parameter.name))
      refuse(group, "has the name of another parameter or choice");
    definition_.parameters.push_back(std::move(parameter));
  }

  Value value(const KeyFileGroup& group, const KeyFileEntry& entry, const Parameter& parameter,
              const ValueLimits& limits) const {
    const auto text = unescape_key_file_string(entry.raw);
    if (!text) refuse(group, entry, text.error());
    auto value = parse_value(parameter.type, *text, limits);
    if (!value) refuse(group, entry, value.error());
    return *std::move(value);
  }

  void parse_parameter(const KeyFileGroup& group, const std::string& name) {
    check_keys(group, {"type", "default", "minimum", "maximum", "values", "required", "bind",
                       "description", "unset", "template", "launch"});
    Parameter parameter;
    parameter.name = name;
    parameter.line = group.line;
    const auto& type_entry = require(group, "type");
    const auto type = value_type_from_name(type_entry.raw);
    if (!type)
      refuse(group, type_entry,
             "must be boolean, int, uint, int64, uint64, double, string, filename, uri, time, "
             "fraction, caps, structure or choice, not " +
                 quoted(type_entry.raw));
    parameter.type = *type;
    parameter.description = text(group, require(group, "description"));
    parameter.required = boolean(group, "required");

    const auto* values = find(group, "values");
    if (parameter.type == ValueType::Choice) {
      if (!values)
        refuse(group.line, group.name, "values",
               "is missing; a choice between pieces of the graph is a [Choice] group");
      parameter.limits.choices = list(group, *values);
      std::set<std::string> seen;
      for (const auto& choice : parameter.limits.choices) {
        if (!is_nick(choice)) refuse(group, *values, "has the malformed value " + quoted(choice));
        if (!seen.insert(choice).second) refuse(group, *values, "has " + quoted(choice) + " twice");
      }
    } else if (values) {
      refuse(group, *values, "is for parameters of type choice");
    }

    parse_limits(group, parameter);
    parse_default(group, parameter);
    parse_binds(group, parameter);
    if (const auto* entry = find(group, "launch")) {
      if (!parameter.unset && parameter.type != ValueType::Boolean &&
          (parameter.default_value || parameter.required))
        refuse(group, *entry, "needs unset, the value without these elements");
      parameter.launch = fragment(group, *entry);
      if (!parameter.launch->scan.tokens.empty())
        refuse(group, *entry, "has a token, but parameters have none");
    }
    add_parameter(group, std::move(parameter));
  }

  void parse_limits(const KeyFileGroup& group, Parameter& parameter) const {
    for (const char* key : {"minimum", "maximum"}) {
      const auto* entry = find(group, key);
      if (!entry) continue;
      if (!value_type_is_ordered(parameter.type))
        refuse(group, *entry, "is for numbers, times and fractions");
      auto& limit =
          key == std::string_view("minimum") ? parameter.limits.minimum : parameter.limits.maximum;
      // The maximum is read against the minimum, which must not be above it.
      const ValueLimits so_far = parameter.limits;
      limit = value(group, *entry, parameter, so_far);
    }
  }

  void parse_default(const KeyFileGroup& group, Parameter& parameter) const {
    if (const auto* entry = find(group, "default")) {
      if (parameter.required) refuse(group, *entry, "is never used, as the parameter is required");
      parameter.default_line = entry->line;
      parameter.default_value = value(group, *entry, parameter, parameter.limits);
    } else if (!parameter.required) {
      switch (parameter.type) {
        case ValueType::String:
        case ValueType::Filename:
        case ValueType::Uri:
        case ValueType::Caps:
        case ValueType::Structure:
          break;  // No value is a value of these.
        default:
          refuse(group.line, group.name, "default",
                 "is missing; a parameter of this type has a default or is required");
      }
    }
    if (const auto* entry = find(group, "unset"))
      parameter.unset = value(group, *entry, parameter, parameter.limits);
  }

  void parse_binds(const KeyFileGroup& group, Parameter& parameter) const {
    if (const auto* entry = find(group, "bind")) {
      parameter.bind_line = entry->line;
      for (const auto& item : list(group, *entry)) {
        std::vector<Bind> targets;
        std::size_t start = 0;
        while (start <= item.size()) {
          const auto comma = std::min(item.find(',', start), item.size());
          const std::string target(trimmed(std::string_view(item).substr(start, comma - start)));
          const auto colons = target.find("::");
          Bind bind{target.substr(0, colons),
                    colons == std::string::npos ? "" : target.substr(colons + 2)};
          if (!is_element_name(bind.element) || !is_element_name(bind.property))
            refuse(group, *entry, "must be element::property, not " + quoted(target));
          targets.push_back(std::move(bind));
          start = comma + 1;
        }
        parameter.binds.push_back(std::move(targets));
      }
    }
    if (const auto* entry = find(group, "template")) {
      // Numbers and authored values cannot bring syntax of their own into the text.
      if (!value_type_is_ordered(parameter.type) && parameter.type != ValueType::Boolean &&
          parameter.type != ValueType::Choice)
        refuse(group, *entry, "is for numbers, times, fractions, booleans and choices");
      if (parameter.binds.empty()) refuse(group, *entry, "needs bind");
      parameter.text_template = text(group, *entry);
      const auto at = parameter.text_template.find("{}");
      if (at == std::string::npos) refuse(group, *entry, "must contain {}, where the value goes");
    }
  }

  std::vector<std::string> list(const KeyFileGroup& group, const KeyFileEntry& entry) const {
    auto items = unescape_key_file_list(entry.raw);
    if (!items) refuse(group, entry, items.error());
    for (auto& item : *items) {
      item = std::string(trimmed(item));
      if (item.empty()) refuse(group, entry, "has an empty item");
    }
    if (items->empty()) refuse(group, entry, "is empty");
    return *std::move(items);
  }

  void parse_choice(const KeyFileGroup& group, const std::string& name) {
    Parameter parameter;
    parameter.name = name;
    parameter.type = ValueType::Choice;
    parameter.line = group.line;
    parameter.description = text(group, require(group, "description"));
    const auto* preset = find(group, "default");
    if (!preset) {
      parameter.limits.choices.emplace_back(kAutoChoice);
      parameter.default_value = Value(std::string(kAutoChoice));
    }
    for (const auto& entry : group.entries) {
      if (entry.key == "default" || entry.key == "description") continue;
      if (!is_nick(entry.key)) refuse(group, entry, "is no name for an alternative");
      if (entry.key == kAutoChoice)
        refuse(group, entry, "is what a choice without a default has by itself");
      parameter.limits.choices.push_back(entry.key);
      parameter.alternatives.push_back({entry.key, fragment(group, entry)});
      if (!parameter.alternatives.back().fragment.scan.tokens.empty())
        refuse(group, entry, "has a token, but alternatives have none");
    }
    if (parameter.alternatives.empty()) refuse(group, "has no alternative");
    if (preset) {
      parameter.default_line = preset->line;
      parameter.default_value = value(group, *preset, parameter, parameter.limits);
    }
    add_parameter(group, std::move(parameter));
  }

  // --- What one group alone cannot tell ---

  void check_whole() {
    const auto find_group = [&](std::string_view name) {
      return std::any_of(groups_.begin(), groups_.end(),
                         [&](const auto& group) { return group.name == name; });
    };
    if (!find_group("Pipeline")) refuse(0, "Pipeline", {}, "is missing");
    if (!find_group("Graph")) refuse(0, "Graph", {}, "is missing");

    for (const auto& [name, chain] : definition_.graph) add_names(chain, "Graph", name);
    for (const auto& branch : definition_.branches)
      add_names(branch.launch, "Branch " + branch.name, "launch", branch.slot);
    check_unused_tokens();
    for (const auto& branch : definition_.branches) check_branch(branch);
    for (const auto& parameter : definition_.parameters) check_parameter(parameter);
    if (definition_.sink.present) check_element(definition_.sink.target, "Pad sink", "element");
    if (definition_.src.present) check_element(definition_.src.target, "Pad src", "element");
  }

  void add_name(const std::string& name, int line, const std::string& group,
                const std::string& key) {
    if (name.empty()) return;
    if (!is_element_name(name))
      refuse(line, group, key, "has the malformed element name " + quoted(name));
    if (!elements_.insert(name).second)
      refuse(line, group, key, "names a second element " + quoted(name));
  }

  // `slot`: of a branch that competes with others for one stream, so that one of them is built.
  void add_names(const Fragment& fragment, const std::string& group, const std::string& key,
                 const std::string& slot = {}) {
    for (const auto& element : fragment.scan.elements)
      add_name(element.name, fragment.line, group, key);
    std::set<std::string> here;
    for (const auto& token : fragment.scan.tokens) {
      const auto* parameter = definition_.find_parameter(token);
      if (!parameter || (!parameter->is_fragment_choice() && !parameter->launch))
        refuse(fragment.line, group, key,
               "has the unknown token “${" + token +
                   "}”; a token names a [Choice] group or a [Parameter] with launch");
      const auto [used, is_new] = used_tokens_.emplace(token, slot);
      const bool repeats = !here.insert(token).second;
      if (!is_new && !repeats && !slot.empty() && used->second == slot) continue;
      if (!is_new) refuse(fragment.line, group, key, "uses “${" + token + "}” a second time");
      // Alternatives may use the same name: only one of them is ever built.
      std::set<std::string> names;
      for (const auto& alternative : parameter->alternatives)
        names.merge(own_names(alternative.fragment, "Choice " + token, alternative.name));
      if (parameter->launch)
        names.merge(own_names(*parameter->launch, "Parameter " + token, "launch"));
      const auto kind = parameter->launch ? "Parameter " : "Choice ";
      for (const auto& name : names) add_name(name, parameter->line, kind + token, {});
    }
  }

  std::set<std::string> own_names(const Fragment& fragment, const std::string& group,
                                  const std::string& key) const {
    std::set<std::string> own;
    for (const auto& element : fragment.scan.elements) {
      if (!element.name.empty() && !own.insert(element.name).second)
        refuse(fragment.line, group, key, "names a second element " + quoted(element.name));
    }
    return own;
  }

  void check_unused_tokens() const {
    for (const auto& parameter : definition_.parameters) {
      if (used_tokens_.contains(parameter.name)) continue;
      const auto message = "is used by no ${" + parameter.name + "} token";
      if (parameter.is_fragment_choice())
        refuse(parameter.line, "Choice " + parameter.name, {}, message);
      if (parameter.launch)
        refuse(parameter.launch->line, "Parameter " + parameter.name, "launch", message);
    }
  }

  void check_element(const Endpoint& endpoint, const std::string& group,
                     const std::string& key) const {
    if (!elements_.contains(endpoint.element))
      refuse(endpoint.line, group, key,
             "names the element " + quoted(endpoint.element) +
                 ", which stands nowhere as name=" + endpoint.element);
  }

  void check_branch(const Branch& branch) const {
    const std::string group = "Branch " + branch.name;
    if (branch.from) check_element(*branch.from, group, "from");
    if (branch.to) check_element(*branch.to, group, "to");
    if (branch.from) {
      for (const auto& element : branch.launch.scan.elements)
        if (element.name == branch.from->element)
          refuse(branch.from->line, group, "from", "names an element of the branch itself");
    }
    for (const auto& other : definition_.branches) {
      if (&other == &branch || !branch.from || !other.from || other.slot != branch.slot) continue;
      if (other.from->element != branch.from->element)
        refuse(branch.line, group, "stream",
               "is shared with [Branch " + other.name + "], which has another from");
      if (other.multiple != branch.multiple)
        refuse(branch.line, group, "multiple",
               "differs from [Branch " + other.name + "], which shares the stream");
    }
    if (branch.condition) check_condition(*branch.condition, group);
  }

  void check_condition(const Condition& condition, const std::string& group) const {
    const auto* parameter = definition_.find_parameter(condition.parameter);
    if (!parameter)
      refuse(condition.line, group, "if",
             "names the unknown parameter " + quoted(condition.parameter));
    if (parameter->type == ValueType::Choice) {
      if (!condition.value)
        refuse(condition.line, group, "if",
               "needs a value to compare with, as in " + condition.parameter + "=" +
                   parameter->limits.choices.back());
      const auto value = parse_value(ValueType::Choice, *condition.value, parameter->limits);
      if (!value) refuse(condition.line, group, "if", value.error());
    } else if (parameter->type != ValueType::Boolean || condition.value) {
      refuse(condition.line, group, "if",
             "must be a boolean parameter, or a choice with a value as in choice=value");
    }
  }

  void check_parameter(const Parameter& parameter) const {
    if (parameter.is_fragment_choice()) return;
    const std::string group = "Parameter " + parameter.name;
    for (const auto& targets : parameter.binds) {
      for (const auto& bind : targets) {
        if (!elements_.contains(bind.element))
          refuse(parameter.bind_line, group, "bind",
                 "names the element " + quoted(bind.element) +
                     ", which no graph, branch or choice offers");
      }
    }
    if (!parameter.binds.empty() || parameter.launch) return;
    const bool steers = std::any_of(
        definition_.branches.begin(), definition_.branches.end(),
        [&](const auto& b) { return b.condition && b.condition->parameter == parameter.name; });
    if (!steers)
      refuse(parameter.line, group, "bind",
             "is missing, and no branch has the parameter in its if");
  }

  std::vector<KeyFileGroup> groups_;
  Definition definition_;
  std::set<std::string> elements_;
  std::map<std::string, std::string> used_tokens_;  // and the slot of the branch
};

}  // namespace

std::string DefinitionError::to_string() const {
  std::string text = display_location(file);
  if (line > 0) text += ":" + std::to_string(line);
  text += ":";
  if (!group.empty()) text += " [" + group + "]";
  if (!key.empty()) text += " " + key;
  if (!group.empty() || !key.empty()) text += ":";
  return text + " " + message;
}

const Parameter* Definition::find_parameter(std::string_view parameter) const noexcept {
  for (const auto& entry : parameters)
    if (entry.name == parameter) return &entry;
  return nullptr;
}

DefinitionError Definition::error(int line, std::string group, std::string key,
                                  std::string message) const {
  return {file, line, std::move(group), std::move(key), std::move(message)};
}

tl::expected<std::vector<KeyFileGroup>, DefinitionError> parse_key_file(std::string_view text,
                                                                        std::string_view file) {
  std::vector<KeyFileGroup> groups;
  int number = 0;
  const auto refuse = [&](std::string key, std::string message) {
    return tl::make_unexpected(DefinitionError{std::string(file), number,
                                               groups.empty() ? "" : groups.back().name,
                                               std::move(key), std::move(message)});
  };
  if (text.size() > kMaximumDefinitionSize)
    return refuse({}, "is larger than 1 MiB, so it is no pipeline definition");
  if (text.find('\0') != std::string_view::npos)
    return refuse({}, "contains a NUL byte, so it is no pipeline definition");
  if (!g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr))
    return refuse({}, "is not UTF-8");

  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (std::any_of(line.begin(), line.end(), [](char c) {
          return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
        }))
      return refuse({}, "has a line with a control character");
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      const auto name = line.substr(1, line.size() - 2);
      const bool odd = std::any_of(name.begin(), name.end(),
                                   [](char c) { return c == '[' || c == ']' || c == '\t'; });
      if (line.size() < 2 || line.back() != ']' || name.empty() || odd)
        return refuse({}, "has the malformed group line " + quoted(line));
      for (const auto& group : groups)
        if (group.name == name)
          return refuse({}, "has the group [" + std::string(name) +
                                "] a second time; it is in line " + std::to_string(group.line) +
                                " already");
      groups.push_back({std::string(name), {}, number});
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string_view::npos)
      return refuse({},
                    "has the line " + quoted(line) + ", which is no group, key=value or comment");
    const auto key = trimmed(line.substr(0, equals));
    if (groups.empty()) return refuse(std::string(key), "stands before the first group");
    if (!is_nick(key)) return refuse({}, "has the malformed key " + quoted(key));
    auto& entries = groups.back().entries;
    for (const auto& entry : entries)
      if (entry.key == key)
        return refuse(std::string(key), "stands a second time; it is in line " +
                                            std::to_string(entry.line) + " already");
    entries.push_back({std::string(key), std::string(trimmed(line.substr(equals + 1))), number});
  }
  return groups;
}

namespace {

// `on_separator` is called for an unescaped “;” of a list; a plain string has none.
template <typename OnCharacter, typename OnSeparator>
tl::expected<void, std::string> unescape(std::string_view raw, bool list,
                                         OnCharacter&& on_character, OnSeparator&& on_separator) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == ';' && list) {
      on_separator();
    } else if (raw[i] != '\\') {
      on_character(raw[i]);
    } else {
      ++i;
      const char next = i < raw.size() ? raw[i] : '\0';
      switch (next) {
        case 's':
          on_character(' ');
          break;
        case 'n':
          on_character('\n');
          break;
        case 't':
          on_character('\t');
          break;
        case 'r':
          on_character('\r');
          break;
        case '\\':
          on_character('\\');
          break;
        default:
          if (list && next == ';') {
            on_character(';');
            break;
          }
          return tl::make_unexpected(
              std::string("has a backslash before something else than s, n, t, r and \\"));
      }
    }
  }
  return {};
}

}  // namespace

tl::expected<std::string, std::string> unescape_key_file_string(std::string_view raw) {
  std::string text;
  const auto done = unescape(
      raw, false, [&](char c) { text += c; }, [] {});
  if (!done) return tl::make_unexpected(done.error());
  return text;
}

tl::expected<std::vector<std::string>, std::string> unescape_key_file_list(std::string_view raw) {
  std::vector<std::string> items;
  std::string item;
  const auto done = unescape(
      raw, true, [&](char c) { item += c; },
      [&] {
        items.push_back(std::move(item));
        item.clear();
      });
  if (!done) return tl::make_unexpected(done.error());
  // As in GKeyFile, a separator at the end closes the last item and opens none.
  if (!item.empty()) items.push_back(std::move(item));
  return items;
}

tl::expected<Definition, DefinitionError> parse_definition(std::string_view text,
                                                           std::string_view file) {
  auto groups = parse_key_file(text, file);
  if (!groups) return tl::make_unexpected(groups.error());
  try {
    return Parser(file, *std::move(groups)).parse();
  } catch (Refused& refused) {
    return tl::make_unexpected(std::move(refused.error));
  }
}

}  // namespace clips
