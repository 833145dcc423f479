// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gst-clips.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "gst-clips-private.h"
#include "gstclipsbin.h"
#include "gstclipsdefinition.hpp"

GST_DEBUG_CATEGORY_STATIC(clips_debug);
#define GST_CAT_DEFAULT clips_debug

// clang-format off: the name is text, no subtraction.
G_DEFINE_QUARK(gst - clips - error - quark, gst_clips_error)
// clang-format on
G_DEFINE_BOXED_TYPE(GstClipsDefinition, gst_clips_definition, gst_clips_definition_ref,
                    gst_clips_definition_unref)

namespace {

using namespace clips;

constexpr const char* kPathVariable = "GST_CLIPS_PIPELINE_PATH";

// Folders in the order in which they count.
std::vector<std::string> search_path() {
  std::vector<std::string> folders;
  if (const gchar* variable = g_getenv(kPathVariable)) {
    const GStrv_ parts(g_strsplit(variable, G_SEARCHPATH_SEPARATOR_S, -1));
    for (gchar** part = parts.get(); *part; ++part)
      if (**part) folders.emplace_back(*part);
  }
  folders.emplace_back(CLIPS_PIPELINES_DIR);
  return folders;
}

// Paths of the *.pipeline files of a folder, sorted; empty for a folder that is not there.
std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".pipeline") files.push_back(entry->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Calls `on_definition` for the first definition of each name and `on_error` for each wrong file.
template <typename OnDefinition, typename OnError>
void for_each_definition(OnDefinition&& on_definition, OnError&& on_error) {
  std::map<std::string, std::string> seen;
  for (const auto& folder : search_path()) {
    std::map<std::string, std::string> here;
    for (const auto& file : files_in(folder)) {
      GError* error = nullptr;
      auto definition = load_definition(file.c_str(), &error);
      if (!definition) {
        on_error(ErrorPtr(error));
        continue;
      }
      const auto& name = definition->core.name;
      if (const auto twin = here.find(name); twin != here.end()) {
        on_error(ErrorPtr(g_error_new(
            GST_CLIPS_ERROR, GST_CLIPS_ERROR_DEFINITION, "%s",
            definition->core
                .error(0, "Pipeline", "name",
                       "is also that of " + display_location(twin->second) + ", which is used")
                .to_string()
                .c_str())));
        continue;
      }
      here.emplace(name, file);
      if (seen.emplace(name, file).second) on_definition(std::move(definition));
    }
  }
}

const Parameter* core_of(const GstClipsParameter* parameter) {
  return parameter->core;
}

const gchar* text_or_null(const std::optional<Value>& value, const std::string& text) {
  return value ? text.c_str() : nullptr;
}

// Bytes of a path may be no UTF-8, but an error's message must be.
void set_error(GError** error, GstClipsError code, const std::string& message) {
  const GString_ valid(g_utf8_make_valid(message.data(), static_cast<gssize>(message.size())));
  g_set_error_literal(error, GST_CLIPS_ERROR, code, valid.get());
}

bool value_matters(const Parameter& parameter) {
  return parameter.type == ValueType::Caps || parameter.type == ValueType::Structure;
}

// The one check of a text against a parameter, for everybody.
tl::expected<Value, std::string> check_text(const Parameter& parameter, const gchar* text) {
  auto value = parse_value(parameter.type, text, parameter.limits);
  if (!value || !value_matters(parameter)) return value;
  const bool right = parameter.type == ValueType::Caps
                         ? bool(CapsRef::adopt(gst_caps_from_string(text)))
                         : bool(StructurePtr(gst_structure_from_string(text, nullptr)));
  if (right) return value;
  return tl::make_unexpected(std::string("must be ") +
                             (parameter.type == ValueType::Caps ? "caps" : "a structure") +
                             ", not “" + display_location(text) + "”");
}

nlohmann::json json_value(const Value& value) {
  struct Visitor {
    nlohmann::json operator()(bool v) const { return v; }
    nlohmann::json operator()(std::int64_t v) const { return v; }
    nlohmann::json operator()(std::uint64_t v) const { return v; }
    nlohmann::json operator()(double v) const { return v; }
    nlohmann::json operator()(const Fraction& v) const {
      return format_value(ValueType::Fraction, Value(v));
    }
    nlohmann::json operator()(const std::string& v) const { return v; }
  };
  return std::visit(Visitor{}, value);
}

nlohmann::json json_schema(const Parameter& parameter) {
  nlohmann::json schema;
  const auto& limits = parameter.limits;
  switch (parameter.type) {
    case ValueType::Boolean:
      schema["type"] = "boolean";
      break;
    case ValueType::Int:
    case ValueType::UInt:
    case ValueType::Int64:
    case ValueType::UInt64:
      schema["type"] = "integer";
      break;
    case ValueType::Double:
      schema["type"] = "number";
      break;
    case ValueType::Choice:
      schema["type"] = "string";
      schema["enum"] = limits.choices;
      break;
    default:
      schema["type"] = "string";
  }
  const auto as_json = [&](const Value& value) -> nlohmann::json {
    if (parameter.type == ValueType::Time) return format_value(parameter.type, value);
    return json_value(value);
  };
  schema["description"] = parameter.description;
  // Unbounded numbers end where their type does.
  if (parameter.type == ValueType::UInt || parameter.type == ValueType::UInt64)
    schema["minimum"] = 0;
  if (parameter.type == ValueType::UInt) schema["maximum"] = G_MAXUINT32;
  if (parameter.type == ValueType::Int) {
    schema["minimum"] = G_MININT32;
    schema["maximum"] = G_MAXINT32;
  }
  const bool number = schema["type"] == "integer" || schema["type"] == "number";
  if (limits.minimum) schema[number ? "minimum" : "x-minimum"] = as_json(*limits.minimum);
  if (limits.maximum) schema[number ? "maximum" : "x-maximum"] = as_json(*limits.maximum);
  if (parameter.default_value) schema["default"] = as_json(*parameter.default_value);
  schema["x-type"] = value_type_name(parameter.type);
  return schema;
}

}  // namespace

