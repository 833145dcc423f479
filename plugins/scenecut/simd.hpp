// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Three ways to fast code, which all give the same bits, because what they compute is integer
// arithmetic or single IEEE operations, and the core is built without floating-point contraction:
// - CLIPS_SIMD: functions whose loops the compiler turns into vector code are built twice on
//   x86-64, for the baseline and for AVX2, and the loader picks one;
// - CLIPS_SSE2: intrinsics for what the compiler does not find, sums of absolute differences;
// - CLIPS_AVX2: the same with wider registers, picked when it runs.
// With CLIPS_PLAIN there is none of it; a test compares the two builds.
#if defined(__x86_64__) && !defined(CLIPS_PLAIN)
#define CLIPS_SSE2
#if defined(__GNUC__)
#define CLIPS_AVX2 __attribute__((target("avx2")))
#endif
#if defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define CLIPS_SIMD __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef CLIPS_SIMD
#define CLIPS_SIMD
#endif
