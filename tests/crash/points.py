#!/usr/bin/env python3
"""Every fault point: a run in which a process is killed at its first passing of that point, and one at a later passing;
afterwards everything must be there once.

    points.py --build DIR [--queue spool|rabbitmq] [--each] [--seconds T] [--only NAME,…] [--keep]

The names come from the sources. Each point strikes once in a run, however often processes start again. Without --each
several points strike in one run: quicker, and crashes then meet the recovery from others. A point that its run never
passes fails the test, as does a name listed here that the sources no longer have. --seconds ends it early; another seed
begins elsewhere. Prints TAP.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

from lab import Failure, Servers, Site, Skip, Tap, fault_names, has_faults, kill

# What no run of this site passes, and who else stops the program there.
EXEMPT = {
    "vault.trashed": "only of what is past its retention; tests/unit/vault_collect",
    "store.expired": "only of what is past its retention; tests/conformance/store",
    "amqp.returned": "only of what no queue takes; tests/conformance/broker",
    "amqp.release": "only of what nobody serves for minutes; tests/conformance/broker",
    "amqp.lost": "only when the broker goes; the random rounds do that",
    "db.begin.refused": "only on PostgreSQL; tests/conformance/db_locks",
    "held.skipping": "only of a gap that lasts; tests/conformance/held",
    "ask.release": "a verb of an operator; tests/conformance/ask",
    "ask.resend": "a verb of an operator; tests/conformance/ask_doubt",
    "event.put": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "expect.arrived": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "expect.opened": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "expect.opening": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "expect.state": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "steward.judged": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "steward.judging": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "steward.telling": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    **{f"steward.{name}": "only where something ends some day; tests/e2e/expiring.py" for name in ("expired", "expiring")},
    **{f"steward.{name}": "only where a trouble lasts and somebody wants to be reminded; tests/e2e/reminders.py"
       for name in ("reminding", "reminded")},
    "steward.told": "only where something is expected, or an event is wanted; tests/e2e/expect.py",
    "openpgp.encrypted": "only where something is encrypted; tests/files/openpgp_flows.py",
    "spill.full": "only of what a step makes larger than memory holds; tests/files/openpgp_flows.py",
    "transform.once": "only where something is encrypted; tests/crash/transfers.py",
    "turns.ended": "only of a source with a schedule; tests/e2e/transfers.py",
    "turns.numbered": "only of a source with a schedule; tests/e2e/transfers.py",
    "turns.saving": "only of a source with a schedule; tests/e2e/transfers.py",
    **{f"sftp.{name}": "only with an SFTP server; tests/crash/transfers.py" for name in ("opened", "read", "synced", "written")},
    **{f"ftp.{name}": "only with an FTP server; tests/crash/transfers.py --server ftp" for name in ("opened", "read", "synced", "written")},
    **{f"remote.{name}": "only with a server of files; tests/crash/transfers.py and the conformance tests of sftp" for name in (
        "archived", "broken", "fetched", "marked", "mkdir", "reaped", "removed", "renamed", "renaming", "resolved", "settled",
        "unmarked")},
    **{f"mail.{name}": "only with a mail server; tests/crash/transfers.py" for name in ("answered", "content", "sent", "start")},
    **{f"archive.{name}": "only of transfers with `retain`; tests/e2e/sftp_transfers.py, sent.py" for name in ("noting", "removed")},
    **{f"kept.{name}": "only of sinks with `archive`; tests/e2e/sent.py, tests/crash/transfers.py" for name in (
        "forgotten", "held", "named", "placed", "synced", "written")},
    "sent.removed": "only of sinks with `archive` and `retain`; tests/e2e/sent.py",
    **{f"{kind}.sidecar-{name}": f"only of files with sidecars; tests/conformance/{test}-source-sidecars" for name in ("aside", "gone")
       for kind, test in (("file", "file"), ("remote", "sftp"))},
    **{f"syslog.{name}": "only with a syslog receiver; tests/e2e/syslog_sink.py" for name in ("confirmed", "connect", "send", "sent")},
}
SPOOL = ("db.run.full", "db.commit.full", "queue.early")  # passed only without a broker
BROKER = ("store.intake", "amqp.")  # passed only with one
BATCH = 8
LATER = 3
LINKS = "file.no-exclusive-rename%1=fail"
# What must happen besides, so that a point is passed.
BESIDES = {
    "file.resolved": "file.renamed:1=kill",
    "file.linking": LINKS,
    "file.linked": LINKS,
    "file.copied": None,  # needs another file system, which is not everywhere
}


def make_site(options, name, servers, names, seed):
    site = Site(options.build, name, random.Random(seed), servers, rate=5)
    for _ in range(8):
        site.drop(1)
    site.drop(12)
    site.drop(1, large=150_000)
    site.drop_spoiled()
    for _ in range(3):
        site.post()
    if "queue.early" in names:
        site.drop(300, large=0, text=60_000)
    return site


def passed(site):
    return {name[:-7] for name in os.listdir(site.marks) if name.endswith(".passed")}


def struck(site):
    return {name[:-7] for name in os.listdir(site.marks) if name.endswith(".struck")}


def go(site, faults):
    """Runs the site until it is idle, again when the supervisor itself was struck."""
    for _ in range(6):
        site.start(faults, True, ("--for", "60s"))
        end = time.monotonic() + 30
        while site.poster.is_alive() and site.supervisor.poll() is None:
            site.poster.ending = True
            if time.monotonic() > end:
                raise Failure("the webhooks were not taken within 30 s")
            time.sleep(0.02)
        if site.supervisor.poll() is None:
            kill(site.supervisor.pid, 15)
        code = site.supervisor.wait(timeout=30)
        if code not in (0, -9):
            raise Failure(f"the site ended with {code}")
        code = site.run_to_end(60, faults, True)
        if code == 0 and not site.poster.is_alive():
            return  # else the supervisor was struck before the webhooks were taken
        if code not in (0, -9):
            raise Failure(f"the site ended with {code}")
    raise Failure("the supervisor never came through")


def other_disk():
    return os.access("/dev/shm", os.W_OK) and os.stat("/dev/shm").st_dev != os.stat(tempfile.gettempdir()).st_dev


def one_run(options, servers, names, number, seed):
    """One site with those points armed; which were passed and which struck."""
    site, good = make_site(options, f"{names[0]}-{number}", servers, names, seed), False
    try:
        besides = sorted({BESIDES[name] for name in names if BESIDES.get(name)})
        go(site, [f"{name}:{number}=kill" for name in names] + besides)
        result = passed(site), struck(site)
        site.close()
        site.judge(links=any(BESIDES.get(name) == LINKS for name in names))
        good = True
        return result
    finally:
        if not good and options.keep:
            print(f"# left in {site.root}", flush=True)
        site.clean(keep=not good and options.keep)


def points_of(options):
    names = fault_names()
    stale = [name for name in EXEMPT if name not in names]
    if stale:
        raise Failure(f"no longer in the sources: {stale}")
    rabbit = options.queue == "rabbitmq"
    chosen = [name for name in names if name not in EXEMPT
              and (name not in SPOOL if rabbit else not name.startswith(BROKER))]
    if options.only:
        unknown = set(options.only.split(",")) - names
        if unknown:
            raise Failure(f"not in the sources: {sorted(unknown)}")
        chosen = options.only.split(",")
    return sorted(chosen)


def again(options, names, number, seed):
    return f"again: make crash-points QUEUE={options.queue} POINTS={','.join(names)} PASSING={number} SEED={seed}"


def run_all(options, servers, tap):
    rng = random.Random(options.seed)
    names = points_of(options)
    rng.shuffle(names)
    size = 1 if options.each else BATCH
    todo = [(names[i:i + size], number) for number in options.passing for i in range(0, len(names), size)]
    end = time.monotonic() + options.seconds if options.seconds else None
    never, seldom, done = set(), set(), 0
    for batch, number in todo:
        if end and time.monotonic() > end:
            break
        title = f"{options.queue}: killed at passing {number} of {', '.join(batch)}"
        try:
            met, hit = one_run(options, servers, batch, number, options.seed)
            never |= set(batch) - met
            seldom |= {name for name in set(batch) & met if name not in hit and number > 1}
            missed = set(batch) - hit if number == 1 else set()
            if not other_disk():
                missed.discard("file.copied")
            if missed:
                why = f"never passed: {sorted(missed)}"
                tap.result(False, title, f"{why}\n{again(options, batch, number, options.seed)}")
            else:
                tap.result(True, title)
        except (Failure, subprocess.TimeoutExpired) as failure:
            tap.result(False, title, f"{failure}\n{again(options, batch, number, options.seed)}")
        done += 1
    print(f"# {done} of {len(todo)} runs, {len(names)} points, seed {options.seed}; passed too seldom to strike later: "
          f"{sorted(seldom)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--queue", choices=("spool", "rabbitmq"), default="spool")
    parser.add_argument("--each", action="store_true", help="one point a run")
    parser.add_argument("--passing", type=lambda text: [int(word) for word in text.split(",")], default=[1, LATER])
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    tap, servers = Tap(), None
    try:
        if not has_faults(options.build):
            raise Skip("built without --enable-faults")
        if options.queue == "rabbitmq":
            servers = Servers()
        run_all(options, servers, tap)
    except Failure as failure:
        tap.result(False, f"{options.queue}: fault points", failure)
    except Skip as skip:
        tap.skip(f"{options.queue}: fault points", skip)
    finally:
        if servers:
            servers.down()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
