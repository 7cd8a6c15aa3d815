"""What tests write lies in memory where there is room for it: none takes a disk's word for what it keeps."""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 1 << 30


def pytest_configure(config):
    """A commit waits for the disk, which doubles how long a test with a database takes."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
