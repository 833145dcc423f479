// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/guard.hpp"

GST_DEBUG_CATEGORY_EXTERN(clips_bin_debug);
#define GST_CAT_DEFAULT clips_bin_debug

namespace clips {

struct Graph::Stream {
  PadRef pad;
  gulong probe = 0;  // asks for the branches when data comes
  gulong block = 0;  // while the branches are built
};

// An element whose pads appear as it learns its streams, with the branches that wait for them.
struct Graph::Source {
  Graph* graph = nullptr;
  ElementRef element;
  std::vector<std::size_t> branches;
  std::vector<Stream> streams;
  // The streams in use, by the slot of the branch that takes them.
  std::vector<std::pair<std::string, PadRef>> used;
  // Media types that nothing on this system decodes.
  std::vector<std::string> unknown;
  std::vector<gulong> handlers;
  bool resolved = false;  // somebody builds the branches, or has
  std::thread::id builder;
  bool up = false;  // data may flow into the branches
  // Streams in use that have data or may still get some.
  std::atomic<std::size_t> hopeful{0};
};

// What a probe at the begin or the end of a branch has to know.
struct Graph::Feed {
  Graph* graph = nullptr;
  Source* source = nullptr;  // at the begin
  std::size_t branch = 0;
  GstSegment segment{};  // at the end
};

namespace {

ElementRef find_element(GstElement* bin, const std::string& name) {
  return ElementRef::adopt(gst_bin_get_by_name(GST_BIN_CAST(bin), name.c_str()));
}

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

// What gst_parse could not make. It also lists elements that are there, but have no such property.
std::vector<std::string> missing_of(GstParseContext* context) {
  std::vector<std::string> missing;
  const GStrv_ names(gst_parse_context_get_missing_elements(context));
  for (gchar** name = names.get(); name && *name; ++name) {
    GstElementFactory* factory = gst_element_factory_find(*name);
    if (factory)
      gst_object_unref(factory);
    else
      missing.emplace_back(*name);
  }
  return missing;
}

// The free pad at the begin or the end of a branch: of the first element, in the order of the
// text, that has a free sink pad, or of the last one that has a free src pad. Elements in between
// may have free pads too, as long as links to sometimes pads wait for these.
PadRef free_pad(GstElement* bin, GstPadDirection direction) {
  PadRef found;
  // The newest child comes first.
  for (GList* item = GST_BIN_CAST(bin)->children; item; item = item->next) {
    auto* child = GST_ELEMENT_CAST(item->data);
    for (GList* pads = direction == GST_PAD_SINK ? child->sinkpads : child->srcpads; pads;
         pads = pads->next) {
      if (gst_pad_is_linked(GST_PAD_CAST(pads->data))) continue;
      found = PadRef::retain(GST_PAD_CAST(pads->data));
      if (direction == GST_PAD_SRC) return found;
      break;
    }
  }
  return found;
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

// Stops the work that is done for a stream which nobody takes: without it, decodebin would go on
// decoding it. The pad itself stays unlinked.
void starve(GstPad* pad) {
  auto inner = PadRef::retain(pad);
  while (inner && GST_IS_GHOST_PAD(inner.get()))
    inner = PadRef::adopt(gst_ghost_pad_get_target(GST_GHOST_PAD_CAST(inner.get())));
  if (!inner) return;
  const auto owner = ElementRef::adopt(gst_pad_get_parent_element(inner.get()));
  // A demuxer has all streams behind one sink pad.
  if (!owner || owner->numsinkpads != owner->numsrcpads ||
      gst_element_factory_list_is_type(gst_element_get_factory(owner.get()),
                                       GST_ELEMENT_FACTORY_TYPE_DEMUXER))
    return;
  GstIterator* links = gst_pad_iterate_internal_links(inner.get());
  GValue item = G_VALUE_INIT;
  if (links && gst_iterator_next(links, &item) == GST_ITERATOR_OK) {
    gst_pad_add_probe(
        GST_PAD_CAST(g_value_get_object(&item)),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; }, nullptr, nullptr);
    g_value_unset(&item);
  }
  if (links) gst_iterator_free(links);
}

Failure settings_failure(std::string message) {
  Failure failure;
  failure.domain = GST_RESOURCE_ERROR;
  failure.code = GST_RESOURCE_ERROR_SETTINGS;
  failure.message = std::move(message);
  return failure;
}

Failure stream_failure(gint code, std::string message, std::string details = {}) {
  Failure failure;
  failure.domain = GST_STREAM_ERROR;
  failure.code = code;
  failure.message = std::move(message);
  failure.details = std::move(details);
  return failure;
}

}  // namespace

Graph::Graph(GstBin* bin, const GstClipsDefinition& definition, const ParameterValues& values,
             std::function<void(const Failure&)> fail)
    : bin_(bin),
      element_(GST_ELEMENT_CAST(bin)),
      definition_(definition),
      core_(definition.core),
      values_(values),
      fail_(std::move(fail)) {}

Graph::~Graph() = default;

Failure Graph::wrong(int line, std::string group, std::string key, std::string message) const {
  Failure failure;
  failure.domain = GST_LIBRARY_ERROR;
  failure.code = GST_LIBRARY_ERROR_SETTINGS;
  failure.message =
      "The pipeline definition “" + core_.name + "” is wrong: " +
      core_.error(line, std::move(group), std::move(key), std::move(message)).to_string() + ".";
  return failure;
}

std::optional<ParameterValues::Snapshot> Graph::value_of(const Parameter& parameter) const {
  return values_.snapshot(parameter,
                          static_cast<std::size_t>(&parameter - core_.parameters.data()));
}

std::string Graph::input_name() const {
  if (const auto* parameter = core_.find_parameter("input"))
    if (const auto value = value_of(*parameter)) return "“" + display_location(value->text) + "”";
  return "the input";
}

// --- Without streams ---

Outcome<void> Graph::build() {
  Outcome<void> built;
  {
    MutexLock lock(lock_);
    if (built_) return {};
    position_ = GST_CLOCK_TIME_NONE;
    built = check_values();
    if (built) built = build_chosen(false);
    made_.clear();  // The bin's own state change starts these.
    built_ = built.has_value();
  }
  if (!built) take_apart();
  return built;
}

Outcome<void> Graph::check() {
  Outcome<void> built;
  {
    MutexLock lock(lock_);
    built = build_chosen(true);
    // Branches of branches bring more sources, so both may grow meanwhile.
    for (std::size_t i = 0; built && i < sources_.size(); ++i) {
      for (std::size_t k = 0; built && k < sources_[i]->branches.size(); ++k) {
        const auto index = sources_[i]->branches[k];
        const auto made = make_branch(index);
        built =
            made ? link_branch(index, *made, nullptr, nullptr) : tl::make_unexpected(made.error());
      }
    }
  }
  take_apart();
  return built;
}

void Graph::take_apart() {
  for (const char* name : {"sink", "src"}) {
    if (const auto ghost = PadRef::adopt(gst_element_get_static_pad(element_, name)))
      gst_ghost_pad_set_target(GST_GHOST_PAD_CAST(ghost.get()), nullptr);
  }
  std::vector<std::unique_ptr<Source>> sources;
  {
    MutexLock lock(lock_);
    sources.swap(sources_);
    made_.clear();
    built_ = false;
    pieces_ = 0;
  }
  for (const auto& source : sources) {
    for (const auto handler : source->handlers)
      g_signal_handler_disconnect(source->element.get(), handler);
    for (const auto& stream : source->streams)
      for (const auto id : {stream.probe, stream.block})
        if (id != 0) gst_pad_remove_probe(stream.pad.get(), id);
  }
  while (bin_->children) {
    const auto child = ElementRef::retain(GST_ELEMENT_CAST(bin_->children->data));
    gst_element_set_state(child.get(), GST_STATE_NULL);
    gst_bin_remove(bin_, child.get());
  }
}

Outcome<void> Graph::check_values() const {
  for (const auto& parameter : core_.parameters) {
    const auto value = value_of(parameter);
    if (!value) {
      if (!parameter.required) continue;
      return tl::make_unexpected(settings_failure("No value is set for “" + parameter.name + "”. " +
                                                  definition_.element_name +
                                                  " cannot run without it."));
    }
    const auto checked = parse_value(parameter.type, value->text, parameter.limits);
    if (!checked)
      return tl::make_unexpected(
          settings_failure("The value of “" + parameter.name + "” " + checked.error() + "."));
  }
  return {};
}

// Whether the value is another than the one that means: without.
bool Graph::is_active(const Parameter& parameter, const ParameterValues::Snapshot& value) const {
  if (parameter.unset) return format_value(parameter.type, *parameter.unset) != value.text;
  return parameter.type != ValueType::Boolean || value.text == "true";
}

void Graph::choose(bool everything) {
  static const Fragment nothing;
  tokens_.clear();
  for (const auto& parameter : core_.parameters) {
    const auto value = value_of(parameter);
    if (parameter.launch) {
      const bool wanted = everything || (value && is_active(parameter, *value));
      tokens_[parameter.name] = wanted ? &*parameter.launch : &nothing;
    }
    if (!parameter.is_fragment_choice()) continue;
    // With none available, the first one gives the error that says what to install.
    const Alternative* chosen = &parameter.alternatives.front();
    for (const auto& alternative : parameter.alternatives) {
      if (value->text == kAutoChoice ? missing_factories(alternative.fragment.scan).empty()
                                     : alternative.name == value->text) {
        chosen = &alternative;
        break;
      }
    }
    tokens_[parameter.name] = &chosen->fragment;
  }
  enabled_.clear();
  for (std::size_t i = 0; i < core_.branches.size(); ++i) {
    const auto& condition = core_.branches[i].condition;
    if (!condition || holds(*condition)) enabled_.insert(i);
  }
}

bool Graph::holds(const Condition& condition) const {
  const auto value = value_of(*core_.find_parameter(condition.parameter));
  return (value && value->text == condition.value.value_or("true")) != condition.negated;
}

Outcome<void> Graph::build_chosen(bool everything) {
  choose(everything);
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
  const auto graph = move_children(GST_BIN_CAST(parsed->get()), bin_);
  // Parts that hang on nothing come before those that may link to them.
  std::vector<std::pair<std::size_t, Piece>> parts;
  for (const auto index : enabled_) {
    if (core_.branches[index].from) continue;
    auto part = make_branch(index);
    if (!part) return tl::make_unexpected(std::move(part.error()));
    parts.emplace_back(index, *std::move(part));
  }
  if (auto connected = connect_branches(graph, nullptr); !connected) return connected;
  for (const auto& [index, part] : parts)
    if (auto linked = link_branch(index, part, nullptr, nullptr); !linked) return linked;
  return connect_pads();
}

Outcome<ElementRef> Graph::parse(const Fragment& fragment, const std::string& group,
                                 const std::string& key) {
  std::string filled = fragment.text;
  for (const auto& [name, replacement] : tokens_) {
    const std::string token = "${" + name + "}";
    const auto at = filled.find(token);
    if (at != std::string::npos) filled.replace(at, token.size(), replacement->text);
  }
  std::unique_ptr<GstParseContext, void (*)(GstParseContext*)> context(gst_parse_context_new(),
                                                                       gst_parse_context_free);
  GError* error = nullptr;
  GstElement* parsed = gst_parse_bin_from_description_full(filled.c_str(), FALSE, context.get(),
                                                           GST_PARSE_FLAG_FATAL_ERRORS, &error);
  const ErrorPtr error_owner(error);
  const auto missing = missing_of(context.get());
  if (!missing.empty()) {
    if (parsed) gst_object_unref(parsed);
    Failure failure;
    failure.domain = GST_CORE_ERROR;
    failure.code = GST_CORE_ERROR_MISSING_PLUGIN;
    failure.missing = missing;
    failure.message = definition_.element_name + " needs the element " + joined(failure.missing) +
                      ", which is not installed. Install the plugin that has it";
    for (const auto& parameter : core_.parameters) {
      if (!parameter.is_fragment_choice() ||
          std::find(fragment.scan.tokens.begin(), fragment.scan.tokens.end(), parameter.name) ==
              fragment.scan.tokens.end())
        continue;
      if (!missing_factories(tokens_.at(parameter.name)->scan).empty())
        failure.message += " or choose another “" + parameter.name + "”";
    }
    failure.message += ".";
    return tl::make_unexpected(std::move(failure));
  }
  if (!parsed || error) {
    if (parsed) gst_object_unref(parsed);
    return tl::make_unexpected(
        wrong(fragment.line, group, key,
              std::string("is no right pipeline: ") + (error ? error->message : "unknown reason")));
  }
  auto bin = ElementRef::sink(parsed);
  if (auto applied = apply_parameters(parsed); !applied)
    return tl::make_unexpected(std::move(applied.error()));
  return bin;
}

Outcome<Piece> Graph::make_branch(std::size_t index) {
  const auto& branch = core_.branches[index];
  auto bin = parse(branch.launch, "Branch " + branch.name, "launch");
  if (!bin) return tl::make_unexpected(std::move(bin.error()));
  // A bin of its own, so that a drawing of the graph shows the branch; with a number, as there is
  // one for each stream when there may be several.
  const std::string name = "branch-" + branch.name + "-" + std::to_string(pieces_++);
  gst_object_set_name(GST_OBJECT_CAST(bin->get()), name.c_str());
  gst_bin_add(bin_, bin->get());
  made_.push_back(*bin);
  return Piece{*std::move(bin)};
}

Outcome<void> Graph::link_branch(std::size_t index, const Piece& piece, GstPad* from,
                                 GstCaps* stream) {
  const auto& branch = core_.branches[index];
  const std::string group = "Branch " + branch.name;
  if (from) {
    const auto sink = free_pad(piece.front().get(), GST_PAD_SINK);
    if (!sink)
      return tl::make_unexpected(
          wrong(branch.launch.line, group, "launch", "has no free sink pad for its stream"));
    if (!gst_pad_link_maybe_ghosting(from, sink.get()))
      return tl::make_unexpected(wrong(
          branch.launch.line, group, "launch",
          "begins with an element that does not take what “" + branch.from->element + "” gives"));
  }
  if (branch.to)
    if (auto linked = link_to(branch, piece); !linked) return linked;
  return connect_branches(piece, stream);
}

Outcome<void> Graph::link_to(const Branch& branch, const Piece& piece) {
  const std::string group = "Branch " + branch.name;
  const auto refuse = [&](int line, const char* key, std::string message) {
    return tl::make_unexpected(wrong(line, group, key, std::move(message)));
  };
  const auto src = free_pad(piece.front().get(), GST_PAD_SRC);
  if (!src) return refuse(branch.launch.line, "launch", "has no free src pad to link to anything");
  const auto target = find_element(element_, branch.to->element);
  if (!target)
    return refuse(branch.to->line, "to",
                  "names “" + branch.to->element + "”, which is not part of the graph as built");
  const auto sink =
      branch.to->pad.empty()
          ? PadRef::adopt(gst_element_get_compatible_pad(target.get(), src.get(), nullptr))
          : get_pad(target.get(), branch.to->pad);
  if (!sink)
    return refuse(branch.to->line, "to",
                  "names “" + branch.to->element + "”, which has no pad for this branch");
  for (const auto& [property, text] : branch.to_properties) {
    GParamSpec* pspec =
        g_object_class_find_property(G_OBJECT_GET_CLASS(sink.get()), property.c_str());
    if (!pspec || !(pspec->flags & G_PARAM_WRITABLE))
      return refuse(branch.to_properties_line, "to-properties",
                    "names “" + property + "”, which the pad does not have");
    HeldValue value(G_PARAM_SPEC_VALUE_TYPE(pspec));
    if (!gst_value_deserialize_with_pspec(value.get(), text.c_str(), pspec) ||
        g_param_value_validate(pspec, value.get()))
      return refuse(branch.to_properties_line, "to-properties",
                    "has a value that “" + property + "” does not take: " + text);
    g_object_set_property(G_OBJECT(sink.get()), property.c_str(), value.get());
  }
  if (!gst_pad_link_maybe_ghosting(src.get(), sink.get()))
    return refuse(branch.to->line, "to",
                  "names “" + branch.to->element + "”, which does not take what the branch makes");
  auto* feed = new Feed;
  feed->graph = this;
  gst_segment_init(&feed->segment, GST_FORMAT_UNDEFINED);
  gst_pad_add_probe(
      src.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      on_branch_data, feed, [](gpointer data) { delete static_cast<Feed*>(data); });
  return {};
}

// Finds the branches that begin at an element of the piece: builds those whose pad is there, and
// waits for the pads of the others. `stream` is the caps of the stream that the piece was built
// for; null when there is none.
Outcome<void> Graph::connect_branches(const Piece& piece, GstCaps* stream) {
  for (const auto index : enabled_) {
    const auto& branch = core_.branches[index];
    if (!branch.from) continue;
    const auto from = find_element(piece, branch.from->element);
    if (!from) continue;
    const auto& pad_name = branch.from->pad;
    const bool waits = has_template(from.get(), GST_PAD_SRC, GST_PAD_SOMETIMES) &&
                       (pad_name.empty() ||
                        !PadRef::adopt(gst_element_get_static_pad(from.get(), pad_name.c_str())));
    if (waits) {
      wait_for_streams(from.get(), index);
      continue;
    }
    if (stream && !definition_.filters[index].matches(stream)) continue;
    const auto pad = pad_name.empty() ? get_src_pad(from.get()) : get_pad(from.get(), pad_name);
    if (!pad)
      return tl::make_unexpected(
          wrong(branch.from->line, "Branch " + branch.name, "from",
                "names “" + branch.from->element + "”, which has no such src pad"));
    auto made = make_branch(index);
    if (!made) return tl::make_unexpected(std::move(made.error()));
    if (auto linked = link_branch(index, *made, pad.get(), stream); !linked) return linked;
  }
  return {};
}

void Graph::wait_for_streams(GstElement* element, std::size_t branch) {
  for (const auto& source : sources_) {
    if (source->element.get() != element) continue;
    source->branches.push_back(branch);
    return;
  }
  auto* source = sources_.emplace_back(std::make_unique<Source>()).get();
  source->graph = this;
  source->element = ElementRef::retain(element);
  source->branches.push_back(branch);
  const auto connect = [&](const char* signal, GCallback callback) {
    source->handlers.push_back(g_signal_connect(element, signal, callback, source));
  };
  connect("pad-added", G_CALLBACK(on_pad_added));
  connect("no-more-pads", G_CALLBACK(on_no_more_pads));
  if (g_signal_lookup("unknown-type", G_OBJECT_TYPE(element)) != 0)
    connect("unknown-type", G_CALLBACK(on_unknown_type));
}

Outcome<void> Graph::apply_parameters(GstElement* bin) const {
  for (const auto& parameter : core_.parameters) {
    auto value = value_of(parameter);
    if (value && parameter.unset && !is_active(parameter, *value)) value.reset();
    bool element_seen = false;
    bool bound = false;
    for (const auto& targets : parameter.binds) {
      const Bind* lacking = nullptr;
      for (const auto& bind : targets) {
        const auto target = find_element(bin, bind.element);
        if (!target) continue;
        element_seen = true;
        GParamSpec* pspec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(target.get()), bind.property.c_str());
        if (!pspec || !(pspec->flags & G_PARAM_WRITABLE)) {
          lacking = &bind;
          continue;
        }
        bound = true;
        if (!value) continue;
        HeldValue out(G_PARAM_SPEC_VALUE_TYPE(pspec));
        const auto converted =
            convert_value(parameter, value->value->get(), value->text, pspec, out.get());
        if (!converted)
          return tl::make_unexpected(settings_failure("“" + parameter.name + "” " +
                                                      converted.error() + " of " + bind.element +
                                                      "::" + bind.property + "."));
        g_object_set_property(G_OBJECT(target.get()), bind.property.c_str(), out.get());
      }
      if (bound && lacking)
        return tl::make_unexpected(wrong(parameter.bind_line, "Parameter " + parameter.name, "bind",
                                         "names “" + lacking->element + "::" + lacking->property +
                                             "”, which the element does not have"));
      if (bound) break;
    }
    if (element_seen && !bound)
      return tl::make_unexpected(wrong(parameter.bind_line, "Parameter " + parameter.name, "bind",
                                       "names no property that its elements have"));
  }
  return {};
}

