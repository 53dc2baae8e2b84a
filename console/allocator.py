"""Memory that a run has freed stays with it: glibc gives large pieces back to the system, which clears them again."""

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)
CHOICES = [f"MALLOC_{name}_" for name in ("MMAP_THRESHOLD", "MMAP_MAX", "TRIM_THRESHOLD", "TOP_PAD")]
LARGEST = (2**30, 2**25)  # bytes; glibc before 2.35 takes no more than the second


def keep_freed_memory() -> None:
    """Tell the C library's allocator of this process to use freed memory again; nothing where it is not glibc's.

    A layer's values at batch 128 take megabytes, and by default each such piece is asked of the system, cleared by it
    page by page, and given back a millisecond later: a seventh of the processor time of a step of the default network.
    Numbers do not depend on it. What stays with the process is what it held at most. Whoever has set one of glibc's own
    variables for it (``MALLOC_MMAP_THRESHOLD_`` and the like, ``GLIBC_TUNABLES``), or another allocator with
    ``LD_PRELOAD``, keeps that.
    """
    tuned = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if tuned or any(name in os.environ for name in (*CHOICES, "LD_PRELOAD")) or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None and any(mallopt(MMAP_THRESHOLD, size) for size in LARGEST):
        mallopt(TRIM_THRESHOLD, LARGEST[0])
