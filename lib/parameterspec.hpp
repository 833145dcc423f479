// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "common/thread_annotations.hpp"
#include "definition.hpp"

namespace clips {

// A GValue with an owner.
class HeldValue {
 public:
  explicit HeldValue(GType type) { g_value_init(&value_, type); }
  explicit HeldValue(const GValue* other) : HeldValue(G_VALUE_TYPE(other)) {
    g_value_copy(other, &value_);
  }
  HeldValue(const HeldValue&) = delete;
  HeldValue& operator=(const HeldValue&) = delete;
  ~HeldValue() { g_value_unset(&value_); }
  GValue* get() { return &value_; }
  const GValue* get() const { return &value_; }

 private:
  GValue value_ = G_VALUE_INIT;
};

// A parameter as a GObject property. Makes no element: it runs in the registry scanner too.
GParamSpec* make_pspec(const Definition& definition, const Parameter& parameter);

// Brings the names of a choice's values up to date with what is installed: a class may be made
// while the registry is still being filled.
void refresh_choice(const Parameter& parameter, GParamSpec* pspec);

std::string camel_case(std::string_view text);
// `wanted`, or with a number behind it when there is such a type already.
std::string free_type_name(const std::string& wanted);

// The text of a property's value; nothing when it has none.
std::optional<std::string> value_text(const Parameter& parameter, const GValue* value);

// Turns a parameter's value, which has this text, into one for an element's property. The error is
// the end of a sentence that begins with the parameter's name.
tl::expected<void, std::string> convert_value(const Parameter& parameter, const GValue* value,
                                              const std::string& text, GParamSpec* target,
                                              GValue* out);

// The values of one bin.
class ParameterValues {
 public:
  void initialise(const Definition& definition, const std::vector<GParamSpec*>& pspecs)
      CLIPS_EXCLUDES(lock_);
  void set(std::size_t index, const GValue* value) CLIPS_EXCLUDES(lock_);
  void get(std::size_t index, GValue* value) const CLIPS_EXCLUDES(lock_);
  bool is_set(std::size_t index) const CLIPS_EXCLUDES(lock_);
  // The value as it is now and its text; nothing when there is none.
  struct Snapshot {
    std::unique_ptr<HeldValue> value;
    std::string text;
  };
  std::optional<Snapshot> snapshot(const Parameter& parameter, std::size_t index) const
      CLIPS_EXCLUDES(lock_);

 private:
  struct Entry {
    std::unique_ptr<HeldValue> value;
    bool is_set = false;  // by somebody, not by default
  };
  // Never held while an element is called.
  mutable Mutex lock_;
  std::vector<Entry> entries_ CLIPS_GUARDED_BY(lock_);
};

}  // namespace clips