GstClipsDefinition* gst_clips_definition_ref(GstClipsDefinition* definition) {
  ++definition->references;
  return definition;
}

void gst_clips_definition_unref(GstClipsDefinition* definition) {
  if (--definition->references == 0) delete definition;
}

GPtrArray* gst_clips_list_definitions(GPtrArray** errors) {
  GPtrArray* definitions =
      g_ptr_array_new_with_free_func(reinterpret_cast<GDestroyNotify>(gst_clips_definition_unref));
  GPtrArray* wrong = g_ptr_array_new_with_free_func(reinterpret_cast<GDestroyNotify>(g_error_free));
  for_each_definition(
      [&](DefinitionRef definition) { g_ptr_array_add(definitions, definition.release()); },
      [&](ErrorPtr error) { g_ptr_array_add(wrong, error.release()); });
  g_ptr_array_sort(definitions, [](gconstpointer a, gconstpointer b) {
    return (*static_cast<GstClipsDefinition* const*>(a))
        ->core.name.compare((*static_cast<GstClipsDefinition* const*>(b))->core.name);
  });
  if (errors)
    *errors = wrong;
  else
    g_ptr_array_unref(wrong);
  return definitions;
}

GstClipsDefinition* gst_clips_find_definition(const gchar* name, GError** error) {
  std::string wanted = name;
  DefinitionRef found;
  ErrorPtr wrong;
  for_each_definition(
      [&](DefinitionRef definition) {
        if (definition->core.name == wanted || definition->element_name == wanted)
          found = std::move(definition);
      },
      [&](ErrorPtr one) {
        // A wrong file has no name but its own.
        if (std::string(one->message).find("/" + wanted + ".pipeline") != std::string::npos)
          wrong = std::move(one);
      });
  if (found) return found.release();
  if (wrong)
    g_propagate_error(error, wrong.release());
  else
    set_error(error, GST_CLIPS_ERROR_NOT_FOUND,
              "There is no pipeline definition “" + display_location(wanted) + "”.");
  return nullptr;
}

GstClipsDefinition* gst_clips_load_definition(const gchar* filename, GError** error) {
  return load_definition(filename, error).release();
}

GstElement* gst_clips_load(const gchar* filename, const gchar* name, GError** error) {
  const DefinitionRef definition = load_definition(filename, error);
  if (!definition) return nullptr;
  return gst_clips_definition_create_element(definition.definition, name, error);
}

const gchar* gst_clips_definition_get_name(const GstClipsDefinition* definition) {
  return definition->core.name.c_str();
}

const gchar* gst_clips_definition_get_element_name(const GstClipsDefinition* definition) {
  return definition->element_name.c_str();
}

const gchar* gst_clips_definition_get_long_name(const GstClipsDefinition* definition) {
  return definition->core.long_name.c_str();
}

