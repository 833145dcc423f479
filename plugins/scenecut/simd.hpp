// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Functions whose loops the compiler turns into vector code are built twice on x86-64, for the
// baseline and for x86-64-v3 (AVX2), and the loader picks one. Both give the same bits: the loops
// are integer arithmetic, and the core is built without floating-point contraction.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(CLIPS_NO_SIMD_CLONES)
#define CLIPS_SIMD __attribute__((target_clones("avx2", "default")))
#else
#define CLIPS_SIMD
#endif
