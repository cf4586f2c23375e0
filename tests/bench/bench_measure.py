"""bench_measure -- what a server costs: CPU and memory of a process and all
its descendants, from /proc; and how often it syncs, from strace."""

import os
import pathlib
import re
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
PROC = pathlib.Path("/proc")


def _stat(pid):
    """The fields of /proc/PID/stat behind the name, from the state on."""
    text = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    return text[text.rindex(")") + 2:].split()


def tree(root):
    """{pid: stat fields} of a process and its descendants."""
    stats, children = {}, {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = _stat(entry.name)
            except OSError:
                continue
            stats[int(entry.name)] = stat
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, open_ = {}, [root]
    while open_:
        pid = open_.pop()
        if pid in stats:
            found[pid] = stats[pid]
            open_ += children.get(pid, [])
    return found


def children(pid):
    return [child for child, stat in tree(pid).items() if int(stat[1]) == pid]


def cpu(root):
    """Seconds of user and system time, of children that have ended too."""
    return sum(int(field) for stat in tree(root).values()
               for field in stat[11:15]) / TICKS


def settled_cpu(root, seconds=5):
    """The same, once it stands still."""
    end, last = time.monotonic() + seconds, -1
    while (now := cpu(root)) != last and time.monotonic() < end:
        last = now
        time.sleep(0.3)
    return now


def memory(root):
    """Octets of proportional set size: a shared page counts once in all."""
    total = 0
    for pid in tree(root):
        try:
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) * 1024
        except (OSError, TypeError):
            pass  # it has just ended, or is about to
    return total


def settled_memory(root, seconds=10):
    """The same, once processes come and go no more."""
    end, last = time.monotonic() + seconds, -1
    while abs((now := memory(root)) - last) > 64 * 1024 and \
            time.monotonic() < end:
        last = now
        time.sleep(0.5)
    return now


class PeakMemory:
    """The largest memory seen while the block runs; looking is kept below
    some percent of a core, since it takes from what is measured."""

    def __init__(self, root):
        self.root, self.peak = root, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while True:
            before = time.thread_time()
            self.peak = max(self.peak, memory(self.root))
            cost = time.thread_time() - before
            if self._done.wait(max(0.05, 40 * cost)):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.peak = max(self.peak, memory(self.root))


class Syncs:
    """Counts syncs of a server that was started under strace.

    With --seccomp-bpf only these calls stop the process, so that the rest
    runs at its own speed; the syncs themselves take a little longer."""

    CALLS = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync",
             "msync")

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def command(self, strace):
        return [strace, "-f", "--seccomp-bpf", "-qq", "-o", self.path,
                "-e", "signal=none", "-e", "trace=" + ",".join(self.CALLS)]

    def count(self):
        text = self.path.read_text("utf-8", "replace")
        return len(re.findall(r"^\d+\s+(?:%s)\(" % "|".join(self.CALLS),
                              text, re.M))
