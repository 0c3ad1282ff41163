"""Several raylets of one computer, as a cluster whose machines may be lost."""

from __future__ import annotations

import os
import random
import signal

import psutil
from ray.cluster_utils import Cluster

STORE_BYTES = 120 * 1024**2


class Machines:
    """A head that is spared, and two workers that may be killed and are replaced."""

    def __init__(self) -> None:
        head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address
        for _ in range(2):
            self.add_worker()

    def add_worker(self) -> None:
        """Another machine. One that is slow to come, on a busy computer, is asked for again."""
        for tries_left in (2, 1, 0):
            try:
                self._cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES, wait=False)
                return
            except Exception as error:  # Ray raises no narrower one
                if not tries_left or "timed out during startup" not in str(error):
                    raise

    def kill_worker(self, dice: random.Random) -> bool:
        """Kills a worker's raylet, and brings another machine."""
        workers = sorted(self._cluster.worker_nodes, key=lambda node: node.unique_id)
        if not workers:
            return False
        node = dice.choice(workers)
        pid = node.all_processes["raylet"][0].process.pid
        os.kill(pid, signal.SIGKILL)
        self._cluster.worker_nodes.discard(node)
        node.kill_all_processes(check_alive=False, allow_graceful=False)
        self.add_worker()
        return True

    def actors(self, title: str) -> list[psutil.Process]:
        """Processes of this cluster alone, by what they do."""
        found = []
        for child in psutil.Process().children(recursive=True):
            try:
                if title in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
        return sorted(found, key=lambda process: process.pid)

    def shutdown(self) -> None:
        self._cluster.shutdown()
