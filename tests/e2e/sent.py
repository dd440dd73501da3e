#!/usr/bin/python3
"""Copies of what is delivered (`to: {…, archive: FOLDER}`): each once with the bytes that went out, whatever is killed; found; removed in time."""
import hashlib
import json
import os

from bed import FERRULE, Skip, check, equal, has_faults, lines, main, read, test, wait  # noqa: F401
from sftp_lab import on_both

FLOW = """
transfer: out
owner: edi
from: {file: 'drop/*.dat', age: 0s, interval: 100ms}
%sto: {file: 'got/$($envelope.name)', create: yes, exists: replace, archive: sent/acme%s}
effect: rename
retry: {for: 1h, from: 20ms, to: 100ms}
"""
SEND = """
transfer: send
owner: edi
from: {file: 'drop/*.dat', age: 0s, interval: 100ms}
steps:
  - gzip: {}
  - checksum: {make: sha256}
to: {sftp: 'inbox/$($envelope.name)', system: acme, archive: sent/acme/}
effect: rename
retry: {for: 1h, from: 20ms, to: 100ms}
"""


def kept(site, folder="sent/acme"):
    """{DAY/NAME: bytes} of the archive, and the hidden names."""
    top, found, hidden = site.at(folder), {}, []
    for where, _, names in os.walk(top):
        for name in names:
            path = os.path.relpath(os.path.join(where, name), top)
            if name.startswith("."):
                hidden.append(path)
            else:
                with open(os.path.join(where, name), "rb") as file:
                    found[path] = file.read()
    return found, hidden


def notes(site):
    return site.ask("table", "list", "ferrule-sent")["entries"]


def noted(site, found):
    """Each copy has one note, which says what it is."""
    values = sorted((n["value"] for n in notes(site)), key=lambda v: v["path"])
    equal([v["path"] for v in values], sorted(f"sent/acme/{path}" for path in found), "what is noted")
    for value in values:
        body = found[value["path"][len("sent/acme/"):]]
        equal((value["sha256"], value["size"]), (hashlib.sha256(body).hexdigest(), len(body)), value["path"])


@test("a copy of each delivered file is kept by day, noted with its digest, shown by `transfer sent` and by trace")
def keeps(site):
    site.write("transfers/out.yaml", FLOW % ("", ""))
    site.do("check")
    for body in (b"one", b"two", b""):
        site.drop("drop/a.dat", body)
        site.run_until_idle()
    found, hidden = kept(site)
    equal(sorted(name.split("/")[1] for name in found), ["a.2.dat", "a.3.dat", "a.dat"], "the copies")
    equal(sorted(found.values()), [b"", b"one", b"two"], "their bytes")
    equal(hidden, [], "hidden names")
    noted(site, found)
    copies = site.ask("transfer", "sent", "out")["copies"]
    equal([c["size"] for c in copies], [3, 3, 0], "what transfer sent shows")
    check(copies[0]["sha256"] in site.do("transfer", "sent", "out", "--site", site.path), "not for people")
    check("archived: " + copies[0]["path"] in site.do("trace", copies[0]["message"], "--site", site.path), "trace does not show it")


@on_both("what goes out by SFTP is kept as it was sent, the compressed file and its sidecar, though the site is killed at each point")
def killed_everywhere(site, server):
    if not has_faults():
        raise Skip("built without --enable-faults")
    server.describe(site)
    site.write("transfers/send.yaml", SEND)
    points = ["kept.written", "kept.named", "kept.held", "kept.placed", "kept.synced", "kept.forgotten", "remote.renamed", "deliver.intended", "deliver.done",
              "deliver.settled"]
    for point in points:
        site.drop(f"drop/{point}.dat", os.urandom(5000))
        site.start(env={"FERRULE_FAULTS": f"{point}:1=kill", "FERRULE_FAULT_MARKS": site.work}, ready=False)
        wait(lambda: os.path.exists(os.path.join(site.work, point + ".struck")), 20, point)  # pylint: disable=cell-var-from-loop
        wait(lambda: len(server.names("inbox")) == 2 * (points.index(point) + 1), 20, "both")  # pylint: disable=cell-var-from-loop
        site.idle()
        site.stop()
    site.run_until_idle()
    found, hidden = kept(site)
    equal({name.split("/")[1]: body for name, body in found.items()}, {name: server.read("inbox", name) for name in server.names("inbox")}, "the copies")
    equal(hidden, [], "hidden names")
    noted(site, found)
    equal((site.dead(), site.doubts()), ([], []), "nothing is dead or in doubt")


