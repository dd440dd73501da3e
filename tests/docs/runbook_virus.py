#!/usr/bin/env python3
"""docs/runbooks/virus-found.md, with a real clamd that has one signature of our own: it is away, finds something, and is mended."""
import os
import shutil
import subprocess

import runbook
from bed import Skip, check, equal, main, test, wait

EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
FLOW = """
flow: acme-files
owner: purchasing
from: {file: 'drop/*', after: archive, age: 0s, interval: 50ms}
steps:
  - scan: {clamd: CLAMD, prove: 1h}
to: {file: 'out/$($envelope.name)', create: yes, exists: refuse}
effect: rename
retry: {for: 1h, from: 200ms, to: 1s}
"""


class Clamd:
    """Its signatures: EICAR's, which each scanner has, and a word of ours."""

    def __init__(self, site):
        self.site, self.program = site, shutil.which("clamd") or "/usr/sbin/clamd"
        if not os.path.exists(self.program):
            raise Skip("there is no clamd: apt-get install clamav-daemon")
        self.at = os.path.join(site.work, "clamd.ctl")
        os.makedirs(os.path.join(site.work, "database"))
        with open(os.path.join(site.work, "clamd.conf"), "w") as file:
            file.write(f"DatabaseDirectory {site.work}/database\nLocalSocket {self.at}\nForeground yes\nTemporaryDirectory {site.work}\n"
                       f"SelfCheck 0\nPidFile {site.work}/clamd.pid\n")

    def start(self, *words):
        with open(os.path.join(self.site.work, "database", "own.ndb"), "w") as file:
            for name, text in words:
                file.write(f"{name}:0:*:{text.encode().hex()}\n")
        self.process = self.site.spawn([self.program, "--config-file", os.path.join(self.site.work, "clamd.conf")])
        wait(lambda: os.path.exists(self.at) or self.process.poll() is not None, 30, "clamd")
        if self.process.poll() is not None:
            raise Skip("clamd does not start here")

    def stop(self):
        self.process.kill()
        self.process.wait()
        if os.path.exists(self.at):
            os.unlink(self.at)


@test("the page for a virus: documents wait for a scanner, what it finds goes nowhere, and what was none passes when it is mended")
def virus_found(site):
    scanner = Clamd(site)
    site.flow(FLOW.replace("CLAMD", scanner.at))
    site.start()
    site.drop("drop/good.csv", "an order")
    wait(lambda: "scan.unavailable" in site.type("status", "--problems")[1], 20, "the scanner to be missed")
    page = runbook.Page(site, "virus-found", {"FLOW": "acme-files"})
    page.type("ferrule status --problems", code=1)
    scanner.start(("No.Eicar", "something else"))  # without signatures: it scans nothing
    wait(lambda: "scan.unproved" in site.type("status", "--problems")[1], 20, "the scanner to prove nothing")
    equal(site.files("out"), [], "what passed unscanned")
    scanner.stop()
    scanner.start(("Own.Eicar", EICAR), ("Own.Virus", "a bad order"), ("Own.Mistake", "an odd order"))
    wait(lambda: site.files("out") == ["good.csv"], 30, "what had waited")

    site.drop("drop/bad.csv", "a bad order")
    site.drop("drop/odd.csv", "an odd order")
    wait(lambda: len(site.dead()) == 2, 20, "two findings")
    number = {letter["document"].rsplit("/")[-1]: letter["number"] for letter in site.dead()}
    said = page.type("ferrule dead list --cause")
    check("bad.csv" in said and "odd.csv" in said, said)
    page.words["show 1"] = f"show {number['bad.csv']}"
    check("Own.Virus" in page.type("ferrule dead show"), "the finding is not told")
    page.type("ferrule hold")
    site.drop("drop/held.csv", "a third order")
    page.words["replay 1"], page.words["discard 1"] = f"replay {number['odd.csv']}", f"discard {number['bad.csv']}"
    scanner.stop()
    scanner.start(("Own.Eicar", EICAR), ("Own.Virus", "a bad order"))
    page.type("ferrule dead replay")
    page.type("ferrule resume")
    wait(lambda: len(site.files("out")) == 3, 30, "the mistake, and what was held")
    page.type("ferrule dead discard")
    check("bad.csv" not in page.type("ferrule dead list"), "it is not over")
    wait(lambda: "No problems" in site.type("status", "--problems")[1], 10, "it to be over")
    page.type("ferrule status --problems")
    equal(site.files("out"), ["good.csv", "held.csv", "odd.csv"], "what passed")
    page.over()


main()