Outcome<void> Graph::connect_pads() {
  for (const auto* pad : {&core_.sink, &core_.src}) {
    if (!pad->present) continue;
    const bool is_sink = pad == &core_.sink;
    const auto refuse = [&](std::string message) {
      return tl::make_unexpected(
          wrong(pad->target.line, is_sink ? "Pad sink" : "Pad src", "element", std::move(message)));
    };
    const auto target = find_element(element_, pad->target.element);
    if (!target) return refuse("is not part of the graph as built");
    PadRef inner;
    if (!pad->target.pad.empty())
      inner = get_pad(target.get(), pad->target.pad);
    else
      inner = PadRef::adopt(gst_element_get_static_pad(target.get(), is_sink ? "sink" : "src"));
    if (!inner) return refuse("has no such pad");
    // The ghost pad's target must be a pad of a direct child.
    while (true) {
      const auto owner = ElementRef::adopt(gst_pad_get_parent_element(inner.get()));
      const auto outer =
          ElementRef::adopt(GST_ELEMENT_CAST(gst_object_get_parent(GST_OBJECT_CAST(owner.get()))));
      if (outer.get() == element_) break;
      GstPad* ghost = gst_ghost_pad_new(nullptr, inner.get());
      if (!ghost || !gst_element_add_pad(outer.get(), ghost)) return refuse("is linked already");
      inner = PadRef::retain(ghost);
    }
    const auto ghost =
        PadRef::adopt(gst_element_get_static_pad(element_, is_sink ? "sink" : "src"));
    if (!gst_ghost_pad_set_target(GST_GHOST_PAD_CAST(ghost.get()), inner.get()))
      return refuse("is linked already");
  }
  return {};
}

