// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-clipsbin
 * @title: pipeline definition bins
 *
 * Each pipeline definition becomes one bin element; docs/pipelines/format.md describes the file.
 *
 * The graph is built when the bin goes from NULL to READY, since only then the choices are known.
 * Branches of a source with sometimes pads are built when it has no more pads, all of them before
 * any of them starts, so a muxer waits for no stream that does not exist. A stream that no branch
 * takes stays unlinked, which demuxers and multiqueues handle.
 *
 * At most one error is posted in a run: what follows a first error is its consequence.
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstclipsbin.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"
#include "common/thread_annotations.hpp"
#include "gstclipsdefinition.hpp"

GST_DEBUG_CATEGORY_STATIC(clips_bin_debug);
#define GST_CAT_DEFAULT clips_bin_debug

namespace {

using namespace clips;

struct Failure {
  GQuark domain = GST_CORE_ERROR;
  gint code = GST_CORE_ERROR_FAILED;
  std::string message;
  std::string details;
  std::vector<std::string> missing;
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

struct ValueHolder {
  GValue value = G_VALUE_INIT;
  bool is_set = false;  // by somebody, not by default

  ValueHolder() = default;
  ValueHolder(const ValueHolder&) = delete;
  ValueHolder& operator=(const ValueHolder&) = delete;
  ~ValueHolder() {
    if (G_IS_VALUE(&value)) g_value_unset(&value);
  }
};

// A copy of a GValue on the stack.
class ValueCopy {
 public:
  explicit ValueCopy(GType type) { g_value_init(&value_, type); }
  explicit ValueCopy(const GValue* other) : ValueCopy(G_VALUE_TYPE(other)) {
    g_value_copy(other, &value_);
  }
  ValueCopy(const ValueCopy&) = delete;
  ValueCopy& operator=(const ValueCopy&) = delete;
  ~ValueCopy() { g_value_unset(&value_); }
  GValue* get() { return &value_; }

 private:
  GValue value_ = G_VALUE_INIT;
};

struct Stream {
  PadRef pad;
  gulong probe = 0;
};

// An element whose pads appear as it learns its streams, with the branches that wait for them.
struct StreamSource {
  GstClipsBin* bin = nullptr;
  ElementRef element;
  std::vector<std::size_t> branches;
  std::vector<Stream> streams;
  // Media types that nothing on this system decodes.
  std::vector<std::string> unknown;
  bool resolved = false;
  std::vector<gulong> handlers;
};

struct ClassData {
  GstClipsDefinition* definition = nullptr;  // kept for good, as the type is
  std::vector<GParamSpec*> pspecs;           // of definition->core.parameters
};

struct Private {
  // Guards the values. Never held while an element is called.
  Mutex values_lock;
  std::vector<std::unique_ptr<ValueHolder>> values CLIPS_GUARDED_BY(values_lock);

  // Serialises building between the threads of several sources. Held while elements are made and
  // linked, never while they change state; not taken by change_state() once streaming runs.
  Mutex build_lock;
  std::vector<std::unique_ptr<StreamSource>> sources CLIPS_GUARDED_BY(build_lock);
  // What each choice stands for in this run.
  std::map<std::string, const Alternative*> alternatives CLIPS_GUARDED_BY(build_lock);
  std::set<std::size_t> enabled CLIPS_GUARDED_BY(build_lock);
  unsigned pieces CLIPS_GUARDED_BY(build_lock) = 0;
  bool built CLIPS_GUARDED_BY(build_lock) = false;

  std::atomic<bool> error_posted{false};
};

}  // namespace

using GstClipsBinPrivate = Private;

struct _GstClipsBin {
  GstBin parent;
};

typedef struct {
  GstBinClass parent;
  ClassData* data;
} GstClipsBinClass;

G_DEFINE_ABSTRACT_TYPE_WITH_CODE(GstClipsBin, gst_clips_bin, GST_TYPE_BIN,
                                 G_ADD_PRIVATE(GstClipsBin)
                                     GST_DEBUG_CATEGORY_INIT(clips_bin_debug, "clipsbin", 0,
                                                             "pipeline definition bins"))

namespace {

#define GST_CLIPS_BIN_CAST(object) (reinterpret_cast<GstClipsBin*>(object))

Private& priv(gpointer bin) {
  return *static_cast<Private*>(gst_clips_bin_get_instance_private(GST_CLIPS_BIN_CAST(bin)));
}

const ClassData& class_data(gpointer bin) {
  return *reinterpret_cast<GstClipsBinClass*>(G_OBJECT_GET_CLASS(bin))->data;
}

const GstClipsDefinition& definition_of(gpointer bin) {
  return *class_data(bin).definition;
}

std::string joined(const std::vector<std::string>& words, const char* separator = ", ") {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : separator) + word;
  return all;
}

// --- Parameters as GObject properties ---

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

// A name that no type has yet: definitions of the same name may come from several files.
std::string free_type_name(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; g_type_from_name(name.c_str()) != 0; ++i) name = wanted + "+" + std::to_string(i);
  return name;
}

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
    values[i].value_name = g_strdup(choice_summary(parameter, choice).c_str());
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

// --- Values into elements ---

// The parameter's value as text; empty when it has none.
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

