#!/usr/bin/env python3
"""Troubles of a site on two machines: what only one machine's processes know is told by the other, too, by name; owners are reminded
of it once for each interval, whichever has the steward and though that one is killed; and a machine that is gone is told of."""
import atexit
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import lab  # noqa: E402
from bed import Site, Skip, Target, check, equal, free_port, main, read, test, wait  # noqa: E402
from daemons import MailServer  # noqa: E402

REMIND = 7
ORDERS = """
flow: orders
owner: sales
runbook: https://example.net/orders
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
to: {operation: good.put}
effect: none
---
flow: alerts
owner: operations
subscribe: [ferrule.still-open.v1, ferrule.endpoint-paused.v1, ferrule.disk-low.v1]
steps:
  - use: {snippet: ferrule-alert, with: {within: 200ms, again: 4h}}
publish: alert.raised.v1
---
flow: alerts-mail
owner: operations
subscribe: alert.raised.v1
to: {mail: ops@example.org, from: ferrule@example.org, subject: '$(.title)', text: '$(.text)', host: 127.0.0.1, port: MAIL, tls: none}
effect: {key: '$(.id)', remembers: forever}
"""


SERVERS = []  # one RabbitMQ and one PostgreSQL for all of the tests


def servers():
    if not SERVERS:
        try:
            SERVERS.append(lab.Servers())
        except lab.Skip as why:
            raise Skip(str(why)) from None
        atexit.register(SERVERS[0].down)
    return SERVERS[0]


class Two:
    """The machines `here` and `there`, with a store and queues of their own."""
    count = 0

    def __init__(self, site):
        Two.count += 1
        self.settings = servers().settings(f"remind{Two.count}")
        self.here, self.there = site, Site()
        self.names = {self.here: "here", self.there: "there"}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            for line in self.there.tail(15):
                print(f"#   the other machine: {line[:300]}")
        for machine in self.names:
            machine.close(keep=machine is self.here)

    def prepare(self, flows, url, only_there=""):
        settings, secrets = self.settings
        for machine in self.names:
            machine.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n"
                          f"alerts: {{remind: {REMIND}s}}\nvault: {os.path.join(self.here.root, 'vault')}\n" + settings)
            for name, value in secrets.items():
                machine.secret(name, value)
            machine.write("flows/all.yaml", flows.lstrip("\n"))
            machine.system("good", url)
            if machine is self.there and only_there:
                machine.write("flows/there.yaml", only_there.lstrip("\n"))

    def start(self, machine, **options):
        machine.start(env={"FERRULE_MACHINE": self.names[machine]}, **options)


def problem(machine, name):
    found = [p for p in machine.status()["problems"] if p["problem"] == name]
    check(len(found) < 2, found)
    return found[0] if found else None


def reminders(mail, words):
    return [m["parts"][0]["text"] for m in mail.mails() if "still open" in m["headers"]["Subject"] and words in m["parts"][0]["text"]]


def numbers(texts):
    return [int(re.search(r"reminder (\d+)", text).group(1)) for text in texts]


@test("a folder that only one machine misses is told by the other, and reminded of once for each interval though the steward's machine is killed")
def moved(site):
    with Two(site) as two:
        mail = MailServer(site, "smtp")
        two.prepare(ORDERS.replace("MAIL", str(mail.port)), f"http://127.0.0.1:{free_port()}")
        two.start(two.here)
        two.there.make_folders()
        os.rmdir(two.there.at("in"))
        two.start(two.there, folders=False)
        name = wait(lambda: [p["problem"] for p in two.there.status()["problems"]], 20, "the trouble there")[0]
        wait(lambda: problem(two.here, name), 20, "the trouble of the other machine")
        equal(problem(two.here, name)["machines"], ["there"], "whose it is")
        equal(two.here.status()["machine"], "here", "this machine")
        equal([m["machine"] for m in two.here.status()["machines"]], ["there"], "the other")
        out = two.here.do("status", two.here.path)
        check("there: source" in out, out)
        out = two.here.type("status", "--problems", "--site", two.here.path)[1]
        check("machine  there" in out, out)

        wait(lambda: reminders(mail, "cannot be asked"), 30, "the first reminder")
        check(two.here.said("still open owner=sales") and not two.there.said("still open"), "the one without the trouble is to remind of it")
        text, first = reminders(mail, "cannot be asked")[0], time.monotonic()
        check("(there)" in text and "runbook: https://example.net/orders" in text and "next: " in text, text)
        wait(lambda: not any(q["ready"] or q["unsettled"] for q in two.here.status()["queues"] if q["name"].startswith("out.alerts")), 10, "its receipt")
        two.here.kill_all()
        wait(lambda: [m for m in mail.mails() if "source orders" in m["headers"]["Subject"] and "(there)" in m["headers"]["Subject"]], 20, "the alert, with its machine")
        wait(lambda: len(reminders(mail, "cannot be asked")) >= 2, 40, "the second, of the other machine")
        check(time.monotonic() - first > REMIND - 2, "it came at once")
        wait(lambda: len(reminders(mail, "cannot be asked")) >= 3, 40, "the third")
        equal(numbers(reminders(mail, "cannot be asked")), [1, 2, 3], "which they were")

        os.makedirs(two.there.at("in"))
        wait(lambda: not problem(two.there, name), 10, "it to be over")
        two.start(two.here)
        wait(lambda: not problem(two.here, name), 10, "it to be over, as the other is told")
        count = len(reminders(mail, "cannot be asked"))
        time.sleep(REMIND + 3)
        equal(len(reminders(mail, "cannot be asked")), count, "reminders after it was over")


