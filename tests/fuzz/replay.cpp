// SPDX-License-Identifier: LGPL-2.1-or-later
// Replays a fuzzer's corpus without libFuzzer: every file once as it is, cut short and with flipped
// bytes, so that each normal test run walks the parsers' error paths too. usage: fuzz-<name>
// CORPUS-FOLDER
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// A fuzzer is done when it returns; what it finds, it finds by crashing under a sanitizer or an
// assertion.
void replay(const std::vector<std::uint8_t>& input) {
  LLVMFuzzerTestOneInput(input.data(), input.size());
  constexpr std::size_t kVariants = 64;
  const std::size_t step = std::max<std::size_t>(1, input.size() / kVariants);
  for (std::size_t at = 0; at < input.size(); at += step) {
    const std::vector<std::uint8_t> shorter(input.begin(), input.begin() + static_cast<long>(at));
    LLVMFuzzerTestOneInput(shorter.data(), shorter.size());
    std::vector<std::uint8_t> flipped = input;
    flipped[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    LLVMFuzzerTestOneInput(flipped.data(), flipped.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::printf("TAP version 13\n");
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::ifstream stream(files[i], std::ios::binary);
    replay({std::istreambuf_iterator<char>(stream), {}});
    std::printf("ok %zu - %s survives with its cut and flipped variants\n", i + 1,
                files[i].filename().c_str());
    std::fflush(stdout);
  }
  std::printf("1..%zu\n", files.size());
  return files.empty() ? 1 : 0;
}
