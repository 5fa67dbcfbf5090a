"""Memory that networks free layer by layer stays with the process for the next layer.

By default glibc gives every large block back to the system at once and asks for it anew, page by page: on two CPU cores
that cost a fifth of a capture's time.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""
KEPT = 2**28
"""Bytes up to which freed memory is kept."""
OLDEST_LIMIT = 2**25
"""Bytes; the most that glibc before 2.35 takes as a threshold for blocks outside the heap."""


def keep_freed_memory() -> None:
    """Tell glibc; does nothing where there is another allocator (Windows, macOS, musl)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (TypeError, OSError, AttributeError):
        return
    mallopt(M_TRIM_THRESHOLD, KEPT)
    if not mallopt(M_MMAP_THRESHOLD, KEPT):
        mallopt(M_MMAP_THRESHOLD, OLDEST_LIMIT)
