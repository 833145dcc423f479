// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plane_scaler.hpp"

#include <zimg.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace clips::media {

namespace {

// What zimg asks for where it uses AVX-512.
constexpr std::size_t kAlignment = 64;

constexpr std::size_t aligned(std::size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

struct Freed {
  void operator()(std::uint8_t* memory) const { std::free(memory); }
  void operator()(zimg_filter_graph* graph) const { zimg_filter_graph_free(graph); }
};
using Memory = std::unique_ptr<std::uint8_t, Freed>;
using Graph = std::unique_ptr<zimg_filter_graph, Freed>;

Memory allocate(std::size_t size) {
  Memory memory(static_cast<std::uint8_t*>(
      std::aligned_alloc(kAlignment, std::max(aligned(size), kAlignment))));
  if (!memory) throw std::bad_alloc();
  return memory;
}

void check(zimg_error_code_e code) {
  if (code == ZIMG_ERROR_SUCCESS) return;
  std::array<char, 256> text{};
  zimg_get_last_error(text.data(), text.size());
  throw std::runtime_error(text.data());
}

zimg_image_format image_format(unsigned width, unsigned height, unsigned depth) {
  zimg_image_format format;
  zimg_image_format_default(&format, ZIMG_API_VERSION);
  format.width = width;
  format.height = height;
  format.pixel_type = depth > 8 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
  format.depth = depth;
  format.color_family = ZIMG_COLOR_GREY;
  format.pixel_range = ZIMG_RANGE_LIMITED;
  return format;
}

Graph build(const ScaledAxis& x, const ScaledAxis& y, unsigned depth) {
  zimg_image_format from = image_format(x.from, y.from, depth);
  from.active_region = {x.first, y.first, x.span, y.span};
  const zimg_image_format to = image_format(x.to, y.to, depth);
  zimg_graph_builder_params params;
  zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
  params.resample_filter = ZIMG_RESIZE_LANCZOS;
  params.filter_param_a = 3;
  params.cpu_type = ZIMG_CPU_AUTO_64B;
  Graph graph(zimg_filter_graph_build(&from, &to, &params));
  if (!graph) check(zimg_get_last_error(nullptr, 0));
  return graph;
}

// The few lines of a plane that zimg needs at once.
struct Window {
  Window(std::size_t row_size, unsigned count)
      : stride(static_cast<std::ptrdiff_t>(aligned(row_size))),
        mask(zimg_select_buffer_mask(count)) {}

  void allocate_once(unsigned rows) {
    if (!memory)
      memory = allocate(static_cast<std::size_t>(stride) *
                        (mask == ZIMG_BUFFER_MAX ? rows : std::size_t{mask} + 1));
  }
  std::uint8_t* row(unsigned i) {
    return memory.get() + static_cast<std::ptrdiff_t>(i & mask) * stride;
  }

  std::ptrdiff_t stride;
  unsigned mask;
  Memory memory;
};

bool is_aligned(const std::uint8_t* data, std::ptrdiff_t stride) {
  return reinterpret_cast<std::uintptr_t>(data) % kAlignment == 0 &&
         stride % static_cast<std::ptrdiff_t>(kAlignment) == 0;
}

unsigned buffering(const Graph& graph,
                   zimg_error_code_e (*ask)(const zimg_filter_graph*, unsigned*)) {
  unsigned lines = 0;
  check(ask(graph.get(), &lines));
  return lines;
}

std::size_t working_size(const Graph& graph) {
  std::size_t size = 0;
  check(zimg_filter_graph_get_tmp_size(graph.get(), &size));
  return size;
}

}  // namespace

ScaledAxis scaled_axis(unsigned from, unsigned to, unsigned step, unsigned begin, double site) {
  const auto samples = [&](unsigned length) {
    return length > begin ? (length - begin + step - 1) / step : 0;
  };
  // Middles of pixels are half a pixel from the picture's edge, on both sides.
  const double ratio = static_cast<double>(from) / to;
  return {samples(from), samples(to), (ratio - 1) * ((begin + site + 0.5) / step - 0.5),
          ratio * samples(to)};
}

struct PlaneScaler::Impl {
  Impl(const ScaledAxis& x, const ScaledAxis& y, unsigned depth)
      : rows_in(y.from),
        rows_out(y.to),
        sample_size(depth > 8 ? 2 : 1),
        graph(build(x, y, depth)),
        working(allocate(working_size(graph))),
        window_in(x.from * sample_size, buffering(graph, zimg_filter_graph_get_input_buffering)),
        window_out(x.to * sample_size, buffering(graph, zimg_filter_graph_get_output_buffering)) {}

  // zimg calls these for the samples from `left` to `right` of a line: before it reads them, and
  // after it has written them.
  static int fill(void* user, unsigned i, unsigned left, unsigned right) {
    auto* self = static_cast<Impl*>(user);
    const std::size_t begin = left * self->sample_size;
    std::memcpy(self->window_in.row(i) + begin,
                self->from + static_cast<std::ptrdiff_t>(i) * self->from_stride + begin,
                (right - left) * self->sample_size);
    return 0;
  }
  static int drain(void* user, unsigned i, unsigned left, unsigned right) {
    auto* self = static_cast<Impl*>(user);
    const std::size_t begin = left * self->sample_size;
    std::memcpy(self->to + static_cast<std::ptrdiff_t>(i) * self->to_stride + begin,
                self->window_out.row(i) + begin, (right - left) * self->sample_size);
    return 0;
  }

  unsigned rows_in, rows_out;
  std::size_t sample_size;
  Graph graph;
  Memory working;
  Window window_in, window_out;
  // Of the plane that is being scaled.
  const std::uint8_t* from = nullptr;
  std::ptrdiff_t from_stride = 0;
  std::uint8_t* to = nullptr;
  std::ptrdiff_t to_stride = 0;
};

PlaneScaler::PlaneScaler(const ScaledAxis& x, const ScaledAxis& y, unsigned depth)
    : impl_(std::make_unique<Impl>(x, y, depth)) {}
PlaneScaler::~PlaneScaler() = default;
PlaneScaler::PlaneScaler(PlaneScaler&&) noexcept = default;
PlaneScaler& PlaneScaler::operator=(PlaneScaler&&) noexcept = default;

void PlaneScaler::scale(const std::uint8_t* from, std::ptrdiff_t from_stride, std::uint8_t* to,
                        std::ptrdiff_t to_stride) {
  Impl& impl = *impl_;
  impl.from = from;
  impl.from_stride = from_stride;
  impl.to = to;
  impl.to_stride = to_stride;
  zimg_image_buffer_const source{ZIMG_API_VERSION, {}};
  source.plane[0] = {from, from_stride, ZIMG_BUFFER_MAX};
  zimg_image_buffer result{ZIMG_API_VERSION, {}};
  result.plane[0] = {to, to_stride, ZIMG_BUFFER_MAX};
  const bool copy_in = !is_aligned(from, from_stride);
  const bool copy_out = !is_aligned(to, to_stride);
  if (copy_in) {
    impl.window_in.allocate_once(impl.rows_in);
    source.plane[0] = {impl.window_in.row(0), impl.window_in.stride, impl.window_in.mask};
  }
  if (copy_out) {
    impl.window_out.allocate_once(impl.rows_out);
    result.plane[0] = {impl.window_out.row(0), impl.window_out.stride, impl.window_out.mask};
  }
  check(zimg_filter_graph_process(impl.graph.get(), &source, &result, impl.working.get(),
                                  copy_in ? Impl::fill : nullptr, &impl,
                                  copy_out ? Impl::drain : nullptr, &impl));
}

}  // namespace clips::media
