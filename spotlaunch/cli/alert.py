"""`spotlaunch prices --alert "H100 < 2.00"`: ask again and again, and tell when a price comes true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from spotlaunch.cli import notify, render
from spotlaunch.cli.market import Asker, Seen, open_asker, tell_silent, whom_to_ask
from spotlaunch.cli.options import market_of, refuse_beside
from spotlaunch.cli.pricetable import offer_json
from spotlaunch.core.condition import Alert, parse_alert
from spotlaunch.core.facts import Want
from spotlaunch.core.gpus import gpu_problem
from spotlaunch.core.pricelist import Row, Wish, price_list
from spotlaunch.core.units import Unreadable, read_duration_s
from spotlaunch.errors import UsageError
from spotlaunch.ports import Clock
from spotlaunch.watchdog.serve import SystemClock

T = TypeVar("T")

USUAL_EVERY_S = 300.0
LEAST_EVERY_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What is waited for, and whom to ask how often. ``wish`` narrows it further."""

    alert: Alert
    wish: Wish
    names: Sequence[str]
    every_s: float
    timeout_s: float


def run(
    text: str,
    *,
    notify_url: str,
    every: str,
    providers: Sequence[str],
    regions: Sequence[str],
    spot: bool | None,
    timeout_s: float,
    as_json: bool,
    beside: Mapping[str, object],
    clock: Clock | None = None,
) -> int:
    """Wait until ``text`` comes true, tell it on stdout and at ``notify_url``, and return 0.

    ``beside``: options (with their values) that an alert has no use for. Raises `UsageError` for what cannot be
    meant, before anything is waited for, and `SpotlaunchError` when nobody could be notified.
    """
    if not text:
        raise UsageError("--notify and --every belong to --alert", hint='add, say, --alert "H100 < 2.00"')
    refuse_beside("--alert", beside, hint="the alert itself names GPU, count, market and price")
    wanted = _alert(text)
    if spot is not None and wanted.market not in (None, market_of(spot)):
        raise UsageError(
            f"--alert {str(wanted)!r} never comes true with --{market_of(spot)}", hint=f"leave --{market_of(spot)} out"
        )
    watch = Watch(
        alert=wanted,
        wish=Wish(providers=tuple(providers), regions=tuple(regions), market=market_of(spot)),
        names=whom_to_ask(providers),
        every_s=_every_s(every),
        timeout_s=timeout_s,
    )
    sender = notify.sender_to(notify_url) if notify_url else None
    clock = clock or SystemClock()
    with open_asker() as asker:
        row, seen = _wait(asker, watch, clock)
    sentence = f"{watch.alert}: {_words(watch.alert, row)}"
    about = alert_json(watch.alert, row, seen.now)
    if as_json:
        render.as_json({"text": sentence, **about}, line=True)
    else:
        print(sentence, flush=True)
    if sender is not None:
        notify.send(sender, notify_url, sentence, about, clock)
    return 0


def _wait(asker: Asker, watch: Watch, clock: Clock) -> tuple[Row, Seen]:
    """The cheapest offer that makes the alert true, as soon as there is one."""
    alert = watch.alert
    before: tuple[str, Mapping[str, str]] = ("", {})
    unit = "for the whole machine" if alert.count else "for each GPU"
    render.say(f"waiting for {alert} ($/h {unit}), asking every {render.duration(watch.every_s)}")
    while True:
        # An answer as old as half a round is one that another command was given just now.
        want = Want(gpus=((alert.gpu, alert.count),))
        seen = asker.ask(watch.names, want, max_age_s=watch.every_s / 2, deadline_s=watch.timeout_s)
        row = _cheapest(watch, seen)
        if row is not None and alert.holds(row.offer):
            return row, seen
        now = "nobody sells it now" if row is None else f"cheapest now: {_words(alert, row)}"
        if now != before[0]:
            render.say(f"{render.clock(seen.now)}  {now}")
        failing = {a.provider: a.failure for a in seen.answers if a.failure}
        if failing != before[1]:
            tell_silent([a for a in seen.answers if a.failure])
        before = (now, failing)
        notify.sleep_whole(clock, watch.every_s)


def _cheapest(watch: Watch, seen: Seen) -> Row | None:
    """The offer that is nearest to the alert, of those that can be had."""
    alert = watch.alert
    rows = price_list(seen.offers, watch.wish, seen.terms, sort="price")
    mine = [r for r in rows if alert.concerns(r.offer) and r.offer.available != "no"]
    return min(mine, key=lambda r: _amount_usd(alert, r), default=None)


def _amount_usd(alert: Alert, row: Row) -> Decimal:
    """What the alert compares: the price of the machine, or of each of its GPUs."""
    return row.offer.price_usd_hour if alert.count else row.price_usd_gpu_hour


def _words(alert: Alert, row: Row) -> str:
    offer = row.offer
    amount = f"${render.usd(_amount_usd(alert, row))}/h for {'the machine' if alert.count else 'each GPU'}"
    whole = "" if alert.count or offer.gpu_count == 1 else f" (${render.usd(offer.price_usd_hour)}/h for all)"
    doubt = f"; {offer.why}" if offer.why else ""
    return render.one_line(f"{amount}{whole}, {offer.gpu}:{offer.gpu_count}, {offer.pool}{doubt}")


def alert_json(alert: Alert, row: Row, now: float) -> dict[str, Any]:
    """What came true, with stable keys."""
    return {"alert": str(alert), "quantity": alert.quantity, "offer": offer_json(row, now)}


# -- reading options --------------------------------------------------------------------------------------


def _alert(text: str) -> Alert:
    alert = _read(parse_alert, "--alert", text)
    if problem := gpu_problem(alert.gpu):
        render.warn(problem)
    return alert


def _every_s(text: str) -> float:
    if not text:
        return USUAL_EVERY_S
    seconds = _read(read_duration_s, "--every", text)
    if seconds < LEAST_EVERY_S:
        raise UsageError(
            f"--every {text[:40]}: prices are not asked for more often than once a minute", hint="write --every 1m"
        )
    return seconds


def _read(reader: Callable[[str], T], option: str, text: str) -> T:
    try:
        return reader(text)
    except Unreadable as e:
        raise UsageError(f"{option}: {e.message}", hint=e.hint) from e
