// SPDX-License-Identifier: LGPL-2.1-or-later
#include "parameterspec.hpp"

#include <algorithm>

#include "common/handles.hpp"
#include "gstclipsdefinition.hpp"

namespace clips {

std::string camel_case(std::string_view text) {
  std::string camel;
  bool up = true;
  for (const char c : text) {
    if (c == '-') {
      up = true;
      continue;
    }
    camel += up ? g_ascii_toupper(c) : c;
    up = false;
  }
  return camel;
}

std::string free_type_name(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; g_type_from_name(name.c_str()) != 0; ++i) name = wanted + "+" + std::to_string(i);
  return name;
}

namespace {

std::string choice_summary(const Parameter& parameter, const std::string& choice) {
  if (parameter.is_fragment_choice() && choice == kAutoChoice)
    return "The first of the following that is available";
  for (const auto& alternative : parameter.alternatives) {
    if (alternative.name != choice) continue;
    const auto missing = missing_factories(alternative.fragment.scan);
    if (missing.empty()) return alternative.fragment.text;
    return "unavailable, as " + joined(missing) + (missing.size() == 1 ? " is" : " are") +
           " not installed: " + alternative.fragment.text;
  }
  return choice;
}

GType choice_type(const Definition& definition, const Parameter& parameter) {
  // The values live as long as their type: for good.
  auto* values = g_new0(GEnumValue, parameter.limits.choices.size() + 1);
  for (std::size_t i = 0; i < parameter.limits.choices.size(); ++i) {
    const auto& choice = parameter.limits.choices[i];
    values[i].value = static_cast<gint>(i);
    values[i].value_name = g_intern_string(choice_summary(parameter, choice).c_str());
    values[i].value_nick = g_strdup(choice.c_str());
  }
  const auto name =
      free_type_name("GstClips" + camel_case(definition.name) + "Bin" + camel_case(parameter.name));
  return g_enum_register_static(name.c_str(), values);
}

gint choice_index(const Parameter& parameter, const std::string& choice) {
  const auto& choices = parameter.limits.choices;
  const auto at = std::find(choices.begin(), choices.end(), choice);
  return static_cast<gint>(at - choices.begin());
}

std::string blurb_of(const Parameter& parameter) {
  std::string blurb = parameter.description;
  if (parameter.type == ValueType::Time) blurb += " (in nanoseconds)";
  if (parameter.required) blurb += " (required)";
  if ((parameter.type == ValueType::Caps || parameter.type == ValueType::Structure) &&
      parameter.default_value)
    blurb += " (default: " + std::get<std::string>(*parameter.default_value) + ")";
  return blurb;
}

template <typename T>
T limit_or(const std::optional<Value>& value, T otherwise) {
  if (!value) return otherwise;
  if constexpr (std::is_floating_point_v<T>)
    return std::get<double>(*value);
  else if constexpr (std::is_signed_v<T>)
    return static_cast<T>(std::get<std::int64_t>(*value));
  else
    return static_cast<T>(std::get<std::uint64_t>(*value));
}

}  // namespace

