"""`python -m tests.bench` measures commands, prices, looks, ranking, replays, estimates, worlds,
recoveries. Asserts nothing."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median

from spotlaunch.core.facts import Want
from tests.bench import clouds, commands, estimates, looks, markets, ranking, recoveries, replays
from tests.sim.world import run_world

LOOK_PROMISED_S = 1.0
RANK_PROMISED_S = 1.0
CLOUDS_PROMISED = 1.3
REPLAYS_PROMISED_S = 60.0  # of 10,000
NOTICED_PROMISED_S = 2.0
VANISHED_PROMISED_S = recoveries.LIST_INTERVAL_S + 2.0

# What others need at least until they notice a loss: facts of the rivals, measured.
RIVALS = [("SSH silence", "2 min 20 s"), ("polling", "15 to 60 s")]

# What is remembered, what is asked, and what was promised: milliseconds, and megabytes at most.
H100 = Want(gpus=(("H100", 0),))
MARKETS = [
    ("3,000 offers of H100", 3_000, H100, ["prices", "--gpu", "H100"], 400.0, 300.0),
    ("100,000 offers", 100_000, Want(), ["prices"], 1500.0, 300.0),
    ("100,000 offers", 100_000, Want(), ["prices", "--gpu", "H100"], 1500.0, 300.0),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=15, help="how often each command is run")
    parser.add_argument("--jobs", type=int, default=1000, help="how many jobs `status` shows")
    parser.add_argument("--live", type=int, default=500, help="how many live jobs a look sees")
    parser.add_argument("--offers", type=int, default=100_000, help="how many offers are ranked")
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that each call to a fake cloud takes")
    parser.add_argument("--replays", type=int, default=10_000, help="how many jobs are replayed over a trace")
    parser.add_argument("--worlds", type=int, default=4, help="how many worlds are simulated")
    parser.add_argument("--rounds", type=int, default=2, help="how often a job on each cloud loses two machines")
    args = parser.parse_args()
    show_commands(args.turns, args.jobs)
    show_prices(args.turns)
    show_clouds(args.latency)
    show_looks(args.live)
    show_ranking(args.offers)
    show_replays(args.replays)
    show_estimates()
    show_worlds(args.worlds)
    show_recoveries(args.rounds)


def show_commands(turns: int, jobs: int) -> None:
    found = commands.medians_ms(turns=turns, jobs=jobs)
    print(f"{'command':<28}{'median ms':>11}{'times pass':>12}{'promised ms':>13}   ({turns} turns, {jobs} jobs)")
    for name, ms in found.items():
        promised = commands.PROMISED_MS.get(name)
        limit = "" if promised is None else f"{promised:.0f}"
        late = "  TOO SLOW" if promised is not None and ms > promised else ""
        print(f"{name:<28}{ms:>11.0f}{ms / found[commands.NOTHING]:>12.1f}{limit:>13}{late}")


def show_prices(turns: int) -> None:
    bare = markets.measured(commands.COMMANDS[commands.NOTHING], {}, turns=turns)
    head = f"{'remembered market':<24}{'command':<20}{'median ms':>11}{'times pass':>12}{'promised ms':>13}{'MB':>6}"
    print(f"\n{head}{'promised MB':>13}")
    for what, count, want, arguments, most_ms, most_mb in MARKETS:
        with markets.market_of(count, want) as home:
            cost = markets.cost(home, arguments, turns=max(3, turns // 3))
        late = "  TOO MUCH" if cost.ms > most_ms or cost.mb > most_mb else ""
        told = f"{cost.ms:>11.0f}{cost.ms / bare.ms:>12.1f}{most_ms:>13.0f}{cost.mb:>6.0f}{most_mb:>13.0f}"
        print(f"{what:<24}{' '.join(arguments):<20}{told}{late}")


def show_clouds(latency_s: float) -> None:
    found = clouds.measured(latency_s)
    alone = {name: cost for name, cost in found.items() if name != clouds.ALL}
    slowest = max(cost.seconds for cost in alone.values())
    print(f"\n{'prices --gpu H100, nothing remembered':<40}{'seconds':>9}{'HTTP calls':>12}   ({latency_s:g} s a call)")
    for name, cost in found.items():
        print(f"{name:<40}{cost.seconds:>9.2f}{cost.calls:>12}")
    ratio = found[clouds.ALL].seconds / slowest
    late = "  TOO SLOW" if ratio > CLOUDS_PROMISED else ""
    print(f"{'all, as times the slowest alone':<40}{ratio:>9.2f}{'':>12}   (promised {CLOUDS_PROMISED:g}){late}")


def show_looks(live: int) -> None:
    seconds = looks.look_cpu_s(live)
    late = "  TOO SLOW" if seconds > LOOK_PROMISED_S else ""
    print(f"\none look of the watchdog with {live} live jobs: {seconds * 1000:.0f} ms of CPU (promised: 1000){late}")
    print(f"reading the book of {live} live jobs: {looks.read_book_s(live) * 1000:.0f} ms of CPU")


def show_ranking(count: int) -> None:
    seconds, sort_s = ranking.rank_and_sort_s(count)
    late = "  TOO SLOW" if seconds > RANK_PROMISED_S else ""
    print(
        f"ranking {count} offers by effective cost: {seconds * 1000:.0f} ms of CPU (promised: 1000),"
        f" {seconds / sort_s:.0f} times a plain sort by price{late}"
    )


def show_replays(count: int) -> None:
    seconds = replays.replayed_s(count)
    late = "  TOO SLOW" if seconds > REPLAYS_PROMISED_S * count / 10_000 else ""
    print(
        f"replaying {count} jobs of 48 h in ticks of 10 min, optima included: {seconds:.1f} s, {count / seconds:.0f} a"
        f" second (promised: 10,000 in {REPLAYS_PROMISED_S:.0f} s){late}"
    )


def show_estimates() -> None:
    brief_s, whole_s, runs = estimates.estimated_s()
    print(
        f"estimating 40 h of work over eight pools, {runs} runs: {brief_s:.1f} s as in a dry run, {whole_s:.1f} s whole"
    )


def show_worlds(count: int) -> None:
    began = time.perf_counter()
    broken = [seed for seed in range(count) if run_world(seed).broken]
    took_s = time.perf_counter() - began
    print(f"simulated worlds: {count / took_s:.2f} a second on one core" + (f"; BROKEN: {broken}" if broken else ""))


def show_recoveries(rounds: int) -> None:
    found = recoveries.measured(rounds)
    every = f"machines listed every {recoveries.LIST_INTERVAL_S:g} s here"
    head = f"{'seconds until the replacement is ordered':<44}{'median':>8}{'worst':>8}{'promised':>10}"
    print(f"\n{head}   ({every}; on clouds every 10 to 30 s)")
    _show_times("from a notice", found.noticed, NOTICED_PROMISED_S)
    _show_times("from a loss without notice", found.vanished, VANISHED_PROMISED_S)
    for what, floor in RIVALS:
        print(f"{'others, by ' + what:<44}{floor:>16}")


def _show_times(what: str, times: Sequence[tuple[str, float]], promised_s: float) -> None:
    middle = median(s for _, s in times)
    late = "  TOO SLOW" if middle > promised_s else ""
    by_cloud = {cloud: median(s for c, s in times if c == cloud) for cloud, _ in times}
    told = ", ".join(f"{cloud} {s:.2f}" for cloud, s in by_cloud.items())
    print(f"{what:<44}{middle:>8.2f}{max(s for _, s in times):>8.2f}{promised_s:>10.1f}   ({len(times)}: {told}){late}")


if __name__ == "__main__":
    main()
