// SPDX-License-Identifier: LGPL-2.1-or-later
#include "definitions.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/local_path.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

std::string hint(const std::string& nearest_name) {
  return nearest_name.empty() ? "" : " Did you mean \"" + nearest_name + "\"?";
}

// "crf, preset, threads"
std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::vector<std::string> texts(const gchar* const* words) {
  std::vector<std::string> result;
  for (; words && *words; ++words) result.emplace_back(*words);
  return result;
}

std::vector<std::string> parameter_names(const GstClipsDefinition* definition) {
  std::vector<std::string> names;
  for (guint i = 0; i < gst_clips_definition_get_n_parameters(definition); ++i)
    names.emplace_back(
        gst_clips_parameter_get_name(gst_clips_definition_get_parameter(definition, i)));
  return names;
}

ListedDefinitions list_definitions() {
  ListedDefinitions listed;
  GPtrArray* errors = nullptr;
  GPtrArray* all = gst_clips_list_definitions(&errors);
  for (guint i = 0; i < all->len; ++i)
    listed.definitions.emplace_back(
        gst_clips_definition_ref(static_cast<GstClipsDefinition*>(g_ptr_array_index(all, i))));
  g_ptr_array_unref(all);
  for (guint i = 0; errors && i < errors->len; ++i)
    listed.errors.emplace_back(static_cast<GError*>(g_ptr_array_index(errors, i))->message);
  if (errors) g_ptr_array_unref(errors);
  return listed;
}

Problem library_problem(const GError& error) {
  if (error.domain != GST_CLIPS_ERROR) return problem_of(error, ExitCode::failed);
  Problem problem = usage_problem(error.message);
  switch (error.code) {
    case GST_CLIPS_ERROR_NOT_FOUND:
      problem.code = "not-found";
      break;
    case GST_CLIPS_ERROR_READ:
      problem.code = "read";
      break;
    case GST_CLIPS_ERROR_DEFINITION:
      problem.code = "definition";
      break;
    case GST_CLIPS_ERROR_UNKNOWN_PARAMETER:
      problem.code = "unknown-parameter";
      break;
    case GST_CLIPS_ERROR_VALUE:
      problem.code = "value";
      break;
    case GST_CLIPS_ERROR_MISSING_VALUE:
      problem.code = "missing-value";
      break;
    case GST_CLIPS_ERROR_MISSING_PLUGIN:
      problem.domain = "core";
      problem.code = "missing-plugin";
      problem.exit = ExitCode::missing_plugin;
      break;
    default:
      break;
  }
  return problem;
}

tl::expected<DefinitionPtr, Problem> open_definition(const char* name_or_file) {
  GError* raw = nullptr;
  const bool is_file =
      std::strchr(name_or_file, '/') || g_str_has_suffix(name_or_file, ".pipeline");
  GstClipsDefinition* definition = is_file ? gst_clips_load_definition(name_or_file, &raw)
                                           : gst_clips_find_definition(name_or_file, &raw);
  if (definition) return DefinitionPtr(definition);
  const ErrorPtr error(raw);
  Problem problem = library_problem(*error);
  if (!is_file && problem.code == "not-found") {
    std::vector<std::string> names;
    for (const DefinitionPtr& listed : list_definitions().definitions)
      names.emplace_back(gst_clips_definition_get_name(listed.get()));
    const std::string near = nearest(name_or_file, names);
    problem.message = one_line("There is no definition named \"" + std::string(name_or_file) +
                               "\"." + (near.empty() ? " See: gst-clips list" : hint(near)));
  }
  return tl::unexpected(std::move(problem));
}

tl::expected<Settings, Problem> parse_settings(const std::vector<char*>& words) {
  Settings settings;
  for (const char* word : words) {
    const char* equals = std::strchr(word, '=');
    if (!equals || equals == word) {
      return tl::unexpected(
          usage_problem("\"" + std::string(word) +
                        "\" is no setting; write KEY=VALUE, such as input=video.mp4."));
    }
    std::string key(word, equals);
    const auto same = [&](const auto& setting) { return setting.first == key; };
    if (std::any_of(settings.begin(), settings.end(), same))
      return tl::unexpected(usage_problem("\"" + key + "\" is set twice."));
    settings.emplace_back(std::move(key), equals + 1);
  }
  return settings;
}

namespace {

// The file that a parameter's value names, if it is an ordinary one and there.
std::optional<struct stat> file_of(GstElement* element, const char* parameter) {
  const GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), parameter);
  if (!spec || spec->value_type != G_TYPE_STRING) return std::nullopt;
  gchar* text = nullptr;
  g_object_get(element, parameter, &text, nullptr);
  const GString_ value(text);
  if (!value) return std::nullopt;
  const GString_ path = local_path(value.get());
  struct stat status {};
  if (stat(path ? path.get() : value.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return std::nullopt;
  return status;
}

bool replaces_its_input(GstElement* element) {
  const auto input = file_of(element, "input"), output = file_of(element, "output");
  return input && output && input->st_dev == output->st_dev && input->st_ino == output->st_ino;
}

}  // namespace

tl::expected<ElementRef, Problem> make_element(GstClipsDefinition* definition,
                                               const Settings& settings) {
  const std::string name = gst_clips_definition_get_name(definition);
  // All names before any value: a wrong name may be why a value is missing.
  for (const auto& [key, value] : settings) {
    if (gst_clips_definition_find_parameter(definition, key.c_str())) continue;
    const auto names = parameter_names(definition);
    const std::string near = nearest(key, names);
    Problem problem = usage_problem(name + " has no parameter \"" + key + "\"." +
                                    (near.empty() ? " It has: " + join(names) + "." : hint(near)));
    problem.code = "unknown-parameter";
    return tl::unexpected(std::move(problem));
  }
  for (const auto& [key, value] : settings) {
    GError* raw = nullptr;
    const auto* parameter = gst_clips_definition_find_parameter(definition, key.c_str());
    if (gst_clips_parameter_check(parameter, value.c_str(), &raw)) continue;
    const ErrorPtr error(raw);
    return tl::unexpected(library_problem(*error));
  }
  GError* raw = nullptr;
  const auto element =
      ElementRef::sink(gst_clips_definition_create_element(definition, nullptr, &raw));
  if (!element) {
    const ErrorPtr error(raw);
    return tl::unexpected(library_problem(*error));
  }
  for (const auto& [key, value] : settings) {
    if (gst_clips_set_parameter(element.get(), key.c_str(), value.c_str(), &raw)) continue;
    const ErrorPtr error(raw);
    return tl::unexpected(library_problem(*error));
  }
  if (!gst_clips_check_required(element.get(), &raw)) {
    const ErrorPtr error(raw);
    return tl::unexpected(library_problem(*error));
  }
  if (replaces_its_input(element.get())) {
    Problem problem = usage_problem(
        "The output is the file that is read, which it would replace. "
        "Give it another name.");
    problem.code = "same-file";
    return tl::unexpected(std::move(problem));
  }
  return element;
}

}  // namespace clips::tool