GParamSpec* make_pspec(const Definition& definition, const Parameter& parameter) {
  const auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                              GST_PARAM_MUTABLE_READY);
  // GObject keeps these as long as the type, so they are interned.
  const char* name = g_intern_string(parameter.name.c_str());
  const char* nick = name;
  const char* blurb = g_intern_string(blurb_of(parameter).c_str());
  const auto& low = parameter.limits.minimum;
  const auto& high = parameter.limits.maximum;
  // A required parameter has no default; the smallest value stands in its place.
  const auto& preset = parameter.default_value;
  switch (parameter.type) {
    case ValueType::Boolean:
      return g_param_spec_boolean(name, nick, blurb, preset && std::get<bool>(*preset), flags);
    case ValueType::Int: {
      const auto minimum = limit_or<gint>(low, G_MININT);
      return g_param_spec_int(name, nick, blurb, minimum, limit_or<gint>(high, G_MAXINT),
                              limit_or<gint>(preset, minimum), flags);
    }
    case ValueType::UInt: {
      const auto minimum = limit_or<guint>(low, 0);
      return g_param_spec_uint(name, nick, blurb, minimum, limit_or<guint>(high, G_MAXUINT),
                               limit_or<guint>(preset, minimum), flags);
    }
    case ValueType::Int64: {
      const auto minimum = limit_or<gint64>(low, G_MININT64);
      return g_param_spec_int64(name, nick, blurb, minimum, limit_or<gint64>(high, G_MAXINT64),
                                limit_or<gint64>(preset, minimum), flags);
    }
    case ValueType::UInt64: {
      const auto minimum = limit_or<guint64>(low, 0);
      return g_param_spec_uint64(name, nick, blurb, minimum, limit_or<guint64>(high, G_MAXUINT64),
                                 limit_or<guint64>(preset, minimum), flags);
    }
    case ValueType::Time: {
      // No upper limit in the property: “none” is the largest number and always allowed.
      const auto minimum = limit_or<guint64>(low, 0);
      return g_param_spec_uint64(name, nick, blurb, minimum, G_MAXUINT64,
                                 limit_or<guint64>(preset, minimum), flags);
    }
    case ValueType::Double: {
      const auto minimum = limit_or<gdouble>(low, -G_MAXDOUBLE);
      return g_param_spec_double(name, nick, blurb, minimum, limit_or<gdouble>(high, G_MAXDOUBLE),
                                 limit_or<gdouble>(preset, minimum), flags);
    }
    case ValueType::Fraction: {
      const auto minimum = low ? std::get<Fraction>(*low) : Fraction{0, 1};
      const auto maximum = high ? std::get<Fraction>(*high) : Fraction{G_MAXINT, 1};
      const auto value = preset ? std::get<Fraction>(*preset) : minimum;
      return gst_param_spec_fraction(name, nick, blurb, minimum.numerator, minimum.denominator,
                                     maximum.numerator, maximum.denominator, value.numerator,
                                     value.denominator, flags);
    }
    case ValueType::String:
    case ValueType::Filename:
    case ValueType::Uri:
      return g_param_spec_string(
          name, nick, blurb,
          preset ? g_intern_string(std::get<std::string>(*preset).c_str()) : nullptr, flags);
    case ValueType::Caps:
      return g_param_spec_boxed(name, nick, blurb, GST_TYPE_CAPS, flags);
    case ValueType::Structure:
      return g_param_spec_boxed(name, nick, blurb, GST_TYPE_STRUCTURE, flags);
    case ValueType::Choice: {
      const gint value = preset ? choice_index(parameter, std::get<std::string>(*preset)) : 0;
      return g_param_spec_enum(name, nick, blurb, choice_type(definition, parameter), value, flags);
    }
  }
  return nullptr;
}

void refresh_choice(const Parameter& parameter, GParamSpec* pspec) {
  if (!parameter.is_fragment_choice()) return;
  // The table is choice_type()'s own; GObject only points to it. Names are interned, since
  // somebody may still be reading the one before.
  GEnumClass* values = G_PARAM_SPEC_ENUM(pspec)->enum_class;
  for (guint i = 0; i < values->n_values; ++i) {
    const auto summary = choice_summary(parameter, values->values[i].value_nick);
    if (summary != values->values[i].value_name)
      values->values[i].value_name = g_intern_string(summary.c_str());
  }
}

std::optional<std::string> value_text(const Parameter& parameter, const GValue* value) {
  switch (parameter.type) {
    case ValueType::Boolean:
      return format_value(parameter.type, g_value_get_boolean(value) != 0);
    case ValueType::Int:
      return format_value(parameter.type, Value(std::int64_t{g_value_get_int(value)}));
    case ValueType::Int64:
      return format_value(parameter.type, Value(std::int64_t{g_value_get_int64(value)}));
    case ValueType::UInt:
      return format_value(parameter.type, Value(std::uint64_t{g_value_get_uint(value)}));
    case ValueType::UInt64:
    case ValueType::Time:
      return format_value(parameter.type, Value(std::uint64_t{g_value_get_uint64(value)}));
    case ValueType::Double:
      return format_value(parameter.type, Value(g_value_get_double(value)));
    case ValueType::Fraction:
      return format_value(parameter.type,
                          Value(Fraction{gst_value_get_fraction_numerator(value),
                                         gst_value_get_fraction_denominator(value)}));
    case ValueType::String:
    case ValueType::Filename:
    case ValueType::Uri: {
      const gchar* text = g_value_get_string(value);
      return text ? std::optional<std::string>(text) : std::nullopt;
    }
    case ValueType::Caps:
    case ValueType::Structure: {
      if (!g_value_get_boxed(value)) return std::nullopt;
      const GString_ text(gst_value_serialize(value));
      return text ? std::optional<std::string>(text.get()) : std::nullopt;
    }
    case ValueType::Choice:
      return parameter.limits.choices.at(static_cast<std::size_t>(g_value_get_enum(value)));
  }
  return std::nullopt;
}

