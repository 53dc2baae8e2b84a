"""Processes that preprocess: they end with the one that started them, however it ends."""

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process

from console.allocator import keep_freed_memory


def pool(workers: int) -> ProcessPoolExecutor:
    """That many processes for work that can be pickled.

    A worker of the standard library's pool waits for its next piece of work on a pipe whose writing end all workers
    hold, so after ``kill -9`` of their parent they would wait for ever, and with them the process that is to remove
    their semaphores.

    Args:
        workers: how many; started as they are needed.
    """
    # Spawned, because a fork may hang beside torch's threads.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_get_ready)


def _get_ready() -> None:
    keep_freed_memory()  # the next person needs as much: a fifth of the time
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent) -> None:
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