@test("a target that both machines miss is one trouble of two, reminded of once, until both reach it")
def both(site):
    with Two(site) as two:
        mail = MailServer(site, "smtp")
        port = free_port()
        two.prepare(ORDERS.replace("MAIL", str(mail.port)), f"http://127.0.0.1:{port}")
        for machine in two.names:
            two.start(machine)
        for n in range(8):
            for machine in two.names:
                machine.drop(f"in/{n}.json", {"n": f"{n}-{two.names[machine]}"})
        wait(lambda: all(sorted((problem(m, "paused orders") or {}).get("machines", [])) == ["here", "there"] for m in two.names), 30,
             "the trouble of both, on both")
        wait(lambda: len(reminders(mail, "is paused")) >= 3, 60, "three reminders")
        texts = reminders(mail, "is paused")
        equal(numbers(texts), list(range(1, len(texts) + 1)), "which they were")
        check(all(text.count("reminder ") == 1 for text in texts), texts)
        # The first may come while only one of them has missed it; after it, both have.
        check(all("(here, there)" in text.replace("there, here", "here, there") for text in texts[1:]), texts)
        check("runbook: https://example.net/orders" in texts[0] and "next: repair it" in texts[0], texts[0])

        target = Target(site, "good", port=port)
        wait(lambda: not any(problem(m, "paused orders") for m in two.names), 60, "both to reach it")
        two.here.idle()
        count = len(reminders(mail, "is paused"))
        time.sleep(REMIND + 3)
        equal(len(reminders(mail, "is paused")), count, "reminders after it was over")
        check(target.effects(), "nothing was delivered")


@test("a disk that is full on the other machine is told here and reminded of with its name, and over when there is room again")
def disk(site):
    with Two(site) as two:
        mail = MailServer(site, "smtp")
        data = two.there.at("data")
        os.makedirs(data)
        if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m,mode=0700", "ferrule-test", data], stderr=subprocess.DEVNULL).returncode:
            raise Skip("a disk of its own can be made by root only")
        try:
            two.prepare(ORDERS.replace("MAIL", str(mail.port)), f"http://127.0.0.1:{free_port()}")
            for machine in two.names:
                two.start(machine)
            with open(os.path.join(data, "dump"), "wb") as dump:
                dump.write(bytes(shutil.disk_usage(data).free - (1 << 19)))
            wait(lambda: problem(two.here, "disk there"), 20, "the disk of the other machine")
            check(two.here.status()["accepting"] and not two.there.status()["accepting"], "who accepts")
            wait(lambda: reminders(mail, "the disk of there is nearly full"), 30, "a reminder")
            check("next: make room" in reminders(mail, "the disk of there")[0], reminders(mail, "the disk of there"))
            check([m for m in mail.mails() if "nothing is accepted (there)" in m["headers"]["Subject"]], [m["headers"]["Subject"] for m in mail.mails()])
            os.unlink(os.path.join(data, "dump"))
            wait(lambda: not problem(two.here, "disk there"), 20, "room again")
        finally:
            if two.there.supervisor:
                two.there.stop()
            subprocess.run(["umount", "-l", data], check=False)


@test("a machine that is killed is told of as gone, with what was wrong there, until it is back; one that ends as it should is not")
def gone(site):
    with Two(site) as two:
        mail = MailServer(site, "smtp")
        two.prepare(ORDERS.replace("MAIL", str(mail.port)), f"http://127.0.0.1:{free_port()}")
        two.start(two.here)
        two.there.make_folders()
        os.rmdir(two.there.at("in"))
        two.start(two.there, folders=False)
        name = wait(lambda: [p["problem"] for p in two.here.status()["problems"]], 20, "the trouble there")[0]
        two.there.kill_all()
        left = wait(lambda: problem(two.here, "gone there"), 60, "the machine to be missed")
        check("cannot be asked" in left["what"] and "forgotten at" in left["next"], left)
        equal(problem(two.here, name), None, "what nobody knows any more")
        two.start(two.there)
        wait(lambda: not two.here.status()["problems"], 20, "it to be back")
        two.there.stop()
        equal([two.here.status()["problems"], two.here.status()["machines"]], [[], []], "what an orderly end leaves")
        check(b"is gone: it ended" in read(two.here.log_path), "the log does not tell")


main()