@test("an archive that takes nothing stops the delivery before it goes out, and it goes on by itself")
def full(site):
    site.write("transfers/out.yaml", FLOW % ("", ""))
    site.write("sent", "a file where the folder should be")
    site.drop("drop/a.dat", b"one")
    site.start()
    wait(lambda: site.said("cannot open the archive"), 20, "its word")
    equal(site.files("got"), [], "what went out")
    os.unlink(site.at("sent"))
    site.wait_files("got", 1, 30)
    site.idle()
    found, hidden = kept(site)
    equal((list(found.values()), hidden), ([b"one"], []), "the copy")


@test("copies past their time are removed, and nothing else: not what is younger, changed or foreign")
def retained(site):
    site.write("transfers/out.yaml", FLOW % ("", ", retain: 90d"))
    site.do("check")
    for name in ("old", "young", "changed"):
        site.drop(f"drop/{name}.dat", name.encode())
    site.run_until_idle()
    found, _ = kept(site)
    day = os.path.dirname(next(iter(found)))
    equal(len(found), 3, "copies")
    for note in notes(site):
        if "young" in note["value"]["path"]:
            continue
        source, at, key = note["key"].split("/")
        site.do("table", "remove", "ferrule-sent", note["key"], "--site", site.path)
        site.do("table", "put", "ferrule-sent", f"{source}/{int(at) - 91 * 86400000:013}/{key}", json.dumps(note["value"]), "--site", site.path)
    site.do("table", "put", "ferrule-sent", "out/0000000000001/x", json.dumps({"path": "got/old.dat", "size": 3, "time": 1}), "--site", site.path)
    for name in ("changed", "foreign"):
        site.write(f"sent/acme/{day}/{name}.dat", "something else")
    site.start()
    wait(lambda: len(notes(site)) == 1, 20, "the archive to be tidied")
    equal(sorted(os.listdir(site.at("sent/acme", day))), ["changed.dat", "foreign.dat", "young.dat"], "what is left")
    equal(site.files("got"), ["changed.dat", "old.dat", "young.dat"], "what was delivered")


@test("what a source archived is removed in time though the source itself is away")
def away(site):
    site.write("transfers/in.yaml", "transfer: in\nowner: edi\nretain: 90d\nfrom: {file: 'drop/*.dat', after: archive, to: old, age: 0s, interval: 100ms}\n"
               "to: {file: 'got/$($envelope.name)', create: yes}\neffect: rename\n")
    site.drop("drop/a.dat", b"one")
    site.run_until_idle()
    note = site.ask("table", "list", "ferrule-archived")["entries"][0]
    source, at, key = note["key"].split("/")
    site.do("table", "remove", "ferrule-archived", note["key"], "--site", site.path)
    site.do("table", "put", "ferrule-archived", f"{source}/{int(at) - 91 * 86400000:013}/{key}", json.dumps(note["value"]), "--site", site.path)
    os.rename(site.at("drop"), site.at("gone"))
    site.start(folders=False)
    wait(lambda: site.said("source fails"), 20, "the source to fail")
    wait(lambda: not kept(site, "old")[0], 20, "the archive to be tidied")


@test("what was archived when a crash kept it from being noted is removed in time, too")
def unnoted(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site.write("transfers/in.yaml", "transfer: in\nowner: edi\nretain: 90d\nfrom: {file: 'drop/*.dat', after: archive, to: old, age: 0s, interval: 100ms, sidecar: .md5}\n"
               "to: {file: 'got/$($envelope.name)', create: yes}\neffect: rename\n")
    site.drop("drop/a.dat.md5", hashlib.md5(b"one").hexdigest().encode())
    site.drop("drop/a.dat", b"one")
    site.start(env={"FERRULE_FAULTS": "archive.noting:1=kill", "FERRULE_FAULT_MARKS": site.work}, ready=False)
    wait(lambda: os.path.exists(os.path.join(site.work, "archive.noting.struck")), 20, "the fault")
    site.idle()
    intents = site.ask("table", "list", "ferrule-archiving")["entries"]
    equal((len(kept(site, "old")[0]), len(intents), site.ask("table", "list", "ferrule-archived")["entries"]), (2, 2, []), "archived, not noted")
    site.stop()
    for note in intents:
        source, at, key = note["key"].split("/")
        site.do("table", "remove", "ferrule-archiving", note["key"], "--site", site.path)
        site.do("table", "put", "ferrule-archiving", f"{source}/{int(at) - 91 * 86400000:013}/{key}", json.dumps(note["value"]), "--site", site.path)
    site.start()
    wait(lambda: not kept(site, "old")[0] and not site.ask("table", "list", "ferrule-archiving")["entries"], 20, "the archive to be tidied")
    site.drop("drop/b.dat.md5", hashlib.md5(b"two").hexdigest().encode())
    site.drop("drop/b.dat", b"two")
    wait(lambda: len(site.ask("table", "list", "ferrule-archived")["entries"]) == 2, 20, "the next to be noted")
    equal(site.ask("table", "list", "ferrule-archiving")["entries"], [], "no intent is left")


main()
