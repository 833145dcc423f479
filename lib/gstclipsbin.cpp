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
 * takes stays unlinked and is not decoded.
 *
 * Position and duration, in time format, are those of the streams in use: the largest stream time
 * that has left a branch, and the longest duration.
 *
 * At most one error is posted in a run: what follows a first error is its consequence. One that is
 * found before the pipeline plays waits until the default main context turns, at most 250 ms.
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstclipsbin.h"

#include <map>
#include <mutex>

#include "common/guard.hpp"
#include "common/instance.hpp"
#include "economy.hpp"
#include "faststartfile.hpp"
#include "graph.hpp"
#include "gstdemuxtimes.hpp"
#include "inputwatch.hpp"
#include "startgate.hpp"
#include "tlstrust.hpp"

GST_DEBUG_CATEGORY(clips_bin_debug);
#define GST_CAT_DEFAULT clips_bin_debug

namespace {

using namespace clips;

struct ClassData {
  GstClipsDefinition* definition = nullptr;  // kept for good, as the type is
  std::vector<GParamSpec*> pspecs;           // of definition->core.parameters
};

struct Private {
  ParameterValues values;
  std::unique_ptr<Graph> graph;
  std::atomic<bool> error_posted{false};
  StartGate start_gate;
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

Private& priv(gpointer bin) {
  return *static_cast<Private*>(gst_clips_bin_get_instance_private(static_cast<GstClipsBin*>(bin)));
}

const ClassData& class_data(gpointer bin) {
  return *reinterpret_cast<GstClipsBinClass*>(G_OBJECT_GET_CLASS(bin))->data;
}

void post_failure(GstElement* element, const Failure& failure) {
  if (priv(element).error_posted.exchange(true)) return;
  priv(element).start_gate.wait();
  for (const auto& factory : failure.missing) {
    // What gst_missing_element_message_new() makes, which installer helpers know.
    const std::string name = "GStreamer element " + factory;
    gst_element_post_message(
        element, gst_message_new_element(
                     GST_OBJECT_CAST(element),
                     gst_structure_new("missing-plugin", "type", G_TYPE_STRING, "element", "detail",
                                       G_TYPE_STRING, factory.c_str(), "name", G_TYPE_STRING,
                                       name.c_str(), nullptr)));
  }
  gst_element_message_full(element, GST_MESSAGE_ERROR, failure.domain, failure.code,
                           g_strdup(failure.message.c_str()),
                           failure.details.empty() ? nullptr : g_strdup(failure.details.c_str()),
                           __FILE__, GST_FUNCTION, __LINE__);
}

// --- GstElement ---

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  return guard(element, GST_STATE_CHANGE_FAILURE, [&] {
    auto& self = priv(element);
    if (transition == GST_STATE_CHANGE_NULL_TO_READY ||
        transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
      self.error_posted = false;
      if (const auto built = self.graph->build(); !built) {
        post_failure(element, built.error());
        return GST_STATE_CHANGE_FAILURE;
      }
    }
    const bool starts = transition == GST_STATE_CHANGE_READY_TO_PAUSED;
    if (starts) {
      self.graph->start_begins();
      self.start_gate.close();
    } else {
      self.start_gate.open();
    }
    const auto result =
        GST_ELEMENT_CLASS(gst_clips_bin_parent_class)->change_state(element, transition);
    if (starts) self.start_gate.left();
    // One that succeeds ends when that is noted: GstBin forgets a branch that starts before it.
    const bool done = result == GST_STATE_CHANGE_SUCCESS || result == GST_STATE_CHANGE_NO_PREROLL;
    if (starts && !done) self.graph->start_ends();
    switch (transition) {
      case GST_STATE_CHANGE_NULL_TO_READY:
        if (result == GST_STATE_CHANGE_FAILURE) self.graph->take_apart();
        break;
      // The branches belong to the streams that were; another start builds them anew.
      case GST_STATE_CHANGE_PAUSED_TO_READY:
      case GST_STATE_CHANGE_READY_TO_NULL:
        self.graph->take_apart();
        break;
      default:
        break;
    }
    return result;
  });
}

void state_changed(GstElement* element, GstState from, GstState to, GstState pending) {
  if (to == GST_STATE_PAUSED) priv(element).graph->start_ends();
  const auto* parent = GST_ELEMENT_CLASS(gst_clips_bin_parent_class);
  if (parent->state_changed) parent->state_changed(element, from, to, pending);
}

gboolean query(GstElement* element, GstQuery* query) {
  return guard(element, gboolean{FALSE}, [&] {
    auto& graph = *priv(element).graph;
    GstFormat format = GST_FORMAT_UNDEFINED;
    GstClockTime answer = GST_CLOCK_TIME_NONE;
    switch (GST_QUERY_TYPE(query)) {
      case GST_QUERY_POSITION:
        gst_query_parse_position(query, &format, nullptr);
        if (format == GST_FORMAT_TIME) answer = graph.position();
        if (GST_CLOCK_TIME_IS_VALID(answer))
          gst_query_set_position(query, format, static_cast<gint64>(answer));
        break;
      case GST_QUERY_DURATION:
        gst_query_parse_duration(query, &format, nullptr);
        if (format == GST_FORMAT_TIME) answer = graph.duration();
        if (GST_CLOCK_TIME_IS_VALID(answer))
          gst_query_set_duration(query, format, static_cast<gint64>(answer));
        break;
      default:
        break;
    }
    if (GST_CLOCK_TIME_IS_VALID(answer)) return gboolean{TRUE};
    return GST_ELEMENT_CLASS(gst_clips_bin_parent_class)->query(element, query);
  });
}

// --- GstBin ---

// GstBin (1.22) notes only after it has posted "state changed to PAUSED" that it is not playing.
// An application that goes on to PLAYING at that message (gst-launch-1.0 does) can be done with it
// by then, if the posting thread was held up: the note then comes last, and the pipeline never
// posts EOS. Holding the pipeline's state lock makes the application wait these microseconds. It is
// not waited for: whoever has it may be waiting for this thread.
class StateChangeHold {
 public:
  explicit StateChangeHold(GstBin* bin) {
    auto top = Ref<GstObject>::retain(GST_OBJECT_CAST(bin));
    while (auto* parent = gst_object_get_parent(top.get())) top = Ref<GstObject>::adopt(parent);
    if (top.get() != GST_OBJECT_CAST(bin) && GST_IS_ELEMENT(top.get()) &&
        GST_STATE_TRYLOCK(top.get()))
      held_ = std::move(top);
  }
  StateChangeHold(const StateChangeHold&) = delete;
  StateChangeHold& operator=(const StateChangeHold&) = delete;
  ~StateChangeHold() {
    if (held_) GST_STATE_UNLOCK(held_.get());
  }

