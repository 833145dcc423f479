// SPDX-License-Identifier: LGPL-2.1-or-later
// A file of the index cache of any bytes is nothing, or an index of that source. Half of the inputs
// get a right checksum, so that what is behind it is reached.
#include <glib.h>

#include <cstddef>
#include <cstdint>

#include "cliprange/indexcache.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clips::cut;
  (void)decode_index({data, size}, "u");
  Bytes signed_document(data, data + size);
  guint8 digest[32];
  gsize length = sizeof digest;
  GChecksum* sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, data, static_cast<gssize>(size));
  g_checksum_get_digest(sum, digest, &length);
  g_checksum_free(sum);
  signed_document.insert(signed_document.end(), digest, digest + length);
  if (const auto index = decode_index(signed_document, "u"))
    for (const Track& track : index->movie->tracks)
      if (track.samples.count() > 0 && track.samples.count() < 1'000'000) (void)track.samples.at(0);
  return 0;
}
