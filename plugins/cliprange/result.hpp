// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace clips::cut {

// What kind of trouble it was; the shell turns each into one GStreamer error code.
enum class Fault {
  Settings,     // the request makes no sense: start not before stop, ...
  NotFound,     // the source does not exist
  NotAllowed,   // the source may not be read
  Read,         // reading failed
  NotSeekable,  // the source cannot be read at a given place
  WrongType,    // not a container that this plugin reads
  Damaged,      // the container contradicts itself
  Truncated,    // the container points behind the end of the source
  Range,        // start past the end, no frame in the range
  NoKeyFrame,   // no key frame within max-lead-in
  Unsupported,  // the codec or structure does not fit the mode
  Changed,      // the parameters of a stream change inside the range
  Missing,      // a decoder or encoder is not installed
  Codec,        // decoding or encoding failed
  Undecodable,  // a picture could not be decoded
  Stale,        // the source is not the one whose index was kept
  Cancelled,    // unlock() was called
};

struct Error {
  Fault fault{};
  std::string message;  // a sentence that a user can act on
  std::string details;  // for the developer
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Fault fault, std::string message, std::string details = {}) {
  return tl::make_unexpected(Error{fault, std::move(message), std::move(details)});
}

}  // namespace clips::cut