 private:
  Ref<GstObject> held_;
};

void handle_message(GstBin* bin, GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ASYNC_DONE) {
    const StateChangeHold hold(bin);
    GST_BIN_CLASS(gst_clips_bin_parent_class)->handle_message(bin, message);
    return;
  }
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && priv(bin).error_posted.exchange(true)) {
    GST_DEBUG_OBJECT(bin, "follows another error: %" GST_PTR_FORMAT, message);
    gst_message_unref(message);
    return;
  }
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) priv(bin).start_gate.wait();
  GST_BIN_CLASS(gst_clips_bin_parent_class)->handle_message(bin, message);
}

void deep_element_added(GstBin* bin, GstBin* sub_bin, GstElement* child) {
  guard(bin, [&] {
    watch_input(child);
    limit_decoding_errors(child);
    trust_certificate_file(child);
    use_nameless_faststart_file(child);
    leave_index_to_s3sink(bin, child);
    correct_demuxer_times(child);
    pass_unturned_pictures(child);
    spare_encoder_memory(child);
    if (encodes_video(class_data(bin).definition->core)) spare_decoder_memory(child);
  });
  GST_BIN_CLASS(gst_clips_bin_parent_class)->deep_element_added(bin, sub_bin, child);
}

// --- GObject ---

void set_property(GObject* object, guint id, const GValue* value, GParamSpec*) {
  guard(object, [&] { priv(object).values.set(id - 1, value); });
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec*) {
  guard(object, [&] { priv(object).values.get(id - 1, value); });
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
  for (const auto& parameter : core.parameters) {
    GParamSpec* pspec = make_pspec(core, parameter);
    own->pspecs.push_back(pspec);
    g_object_class_install_property(object_class, static_cast<guint>(own->pspecs.size()), pspec);
  }
  gst_element_class_set_metadata(
      element_class, core.long_name.c_str(), core.klass.c_str(), core.description.c_str(),
      core.author.empty() ? "The gst-plugins-clips authors" : core.author.c_str());
  if (core.sink.present) add_pad_template(element_class, core.sink, GST_PAD_SINK);
  if (core.src.present) add_pad_template(element_class, core.src, GST_PAD_SRC);
}

