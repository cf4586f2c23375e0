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


def machine_cpu():
    """Seconds all cores have been busy, for whomever."""
    user, nice, system, _, _, irq, softirq = (
        int(field) for field in (PROC / "stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def settled_cpu(root, seconds=5):
    """The same, once it stands still."""
    end, last = time.monotonic() + seconds, -1
    while (now := cpu(root)) != last and time.monotonic() < end:
        last = now
        time.sleep(0.3)
    return now


def _read(pid, name):
    """A file of /proc/PID; empty where it has just ended."""
    try:
        return (PROC / str(pid) / name).read_text("utf-8", "replace")
    except OSError:
        return ""


def own_memory(root):
    """Octets of what no file stands behind, each shared page once."""
    return sum(int(kib) * 1024 for pid in tree(root) for kib in re.findall(
        r"^Pss_(?:Anon|Shmem):\s+(\d+)", _read(pid, "smaps_rollup"), re.M))


def mapped_memory(root):
    """Octets of programs and libraries, each once, however many of the
    relay's processes map it and whoever else on the machine does."""
    largest = {}
    header = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ (\w+ \S+ [1-9]\d*)\s")
    for pid in tree(root):
        mapping = None
        for line in _read(pid, "smaps").splitlines():
            if not line[0].isupper():
                match = header.match(line)
                mapping = match and match[1]
            elif mapping and line.startswith("Rss:"):
                rss = int(line.split()[1])
            elif mapping and line.startswith("Anonymous:"):
                shared = (rss - int(line.split()[1])) * 1024
                largest[mapping] = max(shared, largest.get(mapping, 0))
    return sum(largest.values())


def memory(root):
    """What the relay would take on a machine of its own."""
    return own_memory(root) + mapped_memory(root)


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
        self.root, self.own, self.peak = root, 0, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while True:
            before = time.thread_time()
            self.own = max(self.own, own_memory(self.root))
            cost = time.thread_time() - before
            if self._done.wait(max(0.05, 40 * cost)):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.peak = (max(self.own, own_memory(self.root)) +
                     mapped_memory(self.root))


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
