"""Memory that a run has freed stays with it: glibc gives large pieces back to the system, which clears them again."""

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGEST = (2**30, 2**25)  # bytes; glibc before 2.35 takes no more than the second


def keep_freed_memory() -> None:
    """Tell the C library's allocator of this process to use freed memory again; nothing where it is not glibc's.

    A layer's values at batch 128 take megabytes, and by default each such piece is asked of the system, cleared by it
    page by page, and given back a millisecond later: a seventh of the processor time of a step of the default network.
    Numbers do not depend on it. What stays with the process is what it held at most. Whoever has set one of glibc's own
    variables (``MALLOC_MMAP_THRESHOLD_`` and the like), or another allocator with ``LD_PRELOAD``, keeps that.
    """
    chosen = any(name.startswith("MALLOC_") or name == "LD_PRELOAD" for name in os.environ)
    if chosen or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None and any(mallopt(MMAP_THRESHOLD, size) for size in LARGEST):
        mallopt(TRIM_THRESHOLD, LARGEST[0])