// --- With streams ---

std::vector<Graph::Pick> Graph::candidates(const Source& source,
                                           const std::vector<std::size_t>& rivals,
                                           const std::vector<bool>& taken) const {
  const auto& wanted_pad = core_.branches[rivals.front()].from->pad;
  std::vector<Pick> found;
  for (std::size_t i = 0; i < source.streams.size(); ++i) {
    GstPad* pad = source.streams[i].pad.get();
    const GString_ name(gst_pad_get_name(pad));
    if (taken[i] || (!wanted_pad.empty() && wanted_pad != name.get())) continue;
    const auto caps = caps_of(pad);
    for (const auto index : rivals) {
      if (!definition_.filters[index].matches(caps.get())) continue;
      found.push_back({index, i});
      break;
    }
  }
  return found;
}

Failure Graph::no_stream(const Source& source, const Branch& branch) const {
  const auto word = stream_word(branch);
  for (const auto& unknown : source.unknown) {
    if (medium_of(unknown) == word)
      return stream_failure(GST_STREAM_ERROR_CODEC_NOT_FOUND,
                            "The " + word + " stream in " + input_name() + " is " + unknown +
                                ", for which no decoder is installed.");
  }
  return stream_failure(GST_STREAM_ERROR_WRONG_TYPE, "There is no " + word + " stream in " +
                                                         input_name() + ", which " +
                                                         definition_.element_name + " needs.");
}