// Turns the value into one of the element's property, or says why that is impossible.
tl::expected<void, std::string> convert_value(const Parameter& parameter, const GValue* value,
                                              const std::string& text, GParamSpec* target,
                                              GValue* out) {
  const auto type = G_PARAM_SPEC_VALUE_TYPE(target);
  bool done = false;
  if (!parameter.text_template.empty()) {
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

// --- The graph ---

Failure definition_failure(const GstClipsDefinition& definition, int line, std::string group,
                           std::string key, std::string message) {
  Failure failure;
  failure.domain = GST_LIBRARY_ERROR;
  failure.code = GST_LIBRARY_ERROR_SETTINGS;
  failure.message =
      "The pipeline definition “" + definition.core.name + "” is wrong. Correct it as follows: " +
      definition.core.error(line, std::move(group), std::move(key), std::move(message)).to_string();
  return failure;
}

ElementRef find_element(GstElement* bin, const std::string& name) {
  return ElementRef::adopt(gst_bin_get_by_name(GST_BIN_CAST(bin), name.c_str()));
}

// A part of the graph that was made of one text: a branch's bin, or the elements of [Graph].
using Piece = std::vector<ElementRef>;

ElementRef find_element(const Piece& piece, const std::string& name) {
  for (const auto& element : piece) {
    if (name == GST_ELEMENT_NAME(element.get())) return element;
    if (!GST_IS_BIN(element.get())) continue;
    if (auto inner = find_element(element.get(), name)) return inner;
  }
  return {};
}

// Moves the children of a bin that has not been started to another one, with their links, which
// removal from a bin cuts.
Piece move_children(GstBin* from, GstBin* to) {
  struct Link {
    PadRef src;
    PadRef sink;
  };
  std::vector<Link> links;
  Piece children;
  for (GList* item = from->children; item; item = item->next) {
    auto* child = GST_ELEMENT_CAST(item->data);
    children.push_back(ElementRef::retain(child));
    for (GList* pads = child->srcpads; pads; pads = pads->next) {
      auto* pad = GST_PAD_CAST(pads->data);
      if (auto peer = PadRef::adopt(gst_pad_get_peer(pad)))
        links.push_back({PadRef::retain(pad), std::move(peer)});
    }
  }
  // A bin has its newest child first.
  std::reverse(children.begin(), children.end());
  for (const auto& child : children) {
    gst_bin_remove(from, child.get());
    gst_bin_add(to, child.get());
  }
  for (const auto& link : links) gst_pad_link(link.src.get(), link.sink.get());
  return children;
}

bool has_template(GstElement* element, GstPadDirection direction, GstPadPresence presence) {
  const GList* templates = gst_element_class_get_pad_template_list(GST_ELEMENT_GET_CLASS(element));
  for (; templates; templates = templates->next) {
    auto* one = static_cast<GstPadTemplate*>(templates->data);
    if (GST_PAD_TEMPLATE_DIRECTION(one) == direction && GST_PAD_TEMPLATE_PRESENCE(one) == presence)
      return true;
  }
  return false;
}

// A pad that is there or that can be requested.
PadRef get_pad(GstElement* element, const std::string& name) {
  auto pad = PadRef::adopt(gst_element_get_static_pad(element, name.c_str()));
  if (pad) return pad;
  return PadRef::adopt(gst_element_request_pad_simple(element, name.c_str()));
}

// An unlinked src pad of an element, or one that can be requested.
PadRef get_src_pad(GstElement* element) {
  PadRef found;
  GstIterator* pads = gst_element_iterate_src_pads(element);
  GValue item = G_VALUE_INIT;
  while (!found && gst_iterator_next(pads, &item) == GST_ITERATOR_OK) {
    auto* pad = static_cast<GstPad*>(g_value_get_object(&item));
    if (!gst_pad_is_linked(pad)) found = PadRef::retain(pad);
    g_value_unset(&item);
  }
  gst_iterator_free(pads);
  if (found) return found;
  GList* templates = gst_element_class_get_pad_template_list(GST_ELEMENT_GET_CLASS(element));
  for (; templates; templates = templates->next) {
    auto* one = static_cast<GstPadTemplate*>(templates->data);
    if (GST_PAD_TEMPLATE_DIRECTION(one) == GST_PAD_SRC &&
        GST_PAD_TEMPLATE_PRESENCE(one) == GST_PAD_REQUEST)
      return PadRef::adopt(gst_element_request_pad(element, one, nullptr, nullptr));
  }
  return {};
}

class Builder {
 public:
  explicit Builder(GstClipsBin* bin)
      : bin_(bin),
        element_(GST_ELEMENT_CAST(bin)),
        definition_(definition_of(bin)),
        core_(definition_.core),
        priv_(priv(bin)) {}

  // Everything that does not depend on the streams.
  Outcome<void> build_static() CLIPS_REQUIRES(priv_.build_lock);
  // As above, and every branch that waits for streams, for gst_clips_bin_check().
  Outcome<void> build_all() CLIPS_REQUIRES(priv_.build_lock);
  // What depends on the streams of a source that has told all of them.
  Outcome<void> build_streams(StreamSource& source) CLIPS_REQUIRES(priv_.build_lock);
  // The elements made, upstream before downstream.
  const std::vector<ElementRef>& made() const { return made_; }

 private:
  Outcome<void> check_values();
  Outcome<void> build_chosen() CLIPS_REQUIRES(priv_.build_lock);
  void choose() CLIPS_REQUIRES(priv_.build_lock);
  bool holds(const Condition& condition);
  Outcome<ElementRef> parse(const Fragment& fragment, const std::string& group,
                            const std::string& key) CLIPS_REQUIRES(priv_.build_lock);
  Outcome<Piece> make_branch(std::size_t index) CLIPS_REQUIRES(priv_.build_lock);
  Outcome<void> link_branch(std::size_t index, const Piece& piece, GstPad* from)
      CLIPS_REQUIRES(priv_.build_lock);
  Outcome<void> connect_branches(const Piece& piece) CLIPS_REQUIRES(priv_.build_lock);
  Outcome<void> apply_parameters(GstElement* bin);
  Outcome<void> connect_pads();
  std::string input_name();

  GstClipsBin* bin_;
  GstElement* element_;
  const GstClipsDefinition& definition_;
  const Definition& core_;
  Private& priv_;
  std::vector<ElementRef> made_;
};

void on_pad_added(GstElement* element, GstPad* pad, gpointer user_data);
void on_no_more_pads(GstElement* element, gpointer user_data);
void on_unknown_type(GstElement* element, GstPad* pad, GstCaps* caps, gpointer user_data);

std::optional<std::string> text_of(GstClipsBin* bin, const Parameter& parameter) {
  const auto index =
      static_cast<std::size_t>(&parameter - definition_of(bin).core.parameters.data());
  auto& self = priv(bin);
  MutexLock lock(self.values_lock);
  const auto& holder = *self.values[index];
  if (parameter.required && !holder.is_set) return std::nullopt;
  return value_text(parameter, &holder.value);
}

Outcome<void> Builder::check_values() {
  for (const auto& parameter : core_.parameters) {
    const auto text = text_of(bin_, parameter);
    Failure failure;
    failure.domain = GST_RESOURCE_ERROR;
    failure.code = GST_RESOURCE_ERROR_SETTINGS;
    if (!text) {
      if (!parameter.required) continue;
      failure.message = "No value is set for “" + parameter.name + "”. " +
                        definition_.element_name + " cannot run without it.";
      return tl::make_unexpected(std::move(failure));
    }
    const auto checked = parse_value(parameter.type, *text, parameter.limits);
    if (!checked) {
      failure.message = "The value of “" + parameter.name + "” " + checked.error() + ".";
      return tl::make_unexpected(std::move(failure));
    }
  }
  return {};
}

void Builder::choose() {
  priv_.alternatives.clear();
  for (const auto& parameter : core_.parameters) {
    if (!parameter.is_fragment_choice()) continue;
    const auto choice = *text_of(bin_, parameter);
    const Alternative* chosen = nullptr;
    for (const auto& alternative : parameter.alternatives) {
      if (choice == kAutoChoice ? missing_factories(alternative.fragment.scan).empty()
                                : alternative.name == choice) {
        chosen = &alternative;
        break;
      }
    }
    // With none available, the first one gives the error that says what to install.
    priv_.alternatives[parameter.name] = chosen ? chosen : &parameter.alternatives.front();
  }
  priv_.enabled.clear();
  for (std::size_t i = 0; i < core_.branches.size(); ++i) {
    const auto& condition = core_.branches[i].condition;
    if (!condition || holds(*condition)) priv_.enabled.insert(i);
  }
}

bool Builder::holds(const Condition& condition) {
  const auto& parameter = *core_.find_parameter(condition.parameter);
  const auto text = text_of(bin_, parameter);
  return (text && *text == condition.value.value_or("true")) != condition.negated;
}

Outcome<ElementRef> Builder::parse(const Fragment& fragment, const std::string& group,
                                   const std::string& key) {
  std::string filled = fragment.text;
  for (const auto& [choice, alternative] : priv_.alternatives) {
    const std::string token = "${" + choice + "}";
    for (auto at = filled.find(token); at != std::string::npos;
         at = filled.find(token, at + alternative->fragment.text.size()))
      filled.replace(at, token.size(), alternative->fragment.text);
  }
  std::unique_ptr<GstParseContext, void (*)(GstParseContext*)> context(gst_parse_context_new(),
                                                                       gst_parse_context_free);
  GError* error = nullptr;
  GstElement* parsed = gst_parse_bin_from_description_full(filled.c_str(), FALSE, context.get(),
                                                           GST_PARSE_FLAG_FATAL_ERRORS, &error);
  const ErrorPtr error_owner(error);
  const GStrv_ missing(gst_parse_context_get_missing_elements(context.get()));
  if (missing) {
    if (parsed) gst_object_unref(parsed);
    Failure failure;
    failure.code = GST_CORE_ERROR_MISSING_PLUGIN;
    for (gchar** one = missing.get(); *one; ++one) failure.missing.emplace_back(*one);
    failure.message = definition_.element_name + " needs the element " + joined(failure.missing) +
                      ", which is not installed. Install the plugin that has it";
    for (const auto& parameter : core_.parameters) {
      if (!parameter.is_fragment_choice() ||
          std::find(fragment.scan.tokens.begin(), fragment.scan.tokens.end(), parameter.name) ==
              fragment.scan.tokens.end())
        continue;
      if (!missing_factories(priv_.alternatives[parameter.name]->fragment.scan).empty())
        failure.message += " or choose another “" + parameter.name + "”";
    }
    failure.message += ".";
    return tl::make_unexpected(std::move(failure));
  }
  if (!parsed || error) {
    if (parsed) gst_object_unref(parsed);
    return tl::make_unexpected(definition_failure(
        definition_, fragment.line, group, key,
        std::string("is no right pipeline: ") + (error ? error->message : "unknown reason")));
  }
  auto bin = ElementRef::sink(parsed);
  if (auto applied = apply_parameters(parsed); !applied)
    return tl::make_unexpected(std::move(applied.error()));
  return bin;
}

Outcome<Piece> Builder::make_branch(std::size_t index) {
  const auto& branch = core_.branches[index];
  auto bin = parse(branch.launch, "Branch " + branch.name, "launch");
  if (!bin) return tl::make_unexpected(std::move(bin.error()));
  // A bin of its own, so that a drawing of the graph shows the branch; with a number, as there is
  // one for each stream when there may be several.
  const std::string name = "branch-" + branch.name + "-" + std::to_string(priv_.pieces++);
  gst_object_set_name(GST_OBJECT_CAST(bin->get()), name.c_str());
  gst_bin_add(GST_BIN_CAST(element_), bin->get());
  made_.push_back(*bin);
  return Piece{*std::move(bin)};
}

Outcome<void> Builder::link_branch(std::size_t index, const Piece& piece, GstPad* from) {
  const auto& branch = core_.branches[index];
  const std::string group = "Branch " + branch.name;
  const auto wrong = [&](int line, const char* key, std::string message) {
    return tl::make_unexpected(
        definition_failure(definition_, line, group, key, std::move(message)));
  };
  if (from) {
    const auto sink =
        PadRef::adopt(gst_bin_find_unlinked_pad(GST_BIN_CAST(piece.front().get()), GST_PAD_SINK));
    if (!sink) return wrong(branch.launch.line, "launch", "has no free sink pad for its stream");
    if (!gst_pad_link_maybe_ghosting(from, sink.get()))
      return wrong(
          branch.launch.line, "launch",
          "begins with an element that does not take the stream of " + branch.from->element);
  }
  if (!branch.to) return connect_branches(piece);
  const auto src =
      PadRef::adopt(gst_bin_find_unlinked_pad(GST_BIN_CAST(piece.front().get()), GST_PAD_SRC));
  if (!src) return wrong(branch.launch.line, "launch", "has no free src pad to link with to");
  const auto target = find_element(element_, branch.to->element);
  if (!target)
    return wrong(branch.to->line, "to",
                 "names “" + branch.to->element + "”, which is not part of the graph as built");
  auto sink = branch.to->pad.empty()
                  ? PadRef::adopt(gst_element_get_compatible_pad(target.get(), src.get(), nullptr))
                  : get_pad(target.get(), branch.to->pad);
  if (!sink || !gst_pad_link_maybe_ghosting(src.get(), sink.get()))
    return wrong(branch.to->line, "to",
                 branch.to->element + " does not take what the branch makes");
  return connect_branches(piece);
}

// Finds the branches that begin at an element of the piece: builds those whose pad is there, and
// waits for the pads of the others.
Outcome<void> Builder::connect_branches(const Piece& piece) {
  for (const auto index : priv_.enabled) {
    const auto& branch = core_.branches[index];
    if (!branch.from) continue;
    const auto from = find_element(piece, branch.from->element);
    if (!from) continue;
    const bool waits = has_template(from.get(), GST_PAD_SRC, GST_PAD_SOMETIMES) &&
                       (branch.from->pad.empty() || !PadRef::adopt(gst_element_get_static_pad(
                                                        from.get(), branch.from->pad.c_str())));
    if (waits) {
      StreamSource* source = nullptr;
      for (const auto& known : priv_.sources)
        if (known->element.get() == from.get()) source = known.get();
      if (!source) {
        source = priv_.sources.emplace_back(std::make_unique<StreamSource>()).get();
        source->bin = bin_;
        source->element = from;
        const auto connect = [&](const char* signal, GCallback callback) {
          source->handlers.push_back(g_signal_connect(from.get(), signal, callback, source));
        };
        connect("pad-added", G_CALLBACK(on_pad_added));
        connect("no-more-pads", G_CALLBACK(on_no_more_pads));
        if (g_signal_lookup("unknown-type", G_OBJECT_TYPE(from.get())) != 0)
          connect("unknown-type", G_CALLBACK(on_unknown_type));
      }
      source->branches.push_back(index);
      continue;
    }
    const auto pad =
        branch.from->pad.empty() ? get_src_pad(from.get()) : get_pad(from.get(), branch.from->pad);
    if (!pad)
      return tl::make_unexpected(definition_failure(definition_, branch.from->line,
                                                    "Branch " + branch.name, "from",
                                                    branch.from->element + " has no such src pad"));
    auto made = make_branch(index);
    if (!made) return tl::make_unexpected(std::move(made.error()));
    if (auto linked = link_branch(index, *made, pad.get()); !linked) return linked;
  }
  return {};
}

Outcome<void> Builder::apply_parameters(GstElement* bin) {
  for (std::size_t i = 0; i < core_.parameters.size(); ++i) {
    const auto& parameter = core_.parameters[i];
    if (parameter.binds.empty()) continue;
    const auto text = text_of(bin_, parameter);
    if (!text) continue;
    if (parameter.unset && format_value(parameter.type, *parameter.unset) == *text) continue;
    std::optional<ValueCopy> value;
    {
      MutexLock lock(priv_.values_lock);
      value.emplace(&priv_.values[i]->value);
    }
    bool element_seen = false;
    bool bound = false;
    for (const auto& targets : parameter.binds) {
      for (const auto& bind : targets) {
        const auto target = find_element(bin, bind.element);
        if (!target) continue;
        element_seen = true;
        GParamSpec* pspec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(target.get()), bind.property.c_str());
        if (!pspec || !(pspec->flags & G_PARAM_WRITABLE)) continue;
        ValueCopy out(G_PARAM_SPEC_VALUE_TYPE(pspec));
        const auto converted = convert_value(parameter, value->get(), *text, pspec, out.get());
        if (!converted) {
          Failure failure;
          failure.domain = GST_RESOURCE_ERROR;
          failure.code = GST_RESOURCE_ERROR_SETTINGS;
          failure.message = "“" + parameter.name + "” " + converted.error() + " of " +
                            bind.element + "::" + bind.property + ".";
          return tl::make_unexpected(std::move(failure));
        }
        g_object_set_property(G_OBJECT(target.get()), bind.property.c_str(), out.get());
        bound = true;
      }
      if (bound) break;
    }
    if (element_seen && !bound)
      return tl::make_unexpected(
          definition_failure(definition_, parameter.line, "Parameter " + parameter.name, "bind",
                             "names properties that the elements do not have"));
  }
  return {};
}

Outcome<void> Builder::connect_pads() {
  for (const auto* pad : {&core_.sink, &core_.src}) {
    if (!pad->present) continue;
    const bool is_sink = pad == &core_.sink;
    const auto wrong = [&](std::string message) {
      return tl::make_unexpected(definition_failure(definition_, pad->target.line,
                                                    is_sink ? "Pad sink" : "Pad src", "element",
                                                    std::move(message)));
    };
    const auto target = find_element(element_, pad->target.element);
    if (!target) return wrong("is not part of the graph as built");
    PadRef inner;
    if (!pad->target.pad.empty())
      inner = get_pad(target.get(), pad->target.pad);
    else
      inner = PadRef::adopt(gst_element_get_static_pad(target.get(), is_sink ? "sink" : "src"));
    if (!inner) return wrong("has no such pad");
    // The ghost pad's target must be a pad of a direct child.
    while (true) {
      const auto owner = ElementRef::adopt(gst_pad_get_parent_element(inner.get()));
      const auto outer =
          ElementRef::adopt(GST_ELEMENT_CAST(gst_object_get_parent(GST_OBJECT_CAST(owner.get()))));
      if (outer.get() == element_) break;
      GstPad* ghost = gst_ghost_pad_new(nullptr, inner.get());
      if (!ghost || !gst_element_add_pad(outer.get(), ghost)) return wrong("is linked already");
      inner = PadRef::retain(ghost);
    }
    const auto ghost =
        PadRef::adopt(gst_element_get_static_pad(element_, is_sink ? "sink" : "src"));
    if (!gst_ghost_pad_set_target(GST_GHOST_PAD_CAST(ghost.get()), inner.get()))
      return wrong("is linked already");
  }
  return {};
}

Outcome<void> Builder::build_static() {
  if (auto checked = check_values(); !checked) return checked;
  return build_chosen();
}

Outcome<void> Builder::build_all() {
  if (auto built = build_chosen(); !built) return built;
  // Branches of branches bring more sources.
  for (std::size_t i = 0; i < priv_.sources.size(); ++i) {
    for (const auto index : std::vector<std::size_t>(priv_.sources[i]->branches)) {
      const auto made = make_branch(index);
      if (!made) return tl::make_unexpected(made.error());
      if (auto linked = link_branch(index, *made, nullptr); !linked) return linked;
    }
  }
  return {};
}

Outcome<void> Builder::build_chosen() {
  priv_.pieces = 0;
  choose();
  Fragment whole;
  for (const auto& [key, chain] : core_.graph) {
    whole.text += (whole.text.empty() ? "" : " ") + chain.text;
    whole.line = whole.line ? whole.line : chain.line;
    for (const auto& token : chain.scan.tokens) whole.scan.tokens.push_back(token);
  }
  const auto parsed = parse(whole, "Graph", {});
  if (!parsed) return tl::make_unexpected(parsed.error());
  // No bin of their own for these: branches lead from some to others, and bins that lead back to
  // themselves have no order in which to change state.
  const auto graph = move_children(GST_BIN_CAST(parsed->get()), GST_BIN_CAST(element_));
  // Parts that hang on nothing come before those that may link to them.
  std::vector<std::pair<std::size_t, Piece>> parts;
  for (const auto index : priv_.enabled) {
    if (core_.branches[index].from) continue;
    const auto part = make_branch(index);
    if (!part) return tl::make_unexpected(part.error());
    parts.emplace_back(index, *part);
  }
  if (auto connected = connect_branches(graph); !connected) return connected;
  for (const auto& [index, part] : parts)
    if (auto linked = link_branch(index, part, nullptr); !linked) return linked;
  return connect_pads();
}

std::string Builder::input_name() {
  for (const auto& parameter : core_.parameters) {
    if (parameter.name != "input") continue;
    if (const auto text = text_of(bin_, parameter)) return "“" + display_location(*text) + "”";
  }
  return "the input";
}

// "video/x-raw" → "video"
std::string medium_of(const std::string& media_type) {
  return media_type.substr(0, media_type.find('/'));
}

std::string stream_word(const Branch& branch) {
  const auto medium = medium_of(branch.caps);
  if (branch.caps.find('/') == std::string::npos) return "usable";
  return medium == "text" ? "subtitle" : medium;
}

CapsRef caps_of(GstPad* pad) {
  auto caps = CapsRef::adopt(gst_pad_get_current_caps(pad));
  return caps ? caps : CapsRef::adopt(gst_pad_query_caps(pad, nullptr));
}

GstStreamFlags stream_flags_of(GstPad* pad) {
  GstStreamFlags flags = GST_STREAM_FLAG_NONE;
  if (const auto start = EventRef::adopt(gst_pad_get_sticky_event(pad, GST_EVENT_STREAM_START, 0)))
    gst_event_parse_stream_flags(start.get(), &flags);
  return flags;
}

Outcome<void> Builder::build_streams(StreamSource& source) {
  std::vector<CapsRef> caps;
  for (const auto& stream : source.streams) caps.push_back(caps_of(stream.pad.get()));
  std::vector<bool> taken(source.streams.size(), false);

  struct Pick {
    std::size_t branch;
    std::size_t stream;
  };
  std::vector<Pick> picks;
  std::vector<std::string> slots;
  for (const auto index : source.branches) {
    const auto& slot = core_.branches[index].slot;
    if (std::find(slots.begin(), slots.end(), slot) == slots.end()) slots.push_back(slot);
  }
  for (const auto& slot : slots) {
    std::vector<std::size_t> rivals;
    for (const auto index : source.branches)
      if (core_.branches[index].slot == slot) rivals.push_back(index);
    const auto& first = core_.branches[rivals.front()];

    // The branch that takes each stream, in the file's order.
    std::vector<Pick> candidates;
    for (std::size_t i = 0; i < source.streams.size(); ++i) {
      if (taken[i]) continue;
      if (!first.from->pad.empty()) {
        const GString_ name(gst_pad_get_name(source.streams[i].pad.get()));
        if (first.from->pad != name.get()) continue;
      }
      for (const auto index : rivals) {
        if (!definition_.filters[index].matches(caps[i].get())) continue;
        candidates.push_back({index, i});
        break;
      }
    }
    if (candidates.empty()) {
      const auto word = stream_word(first);
      for (const auto& unknown : source.unknown) {
        if (medium_of(unknown) != word) continue;
        Failure failure;
        failure.domain = GST_STREAM_ERROR;
        failure.code = GST_STREAM_ERROR_CODEC_NOT_FOUND;
        failure.message = "The " + word + " stream in " + input_name() + " is " + unknown +
                          ", for which no decoder is installed.";
        return tl::make_unexpected(std::move(failure));
      }
      const bool optional = std::all_of(rivals.begin(), rivals.end(), [&](std::size_t index) {
        return core_.branches[index].optional;
      });
      if (optional) continue;
      Failure failure;
      failure.domain = GST_STREAM_ERROR;
      failure.code = GST_STREAM_ERROR_WRONG_TYPE;
      failure.message = "There is no " + word + " stream in " + input_name() + ", which " +
                        definition_.element_name + " needs.";
      return tl::make_unexpected(std::move(failure));
    }
    // One stream: the one that the container marks as default, else the first that it does not
    // mark as unwanted.
    const auto preferred = [&]() -> std::size_t {
      for (std::size_t i = 0; i < candidates.size(); ++i)
        if (stream_flags_of(source.streams[candidates[i].stream].pad.get()) &
            GST_STREAM_FLAG_SELECT)
          return i;
      for (std::size_t i = 0; i < candidates.size(); ++i)
        if (!(stream_flags_of(source.streams[candidates[i].stream].pad.get()) &
              GST_STREAM_FLAG_UNSELECT))
          return i;
      return 0;
    };
    if (!first.multiple) candidates = {candidates[preferred()]};
    for (const auto& pick : candidates) {
      taken[pick.stream] = true;
      picks.push_back(pick);
    }
  }

  if (picks.empty()) {
    std::vector<std::string> present;
    for (const auto& one : caps)
      if (!gst_caps_is_any(one.get()) && !gst_caps_is_empty(one.get()))
        present.emplace_back(gst_structure_get_name(gst_caps_get_structure(one.get(), 0)));
    Failure failure;
    failure.domain = GST_STREAM_ERROR;
    failure.code = GST_STREAM_ERROR_WRONG_TYPE;
    failure.message =
        "There is no stream in " + input_name() + " that " + definition_.element_name + " can use.";
    failure.details = "streams: " + (present.empty() ? "none" : joined(present));
    return tl::make_unexpected(std::move(failure));
  }
  for (const auto& pick : picks) {
    auto made = make_branch(pick.branch);
    if (!made) return tl::make_unexpected(std::move(made.error()));
    if (auto linked = link_branch(pick.branch, *made, source.streams[pick.stream].pad.get());
        !linked)
      return linked;
  }
  return {};
}

// --- Errors ---

void post_failure(GstClipsBin* bin, const Failure& failure) {
  auto* element = GST_ELEMENT_CAST(bin);
  if (priv(bin).error_posted.exchange(true)) return;
  for (const auto& factory : failure.missing) {
    // The message that gst_missing_element_message_new() makes, which the installer helpers know.
    gst_element_post_message(
        element, gst_message_new_element(
                     GST_OBJECT_CAST(element),
                     gst_structure_new("missing-plugin", "type", G_TYPE_STRING, "element", "detail",
                                       G_TYPE_STRING, factory.c_str(), "name", G_TYPE_STRING,
                                       ("GStreamer element " + factory).c_str(), nullptr)));
  }
  gst_element_message_full(element, GST_MESSAGE_ERROR, failure.domain, failure.code,
                           g_strdup(failure.message.c_str()),
                           failure.details.empty() ? nullptr : g_strdup(failure.details.c_str()),
                           __FILE__, GST_FUNCTION, __LINE__);
}

// --- Streams becoming known ---

// Builds the branches of a source once, whoever asks first.
void resolve(StreamSource& source) {
  GstClipsBin* bin = source.bin;
  auto& self = priv(bin);
  std::vector<ElementRef> made;
  Outcome<void> built;
  {
    MutexLock lock(self.build_lock);
    if (source.resolved) return;
    source.resolved = true;
    for (auto& stream : source.streams)
      gst_pad_remove_probe(stream.pad.get(), std::exchange(stream.probe, 0));
    Builder builder(bin);
    built = builder.build_streams(source);
    made = builder.made();
  }
  if (!built) {
    post_failure(bin, built.error());
    return;
  }
  // Everything is linked. Downstream first, so that nothing flows into an element that is not up.
  for (auto piece = made.rbegin(); piece != made.rend(); ++piece) {
    if (gst_element_sync_state_with_parent(piece->get())) continue;
    Failure failure;
    failure.code = GST_CORE_ERROR_STATE_CHANGE;
    failure.message = definition_of(bin).element_name + " could not start a part of its graph.";
    failure.details = GST_ELEMENT_NAME(piece->get());
    post_failure(bin, failure);
    return;
  }
}

// Data before no-more-pads: a demuxer whose one thread would wait for itself if it were held up.
// The branches are built for the streams that are known by now.
GstPadProbeReturn on_first_data(GstPad* pad, GstPadProbeInfo* info, gpointer user_data) {
  auto* source = static_cast<StreamSource*>(user_data);
  return guard(source->bin, GST_PAD_PROBE_OK, [&] {
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
      const auto type = GST_EVENT_TYPE(gst_pad_probe_info_get_event(info));
      if (type != GST_EVENT_GAP && type != GST_EVENT_EOS) return GST_PAD_PROBE_OK;
    }
    resolve(*source);
    return GST_PAD_PROBE_OK;  // resolve() has removed the probe.
  });
}