const gchar* gst_clips_definition_get_klass(const GstClipsDefinition* definition) {
  return definition->core.klass.c_str();
}

const gchar* gst_clips_definition_get_description(const GstClipsDefinition* definition) {
  return definition->core.description.c_str();
}

const gchar* gst_clips_definition_get_filename(const GstClipsDefinition* definition) {
  return definition->core.file.c_str();
}

gboolean gst_clips_definition_has_pad(const GstClipsDefinition* definition,
                                      GstPadDirection direction) {
  return direction == GST_PAD_SINK ? definition->core.sink.present : definition->core.src.present;
}

gchar** gst_clips_definition_get_missing(const GstClipsDefinition* definition) {
  std::vector<std::string> missing;
  const auto add = [&](const std::vector<std::string>& more) {
    for (const auto& one : more)
      if (std::find(missing.begin(), missing.end(), one) == missing.end()) missing.push_back(one);
  };
  const auto& core = definition->core;
  for (const auto& [key, chain] : core.graph) add(missing_factories(chain.scan));
  // An optional branch counts too: nobody knows yet which streams the input has.
  for (const auto& branch : core.branches) add(missing_factories(branch.launch.scan));
  for (const auto& parameter : core.parameters) {
    if (parameter.launch) add(missing_factories(parameter.launch->scan));
    if (!parameter.is_fragment_choice()) continue;
    std::vector<std::string> best;
    for (const auto& alternative : parameter.alternatives) {
      best = missing_factories(alternative.fragment.scan);
      if (best.empty()) break;
    }
    add(best);
  }
  return to_strv(missing);
}

gboolean gst_clips_definition_check(const GstClipsDefinition* definition, GError** error) {
  auto* own = const_cast<GstClipsDefinition*>(definition);
  // One bin for each alternative of each choice, the other choices at their defaults; and one
  // with the defaults only.
  std::vector<std::pair<std::string, std::string>> settings{{"", ""}};
  for (const auto& parameter : definition->core.parameters)
    for (const auto& alternative : parameter.alternatives)
      settings.emplace_back(parameter.name, alternative.name);
  // And one for each condition of a branch that the defaults do not meet.
  for (const auto& branch : definition->core.branches) {
    if (!branch.condition) continue;
    const auto& condition = *branch.condition;
    const auto* core = definition->core.find_parameter(condition.parameter);
    const auto choices = core->type == ValueType::Boolean
                             ? std::vector<std::string>{"true", "false"}
                             : core->limits.choices;
    const auto met = std::find_if(choices.begin(), choices.end(), [&](const auto& choice) {
      return (choice == condition.value.value_or("true")) != condition.negated;
    });
    if (met != choices.end()) settings.emplace_back(core->name, *met);
  }
  for (const auto& [parameter, value] : settings) {
    const auto element = ElementRef::sink(gst_clips_definition_create_element(own, nullptr, error));
    if (!element) return FALSE;
    if (!parameter.empty()) {
      const auto* core = definition->core.find_parameter(parameter);
      const auto alternative =
          std::find_if(core->alternatives.begin(), core->alternatives.end(),
                       [&name = value](const auto& one) { return one.name == name; });
      // An alternative that is not installed cannot be tried, which is no fault of the file.
      if (alternative != core->alternatives.end() &&
          !missing_factories(alternative->fragment.scan).empty())
        continue;
      if (!gst_clips_set_parameter(element.get(), parameter.c_str(), value.c_str(), error))
        return FALSE;
    }
    if (!gst_clips_bin_check(reinterpret_cast<GstClipsBin*>(element.get()), error)) return FALSE;
  }
  return TRUE;
}

GstElement* gst_clips_definition_create_element(GstClipsDefinition* definition, const gchar* name,
                                                GError** error) {
  const GType type = gst_clips_bin_type_for(definition);
  if (type == G_TYPE_INVALID) {
    set_error(error, GST_CLIPS_ERROR_DEFINITION,
              definition->element_name + " could not be registered.");
    return nullptr;
  }
  auto* element = static_cast<GstElement*>(name ? g_object_new(type, "name", name, nullptr)
                                                : g_object_new(type, nullptr));
  return element;
}