// What is wrong about a stream that shows up when the branches are built already. A further one of
// those that only one is taken of is none of this run's business; one that would have been taken is
// missing in the output, and one that follows another would be cut off there.
std::optional<Failure> Graph::late_stream(const Source& source, GstPad* pad) const {
  const auto caps = caps_of(pad);
  for (const auto index : source.branches) {
    const auto& branch = core_.branches[index];
    const auto& wanted = branch.from->pad;
    if ((!wanted.empty() && wanted != GST_PAD_NAME(pad)) ||
        !definition_.filters[index].matches(caps.get()))
      continue;
    const bool taken = std::any_of(source.used.begin(), source.used.end(), [&](const auto& stream) {
      return stream.first == branch.slot && !GST_PAD_IS_EOS(stream.second.get()) &&
             GST_OBJECT_PARENT(stream.second.get());
    });
    if (taken && !branch.multiple) return {};
    return stream_failure(GST_STREAM_ERROR_FORMAT,
                          "Another " + stream_word(branch) + " stream begins within " +
                              input_name() +
                              ", too late to be used. Remux it so that all streams are there from "
                              "the start.");
  }
  return {};
}

Failure Graph::nothing_usable(const Source& source) const {
  std::vector<std::string> present = source.unknown;
  for (const auto& stream : source.streams) {
    const auto caps = caps_of(stream.pad.get());
    if (!gst_caps_is_any(caps.get()) && !gst_caps_is_empty(caps.get()))
      present.emplace_back(gst_structure_get_name(gst_caps_get_structure(caps.get(), 0)));
  }
  return stream_failure(
      GST_STREAM_ERROR_WRONG_TYPE,
      "There is no stream in " + input_name() + " that " + definition_.element_name + " can use.",
      "streams: " + (present.empty() ? "none" : joined(present)));
}