void on_pad_added(GstElement*, GstPad* pad, gpointer user_data) {
  auto* source = static_cast<StreamSource*>(user_data);
  guard(source->bin, [&] {
    if (!GST_PAD_IS_SRC(pad)) return;
    auto& self = priv(source->bin);
    MutexLock lock(self.build_lock);
    if (source->resolved) {
      GST_INFO_OBJECT(source->bin, "stream %s comes too late to be used", GST_PAD_NAME(pad));
      return;
    }
    const auto probe = gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        on_first_data, source, nullptr);
    source->streams.push_back({PadRef::retain(pad), probe});
  });
}

void on_no_more_pads(GstElement*, gpointer user_data) {
  auto* source = static_cast<StreamSource*>(user_data);
  guard(source->bin, [&] { resolve(*source); });
}

void on_unknown_type(GstElement*, GstPad*, GstCaps* caps, gpointer user_data) {
  auto* source = static_cast<StreamSource*>(user_data);
  guard(source->bin, [&] {
    if (!caps || gst_caps_is_any(caps) || gst_caps_is_empty(caps)) return;
    MutexLock lock(priv(source->bin).build_lock);
    source->unknown.emplace_back(gst_structure_get_name(gst_caps_get_structure(caps, 0)));
  });
}

// --- Building and taking apart ---

