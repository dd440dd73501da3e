"""What transfers promise on whatever server a partner has, by SFTP and by FTP alike: sizes, temporary names, progress, sidecars and
retention. `register(on)` makes tests of them, each on the servers of `on`."""
import fcntl
import hashlib
import json
import os
import pty
import re
import struct
import subprocess
import termios

from bed import FERRULE, Skip, check, equal, has_faults, wait

FETCH = """
transfer: fetch
owner: edi
from: {%s: 'outbox/*.dat', system: acme, age: 0s, interval: 200ms%s}
%sto: {file: 'got/$($envelope.name)', create: yes}
effect: rename
"""
SEND = """
transfer: send
owner: edi
from: {file: 'drop/*.dat', age: 0s, interval: 100ms%s}
%sto: {%s: 'inbox/$($envelope.name)', system: acme}
effect: rename
"""
promises = []


def fetch(server, source="", more="", name="fetch"):
    return FETCH.replace("transfer: fetch", f"transfer: {name}") % (server.word, source, more)


def fetching(site, server, source="", more=""):
    server.describe(site)
    site.write("transfers/fetch.yaml", fetch(server, source, more))


def sending(site, server, source="", more=""):
    server.describe(site)
    site.write("transfers/send.yaml", SEND % (source, more, server.word))


def promise(sentence):
    def note(function):
        promises.append((sentence, function))
        return function
    return note


def register(on):
    for sentence, function in promises:
        on(sentence)(function)


@promise("a file of a size that is not allowed is put with the refused ones and said with both numbers, the others are taken")
def sizes(site, server):
    fetching(site, server, ", min-size: 10, max-size: 100, empty: refuse")
    for name, size in (("none", 0), ("small", 9), ("least", 10), ("most", 100), ("large", 101)):
        server.put("outbox", f"{name}.dat", b"x" * size)
    site.do("check")
    site.run_until_idle()
    equal(site.files("got"), ["least.dat", "most.dat"], "what was taken")
    equal([name for name in server.names("outbox") if name.startswith("rejected/")],
          ["rejected/large.dat", "rejected/none.dat", "rejected/small.dat"], "what was refused")
    for text in ("large.dat has 101 bytes, more than max-size: 100", "none.dat is empty, and empty: refuse", "small.dat has 9 bytes, less than min-size: 10"):
        check(site.said(text), "nothing says:", text)


@promise("an empty file is taken where nothing else is said, whatever the least size")
def empty(site, server):
    fetching(site, server, ", min-size: 10")
    server.put("outbox", "none.dat", b"")
    site.run_until_idle()
    equal(site.files("got"), ["none.dat"], "what was taken")


@promise("temporary names are left alone, whoever writes them, until they have their own")
def temporary(site, server):
    names = ["a.tmp", "b.part", "c.partial", "d.filepart", "e.crdownload", ".hidden", "~$f.doc", "g.dat~"]
    server.describe(site)
    site.write("transfers/fetch.yaml", fetch(server).replace("*.dat", "*"))
    site.write("transfers/busy.yaml", fetch(server, ", ignore: '*.busy'", name="busy").replace("outbox/*.dat", "inbox/*").replace("got/", "got/own-"))
    for name in names:
        server.put("outbox", name, "half of it")
    server.put("outbox", "whole.edi", "whole")
    server.put("inbox", "h.busy", "half of it")
    server.put("inbox", "i.part", "no half for those who say what is")
    site.do("check")
    site.start()
    wait(lambda: site.files("got") == ["own-i.part", "whole.edi"], 20, "what is whole")
    server.put("outbox", "last.edi", "last")  # a look that began behind all of them
    wait(lambda: "last.edi" in site.files("got"), 20, "another")
    site.idle()
    equal(site.files("got"), ["last.edi", "own-i.part", "whole.edi"], "what was taken")
    equal(sorted(name for name in server.names("outbox") if not name.startswith("archive/")), sorted(names), "what is left alone")
    equal([name for name in server.names("inbox") if not name.startswith("archive/")], ["h.busy"], "what is left alone by a pattern of one's own")
    os.rename(server.at("outbox/b.part"), server.at("outbox/b.edi"))
    wait(lambda: "b.edi" in site.files("got"), 20, "what got its own name")


