"""Memory that is freed stays with the process, where the allocator is glibc's."""

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from pose2pose.backend.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(2**22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**22)  # 32 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(choice: str) -> int:
    done = subprocess.run([sys.executable, "-c", COUNT_FAULTS, choice], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_blocks_are_not_fetched_again_from_the_system() -> None:
    assert faults("keep") < faults("leave") / 5