void definition_instance_init(GTypeInstance* instance, gpointer klass) {
  auto* element = reinterpret_cast<GstElement*>(instance);
  const auto& data = *static_cast<GstClipsBinClass*>(klass)->data;
  const auto& core = data.definition->core;
  auto& self = priv(element);
  self.values.initialise(core, data.pspecs);
  self.graph = std::make_unique<Graph>(
      GST_BIN_CAST(element), *data.definition, self.values,
      [element](const Failure& failure) { post_failure(element, failure); });
  for (std::size_t i = 0; i < core.parameters.size(); ++i)
    refresh_choice(core.parameters[i], data.pspecs[i]);

  // What the children are must not change what the bin is: an application that adds the bin
  // before it has children would get another order of state changes.
  gst_bin_set_suppressed_flags(
      GST_BIN_CAST(element),
      static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK));
  if (!core.sink.present) GST_OBJECT_FLAG_SET(element, GST_ELEMENT_FLAG_SOURCE);
  if (!core.src.present) GST_OBJECT_FLAG_SET(element, GST_ELEMENT_FLAG_SINK);
  for (const char* name : {"sink", "src"}) {
    if (auto* one = gst_element_class_get_pad_template(GST_ELEMENT_CLASS(klass), name))
      gst_element_add_pad(element, gst_ghost_pad_new_no_target_from_template(name, one));
  }
}

}  // namespace

static void gst_clips_bin_init(GstClipsBin* bin) {
  construct_private<Private>(gst_clips_bin_get_instance_private(bin));
}

static void gst_clips_bin_class_init(GstClipsBinClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = finalize;
  GST_ELEMENT_CLASS(klass)->change_state = change_state;
  GST_ELEMENT_CLASS(klass)->state_changed = state_changed;
  GST_ELEMENT_CLASS(klass)->query = query;
  GST_BIN_CLASS(klass)->handle_message = handle_message;
  GST_BIN_CLASS(klass)->deep_element_added = deep_element_added;
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
  const auto& core = class_data(bin).definition->core;
  const auto* found = core.find_parameter(parameter);
  return found && priv(bin).values.is_set(static_cast<std::size_t>(found - core.parameters.data()));
}

gboolean gst_clips_bin_check(GstClipsBin* bin, GError** error) {
  const auto checked = priv(bin).graph->check();
  if (checked) return TRUE;
  const auto& failure = checked.error();
  g_set_error_literal(
      error, GST_CLIPS_ERROR,
      failure.missing.empty() ? GST_CLIPS_ERROR_DEFINITION : GST_CLIPS_ERROR_MISSING_PLUGIN,
      failure.message.c_str());
  return FALSE;
}