void take_apart(GstClipsBin* bin) {
  auto& self = priv(bin);
  auto* element = GST_ELEMENT_CAST(bin);
  for (const char* name : {"sink", "src"}) {
    if (const auto ghost = PadRef::adopt(gst_element_get_static_pad(element, name)))
      gst_ghost_pad_set_target(GST_GHOST_PAD_CAST(ghost.get()), nullptr);
  }
  std::vector<std::unique_ptr<StreamSource>> sources;
  {
    MutexLock lock(self.build_lock);
    sources.swap(self.sources);
    self.built = false;
  }
  for (const auto& source : sources) {
    for (const auto handler : source->handlers)
      g_signal_handler_disconnect(source->element.get(), handler);
    for (const auto& stream : source->streams)
      if (stream.probe != 0) gst_pad_remove_probe(stream.pad.get(), stream.probe);
  }
  while (GST_BIN_CAST(bin)->children) {
    const auto child = ElementRef::retain(GST_ELEMENT_CAST(GST_BIN_CAST(bin)->children->data));
    gst_element_set_state(child.get(), GST_STATE_NULL);
    gst_bin_remove(GST_BIN_CAST(bin), child.get());
  }
}

Outcome<void> build(GstClipsBin* bin) {
  auto& self = priv(bin);
  Outcome<void> built;
  {
    MutexLock lock(self.build_lock);
    if (self.built) return {};
    Builder builder(bin);
    built = builder.build_static();
    self.built = built.has_value();
  }
  if (!built) take_apart(bin);
  return built;
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  auto* bin = GST_CLIPS_BIN_CAST(element);
  return guard(element, GST_STATE_CHANGE_FAILURE, [&] {
    auto* parent = GST_ELEMENT_CLASS(gst_clips_bin_parent_class);
    if (transition == GST_STATE_CHANGE_NULL_TO_READY ||
        transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      priv(bin).error_posted = false;
      if (const auto built = build(bin); !built) {
        post_failure(bin, built.error());
        return GST_STATE_CHANGE_FAILURE;
      }
    }
    const auto result = parent->change_state(element, transition);
    switch (transition) {
      case GST_STATE_CHANGE_NULL_TO_READY:
        if (result == GST_STATE_CHANGE_FAILURE) take_apart(bin);
        break;
      // The branches belong to the streams that were; another start builds them anew.
      case GST_STATE_CHANGE_PAUSED_TO_READY:
      case GST_STATE_CHANGE_READY_TO_NULL:
        take_apart(bin);
        break;
      default:
        break;
    }
    return result;
  });
}

