"""How the C library handles the memory of large tensors on the CPU."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h
LARGEST_INT = 2**31 - 1
TOP_PAD = 64 * 2**20  # bytes


def keep_freed_memory() -> bool:
    """Let this process keep the memory of freed tensors for the next ones, from now on.

    By default glibc gives the memory of every large tensor back to the system when the tensor dies, and the
    system clears it page by page when the next tensor is written; what that costs depends on the machine
    (`docs/benchmarks.md`). Nothing is computed differently, and the peak of the process stays what it was; it
    only does not shrink between two steps. Tensors on an accelerator are not concerned.

    Returns:
        Whether it was done: on Linux with glibc; elsewhere nothing happens.

    Reference:
        https://www.man7.org/linux/man-pages/man3/mallopt.3.html
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    try:
        library.gnu_get_libc_version  # noqa: B018  (musl has a mallopt that does nothing)
    except AttributeError:
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: LARGEST_INT, M_TOP_PAD: TOP_PAD}
    return all(library.mallopt(name, value) == 1 for name, value in settings.items())