Outcome<std::vector<Graph::Pick>> Graph::pick_streams(Source& source) {
  std::vector<bool> taken(source.streams.size(), false);
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
    auto found = candidates(source, rivals, taken);
    if (found.empty()) {
      auto failure = no_stream(source, core_.branches[rivals.front()]);
      const bool optional = std::all_of(rivals.begin(), rivals.end(), [&](std::size_t index) {
        return core_.branches[index].optional;
      });
      // What cannot be decoded is there all the same: leaving it out would be wrong silently.
      if (!optional || failure.code == GST_STREAM_ERROR_CODEC_NOT_FOUND)
        return tl::make_unexpected(std::move(failure));
      continue;
    }
    if (!core_.branches[rivals.front()].multiple) {
      // The container's default, else the first that it does not mark as unwanted.
      const auto flagged = [&](const Pick& pick, GstStreamFlags flag) {
        return (stream_flags_of(source.streams[pick.stream].pad.get()) & flag) != 0;
      };
      auto best = std::find_if(found.begin(), found.end(), [&](const Pick& pick) {
        return flagged(pick, GST_STREAM_FLAG_SELECT);
      });
      if (best == found.end())
        best = std::find_if(found.begin(), found.end(), [&](const Pick& pick) {
          return !flagged(pick, GST_STREAM_FLAG_UNSELECT);
        });
      const Pick chosen = best == found.end() ? found.front() : *best;
      found.assign(1, chosen);
    }
    for (const auto& pick : found) {
      taken[pick.stream] = true;
      picks.push_back(pick);
    }
  }
  if (picks.empty()) return tl::make_unexpected(nothing_usable(source));
  for (std::size_t i = 0; i < taken.size(); ++i)
    if (!taken[i]) starve(source.streams[i].pad.get());
  return picks;
}