void handle_message(GstBin* bin, GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && priv(bin).error_posted.exchange(true)) {
    GST_DEBUG_OBJECT(bin, "follows another error: %" GST_PTR_FORMAT, message);
    gst_message_unref(message);
    return;
  }
  GST_BIN_CLASS(gst_clips_bin_parent_class)->handle_message(bin, message);
}

// --- GObject ---

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  guard(object, [&] {
    auto& self = priv(object);
    MutexLock lock(self.values_lock);
    auto& holder = *self.values.at(id - 1);
    g_value_copy(value, &holder.value);
    holder.is_set = true;
  });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  guard(object, [&] {
    auto& self = priv(object);
    MutexLock lock(self.values_lock);
    g_value_copy(&self.values.at(id - 1)->value, value);
  });
}

void finalize(GObject* object) {
  destroy_private<Private>(&priv(object));
  G_OBJECT_CLASS(gst_clips_bin_parent_class)->finalize(object);
}

void add_pad_template(GstElementClass* klass, const PadDefinition& pad, GstPadDirection direction) {
  const auto caps = pad.caps.empty() ? CapsRef::adopt(gst_caps_new_any())
                                     : CapsRef::adopt(gst_caps_from_string(pad.caps.c_str()));
  gst_element_class_add_pad_template(
      klass, gst_pad_template_new(direction == GST_PAD_SINK ? "sink" : "src", direction,
                                  GST_PAD_ALWAYS, caps.get()));
}