gchar* gst_clips_definition_to_json_schema(const GstClipsDefinition* definition) {
  const auto& core = definition->core;
  nlohmann::json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                        {"title", core.name},
                        {"description", core.description},
                        {"type", "object"},
                        {"additionalProperties", false},
                        {"properties", nlohmann::json::object()},
                        {"required", nlohmann::json::array()}};
  for (const auto& parameter : definition->parameters) {
    auto one = json_schema(*parameter.core);
    if (parameter.core->is_fragment_choice()) {
      auto unavailable = nlohmann::json::array();
      for (const auto& alternative : parameter.core->alternatives)
        if (!missing_factories(alternative.fragment.scan).empty())
          unavailable.push_back(alternative.name);
      one["x-unavailable"] = std::move(unavailable);
    }
    schema["properties"][parameter.core->name] = std::move(one);
    if (parameter.core->required) schema["required"].push_back(parameter.core->name);
  }
  return g_strdup(schema.dump(2).c_str());
}

guint gst_clips_definition_get_n_parameters(const GstClipsDefinition* definition) {
  return static_cast<guint>(definition->parameters.size());
}

const GstClipsParameter* gst_clips_definition_get_parameter(const GstClipsDefinition* definition,
                                                            guint index) {
  return index < definition->parameters.size() ? &definition->parameters[index] : nullptr;
}

const GstClipsParameter* gst_clips_definition_find_parameter(const GstClipsDefinition* definition,
                                                             const gchar* name) {
  for (const auto& parameter : definition->parameters)
    if (parameter.core->name == name) return &parameter;
  return nullptr;
}

const gchar* gst_clips_parameter_get_name(const GstClipsParameter* parameter) {
  return core_of(parameter)->name.c_str();
}

GstClipsParameterType gst_clips_parameter_get_parameter_type(const GstClipsParameter* parameter) {
  return static_cast<GstClipsParameterType>(core_of(parameter)->type);
}
static_assert(static_cast<int>(ValueType::Boolean) == GST_CLIPS_PARAMETER_BOOLEAN);
static_assert(static_cast<int>(ValueType::Time) == GST_CLIPS_PARAMETER_TIME);
static_assert(static_cast<int>(ValueType::Choice) == GST_CLIPS_PARAMETER_CHOICE);

const gchar* gst_clips_parameter_get_type_name(const GstClipsParameter* parameter) {
  return value_type_name(core_of(parameter)->type);
}

const gchar* gst_clips_parameter_get_description(const GstClipsParameter* parameter) {
  return core_of(parameter)->description.c_str();
}

gboolean gst_clips_parameter_is_required(const GstClipsParameter* parameter) {
  return core_of(parameter)->required;
}

const gchar* gst_clips_parameter_get_default(const GstClipsParameter* parameter) {
  return text_or_null(core_of(parameter)->default_value, parameter->default_text);
}

const gchar* gst_clips_parameter_get_minimum(const GstClipsParameter* parameter) {
  return text_or_null(core_of(parameter)->limits.minimum, parameter->minimum_text);
}

const gchar* gst_clips_parameter_get_maximum(const GstClipsParameter* parameter) {
  return text_or_null(core_of(parameter)->limits.maximum, parameter->maximum_text);
}

const gchar* const* gst_clips_parameter_get_choices(const GstClipsParameter* parameter) {
  return core_of(parameter)->type == ValueType::Choice ? parameter->choices.data() : nullptr;
}

const gchar* gst_clips_parameter_get_choice_description(const GstClipsParameter* parameter,
                                                        const gchar* choice) {
  for (const auto& alternative : core_of(parameter)->alternatives)
    if (alternative.name == choice) return alternative.fragment.text.c_str();
  return nullptr;
}

gchar** gst_clips_parameter_get_choice_missing(const GstClipsParameter* parameter,
                                               const gchar* choice) {
  for (const auto& alternative : core_of(parameter)->alternatives)
    if (alternative.name == choice) return to_strv(missing_factories(alternative.fragment.scan));
  return nullptr;
}

gboolean gst_clips_parameter_check(const GstClipsParameter* parameter, const gchar* text,
                                   GError** error) {
  const auto value = check_text(*core_of(parameter), text);
  if (value) return TRUE;
  set_error(error, GST_CLIPS_ERROR_VALUE,
            "The value of “" + core_of(parameter)->name + "” " + value.error() + ".");
  return FALSE;
}