tl::expected<void, std::string> convert_value(const Parameter& parameter, const GValue* value,
                                              const std::string& text, GParamSpec* target,
                                              GValue* out) {
  const auto type = G_PARAM_SPEC_VALUE_TYPE(target);
  bool done = false;
  if (!parameter.text_template.empty() && type != G_VALUE_TYPE(value)) {
    std::string filled = parameter.text_template;
    for (auto at = filled.find("{}"); at != std::string::npos; at = filled.find("{}", at)) {
      filled.replace(at, 2, text);
      at += text.size();
    }
    if (type == G_TYPE_STRING) {
      g_value_set_string(out, filled.c_str());
      done = true;
    } else {
      done = gst_value_deserialize(out, filled.c_str());
    }
  } else if (parameter.type == ValueType::Uri || parameter.type == ValueType::Filename) {
    const auto location = parameter.type == ValueType::Uri ? to_uri(text) : to_path(text);
    if (!location) return tl::make_unexpected(location.error());
    if (type == G_TYPE_STRING) {
      g_value_set_string(out, location->c_str());
      done = true;
    }
  } else if (parameter.type == ValueType::Choice || parameter.type == ValueType::Boolean) {
    // A choice names a value of another enumeration; a boolean may be one of two.
    done = parameter.type == ValueType::Boolean && g_value_transform(value, out);
    if (!done && type == G_TYPE_STRING) {
      g_value_set_string(out, text.c_str());
      done = true;
    }
    if (!done) done = gst_value_deserialize(out, text.c_str());
  } else if (type == G_TYPE_STRING) {
    g_value_set_string(out, text.c_str());
    done = true;
  } else if (parameter.type == ValueType::String) {
    done = gst_value_deserialize(out, text.c_str());
  } else {
    done = g_value_transform(value, out);
  }
  // Out of range, and GObject would only warn and go on with another value.
  if (done && g_param_value_validate(target, out) && !(target->flags & G_PARAM_LAX_VALIDATION))
    done = false;
  if (done) return {};
  const GString_ type_name(g_strdup(g_type_name(type)));
  return tl::make_unexpected("has the value “" + display_location(text) +
                             "”, which the element does not take as " + type_name.get());
}

void ParameterValues::initialise(const Definition& definition,
                                 const std::vector<GParamSpec*>& pspecs) {
  MutexLock lock(lock_);
  for (std::size_t i = 0; i < pspecs.size(); ++i) {
    const auto& parameter = definition.parameters[i];
    auto value = std::make_unique<HeldValue>(G_PARAM_SPEC_VALUE_TYPE(pspecs[i]));
    g_param_value_set_default(pspecs[i], value->get());
    // A boxed property has no default of its own.
    if (parameter.default_value &&
        (parameter.type == ValueType::Caps || parameter.type == ValueType::Structure))
      gst_value_deserialize(value->get(), std::get<std::string>(*parameter.default_value).c_str());
    entries_.push_back({std::move(value), false});
  }
}

void ParameterValues::set(std::size_t index, const GValue* value) {
  MutexLock lock(lock_);
  auto& entry = entries_.at(index);
  g_value_copy(value, entry.value->get());
  entry.is_set = true;
}

void ParameterValues::get(std::size_t index, GValue* value) const {
  MutexLock lock(lock_);
  g_value_copy(entries_.at(index).value->get(), value);
}

bool ParameterValues::is_set(std::size_t index) const {
  MutexLock lock(lock_);
  return entries_.at(index).is_set;
}

std::optional<ParameterValues::Snapshot> ParameterValues::snapshot(const Parameter& parameter,
                                                                   std::size_t index) const {
  MutexLock lock(lock_);
  const auto& entry = entries_.at(index);
  if (parameter.required && !entry.is_set) return std::nullopt;
  auto text = value_text(parameter, entry.value->get());
  if (!text) return std::nullopt;
  return Snapshot{std::make_unique<HeldValue>(entry.value->get()), *std::move(text)};
}

}  // namespace clips