// Runs inside of the registry scanner too: no element may be made here.
void definition_class_init(gpointer klass, gpointer data) {
  auto* own = static_cast<ClassData*>(data);
  static_cast<GstClipsBinClass*>(klass)->data = own;
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  // GObject does not let a class inherit these.
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  const auto& core = own->definition->core;
  for (std::size_t i = 0; i < core.parameters.size(); ++i) {
    GParamSpec* pspec = make_pspec(core, core.parameters[i]);
    g_object_class_install_property(object_class, static_cast<guint>(i + 1), pspec);
    own->pspecs.push_back(pspec);
  }
  gst_element_class_set_metadata(
      element_class, core.long_name.c_str(), core.klass.c_str(), core.description.c_str(),
      core.author.empty() ? "The gst-plugins-clips authors" : core.author.c_str());
  if (core.sink.present) add_pad_template(element_class, core.sink, GST_PAD_SINK);
  if (core.src.present) add_pad_template(element_class, core.src, GST_PAD_SRC);
}

void definition_instance_init(GTypeInstance* instance, gpointer klass) {
  auto* bin = reinterpret_cast<GstClipsBin*>(instance);
  const auto& data = *static_cast<GstClipsBinClass*>(klass)->data;
  const auto& core = data.definition->core;
  auto& self = priv(bin);
  {
    MutexLock lock(self.values_lock);
    for (std::size_t i = 0; i < core.parameters.size(); ++i) {
      const auto& parameter = core.parameters[i];
      auto holder = std::make_unique<ValueHolder>();
      g_value_init(&holder->value, G_PARAM_SPEC_VALUE_TYPE(data.pspecs[i]));
      g_param_value_set_default(data.pspecs[i], &holder->value);
      if (parameter.default_value &&
          (parameter.type == ValueType::Caps || parameter.type == ValueType::Structure))
        gst_value_deserialize(&holder->value,
                              std::get<std::string>(*parameter.default_value).c_str());
      self.values.push_back(std::move(holder));
    }
  }
  // What the children are must not change what the bin is: an application that adds the bin
  // before it has children would get another order of state changes.
  gst_bin_set_suppressed_flags(
      GST_BIN_CAST(bin),
      static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK));
  if (!core.sink.present) GST_OBJECT_FLAG_SET(bin, GST_ELEMENT_FLAG_SOURCE);
  if (!core.src.present) GST_OBJECT_FLAG_SET(bin, GST_ELEMENT_FLAG_SINK);
  for (const char* name : {"sink", "src"}) {
    GstPadTemplate* one = gst_element_class_get_pad_template(GST_ELEMENT_CLASS(klass), name);
    if (one)
      gst_element_add_pad(GST_ELEMENT_CAST(bin),
                          gst_ghost_pad_new_no_target_from_template(name, one));
  }
}

}  // namespace