Outcome<void> Graph::build_streams(Source& source) {
  const auto picks = pick_streams(source);
  if (!picks) return tl::make_unexpected(picks.error());
  source.hopeful = picks->size();
  for (const auto& pick : *picks) {
    GstPad* pad = source.streams[pick.stream].pad.get();
    auto made = make_branch(pick.branch);
    if (!made) return tl::make_unexpected(std::move(made.error()));
    if (auto linked = link_branch(pick.branch, *made, pad, caps_of(pad).get()); !linked)
      return linked;
    source.used.emplace_back(core_.branches[pick.branch].slot, PadRef::retain(pad));
    auto* feed = new Feed;
    feed->graph = this;
    feed->source = &source;
    feed->branch = pick.branch;
    gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
        on_first_data, feed, [](gpointer data) { delete static_cast<Feed*>(data); });
  }
  return {};
}

void Graph::start_begins() {
  MutexLock lock(start_lock_);
  starting_ = std::this_thread::get_id();
}

void Graph::start_ends() {
  MutexLock lock(start_lock_);
  starting_ = {};
  start_ended_.notify_all();
}

// decodebin and uridecodebin (1.22) return ASYNC from their change to PAUSED even when their
// streams were exposed meanwhile, in another thread, and ASYNC_DONE was posted too early: they then
// stay asynchronous for ever, the pipeline never plays, and their next stop skips what frees their
// pads. So the exposing thread waits here, before ASYNC_DONE. What changes the state waits for no
// streaming thread on the way up; the bound is for the case that some element does.
void Graph::wait_for_start() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  MutexLock lock(start_lock_);
  while (starting_ != std::thread::id() && starting_ != std::this_thread::get_id()) {
    if (start_ended_.wait_until(start_lock_, end) == std::cv_status::timeout) {
      GST_WARNING_OBJECT(bin_, "the change to PAUSED takes unusually long");
      return;
    }
  }
}