gboolean gst_clips_set_parameter(GstElement* element, const gchar* name, const gchar* text,
                                 GError** error) {
  if (!GST_IS_CLIPS_BIN(element)) {
    set_error(error, GST_CLIPS_ERROR_UNKNOWN_PARAMETER,
              "The element was made of no pipeline definition.");
    return FALSE;
  }
  const auto* definition = gst_clips_bin_get_definition(reinterpret_cast<GstClipsBin*>(element));
  const auto& core = definition->core;
  const auto* parameter = core.find_parameter(name);
  if (!parameter) {
    std::string all;
    for (const auto& one : core.parameters) all += (all.empty() ? "" : ", ") + one.name;
    set_error(error, GST_CLIPS_ERROR_UNKNOWN_PARAMETER,
              definition->element_name + " has no parameter “" + display_location(name) +
                  "”. It has " + all + ".");
    return FALSE;
  }
  const auto value = check_text(*parameter, text);
  if (!value) {
    set_error(error, GST_CLIPS_ERROR_VALUE,
              "The value of “" + parameter->name + "” " + value.error() + ".");
    return FALSE;
  }

  GParamSpec* pspec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
  GValue held = G_VALUE_INIT;
  g_value_init(&held, G_PARAM_SPEC_VALUE_TYPE(pspec));
  switch (parameter->type) {
    case ValueType::Boolean:
      g_value_set_boolean(&held, std::get<bool>(*value));
      break;
    case ValueType::Int:
      g_value_set_int(&held, static_cast<gint>(std::get<std::int64_t>(*value)));
      break;
    case ValueType::Int64:
      g_value_set_int64(&held, std::get<std::int64_t>(*value));
      break;
    case ValueType::UInt:
      g_value_set_uint(&held, static_cast<guint>(std::get<std::uint64_t>(*value)));
      break;
    case ValueType::UInt64:
    case ValueType::Time:
      g_value_set_uint64(&held, std::get<std::uint64_t>(*value));
      break;
    case ValueType::Double:
      g_value_set_double(&held, std::get<double>(*value));
      break;
    case ValueType::Fraction: {
      const auto& fraction = std::get<Fraction>(*value);
      gst_value_set_fraction(&held, fraction.numerator, fraction.denominator);
      break;
    }
    case ValueType::String:
    case ValueType::Filename:
    case ValueType::Uri:
      g_value_set_string(&held, text);
      break;
    case ValueType::Caps:
      g_value_take_boxed(&held, gst_caps_from_string(text));
      break;
    case ValueType::Structure:
      g_value_take_boxed(&held, gst_structure_from_string(text, nullptr));
      break;
    case ValueType::Choice: {
      const auto& choices = parameter->limits.choices;
      const auto at = std::find(choices.begin(), choices.end(), std::get<std::string>(*value));
      g_value_set_enum(&held, static_cast<gint>(at - choices.begin()));
      break;
    }
  }
  g_object_set_property(G_OBJECT(element), name, &held);
  g_value_unset(&held);
  return TRUE;
}

gboolean gst_clips_check_required(GstElement* element, GError** error) {
  if (!GST_IS_CLIPS_BIN(element)) return TRUE;
  auto* bin = reinterpret_cast<GstClipsBin*>(element);
  std::string unset;
  for (const auto& parameter : gst_clips_bin_get_definition(bin)->core.parameters) {
    if (parameter.required && !gst_clips_bin_is_set(bin, parameter.name.c_str()))
      unset += (unset.empty() ? "“" : ", “") + parameter.name + "”";
  }
  if (unset.empty()) return TRUE;
  set_error(error, GST_CLIPS_ERROR_MISSING_VALUE, "No value is given for " + unset + ".");
  return FALSE;
}

GstClipsDefinition* gst_clips_element_get_definition(GstElement* element) {
  if (!GST_IS_CLIPS_BIN(element)) return nullptr;
  return gst_clips_definition_ref(
      gst_clips_bin_get_definition(reinterpret_cast<GstClipsBin*>(element)));
}

void gst_clips_register_definitions(GstPlugin* plugin) {
  GST_DEBUG_CATEGORY_INIT(clips_debug, "clipspipelines", 0, "pipeline definitions");
  // Adding, changing or removing a definition makes the registry load the plugin anew.
  const gchar* variables[] = {kPathVariable, nullptr};
  const gchar* paths[] = {CLIPS_PIPELINES_DIR, nullptr};
  const gchar* names[] = {".pipeline", nullptr};
  gst_plugin_add_dependency(plugin, variables, paths, names,
                            GST_PLUGIN_DEPENDENCY_FLAG_FILE_NAME_IS_SUFFIX);
  for_each_definition(
      [&](DefinitionRef definition) {
        gst_element_register(plugin, definition->element_name.c_str(), GST_RANK_NONE,
                             gst_clips_bin_type_for(definition.definition));
      },
      [&](ErrorPtr error) { GST_WARNING("%s", error->message); });
}
