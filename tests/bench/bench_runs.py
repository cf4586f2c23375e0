"""bench_runs -- what is measured: loads of messages, memory, syncs.  Each run
starts a provider and one relay afresh, and returns figures by name."""

import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import tempfile

import bench_servers
from bench_idle import IdleClients
from bench_measure import (PeakMemory, Syncs, cpu, machine_cpu, settled_cpu,
                           settled_memory)
from e2e_tools import built, need

KIB, MIB = 1024, 1024 * 1024


@dataclasses.dataclass
class Load:
    title: str
    messages: int
    quick: int              # messages with --quick
    octets: int = 4 * KIB
    lanes: int = 20         # devices at a time
    connections: int = 20   # to the provider
    latency: int = 0        # ms before each flight of provider's replies
    options: tuple = ()     # of bench-load


LOADS = {
    "small": Load("4 KB, 20 devices that stay connected", 4000, 600),
    "visits": Load("4 KB, 20 devices, a connection per message", 4000, 600,
                   options=("--per-connection", 1)),
    "2mb": Load("2 MB, 4 devices", 120, 24, 2 * MIB, 4, 4),
    "25mb": Load("25 MB, 2 devices", 10, 4, 25 * MIB, 2, 2),
    "slow": Load("4 KB, provider's replies take 20 ms, 3 connections to it",
                 300, 60, connections=3, latency=20),
    "eager": Load("the same, lanpost with pipelining = eager", 300, 60,
                  connections=3, latency=20),
    "alone": Load("4 KB, one message at a time", 200, 50, lanes=1,
                  options=("--alone", "--per-connection", 1)),
}
IDLE = (1000, 5000)


class Scene:
    """A provider and a relay, in a folder that goes with them."""

    def __init__(self, ca, relay, where, connections=20, latency=0, under=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lpb", dir=where))
        self.folder.chmod(0o755)
        self.provider = bench_servers.Provider(self.folder / "provider", ca,
                                               latency)
        self.relay = relay(self.folder / "relay", self.provider, connections)
        self.under = under(self.folder) if under else ()

    def __enter__(self):
        try:
            self.provider.start()
            self.relay.start(self.under)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in (self.relay, self.provider):
            if server.alive():
                server.stop()
        for server in (self.relay, self.provider):
            server.clean()
        self.folder.rmdir()

    def send(self, messages, octets=4 * KIB, lanes=1, *options, timeout=300):
        """Runs bench-load: its figures, and its own CPU seconds."""
        command = [built("bench-load"), "--messages", messages, "--octets",
                   octets, "--lanes", lanes, "--journal",
                   self.provider.journal, "--timeout", timeout, *options,
                   *self.relay.address]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([str(part) for part in command],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout + 60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise AssertionError(
                f"{self.relay.title}: {done.stderr}"
                f"...{self.relay.log_text()[-3000:]}")
        figures = json.loads(done.stdout)
        figures["cpu"] = (after.ru_utime + after.ru_stime -
                          before.ru_utime - before.ru_stime)
        return figures


def run_load(ca, relay, where, load, quick):
    messages = load.quick if quick else load.messages
    with Scene(ca, relay, where, load.connections, load.latency) as scene:
        root, provider = scene.relay.root(), scene.provider.root()
        warm = max(load.lanes, load.connections)
        scene.send(warm, min(load.octets, 64 * KIB), load.lanes, *load.options)
        before = settled_cpu(root), cpu(provider), machine_cpu()
        with PeakMemory(root) as memory:
            sent = scene.send(messages, load.octets, load.lanes, *load.options)
            during = cpu(root), cpu(provider), machine_cpu()
        used = [now - then for now, then in zip(during, before)]
        seconds = sent["delivered"]["seconds"]
        per_1000 = 1000 / messages
        return {
            "accepted_per_s": messages / sent["accepted"]["seconds"],
            "delivered_per_s": messages / seconds,
            "cpu_s_per_1000": (settled_cpu(root) - before[0]) * per_1000,
            "peak_mb": memory.peak / MIB,
            "accepted_ms_p50": sent["accepted"]["ms_p50"],
            "delivered_ms_p50": sent["delivered"]["ms_p50"],
            "delivered_ms_p99": sent["delivered"]["ms_p99"],
            "duplicates": sent["duplicates"],
            "provider_cpu_s_per_1000": used[1] * per_1000,
            "load_cpu_s_per_1000": sent["cpu"] * per_1000,
            "others_cores": max(0, used[2] - used[0] - used[1] - sent["cpu"])
                            / seconds,
        }


def serves_others(scene):
    """Milliseconds a message takes now, or None: not within 10 s."""
    try:
        sent = scene.send(5, 4 * KIB, 1, "--per-connection", 1, timeout=10)
    except AssertionError:
        return None
    return sent["delivered"]["ms_p50"]


def run_memory(ca, relay, where, quick):
    figures = {}
    for count in IDLE:
        with Scene(ca, relay, where) as scene:
            root = scene.relay.root()
            rest = settled_memory(root)
            figures.setdefault("rest_mb", rest / MIB)
            with IdleClients(scene.relay.address, count) as idle:
                held = settled_memory(root) - rest
                name = f"idle_{count}"
                figures[f"{name}_greeted"] = idle.greeted
                figures[f"{name}_mb"] = held / MIB
                figures[f"{name}_kib_each"] = held / KIB / max(idle.greeted, 1)
                figures[f"{name}_others_ms"] = serves_others(scene)
    return figures


def run_syncs(ca, relay, where, quick):
    messages, figures = (400 if quick else 2000), {}
    strace = need("strace")

    def under(folder):
        return Syncs(folder / "syncs").command(strace)

    with Scene(ca, relay, where, under=under) as scene:
        syncs = Syncs(scene.folder / "syncs")
        for name, count, lanes in (("loaded", messages, 20),
                                   ("alone", messages // 10, 1)):
            scene.send(lanes, 4 * KIB, lanes)
            settled_cpu(scene.relay.root())
            before = syncs.count()
            scene.send(count, 4 * KIB, lanes,
                       *(("--alone",) if lanes == 1 else ()))
            settled_cpu(scene.relay.root())
            figures[f"{name}_per_message"] = (syncs.count() - before) / count
        syncs.path.unlink()
    return figures


def raise_descriptor_limit():
    """For thousands of idle clients, here and in what is started."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def file_system(path):
    """The type of the file system a path is on."""
    path, best = os.path.realpath(path), ("", "?")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind = line.split()[:3]
        if (path + "/").startswith(point.rstrip("/") + "/") and \
                len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]