// Builds the branches of a source once, whoever asks first. Whoever asks meanwhile has data of
// another stream, which may flow once the branches are up.
void Graph::resolve(Source& source) {
  wait_for_start();
  {
    MutexLock lock(lock_);
    if (source.resolved) {
      while (!source.up && source.builder != std::this_thread::get_id()) sources_up_.wait(lock_);
      return;
    }
    source.resolved = true;
    source.builder = std::this_thread::get_id();
    // An event that meets a branch which is linked, but not up, would end its stream.
    const auto wait = [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; };
    for (auto& stream : source.streams)
      stream.block = gst_pad_add_probe(stream.pad.get(), GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, wait,
                                       nullptr, nullptr);
  }
  build_and_start(source);
  MutexLock lock(lock_);
  source.up = true;
  for (auto& stream : source.streams) {
    gst_pad_remove_probe(stream.pad.get(), std::exchange(stream.probe, 0));
    gst_pad_remove_probe(stream.pad.get(), std::exchange(stream.block, 0));
  }
  sources_up_.notify_all();
}

void Graph::build_and_start(Source& source) {
  std::vector<ElementRef> made;
  Outcome<void> built;
  {
    MutexLock lock(lock_);
    built = build_streams(source);
    made.swap(made_);
  }
  if (!built) {
    fail_(built.error());
    return;
  }
  // Everything is linked. Downstream first, so that nothing flows into an element that is not up.
  for (auto piece = made.rbegin(); piece != made.rend(); ++piece) {
    if (gst_element_sync_state_with_parent(piece->get())) continue;
    Failure failure;
    failure.domain = GST_CORE_ERROR;
    failure.code = GST_CORE_ERROR_STATE_CHANGE;
    failure.message = definition_.element_name + " could not start a part of its graph.";
    failure.details = GST_ELEMENT_NAME(piece->get());
    fail_(failure);
    return;
  }
}

void Graph::on_pad_added(GstElement*, GstPad* pad, gpointer user_data) {
  auto* source = static_cast<Source*>(user_data);
  auto* graph = source->graph;
  guard(graph->bin_, [&] {
    if (!GST_PAD_IS_SRC(pad)) return;
    std::optional<Failure> failure;
    {
      MutexLock lock(graph->lock_);
      if (!source->resolved) {
        graph->wait_with(*source, pad);
        return;
      }
      starve(pad);
      failure = graph->late_stream(*source, pad);
    }
    if (failure) graph->fail_(*failure);
  });
}

