// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gstclipsdefinition.hpp"

#include <algorithm>

namespace clips {

namespace {

using Failed = tl::unexpected<DefinitionError>;

// The checks of caps and structures, which the core cannot read.
tl::expected<void, DefinitionError> check_media_types(GstClipsDefinition& definition) {
  const auto& core = definition.core;
  for (const auto& branch : core.branches) {
    auto filter = StreamFilter::parse(branch.caps);
    if (!filter)
      return Failed(core.error(branch.caps_line, "Branch " + branch.name, "caps", filter.error()));
    definition.filters.push_back(*std::move(filter));
  }
  for (const auto* pad : {&core.sink, &core.src}) {
    if (pad->caps.empty()) continue;
    if (!CapsRef::adopt(gst_caps_from_string(pad->caps.c_str())))
      return Failed(core.error(pad->caps_line, pad == &core.sink ? "Pad sink" : "Pad src", "caps",
                               "is no caps: “" + pad->caps + "”"));
  }
  for (const auto& parameter : core.parameters) {
    if (!parameter.default_value) continue;
    const auto text = format_value(parameter.type, *parameter.default_value);
    const bool wrong = (parameter.type == ValueType::Caps &&
                        !CapsRef::adopt(gst_caps_from_string(text.c_str()))) ||
                       (parameter.type == ValueType::Structure &&
                        !StructurePtr(gst_structure_from_string(text.c_str(), nullptr)));
    if (wrong)
      return Failed(
          core.error(parameter.default_line, "Parameter " + parameter.name, "default",
                     std::string("is no ") + value_type_name(parameter.type) + ": “" + text + "”"));
  }
  return {};
}

void fill_parameters(GstClipsDefinition& definition) {
  const auto text = [](const Parameter& parameter, const std::optional<Value>& value) {
    return value ? format_value(parameter.type, *value) : std::string();
  };
  for (const auto& core : definition.core.parameters) {
    auto& parameter = definition.parameters.emplace_back();
    parameter.core = &core;
    parameter.default_text = text(core, core.default_value);
    parameter.minimum_text = text(core, core.limits.minimum);
    parameter.maximum_text = text(core, core.limits.maximum);
    for (const auto& choice : core.limits.choices) parameter.choices.push_back(choice.c_str());
    parameter.choices.push_back(nullptr);
  }
}

}  // namespace

tl::expected<StreamFilter, std::string> StreamFilter::parse(const std::string& text) {
  StreamFilter filter;
  if (text.empty()) {
    filter.any_ = true;
    return filter;
  }
  // A definition that became a type is never freed.
  filter.caps_ = CapsRef::adopt(gst_caps_new_empty());
  GST_MINI_OBJECT_FLAG_SET(filter.caps_.get(), GST_MINI_OBJECT_FLAG_MAY_BE_LEAKED);
  const GStrv_ items(g_strsplit(text.c_str(), ";", -1));
  for (gchar** item = items.get(); *item; ++item) {
    const std::string one = g_strstrip(*item);
    if (one.size() > 2 && one.ends_with("/*")) {
      filter.media_.push_back(one.substr(0, one.size() - 1));
      continue;
    }
    GstCaps* caps = one.empty() ? nullptr : gst_caps_from_string(one.c_str());
    if (!caps || gst_caps_is_empty(caps)) {
      if (caps) gst_caps_unref(caps);
      return tl::make_unexpected("is no caps: “" + one + "”");
    }
    gst_caps_append(filter.caps_.get(), caps);
  }
  return filter;
}

bool StreamFilter::matches(GstCaps* caps) const {
  if (any_) return true;
  if (gst_caps_is_any(caps) || gst_caps_is_empty(caps)) return false;
  const std::string_view name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
  for (const auto& medium : media_)
    if (name.starts_with(medium)) return true;
  return gst_caps_is_subset(caps, caps_.get());
}

DefinitionRef load_definition(const char* filename, GError** error) {
  gchar* contents = nullptr;
  gsize size = 0;
  GError* read_error = nullptr;
  if (!g_file_get_contents(filename, &contents, &size, &read_error)) {
    const ErrorPtr owner(read_error);
    const bool missing = g_error_matches(read_error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_set_error(error, GST_CLIPS_ERROR, missing ? GST_CLIPS_ERROR_NOT_FOUND : GST_CLIPS_ERROR_READ,
                "Could not read the pipeline definition. %s.", read_error->message);
    return {};
  }
  const GString_ owner(contents);
  auto core = parse_definition({contents, size}, filename);
  if (!core) {
    g_set_error_literal(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_DEFINITION,
                        core.error().to_string().c_str());
    return {};
  }
  DefinitionRef definition(new GstClipsDefinition);
  definition->core = *std::move(core);
  definition->element_name = definition->core.element_name();
  const GString_ digest(g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar*>(contents), size));
  definition->fingerprint = std::string(filename) + "\n" + digest.get();
  if (const auto checked = check_media_types(*definition.definition); !checked) {
    g_set_error_literal(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_DEFINITION,
                        checked.error().to_string().c_str());
    return {};
  }
  fill_parameters(*definition.definition);
  return definition;
}

std::vector<std::string> missing_factories(const LaunchText& scan) {
  std::vector<std::string> missing;
  for (const auto& element : scan.elements) {
    GstElementFactory* factory = gst_element_factory_find(element.factory.c_str());
    if (factory) {
      gst_object_unref(factory);
    } else if (std::find(missing.begin(), missing.end(), element.factory) == missing.end()) {
      missing.push_back(element.factory);
    }
  }
  return missing;
}

bool encodes_video(const Definition& definition) {
  const auto has_encoder = [](const Fragment& fragment) {
    return std::any_of(
        fragment.scan.elements.begin(), fragment.scan.elements.end(), [](const auto& element) {
          const auto factory =
              Ref<GstElementFactory>::adopt(gst_element_factory_find(element.factory.c_str()));
          return factory && gst_element_factory_list_is_type(
                                factory.get(), GST_ELEMENT_FACTORY_TYPE_ENCODER |
                                                   GST_ELEMENT_FACTORY_TYPE_MEDIA_VIDEO);
        });
  };
  return std::any_of(definition.graph.begin(), definition.graph.end(),
                     [&](const auto& chain) { return has_encoder(chain.second); }) ||
         std::any_of(definition.branches.begin(), definition.branches.end(),
                     [&](const auto& branch) { return has_encoder(branch.launch); }) ||
         std::any_of(definition.parameters.begin(), definition.parameters.end(),
                     [&](const auto& parameter) {
                       return std::any_of(
                           parameter.alternatives.begin(), parameter.alternatives.end(),
                           [&](const auto& one) { return has_encoder(one.fragment); });
                     });
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

gchar** to_strv(const std::vector<std::string>& strings) {
  if (strings.empty()) return nullptr;
  auto** strv = g_new0(gchar*, strings.size() + 1);
  for (std::size_t i = 0; i < strings.size(); ++i) strv[i] = g_strdup(strings[i].c_str());
  return strv;
}

}  // namespace clips
