#!/usr/bin/env python3
"""Targets and folders that hang: they hold up nobody else, and what may have happened there is told and asked, never repeated blindly."""
import os
import signal
import time

from bed import HungTarget, Skip, Target, check, equal, has_faults, main, test, wait

INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
publish: thing.v1
"""


def to_system(site, name, effect, more=""):
    site.flow(f"""
flow: to-{name}
owner: tests
subscribe: thing.v1
steps: [{{encode: json}}]
to: {{operation: {name}.put}}
effect: {effect}
retry: {{for: 1h, from: 100ms, to: 500ms}}
{more}""")


def to_folder(site, name, path):
    site.flow(f"""
flow: to-{name}
owner: tests
subscribe: thing.v1
steps: [{{encode: json}}]
to: {{file: '{path}', exists: refuse, create: yes}}
effect: rename
retry: {{for: 1h, from: 100ms, to: 500ms}}
""")


def things(site, first, last):
    site.drop(f"in/{first}.json", [{"n": n} for n in range(first, last)])


@test("a hung target and hung folders slow no other endpoint; a time-out is resent where there is a key, else in doubt")
def hung_everything(site):
    hung, keyed, well = HungTarget(site), HungTarget(site), Target(site, "well")
    site.flow(INTAKE)
    site.system("hung", hung.url, more="timeout: 1s\nparallel: 4\n")
    site.system("keyed", keyed.url, more="timeout: 1s\nparallel: 4\n")
    site.system("well", well.url)
    to_system(site, "hung", "none")
    to_system(site, "keyed", "{key: 'thing-$(.n)', remembers: 24h}")
    to_system(site, "well", "none")
    to_folder(site, "folder", "out/$(.n).json")
    to_folder(site, "fifo", "fifo/$(.n).json")
    os.mkfifo(site.at("fifo"))
    os.makedirs(site.at("in"))
    os.mkfifo(site.at("in", "pipe.json"))
    site.start()
    began = time.monotonic()
    things(site, 0, 12)
    site.wait_files("out", 12, 8)
    wait(lambda: len(well.paths()) == 12, 8, "the target that works")
    took = time.monotonic() - began
    print(f"# the endpoints that work were served after {took:.1f} s")
    check(took < 8, f"others waited {took:.1f} s")
    doubts = wait(lambda: len(site.doubts()) == 12 and site.doubts(), 20, "what timed out without a key to be in doubt")
    equal({doubt["endpoint"] for doubt in doubts}, {"to-hung"}, "in doubt")
    state = site.status()["endpoints"]["to-fifo"]
    equal(state["state"], "paused", "the endpoint whose folder is a pipe")
    # the hung one with keys comes back as one that works: each arrives once
    keyed.process.kill()
    keyed.process.wait()
    back = Target(site, "keyed", "--idempotent", port=keyed.port)
    wait(lambda: len(back.paths()) == 12, 20, "the keyed ones to be sent again")
    time.sleep(1)
    equal(sorted(back.paths()), sorted(f"/{n}" for n in range(12)), "keyed effects")
    # … and so does the folder
    os.unlink(site.at("fifo"))
    site.wait_files("fifo", 12, 10)
    equal(sorted(well.paths()), sorted(f"/{n}" for n in range(12)), "effects")
    equal(len(site.doubts()), 12, "doubts")
    equal(site.dead(), [], "dead letters")
    equal([name for name in os.listdir(site.at("in")) if name != "archive"], ["pipe.json"], "the pipe is left alone")


@test("SIGTERM ends the site in time with calls open; those are in doubt then, and a person's word settles them")
def calls_open_at_the_end(site):
    hung, keyed = HungTarget(site), HungTarget(site)
    site.flow(INTAKE)
    site.system("hung", hung.url, more="timeout: 60s\nparallel: 4\n")
    site.system("keyed", keyed.url, more="timeout: 60s\nparallel: 4\n")
    to_system(site, "hung", "none")
    to_system(site, "keyed", "{key: 'thing-$(.n)', remembers: 24h}")
    site.start()
    things(site, 0, 3)
    wait(lambda: sum(q["unsettled"] for q in site.status()["queues"] if q["kind"] == "out") == 6, 10, "six calls to be open")
    time.sleep(0.5)
    took = site.stop(within=10)
    print(f"# it took {took:.1f} s to end with six calls open")
    equal(len(site.doubts()), 3, "doubts while the site is down")
    for process in (hung.process, keyed.process):
        process.kill()
        process.wait()
    target = Target(site, "back", "--plain", port=hung.port)
    idempotent = Target(site, "keyed", "--idempotent", port=keyed.port)
    site.start()
    wait(lambda: len(idempotent.paths()) == 3, 15, "the ones with a key to be sent again")
    doubts = wait(lambda: len(site.doubts()) == 3 and site.doubts(), 15, "the open calls to be in doubt")
    time.sleep(0.5)
    equal(target.paths(), [], "effects before anybody decided")
    site.do("doubt", "confirm", doubts[0]["key"][:12], "--note", "seen there", "--site", site.path)
    site.do("doubt", "resend", doubts[1]["key"][:12], "--site", site.path)
    wait(lambda: target.paths(), 10, "the one that was resent")
    site.idle()
    time.sleep(0.5)
    equal(len(target.paths()), 1, "effects of what was resent")
    left = site.doubts()
    equal([doubt["key"] for doubt in left], [doubts[2]["key"]], "still in doubt")
    code, out, err = site.type("doubt", "resend", doubts[0]["key"][:12], "--site", site.path)
    check(code != 0 and "not in doubt" in out + err, code, out, err)
    equal(len(target.paths()), 1, "effects")


@test("a folder that hangs in the middle of writing is shown as hanging, and its process is ended with the site")
def hung_while_writing(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    well = Target(site, "well")
    site.flow(INTAKE)
    site.system("well", well.url)
    to_system(site, "well", "none")
    to_folder(site, "folder", "out/$(.n).json")
    site.start("--watchdog", "1s", env={"FERRULE_FAULTS": "file.written:1=hang"})
    things(site, 0, 20)
    wait(lambda: len(well.paths()) == 20, 8, "the target that works")
    state = wait(lambda: site.status()["endpoints"].get("to-folder", {}).get("state") == "paused" and site.status()["endpoints"]["to-folder"], 10,
                 "the folder to be shown as hanging")
    equal(state["code"], "endpoint.hung", "why")
    code, out, err = site.type("status", "--problems", "--site", site.path)
    check(code == 1 and "to-folder" in out, code, out)
    took = site.stop(within=10)
    print(f"# it took {took:.1f} s to end with a hung process")
    site.start()
    site.wait_files("out", 20, 10)
    site.idle()
    equal(site.dead(), [], "dead letters")
    equal(site.doubts(), [], "doubts")
    equal(site.hidden("out"), [], "hidden files")


@test("a source that hangs is shown as hanging, and what it holds comes after a restart")
def hung_source(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site.flow(INTAKE)
    to_folder(site, "folder", "out/$(.n).json")
    things(site, 0, 3)
    site.start("--watchdog", "1s", env={"FERRULE_FAULTS": "receive.settling:1=hang"}, ready=False)
    state = wait(lambda: site.status()["endpoints"].get("intake", {}).get("code") and site.status()["endpoints"]["intake"], 10,
                 "the source to be shown as hanging")
    equal(state["code"], "endpoint.hung", "why")
    site.wait_files("out", 3, 10)
    site.stop(within=10)
    site.start()
    wait(lambda: not site.files("in"), 10, "the file to be put away")
    site.idle()
    equal(site.files("out"), ["0.json", "1.json", "2.json"], "delivered")
    equal(site.dead() + site.doubts(), [], "dead letters and doubts")


main()