@promise("of a long transfer status tells how far it is, both ways, and `transfer run --wait` until it is over")
def progress(site, server):
    fetching(site, server, more="bandwidth: 400KB/s\nschedule: '0 3 1 1 *'\n")
    sending(site, server, more="bandwidth: 400KB/s\n")
    body = os.urandom(1600000)
    site.start()
    server.put("outbox", "long.dat", body)
    site.drop("drop/away.dat", body)
    run = subprocess.Popen([FERRULE, "transfer", "run", "fetch", "--wait", "--site", site.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = {}

    def both():
        for one in site.status()["moving"]:
            if 0 < one["done"] < one["total"]:
                seen[one["endpoint"]] = one
        return len(seen) == 2
    wait(both, 20, "both to be told")
    for endpoint, direction, name in (("fetch", "in", "long.dat"), ("send", "out", "inbox/away.dat")):
        one = seen[endpoint]
        equal((one["direction"], one["name"], one["total"]), (direction, name, 1600000), "what is told")
        check(0 < one["rate"] < 800000, "how fast", one)
        check(one["left_ms"] > 0, "how long", one)
    equal(seen["send"]["attempt"], 1, "which attempt")
    said, line = site.do("status"), re.compile(r"away.dat goes out at send: [0-9.]+ [kM]B of 1.6 MB \([0-9]+ %\), [0-9.]+ kB/s")
    check(line.search(said) or not site.status()["moving"], said)
    out, _ = run.communicate(timeout=30)
    equal((run.returncode, out.decode()), (0, "fetch: done, 1 file\n"), "what run --wait ends with")
    equal(site.files("got"), ["long.dat"], "delivered when it ends")
    site.idle()
    wait(lambda: site.status()["moving"] == [], 5, "nothing to move")


def on_terminal(columns, *words):
    """A verb as a person at a terminal of so many columns types it: what it printed, and what came over the terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.Popen([FERRULE, *words], stdin=slave, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # it ended, and with it its end of the terminal
            break
    os.close(master)
    out, _ = run.communicate(timeout=30)
    return run.returncode, out.decode(), shown.decode()


@promise("at a terminal `transfer run --wait` writes each state over the one before, within a line, and takes it away in the end")
def terminal(site, server):
    fetching(site, server, more="bandwidth: 400KB/s\nschedule: '0 3 1 1 *'\n")
    name = "a ü name that does not fit into one line " + "x" * 60 + ".dat"
    site.start()
    server.put("outbox", name, os.urandom(2400000))
    code, out, shown = on_terminal(80, "transfer", "run", "fetch", "--wait", "--site", site.path)
    equal((code, out), (0, "fetch: done, 1 file\n"), "what it ends with")
    states = [state for state in shown.split("\r") if state]
    check(len([state for state in states if state.strip()]) >= 3, "how far it is was not shown again and again:", shown)
    check("\n" not in shown, "more than one line:", shown)
    check(max(map(len, states)) < 80, "longer than the terminal is wide:", shown)
    check("2.4 MB (" in shown and " %)" in shown, "it is not said how far it is:", shown)
    check(shown.endswith("\r") and not states[-1].strip() and len(states[-1]) >= len(states[-2].rstrip()), "the last state is left standing:", repr(shown[-200:]))


def digest(kind, body):
    return hashlib.new(kind, body).hexdigest()


@promise("a file is taken when its sidecar is there and says the same; both go into the archive, by whatever form of sidecar")
def paired(site, server):
    forms = {"sha256": (".sha256", lambda body: f"{digest('sha256', body)}  a.dat\n"), "sha512": (".sha512", lambda body: f"SHA512 (a.dat) = {digest('sha512', body)}\n"),
             "md5": (".md5", lambda body: digest("md5", body)), "totals": (".ctl", lambda body: f"bytes={len(body)}\nlines={body.count(10)}\n")}
    server.describe(site)
    for name, (suffix, _) in forms.items():
        os.makedirs(server.at("outbox", name), exist_ok=True)
        os.chown(server.at("outbox", name), os.stat(server.at("outbox")).st_uid, os.stat(server.at("outbox")).st_gid)
        site.write(f"transfers/{name}.yaml", fetch(server, f", sidecar: {suffix}", name=name)
                   .replace("outbox/*.dat", f"outbox/{name}/*.dat").replace("got/", f"got/{name}-"))
    site.do("check")
    site.start()
    for name in forms:
        server.put(f"outbox/{name}", "a.dat", f"first\n{name}\n")
    wait(lambda: all(site.status()["endpoints"].get(name, {}).get("halves") for name in forms), 20, "all of them to be told as waiting")
    equal(site.files("got"), [], "what was taken without a sidecar")
    said = site.do("status")
    check("sha256: a.dat waits for a.dat.sha256 since" in said, said)
    for name, (suffix, make) in forms.items():
        server.put(f"outbox/{name}", "a.dat" + suffix, make(f"first\n{name}\n".encode()))
    site.wait_files("got", 4, 20)
    site.idle()
    left = {name for name in server.names("outbox")}
    for name, (suffix, _) in forms.items():
        equal(sorted(n.split("/")[-1] for n in left if n.startswith(f"{name}/archive/")), ["a.dat", "a.dat" + suffix], f"archived of {name}")
        check(not [n for n in left if n.startswith(f"{name}/") and "/archive/" not in n], "left behind", left)
    wait(lambda: not any(site.status()["endpoints"].get(name, {}).get("halves") for name in forms), 10, "nothing to wait")


@promise("a file that is not what its sidecar says is put with the refused ones, the sidecar with it, and both digests are said")
def mismatch(site, server):
    fetching(site, server, ", sidecar: .sha256")
    server.put("outbox", "bad.dat", "what came")
    server.put("outbox", "bad.dat.sha256", digest("sha256", b"what was sent") + "  bad.dat\n")
    server.put("outbox", "weak.dat", "weak")
    server.put("outbox", "weak.dat.sha256", digest("md5", b"weak"))
    server.put("outbox", "good.dat", "good")
    server.put("outbox", "good.dat.sha256", digest("sha256", b"good"))
    site.start()
    site.wait_files("got", 1, 20)
    wait(lambda: site.status()["endpoints"]["fetch"].get("refused", {}).get("count") == 2, 10, "two to be refused")
    site.idle()
    equal(site.files("got"), ["good.dat"], "what was taken")
    equal([n for n in server.names("outbox") if n.startswith("rejected/")],
          ["rejected/bad.dat", "rejected/bad.dat.sha256", "rejected/weak.dat", "rejected/weak.dat.sha256"], "what was refused")
    equal(server.read("outbox/rejected/bad.dat"), b"what came", "its bytes")
    said = site.said("sidecar.mismatch")
    check(digest("sha256", b"what came") in said and digest("sha256", b"what was sent") in said, said)
    check("2 files refused" in site.do("status"), "status does not say so")


@promise("a file whose sidecar never comes, and a sidecar whose file never comes, become a problem with its owner")
def halves(site, server):
    fetching(site, server, ", sidecar: .md5, sidecar-within: 1s")
    server.put("outbox", "alone.dat", "x")
    server.put("outbox", "lost.dat.md5", digest("md5", b"y"))
    server.put("outbox", "void.dat", "x")
    server.put("outbox", "void.dat.md5", "")
    site.start()

    def problem():
        found = [p for p in json.loads(site.type("status", "--problems", "--json")[1])["problems"] if "wait" in p["what"]]
        return found[0] if found and len(found[0]["keys"]) == 3 else None
    found = wait(problem, 15, "the problem")
    equal(sorted(found["keys"]), ["alone.dat (no alone.dat.md5)", "lost.dat.md5 (no lost.dat)", "void.dat (no void.dat.md5)"], "which wait")
    equal(found["owner"], "edi", "whom to ask")
    equal(site.files("got"), [], "what was taken")
    equal(len(server.names("outbox")), 4, "all of them are where they were")


def crash(site, fault):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site.start(env={"FERRULE_FAULTS": f"{fault}=kill", "FERRULE_FAULT_MARKS": site.work}, ready=False)
    wait(lambda: os.path.exists(os.path.join(site.work, fault.split(":")[0] + ".struck")), 20, f"the fault {fault}")


@promise("killed between a file and its sidecar, both are in the archive in the end, and the file was taken once")
def killed_between(site, server):
    fetching(site, server, ", sidecar: .sha256, after: delete")
    site.write("transfers/keep.yaml", fetch(server, ", sidecar: .sha256", name="keep").replace("*.dat", "*.edi").replace("got/", "got/kept-"))
    for name in ("a.dat", "a.edi"):
        server.put("outbox", name, name)
        server.put("outbox", name + ".sha256", digest("sha256", name.encode()))
    crash(site, "remote.archived:1")
    site.wait_files("got", 2, 20)
    site.idle()
    equal(sorted(n.split("/")[-1] for n in server.names("outbox")), ["a.edi", "a.edi.sha256"], "what is left there")
    check(all(n.startswith("archive/") for n in server.names("outbox")), server.names("outbox"))


MAKE = "steps:\n  - checksum: {make: sha256}\n"


@promise("a sidecar that is made goes out behind its file, each once, though the site is killed between the two")
def made(site, server):
    sending(site, server, more=MAKE)
    body = os.urandom(100000)
    site.drop("drop/a.dat", body)
    # behind the first delivery's effect, in front of its receipt; and behind the receipt, in front of the second
    crash(site, "deliver.done:1")
    wait(lambda: server.names("inbox") == ["a.dat", "a.dat.sha256"], 20, "both")
    site.idle()
    check(os.stat(server.at("inbox/a.dat")).st_ctime_ns <= os.stat(server.at("inbox/a.dat.sha256")).st_ctime_ns, "the sidecar came first")
    equal(server.read("inbox/a.dat") == body, True, "the bytes")
    equal(server.read("inbox/a.dat.sha256").decode(), f"{digest('sha256', body)}  a.dat\n", "the sidecar")
    equal((site.dead(), site.doubts()), ([], []), "nothing is dead or in doubt")
    delivered = [t for t in site.ask("status", "--totals")["totals"] if t["stage"] in ("delivered", "resolved")]
    equal(sum(t["count"] for t in delivered), 2, "deliveries")


def aged(site, table, wanted):
    """Those notes of the archive as if they were of long ago."""
    for entry in site.ask("table", "list", table)["entries"]:
        if wanted(entry["value"]):
            source, at, name = entry["key"].split("/")
            site.do("table", "remove", table, entry["key"], "--site", site.path)
            site.do("table", "put", table, f"{source}/{int(at) - 91 * 86400000:013}/{name}", json.dumps(entry["value"]), "--site", site.path)


@promise("what a crash left in the archive under a number, since its name was taken, is removed in time, too")
def numbered(site, server):
    fetching(site, server, ", sidecar: .md5", "retain: 90d\n")
    server.put("outbox", "a.dat", "one", ago=50)
    server.put("outbox", "a.dat.md5", digest("md5", b"one"), ago=50)
    site.run_until_idle()
    server.put("outbox", "a.dat", "three", ago=20)
    server.put("outbox", "a.dat.md5", digest("md5", b"three") + " *a.dat", ago=20)
    crash(site, "archive.noting:1")
    site.idle()
    site.stop()
    day = "outbox/archive/" + os.listdir(server.at("outbox/archive"))[0]
    equal(sorted(os.listdir(server.at(day))), ["a.2.dat", "a.2.dat.md5", "a.dat", "a.dat.md5"], "the archive")
    equal((len(site.ask("table", "list", "ferrule-archiving")["entries"]), len(site.ask("table", "list", "ferrule-archived")["entries"])), (2, 2), "intents and notes")
    aged(site, "ferrule-archiving", lambda value: True)
    site.start()
    wait(lambda: not site.ask("table", "list", "ferrule-archiving")["entries"], 20, "the intents to be looked at")
    equal(sorted(os.listdir(server.at(day))), ["a.dat", "a.dat.md5"], "what is left")
    server.put("outbox", "a.dat", "seven!!", ago=5)
    server.put("outbox", "a.dat.md5", digest("md5", b"seven!!"), ago=5)
    wait(lambda: len(site.ask("table", "list", "ferrule-archived")["entries"]) == 4, 20, "the next to be noted")
    equal(site.ask("table", "list", "ferrule-archiving")["entries"], [], "no intent is left, though its name was taken")


@promise("a name that is no UTF-8 is read in the character set that the source names, and leaves the archive in time")
def foreign_names(site, server):
    if server.kind == "pyftpdlib":
        raise Skip("this server shows ? in place of such bytes, and does not take them in a request")
    fetching(site, server, ", names: windows-1252", "retain: 90d\n")
    name = os.fsdecode(b"M\xfcller \x80.dat")
    server.put("outbox", name, "x", ago=5)
    site.start()
    site.wait_files("got", 1, 20)
    equal(site.files("got"), ["Müller €.dat"], "what was delivered")
    site.idle()
    wait(lambda: len(site.ask("table", "list", "ferrule-archived")["entries"]) == 1, 10, "the note")
    site.stop()
    day = "outbox/archive/" + os.listdir(server.at("outbox/archive"))[0]
    equal(os.listdir(server.at(day)), [name], "the archive")
    aged(site, "ferrule-archived", lambda value: True)
    site.start()
    wait(lambda: not os.listdir(server.at(day)), 20, "the archive to be tidied")


@promise("killed behind the file's receipt the sidecar still follows, once")
def made_between(site, server):
    sending(site, server, more=MAKE)
    site.drop("drop/a.dat", b"x" * 1000)
    crash(site, "deliver.settled:1")
    wait(lambda: server.names("inbox") == ["a.dat", "a.dat.sha256"], 20, "both")
    site.idle()
    equal((site.dead(), site.doubts()), ([], []), "nothing is dead or in doubt")
    equal(server.names("inbox"), ["a.dat", "a.dat.sha256"], "what is there")


@promise("what was archived is removed when its time is over, and nothing else: not what is younger, changed, foreign or a link")
def retained(site, server):
    fetching(site, server, ", sidecar: .md5", "retain: 90d\n")
    for name in ("old.dat", "young.dat", "changed.dat", "linked.dat"):
        server.put("outbox", name, name, ago=5)
        server.put("outbox", name + ".md5", digest("md5", name.encode()), ago=5)
    site.start()
    site.wait_files("got", 4, 20)
    site.idle()
    wait(lambda: len(site.ask("table", "list", "ferrule-archived")["entries"]) == 8, 10, "all of them to be noted")
    site.stop()
    day = "outbox/archive/" + os.listdir(server.at("outbox/archive"))[0]
    # all but `young` came long ago; two are not what they were; and somebody keeps a file of his own there
    aged(site, "ferrule-archived", lambda value: "young" not in value["path"])
    for path in ("../../etc/passwd", "outbox/keep.edi", day + "/../../keep.edi"):
        site.do("table", "put", "ferrule-archived", f"fetch/0000000000001/{path.replace('/', '_')}", json.dumps({"path": path, "size": 4, "time": 1000}), "--site", site.path)
    server.put("outbox", "keep.edi", "keep")
    os.utime(server.at("outbox/keep.edi"), (1, 1))
    server.put(day, "changed.dat", "changed since")
    server.put(day, "foreign.dat", "old.dat", ago=5)
    os.unlink(server.at(day, "linked.dat"))
    os.symlink("foreign.dat", server.at(day, "linked.dat"))
    site.start()
    wait(lambda: site.said("past its time, removed") and len(site.ask("table", "list", "ferrule-archived")["entries"]) == 2, 20, "the archive to be tidied")
    equal(sorted(os.listdir(server.at(day))), ["changed.dat", "foreign.dat", "linked.dat", "young.dat", "young.dat.md5"], "what is left in the archive")
    equal(os.path.exists(server.at("outbox/keep.edi")), True, "what lies outside of it")
    equal(site.files("got"), ["changed.dat", "linked.dat", "old.dat", "young.dat"], "what was delivered")