static void gst_clips_bin_init(GstClipsBin* bin) {
  construct_private<Private>(gst_clips_bin_get_instance_private(bin));
}

static void gst_clips_bin_class_init(GstClipsBinClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->finalize = finalize;
  GST_ELEMENT_CLASS(klass)->change_state = change_state;
  GST_BIN_CLASS(klass)->handle_message = handle_message;
}

GType gst_clips_bin_type_for(GstClipsDefinition* definition) {
  // A file that is loaded again unchanged keeps its type: types are never freed.
  static std::mutex lock;
  static auto* types = new std::map<std::string, GType>;
  const std::lock_guard<std::mutex> guard(lock);
  auto& type = (*types)[definition->fingerprint];
  if (type != 0) return type;
  auto* data = new ClassData;
  data->definition = gst_clips_definition_ref(definition);
  GTypeInfo info{};
  info.class_size = sizeof(GstClipsBinClass);
  info.class_init = definition_class_init;
  info.class_data = data;
  info.instance_size = sizeof(GstClipsBin);
  info.instance_init = definition_instance_init;
  const auto name = free_type_name("GstClips" + camel_case(definition->core.name) + "Bin");
  type = g_type_register_static(GST_TYPE_CLIPS_BIN, name.c_str(), &info, G_TYPE_FLAG_NONE);
  return type;
}

GstClipsDefinition* gst_clips_bin_get_definition(GstClipsBin* bin) {
  return class_data(bin).definition;
}

gboolean gst_clips_bin_is_set(GstClipsBin* bin, const gchar* parameter) {
  const auto& core = definition_of(bin).core;
  const auto* found = core.find_parameter(parameter);
  if (!found) return FALSE;
  auto& self = priv(bin);
  MutexLock lock(self.values_lock);
  return self.values[static_cast<std::size_t>(found - core.parameters.data())]->is_set;
}

gboolean gst_clips_bin_check(GstClipsBin* bin, GError** error) {
  auto& self = priv(bin);
  Outcome<void> built;
  {
    MutexLock lock(self.build_lock);
    Builder builder(bin);
    built = builder.build_all();
  }
  take_apart(bin);
  if (built) return TRUE;
  const auto& failure = built.error();
  g_set_error_literal(
      error, GST_CLIPS_ERROR,
      failure.missing.empty() ? GST_CLIPS_ERROR_DEFINITION : GST_CLIPS_ERROR_MISSING_PLUGIN,
      failure.message.c_str());
  return FALSE;
}
