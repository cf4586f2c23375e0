"""bench_report -- figures as a table for people: a line each, a column a
relay, the ratio of lanpost to the better of the others in that line, and what
lanpost aims at."""

import statistics

LOAD_ROWS = (
    ("accepted_per_s", "accepted, messages/s", "{:.0f}"),
    ("delivered_per_s", "delivered, messages/s", "{:.1f}"),
    ("cpu_s_per_1000", "CPU seconds per 1000", "{:.2f}"),
    ("peak_mb", "peak memory, MB", "{:.1f}"),
    ("accepted_ms_p50", "accepted after, ms p50", "{:.1f}"),
    ("delivered_ms_p50", "delivered after, ms p50", "{:.1f}"),
    ("delivered_ms_p99", "delivered after, ms p99", "{:.1f}"),
    ("duplicates", "duplicates", "{:.0f}"),
    ("provider_cpu_s_per_1000", "CPU of the provider per 1000", "{:.2f}"),
    ("load_cpu_s_per_1000", "CPU of the devices per 1000", "{:.2f}"),
    ("others_cores", "cores busy with other things", "{:.2f}"),
)
MEMORY_ROWS = (("rest_mb", "at rest, MB", "{:.1f}"),) + tuple(
    row for count in (1000, 5000) for row in (
        (f"idle_{count}_greeted", f"{count} idle clients: greeted", "{:.0f}"),
        (f"idle_{count}_mb", f"{count} idle clients: MB more", "{:.1f}"),
        (f"idle_{count}_kib_each", f"{count} idle clients: KiB each",
         "{:.1f}"),
        (f"idle_{count}_others_ms", f"{count} idle clients: others wait, ms",
         "{:.0f}")))
SYNC_ROWS = (
    ("loaded_per_message", "syncs a message, 4 KB x 20", "{:.2f}"),
    ("alone_per_message", "syncs a message, alone", "{:.2f}"),
)
ROWS = {"memory": MEMORY_ROWS, "syncs": SYNC_ROWS}

# (load, figure): the value itself, or its ratio to that of the better Postfix.
AIMS = {
    ("small", "delivered_per_s"): ("ratio", "least", 5),
    ("small", "cpu_s_per_1000"): ("ratio", "most", 0.2),
    ("2mb", "delivered_per_s"): ("ratio", "least", 2),
    ("slow", "delivered_per_s"): ("value", "least", 65),
    ("eager", "delivered_per_s"): ("value", "least", 130),
    ("alone", "delivered_ms_p50"): ("value", "most", 2),
    ("memory", "rest_mb"): ("value", "most", 10),
    ("memory", "idle_1000_kib_each"): ("value", "most", 16),
    ("memory", "idle_5000_kib_each"): ("value", "most", 16),
    ("memory", "idle_5000_greeted"): ("value", "least", 5000),
    ("syncs", "loaded_per_message"): ("value", "most", 0.2),
}


def medians(rounds):
    """One dict of figures from one for each round."""
    names = {name for figures in rounds for name in figures}
    return {name: None if None in (values := [f.get(name) for f in rounds])
            else statistics.median(values) for name in names}


MORE_IS_BETTER = ("_per_s", "_greeted")


def ratio(figures, name, relays):
    """The first relay's figure to the best of the others'; None: no such."""
    others = [value for relay in relays[1:]
              if (value := figures[relay].get(name))]
    one = figures[relays[0]].get(name)
    if not others or one is None:
        return None
    return one / (max if name.endswith(MORE_IS_BETTER) else min)(others)


def judge(load, name, figures, relays):
    """The aim in words, and whether it is reached (None: there is none)."""
    if (load, name) not in AIMS or relays[0] != "lanpost":
        return "", None
    kind, side, bound = AIMS[load, name]
    value = (figures["lanpost"].get(name) if kind == "value"
             else ratio(figures, name, relays))
    words = (f"at {side} {bound:g}" + (" times" if kind == "ratio" else ""))
    if value is None:
        return words, None
    return words, value >= bound if side == "least" else value <= bound


def cell(form, value):
    return "none" if value is None else form.format(value)


def print_table(title, load, figures, relays):
    """figures: {relay: {name: value}}"""
    print(f"\n{title}")
    print(f"  {'':36}" + "".join(f"{name:>16}" for name in relays) +
          (f"{'ratio':>9}" if len(relays) > 1 else "") + "  aim")
    for name, words, form in ROWS.get(load, LOAD_ROWS):
        if all(name not in figures[relay] for relay in relays):
            continue
        compared = ratio(figures, name, relays)
        aim, reached = judge(load, name, figures, relays)
        mark = {None: "", True: ": reached", False: ": MISSED"}[reached]
        print(f"  {words:36}" + "".join(
            f"{cell(form, figures[relay].get(name)):>16}" for relay in relays)
            + ("" if len(relays) < 2 else f"{cell('{:.2f}', compared):>9}"
               if compared is not None else " " * 9) + f"  {aim}{mark}")
