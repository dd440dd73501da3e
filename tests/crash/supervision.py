#!/usr/bin/env python3
"""How a site starts, ends and changes: under load, twice at once, without its supervisor, with a broken configuration,
with poison.

    supervision.py --build DIR

Prints TAP."""
import argparse
import os
import signal
import subprocess
import sys
import time

from lab import Failure, Site, Tap, has_faults, kill, lines, read, wait_for, write


def expect(condition, what):
    if not condition:
        raise Failure(what)


def call(site, *arguments):
    return subprocess.run([site.ferrule, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)


def load(site, documents=300):
    for _ in range(documents):
        site.drop(3)


def started(site, **options):
    ready = site.ready()
    site.start(**options)
    ready()


def under_way(site):
    """Some effects are there, others are not."""
    wait_for(lambda: len(lines(f"{site.work}/plain.jsonl")) > 20, 20, "the first effects")


def term_under_load(site):
    load(site)
    started(site)
    under_way(site)
    began = time.monotonic()
    code = site.stop(seconds=20)
    took = time.monotonic() - began
    expect(code == 0, f"SIGTERM ended the site with {code}")
    expect(took < 10, f"SIGTERM took {took:.1f} s")
    site.finish(60)
    site.judge(doubts_allowed=False)
    return f"ended in {took * 1000:.0f} ms"


def second_run(site):
    started(site)
    done = call(site, "run", site.site)
    expect(done.returncode == 3, f"a second run ended with {done.returncode}: {done.stdout}")
    expect("runs already" in done.stdout and str(site.supervisor.pid) in done.stdout, f"it said: {done.stdout}")
    site.drop(2)
    site.finish(30)
    site.judge(doubts_allowed=False)
    return done.stdout.strip()[-200:]


def supervisor_killed(site):
    load(site)
    started(site)
    under_way(site)
    workers = [pid for group in site.processes().values() for pid in group]
    kill(site.supervisor.pid)
    site.supervisor.wait()
    ready = site.ready(30)
    site.start()
    first = None
    while not first:
        first = [pid for group in site.processes().values() for pid in group]
        left = [pid for pid in workers if alive(pid)]
        if first:
            expect(not left, f"processes of the new site run beside {len(left)} of the old one")
        expect(site.supervisor.poll() is None, "the new supervisor gave up")
    ready()
    expect(not [pid for pid in workers if alive(pid)], "workers of the old site are left")
    site.finish(60)
    site.judge()
    return f"{len(workers)} workers finished and ended"


def alive(pid):
    """It has files open, and so the site's lock: one that is on its way out has none left before it counts as dead."""
    try:
        return bool(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def reload_broken(site):
    load(site, 100)
    started(site)
    under_way(site)
    path = f"{site.site}/flows/to-keyed.yaml"
    good = read(path)
    write(path, good.replace("subscribe:", "subscribes:"))
    kill(site.supervisor.pid, signal.SIGHUP)
    wait_for(lambda: "reload refused" in read(site.log_path), 10, "the refusal of a broken configuration")
    expect("to-keyed.yaml" in read(site.log_path), "it is not said what is wrong with the configuration")
    write(path, good)
    load(site, 50)
    site.finish(60)
    site.judge(doubts_allowed=False)
    return next(line for line in read(site.log_path).splitlines() if "reload refused" in line)[:200]


def reload_good(site):
    """What the old revision accepted is finished by its flows, though the new one would do otherwise."""
    path = f"{site.site}/flows/to-files.yaml"
    good = read(path)
    ready = site.ready()
    site.start()
    ready()
    done = call(site, "hold", "to-files", "--until", "1h", "--reason", "a test", "--site", site.site)
    expect(done.returncode == 0, done.stdout)
    for _ in range(20):
        site.drop(2)
    old = len(site.things)
    wait_for(lambda: len(lines(f"{site.work}/plain.jsonl")) == old, 20, "the other flows")
    write(path, good.replace("steps: [{encode: json}]", "steps: [{map: mark.jq}, {encode: json}]"))
    write(f"{site.site}/mappings/mark.jq", '. + {revision: "new"}\n')
    kill(site.supervisor.pid, signal.SIGHUP)
    wait_for(lambda: " reloaded " in read(site.log_path), 10, "the reload")
    for _ in range(20):
        site.drop(2)
    done = call(site, "resume", "to-files", "--site", site.site)
    expect(done.returncode == 0, done.stdout)
    wait_for(lambda: len(lines(f"{site.work}/files.jsonl")) == len(site.things), 30, "all files")
    wait_for(lambda: len(lines(f"{site.work}/plain.jsonl")) == len(site.things), 30, "all of the other flows")
    sizes = {int(line["name"].split(".")[0]): line["size"] for line in lines(f"{site.work}/files.jsonl")}
    bodies = {int(line["path"].rsplit("/", 1)[1]): line["size"] for line in lines(f"{site.work}/plain.jsonl")}
    wrong = [n for n in site.things if (sizes[n] > bodies[n]) != (n >= old)]
    expect(not wrong, f"{len(wrong)} of {len(site.things)} under the wrong revision, such as {wrong[:5]}")
    site.finish(30)
    site.judge(doubts_allowed=False)
    return f"{old} under the old revision, {len(site.things) - old} under the new one"


def poison(site, point, role, most):
    """A message that kills its worker each time is a dead letter at its third death alone, and nobody else suffers."""
    site.drop(1)
    site.start([f"{point}=crash"])
    wait_for(lambda: site.log_text_count(f"died of a message role={role}") >= 4, 30, "four deaths")
    time.sleep(0.3)
    deaths = {}
    for line in read(site.log_path).splitlines():
        if "died of a message" in line and f"role={role}" in line:
            name = line.split("correlation=")[1].split(" ")[0]
            deaths[name] = deaths.get(name, 0) + 1
    expect(max(deaths.values()) <= 4, f"one message killed {max(deaths.values())} workers: once in company and three "
                                      "times alone are due")
    site.stop()
    code = site.run_idle(30)
    expect(code == 0, f"the site ended with {code}")
    dead = site.ask("dead", "list", "--site", site.site)["groups"]
    expect(dead and all(group["cause"] == "poison" for group in dead), f"dead letters: {dead}")
    expect(1 <= sum(group["count"] for group in dead) <= most, f"dead letters: {dead}")
    return f"dead: {[(group['flow'], group['count']) for group in dead]}"


CASES = [
    ("SIGTERM under load ends the site within 10 s, with exit 0, nothing lost and nothing in doubt", term_under_load),
    ("a second run of a running site is refused with exit 3 and says so", second_run),
    ("without their supervisor workers finish and end, and a new one starts only then", supervisor_killed),
    ("a broken configuration is refused with its reason, and the old one stays", reload_broken),
    ("a new configuration takes what comes; what came before is finished under the old one", reload_good),
    ("poison in a transform is dead at its third death alone",
     lambda site: poison(site, "transform.running:1", "transform", 2)),
    ("poison in the HTTP deliverer is dead at its third death alone",
     lambda site: poison(site, "http.start:1", "deliver", 3)),
    ("poison before the intent is dead at its third death alone",
     lambda site: poison(site, "deliver.prepared:1", "deliver", 4)),
    ("poison in a file sink is dead at its third death alone",
     lambda site: poison(site, "file.written:1", "sink:to-files", 1)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    tap = Tap()
    for number, (name, case) in enumerate(CASES):
        if options.only not in name:
            continue
        if "poison" in name and not has_faults(options.build):
            tap.skip(name, "built without --enable-faults")
            continue
        site, good = None, False
        try:
            site = Site(options.build, f"supervision-{number}", cut=False)
            notes = case(site)
            good = True
            tap.result(True, name, notes)
        except (Failure, subprocess.TimeoutExpired) as failure:
            tap.result(False, name, f"{failure}" + (f"\nleft in {site.root}" if options.keep and site else ""))
        finally:
            if site:
                site.clean(keep=not good and options.keep)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
