#!/usr/bin/env python3
"""Every command of docs/operating.md, in its order, against the sample site."""
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import FERRULE, Failure, Target, check, equal, free_port, main, test, wait  # noqa: E402

GUIDE = os.path.join(os.environ.get("FERRULE_SRCDIR") or os.path.dirname(os.path.dirname(HERE)), "docs", "operating.md")

# A target that takes the call and drops the connection before it answers, and keeps no keys: every call is a doubt.
DESK = """
flow: orders-to-desk
owner: service-desk
subscribe: order.received.v1
steps:
  - filter: .number == "PO-4711" or .number == "PO-4759"
  - encode: json
to: {operation: desk.put}
effect: none
"""

# Waits longer than the test.
WEEKLY = """
flow: orders-weekly
owner: service-desk
subscribe: order.received.v1
steps:
  - collect: {by: '"all"', within: 7d}
  - encode: json
to: {file: 'drop/weekly/$($envelope.id).json', create: yes, exists: refuse}
effect: rename
"""

# May end with 1: they report.
REPORTS = ("ferrule status --problems", "ferrule status --until-idle")


def blocks():
    """[(section, [command])]"""
    found, section, inside = [], "", False
    with open(GUIDE) as file:
        for line in file.read().splitlines():
            if line.startswith("## "):
                section = line[3:]
            if line.startswith("```"):
                inside = line == "```sh"
                if inside:
                    found.append((section, []))
            elif inside:
                found[-1][1].append(line)
    return found


class Operator:
    def __init__(self, site):
        self.site = site
        self.port = free_port()
        self.target = Target(site, "support", "--idempotent")
        self.desk = Target(site, "desk", "--plain", "--drop-after-effect", "1")
        self.environment = dict(os.environ, LISTEN_PORT=str(self.port), ACME_AGE="0s", SUPPORT_URL=self.target.url,
                                PATH=os.path.dirname(FERRULE) + ":" + os.environ["PATH"])
        os.rmdir(site.path) if not os.listdir(site.path) else subprocess.run(["rm", "-r", site.path], check=True)
        self.shell(f"ferrule init {site.path}", cwd=site.root)
        site.system("desk", self.desk.url, operations="  put: {method: POST, path: '/$(.number)'}")
        site.flow(DESK)
        site.flow(WEEKLY)
        os.makedirs(site.at("drop", "acme"))

    def shell(self, command, cwd=None):
        done = subprocess.run(["bash", "-c", command], cwd=cwd or self.site.path, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.out, self.err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        return done.returncode

    def start(self):
        self.site.start(env=self.environment)

    def copy(self, name):
        with open(self.site.at("input", "acme", name), "rb") as file:
            content = file.read()
        self.site.drop("drop/acme/" + name, content)

    def letters(self):
        equal(self.shell("ferrule dead list --json"), 0, "dead list")
        return self.out

    def doubts(self):
        self.shell("ferrule doubt list --json")
        return re.findall(r'"key": "([0-9a-f]{64})"', self.out)

    def fit(self, command):
        """The ids and the port of this site in place of those that the guide names."""
        if "doubt " in command:
            keys = self.doubts()
            if len(keys) > 0:
                command = command.replace("3fa9c1d2e4b5", keys[0][:12])
                command = command.replace("77b0aa1c93de", keys[-1][:12])
        return command.replace(":8080", f":{self.port}")

    def type(self, section, command):
        code = self.shell(self.fit(command))
        allowed = (0, 1) if command.startswith(REPORTS) else (0,)
        check(code in allowed, f"{section}: `{command}` ended with {code}: {self.out[-400:]} {self.err[-400:]}")
        print(f"# {code} {command}", flush=True)


def broken_and_mended(operator):
    """Two dead letters: 1 can be mended, 2 cannot."""
    for name in sorted(os.listdir(operator.site.at("input", "acme"))):
        if name.endswith(".edi"):
            operator.copy(name)
    wait(lambda: '"number": 1' in operator.letters(), 15, "the first dead letter")
    operator.site.drop("drop/acme/garbage.edi", "no interchange at all")
    wait(lambda: '"number": 2' in operator.letters(), 15, "the second dead letter")
    with open(operator.site.at("input", "acme", "20260303-acme-0004.edi")) as file:
        text = file.read()
    operator.site.write("mended.edi", text.replace("SE*22*0003", "SE*21*0003"))


def before(operator, section, command):
    """What must have happened by then."""
    if command == "ferrule collect list":
        wait(lambda: operator.shell("ferrule collect show 1") == 0, 15, "something that waits for others")
    if command.startswith("ferrule dead discard"):  # the one that was mended went through, to the desk, too
        wait(lambda: len(operator.doubts()) == 2, 15, f"two doubts; there are {operator.doubts()}")
    if section == "Logs" and operator.site.supervisor.poll() is None:
        operator.site.stop()
    if section == "Health and metrics" and operator.site.supervisor.poll() is not None:
        operator.start()


def after(operator, command):
    out = operator.out
    for start, words in {"ferrule trace PO-4711": ("PO-4711", "delivered"), "ferrule dead show 1": ("x12", "acme-0004"),
                         "ferrule dead list": ("keys or document",), "ferrule doubt show": ("PO-4", "desk"),
                         "ferrule replay acme-orders --since": ("would replay",), "ferrule doubt list": ("orders-to-desk",),
                         "ferrule hold": ("06:00",), "curl -fsS http://127.0.0.1:8080/readyz": ("ready",),
                         "curl -fsS http://127.0.0.1:8080/metrics": ("ferrule_dead_letters", "ferrule_endpoint_up"),
                         "ferrule dead replay 1": ("replayed 1",), "ferrule dead edit": ("edited 1",)}.items():
        if command.startswith(start):
            for word in words:
                check(word in out, f"`{command}` does not say {word}: {out[-600:]}")
    if command.startswith("kill $"):
        operator.site.supervisor.wait(timeout=12)


@test("every command of the operating guide works as it stands")
def guide(site):
    operator = Operator(site)
    operator.start()
    broken_and_mended(operator)
    wait(lambda: operator.shell("ferrule trace PO-4711") == 0 and operator.out.count("delivered") >= 3, 15, "PO-4711 to be delivered")
    count = 0
    for section, commands in blocks():
        for command in commands:
            before(operator, section, command)
            operator.type(section, command)
            after(operator, command)
            count += 1
    check(count > 35, f"only {count} commands were found")


@test("the guide names every metric as it is")
def metrics(site):
    operator = Operator(site)
    operator.start()
    operator.shell(f"curl -fsS http://127.0.0.1:{operator.port}/metrics")
    with open(GUIDE) as file:
        named = set(re.findall(r"`(ferrule_\w+)`", file.read()))
    check(len(named) > 5, named)
    for name in named - {"ferrule_endpoint_up"}:
        if name.startswith("ferrule_expectation"):
            continue  # the sample expects nothing; tests/e2e/expect.py does
        check(f"\n{name}" in operator.out, name, "is not in", operator.out)


if __name__ == "__main__":
    main()