void Graph::wait_with(Source& source, GstPad* pad) {
  // Data before no-more-pads: a demuxer whose one thread would wait for itself if it were held
  // up. The branches are then built for the streams that are known.
  const auto early = [](GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* waiting = static_cast<Source*>(data);
    return guard(waiting->graph->bin_, GST_PAD_PROBE_OK, [&] {
      if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
        const auto type = GST_EVENT_TYPE(gst_pad_probe_info_get_event(info));
        if (type != GST_EVENT_GAP && type != GST_EVENT_EOS) return GST_PAD_PROBE_OK;
      }
      waiting->graph->resolve(*waiting);
      return GST_PAD_PROBE_OK;  // resolve() has removed the probe.
    });
  };
  const auto probe = gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      early, &source, nullptr);
  source.streams.push_back({PadRef::retain(pad), probe, 0});
}

void Graph::on_no_more_pads(GstElement*, gpointer user_data) {
  auto* source = static_cast<Source*>(user_data);
  guard(source->graph->bin_, [&] { source->graph->resolve(*source); });
}

void Graph::on_unknown_type(GstElement*, GstPad*, GstCaps* caps, gpointer user_data) {
  auto* source = static_cast<Source*>(user_data);
  guard(source->graph->bin_, [&] {
    if (!caps || gst_caps_is_any(caps) || gst_caps_is_empty(caps)) return;
    MutexLock lock(source->graph->lock_);
    source->unknown.emplace_back(gst_structure_get_name(gst_caps_get_structure(caps, 0)));
  });
}

// A stream that ends before its first buffer would become an empty track, or nothing at all.
GstPadProbeReturn Graph::on_first_data(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
  auto* feed = static_cast<Feed*>(user_data);
  auto* graph = feed->graph;
  return guard(graph->bin_, GST_PAD_PROBE_OK, [&] {
    if (!(GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM))
      return GST_PAD_PROBE_REMOVE;
    if (GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) != GST_EVENT_EOS)
      return GST_PAD_PROBE_OK;
    const auto& branch = graph->core_.branches[feed->branch];
    const bool last = --feed->source->hopeful == 0;
    if (branch.optional && !last) return GST_PAD_PROBE_OK;
    graph->fail_(stream_failure(
        GST_STREAM_ERROR_DEMUX,
        "The " + stream_word(branch) + " stream in " + graph->input_name() + " has no data."));
    return GST_PAD_PROBE_DROP;
  });
}

GstPadProbeReturn Graph::on_branch_data(GstPad*, GstPadProbeInfo* info, gpointer user_data) {
  auto* feed = static_cast<Feed*>(user_data);
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    GstEvent* event = gst_pad_probe_info_get_event(info);
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) gst_event_copy_segment(event, &feed->segment);
    return GST_PAD_PROBE_OK;
  }
  GstBuffer* buffer = gst_pad_probe_info_get_buffer(info);
  if (feed->segment.format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer))
    return GST_PAD_PROBE_OK;
  const auto time =
      gst_segment_to_stream_time(&feed->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (!GST_CLOCK_TIME_IS_VALID(time)) return GST_PAD_PROBE_OK;
  auto& position = feed->graph->position_;
  auto known = position.load(std::memory_order_relaxed);
  while ((!GST_CLOCK_TIME_IS_VALID(known) || time > known) &&
         !position.compare_exchange_weak(known, time, std::memory_order_relaxed)) {
  }
  return GST_PAD_PROBE_OK;
}

GstClockTime Graph::duration() {
  std::vector<PadRef> pads;
  {
    MutexLock lock(lock_);
    for (const auto& source : sources_)
      for (const auto& stream : source->streams) pads.push_back(stream.pad);
  }
  GstClockTime longest = GST_CLOCK_TIME_NONE;
  for (const auto& pad : pads) {
    gint64 duration = -1;
    if (!gst_pad_is_linked(pad.get()) ||
        !gst_pad_query_duration(pad.get(), GST_FORMAT_TIME, &duration) || duration < 0)
      continue;
    if (!GST_CLOCK_TIME_IS_VALID(longest) || static_cast<GstClockTime>(duration) > longest)
      longest = static_cast<GstClockTime>(duration);
  }
  return longest;
}

}  // namespace clips
