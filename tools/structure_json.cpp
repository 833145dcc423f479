// SPDX-License-Identifier: LGPL-2.1-or-later
#include "structure_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "common/handles.hpp"
#include "text.hpp"

namespace clips::tool {

using Json = nlohmann::ordered_json;

namespace {

// Headers of a request or reply, which souphttpsrc tells in a message, that log somebody in.
bool is_credential(const gchar* field) {
  constexpr std::array names = {"authorization", "proxy-authorization", "cookie", "set-cookie",
                                "x-amz-security-token"};
  return std::any_of(names.begin(), names.end(),
                     [field](const char* name) { return g_ascii_strcasecmp(field, name) == 0; });
}

}  // namespace

Json value_to_json(const GValue* value) {
  if (G_VALUE_HOLDS_ENUM(value)) {
    auto* values = static_cast<GEnumClass*>(g_type_class_ref(G_VALUE_TYPE(value)));
    const GEnumValue* found = g_enum_get_value(values, g_value_get_enum(value));
    Json nick = found ? Json(found->value_nick) : Json(g_value_get_enum(value));
    g_type_class_unref(values);
    return nick;
  }
  if (GST_VALUE_HOLDS_LIST(value)) {
    Json list = Json::array();
    for (guint i = 0; i < gst_value_list_get_size(value); ++i)
      list.push_back(value_to_json(gst_value_list_get_value(value, i)));
    return list;
  }
  if (GST_VALUE_HOLDS_ARRAY(value)) {
    Json list = Json::array();
    for (guint i = 0; i < gst_value_array_get_size(value); ++i)
      list.push_back(value_to_json(gst_value_array_get_value(value, i)));
    return list;
  }
  if (GST_VALUE_HOLDS_STRUCTURE(value)) {
    const GstStructure* structure = gst_value_get_structure(value);
    return structure ? structure_to_json(structure) : Json(nullptr);
  }
  switch (G_VALUE_TYPE(value)) {
    case G_TYPE_BOOLEAN:
      return g_value_get_boolean(value) == TRUE;
    case G_TYPE_INT:
      return g_value_get_int(value);
    case G_TYPE_UINT:
      return g_value_get_uint(value);
    case G_TYPE_INT64:
      return g_value_get_int64(value);
    case G_TYPE_UINT64:
      return g_value_get_uint64(value);
    case G_TYPE_FLOAT:
      return g_value_get_float(value);
    case G_TYPE_DOUBLE:
      return g_value_get_double(value);
    case G_TYPE_STRING: {
      const gchar* text = g_value_get_string(value);
      return text ? Json(redact(text)) : Json(nullptr);
    }
    default:
      break;
  }
  const GString_ text(gst_value_serialize(value));
  return text ? Json(redact(text.get())) : Json(nullptr);
}

Json structure_to_json(const GstStructure* structure) {
  Json object = Json::object();
  for (gint i = 0; i < gst_structure_n_fields(structure); ++i) {
    const gchar* name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    Json value =
        is_credential(name) ? Json("...") : value_to_json(gst_structure_get_value(structure, name));
    if (!value.is_null()) object[name] = std::move(value);
  }
  return object;
}

nlohmann::ordered_json text_or_null(const gchar* text) {
  return text ? nlohmann::ordered_json(text) : nlohmann::ordered_json(nullptr);
}

namespace {

void append(const Json& value, std::string& text) {
  std::array<char, 400> digits{};
  char* const last = digits.data() + digits.size();
  const char* separator = "";
  if (value.is_object()) {
    text += '{';
    for (const auto& [key, member] : value.items()) {
      text += separator;
      append(Json(key), text);
      text += ':';
      append(member, text);
      separator = ",";
    }
    text += '}';
  } else if (value.is_array()) {
    text += '[';
    for (const Json& member : value) {
      text += separator;
      append(member, text);
      separator = ",";
    }
    text += ']';
  } else if (value.is_number_unsigned()) {
    text.append(digits.data(), std::to_chars(digits.data(), last, value.get<std::uint64_t>()).ptr);
  } else if (value.is_number_integer()) {
    text.append(digits.data(), std::to_chars(digits.data(), last, value.get<std::int64_t>()).ptr);
  } else if (value.is_number_float() && std::isfinite(value.get<double>())) {
    const char* const end =
        std::to_chars(digits.data(), last, value.get<double>(), std::chars_format::fixed).ptr;
    const std::string_view number(digits.data(), static_cast<std::size_t>(end - digits.data()));
    text += number;
    if (number.find('.') == std::string_view::npos) text += ".0";
  } else {
    text += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace

tl::expected<Json, std::string> parse_given(std::string_view text) {
  std::vector<std::set<std::string>> objects;
  std::string wrong;
  const auto look = [&](int, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) objects.emplace_back();
    if (event == Json::parse_event_t::object_end) objects.pop_back();
    if (!parsed.is_string() || !wrong.empty()) return true;
    const auto& found = parsed.get_ref<const std::string&>();
    if (found.find('\0') != std::string::npos)
      wrong = "holds a text with a NUL character";
    else if (event == Json::parse_event_t::key && !objects.back().insert(found).second)
      wrong = "holds the key \"" + one_line(found) + "\" twice";
    return true;
  };
  Json parsed = Json::parse(text, look, false);
  if (parsed.is_discarded()) return tl::unexpected(std::string("is no JSON"));
  if (!wrong.empty()) return tl::unexpected(wrong);
  return parsed;
}

std::string json_line(const Json& value) {
  std::string text;
  append(value, text);
  return text;
}

}  // namespace clips::tool
