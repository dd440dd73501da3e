#!/usr/bin/env python3
"""`make bench`: figures of the whole program, as JSON lines. usage: bench.py BUILD-DIRECTORY [--smoke] [PART…]

Each figure is measured beside a yardstick in the same run, in turns, and reported as the median: the ratio is what
counts, a rate alone says more of the machine. What lacks its server is a line with "skipped". --smoke: a fraction of
everything, only to see that it runs.
"""
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import lab  # noqa: E402  the servers

SMOKE = "--smoke" in sys.argv[2:]
BUILD = os.path.abspath(sys.argv[1])
FERRULE = os.path.join(BUILD, "ferrule")
LIMIT_S = 170 if "--smoke" in sys.argv[2:] else 900  # of everything
MIB = 1 << 20

LINES = [("HP-2040", "4", "618.00", "GOLD-12M", "HYDRAULIC PUMP 40 L/MIN"), ("HS-1210", "40", "9.50", None, "HYDRAULIC HOSE 3/8 IN 2 WIRE"),
         ("SK-0007", "8", "36.25", None, "SEAL KIT PUMP SERIES 20")]


def say(name, **figures):
    print(json.dumps({"bench": name, **figures}), flush=True)


def rounded(value):
    return float(f"{value:.3g}")


# ---- a partner's files ----------------------------------------------------------------------------------------------

def order(control, number):
    segments = [f"ST*850*{control:04}", f"BEG*00*SA*{number}**20260302", "CUR*BY*USD",
                "PER*BD*DANA WHITFIELD*TE*15035550142*EM*ORDERS@ACME.EXAMPLE", "DTM*002*20260316", "N9*ZZ*NOTE", "MSG*DELIVER TO DOCK 4 ONLY",
                "N1*BY*ACME DISTRIBUTION INC*92*ACME-0042", "N1*ST*ACME PORTLAND DC*92*0042", "N3*1200 HARBOR AVENUE*DOCK 4",
                "N4*PORTLAND*OR*97201*US"]
    for at, (part, quantity, price, service, text) in enumerate(LINES, 1):
        segments.append(f"PO1*{at}*{quantity}*EA*{price}**VP*{part}*BP*778-{at:04}" + (f"*SV*{service}" if service else ""))
        segments.append(f"PID*F****{text}")
    segments += [f"CTT*{len(LINES)}", "AMT*TT*3142.00"]
    return segments + [f"SE*{len(segments) + 1}*{control:04}"]


def interchange(control, orders):
    segments = [f"ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260302*0615*U*00401*{control:09}*0*P*>",
                f"GS*PO*ACME*HQ*20260302*0615*{control}*X*004010"]
    for at in range(orders):
        segments += order(at + 1, f"PO-{control}-{at}")
    segments += [f"GE*{orders}*{control}", f"IEA*1*{control:09}"]
    return "~\n".join(segments) + "~\n"


# ---- a site, running -------------------------------------------------------------------------------------------------

class Site:
    """The sample order-to-cash, looking into its drop folder ten times a second, with a support tool beside it."""

    def __init__(self, root, settings="", secrets=None):
        self.root, self.path, self.process, self.said = root, os.path.join(root, "site"), None, []
        self.run_tool("init", self.path, "--template", "order-to-cash")
        self.amend("flows/acme-orders.yaml", "# interval: 1s", "interval: 100ms")
        self.amend("site.yaml", "\nlisten:", "\n" + settings + "\nlisten:")
        for name, value in (secrets or {}).items():
            lab.write(os.path.join(self.path, "secrets", name), value, 0o600)
        for folder in ("drop/acme", "drop/erp/in", "drop/finance", "staging"):
            os.makedirs(os.path.join(self.path, folder))
        self.effects = os.path.join(root, "support.jsonl")
        port = os.path.join(root, "support.port")
        self.support = subprocess.Popen([os.path.join(BUILD, "tests/lab/counterpart"), "serve", "--idempotent", "--log", self.effects, "--port-file",
                                         port], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.wait_for(lambda: lab.read(port), 20, "the support tool")
        self.env = {**os.environ, "LISTEN_PORT": "0", "ACME_AGE": "0s", "SUPPORT_URL": "http://127.0.0.1:" + lab.read(port).strip()}
        self.control = 0

    def amend(self, path, what, by):
        path = os.path.join(self.path, path)
        text = lab.read(path)
        if what not in text:
            raise lab.Failure(f"{path} has no {what!r}")
        lab.write(path, text.replace(what, by, 1))

    @staticmethod
    def run_tool(*words):
        subprocess.run([FERRULE, *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=30)

    def start(self, seconds=30):
        """Starts it; how long until it said that it was ready."""
        began, ready = time.monotonic(), threading.Event()
        self.process = subprocess.Popen([FERRULE, "run", self.path], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.said = []

        def listen(stream):
            for line in stream:
                self.said.append(line)
                if "ready site=" in line:
                    self.took = time.monotonic() - began
                    ready.set()

        threading.Thread(target=listen, args=(self.process.stderr,), daemon=True).start()
        if not ready.wait(seconds):
            raise lab.Failure("the site is not ready: " + "".join(self.said[-5:]))
        return self.took

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self):
        self.stop()
        self.support.kill()
        self.support.wait()

    def processes(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += [int(child) for child in lab.read(f"/proc/{pid}/task/{pid}/children").split()]
        return found

    def memory(self):
        """The sum of the proportional set sizes, in MiB, and of how many processes."""
        sizes = [re.search(r"^Pss: +(\d+) kB", lab.read(f"/proc/{pid}/smaps_rollup"), re.M) for pid in self.processes()]
        return sum(int(size.group(1)) for size in sizes if size) / 1024, len(sizes)

    # ---- the main job
    def files(self, files, orders):
        paths = []
        for _ in range(files):
            self.control += 1
            paths.append(os.path.join(self.path, "staging", f"{self.control:06}.edi"))
            lab.write(paths[-1], interchange(self.control, orders))
        return paths

    def delivered(self):
        folders = [sum(not entry.name.startswith(".") for entry in os.scandir(os.path.join(self.path, folder)))
                   for folder in ("drop/erp/in", "drop/finance")]
        return min(*folders, lab.read(self.effects).count("\n"))

    def job(self, paths, orders, seconds=60):
        """Moves the files into the drop folder; the time until all three subscribers have every order."""
        goal = self.delivered() + orders
        began = time.monotonic()
        for path in paths:
            os.rename(path, os.path.join(self.path, "drop/acme", os.path.basename(path)))
        lab.wait_for(lambda: self.delivered() >= goal, seconds, f"{orders} orders, {self.delivered()} of {goal} are there")
        return time.monotonic() - began

    def steps(self, paths):
        done = subprocess.run([os.path.join(BUILD, "tests/bench/steps"), self.path, "acme-orders", *paths], env=self.env, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60)
        return json.loads(done.stdout)


# ---- the figures -----------------------------------------------------------------------------------------------------

def bench_machine():
    makefile = lab.read(os.path.join(BUILD, "Makefile"))
    flags = re.search(r"^CFLAGS = (.*)$", makefile, re.M).group(1)
    faults = bool(re.search(r"^#define FERRULE_FAULTS", lab.read(os.path.join(BUILD, "config.h")), re.M))
    if not SMOKE and (faults or not re.search(r"-O[23]", flags)):
        print(f"bench: {BUILD} is not built as a release is ({flags}{', fault points' if faults else ''}): these figures say little."
              " ./bootstrap build, then make -C build/release bench", file=sys.stderr)
    say("machine", cores=os.cpu_count(), load=os.getloadavg()[0], cflags=flags, faults=faults, date=time.strftime("%Y-%m-%d"))


def bench_program(name, *arguments, env=None):
    # Its output goes to a file: a child that outlives it keeps no end of a pipe of ours.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+", errors="replace") as trouble:
        done = subprocess.run([os.path.join(BUILD, "tests/bench", name), *arguments], env=env, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=trouble, timeout=LIMIT_S, check=False)
        out.seek(0)
        for line in out:
            say(**{("name" if key == "bench" else key): value for key, value in json.loads(line).items()})
        trouble.seek(0)
        said = trouble.read()
    if done.returncode:
        raise lab.Failure(f"{name} {' '.join(arguments)} ended with {done.returncode}: " + "; ".join(said.strip().splitlines()[-8:]))


def python_checks(folder, name, document, rounds, seconds):
    """The same by Python's jsonschema, documents a second; None where it is not installed."""
    try:
        import jsonschema
    except ImportError:
        return None
    load = lambda contract: json.loads(lab.read(os.path.join(folder, contract + ".schema.json")))  # noqa: E731
    keywords = {}
    try:
        from referencing import Registry, Resource
        keywords["registry"] = Registry(retrieve=lambda uri: Resource.from_contents(load("/".join(uri.split("/")[-2:]))))
    except ImportError:
        pass
    validator, rates = jsonschema.Draft202012Validator(load(name), **keywords), []
    for _ in range(rounds):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            if not validator.is_valid(document):
                raise lab.Failure("Python's jsonschema finds a fault in the order")
            count += 1
        rates.append(count / (time.perf_counter() - began))
    return statistics.median(rates)


def bench_schema(root):
    """An order of 20 lines, as the sample's mapping makes it, against its contract."""
    source, canonical = os.path.dirname(os.path.dirname(HERE)), os.path.join(os.path.dirname(os.path.dirname(HERE)), "config/canonical")
    mapping = os.path.join(source, "config/sample/order-to-cash/mappings/acme-850-to-order.jq")
    few = LINES[:]
    LINES.extend(LINES[at % len(few)] for at in range(17))
    text = interchange(1, 1)
    LINES[:] = few
    decoded = subprocess.run([FERRULE, "decode", "x12"], input=text, check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout
    order = subprocess.run([FERRULE, "map", mapping], input=decoded, check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout
    path = os.path.join(root, "order.json")
    lab.write(path, order)
    rounds, seconds = (1, 0.05) if SMOKE else (5, 0.4)
    done = subprocess.run([os.path.join(BUILD, "tests/bench/schema"), canonical, "order/v1", path, str(rounds), str(seconds)], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60)
    figures = json.loads(done.stdout)
    figures["name"] = figures.pop("bench")
    python = python_checks(canonical, "order/v1", json.loads(order), rounds, seconds)
    if python:
        ratio = figures["checked_per_s"] / python
        figures.update(python_jsonschema_per_s=rounded(python), ratio=round(ratio, 1), goal=20, reached=ratio >= 20)
    say(**figures)


DICE = random.Random(4)
GOODS = ("HEX BOLT M8X40, ZINC", "HYDRAULIC HOSE 3/8 IN", "PALLET WRAP", "SAFETY GLOVES NITRILE LARGE", "STEEL BRACKET 300 MM, GALVANISED", "OLIVE OIL 1 L")


def edi_number(digits):
    return DICE.randrange(1, 10 ** DICE.randint(1, digits))


def edi_850(number):
    segments = [f"BEG*00*SA*PO{edi_number(8)}**20260302", "CUR*BY*USD", f"REF*DP*{edi_number(3)}", f"N1*ST*ACME PORTLAND DC*92*{edi_number(6):02}", "N3*1200 HARBOR AVENUE*DOCK 4", "N4*PORTLAND*OR*97201*US"]
    for at in range(1, (lines := DICE.randint(14, 26)) + 1):
        segments += [f"PO1*{at}*{edi_number(3)}*EA*{edi_number(3)}.{DICE.randint(10, 99)}*PE*BP*{edi_number(7)}*VP*V-{edi_number(5)}*UP*{edi_number(12)}", f"PID*F****{DICE.choice(GOODS)}"]
        if DICE.random() < 0.7:
            segments.append(f"PO4*{edi_number(2)}*{edi_number(2)}*EA")
        if DICE.random() < 0.4:
            segments.append("DTM*002*20260316")
    return [*segments, f"CTT*{lines}"]


def edi_810(number):
    segments = [f"BIG*20260302*INV{edi_number(7)}*20260228*PO{edi_number(8)}***DI", "CUR*SE*USD", f"N1*RE*ACME DISTRIBUTION INC*92*{edi_number(6):02}", "N3*1200 HARBOR AVENUE", "N4*PORTLAND*OR*97201*US"]
    total = 0
    for at in range(1, (lines := DICE.randint(14, 26)) + 1):
        quantity, price = edi_number(3), edi_number(3) * 100 + DICE.randint(10, 99)
        total += quantity * price
        segments.append(f"IT1*{at}*{quantity}*EA*{price // 100}.{price % 100}**UP*{edi_number(12)}*VN*V-{edi_number(5)}*BP*{edi_number(7)}")
        if DICE.random() < 0.5:
            segments.append(f"CTP*RS*RTL*{edi_number(3)}.{DICE.randint(10, 99)}")
        segments.append(f"PID*F****{DICE.choice(GOODS)}")
        if DICE.random() < 0.3:
            segments.append(f"SAC*A*C310***{edi_number(4)}********ALLOWANCE")
    return [*segments, f"TDS*{total}", f"CTT*{lines}"]


def edi_orders(number):
    segments = [f"BGM+220+PO{edi_number(8)}+9", "DTM+137:20260302:102", "FTX+DIN+++MARK EACH BOX?: BUYER?'S NUMBER", f"NAD+BY+{edi_number(13)}::9++ACME+HARBOUR ROAD 12+LEEDS++LS1 4AP+GB", "CUX+2:EUR:9"]
    for at in range(1, (lines := DICE.randint(14, 26)) + 1):
        segments += [f"LIN+{at}++{edi_number(13)}:EN", f"PIA+1+{edi_number(7)}:IN+V-{edi_number(5)}:SA", f"IMD+F+8+:::{DICE.choice(GOODS)}", f"QTY+21:{edi_number(3)}:PCE"]
        if DICE.random() < 0.5:
            segments.append("DTM+2:20260316:102")
        segments += [f"MOA+203:{edi_number(3)}.{DICE.randint(10, 99)}", f"PRI+AAA:{edi_number(3)}.{DICE.randint(10, 99)}:CT:NTP:1:PCE"]
    return [*segments, "UNS+S", f"CNT+2:{lines}"]


def edi_file(path, kind, size):
    """An interchange of so many bytes."""
    x12 = kind != "orders"
    end, plus, make = ("~", "*", {"850": edi_850, "810": edi_810}[kind]) if x12 else ("'", "+", edi_orders)
    head = ["ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260302*0615*U*00401*000000001*0*P*>", f"GS*{'PO' if kind == '850' else 'IN'}*ACME*HQ*20260302*0615*1*X*004010"]
    with open(path, "w", encoding="ascii") as file:
        written = file.write(end.join(head) + end if x12 else "UNA:+.? 'UNB+UNOC:3+5412345000013:14+8712345000028:14+260302:0615+REF1'")
        number = 0
        while written < size:
            number += 1
            body = make(number)
            first, last = (f"ST*{kind}*{number:09}", f"SE*{len(body) + 2}*{number:09}") if x12 else (f"UNH+{number}+ORDERS:D:96A:UN:EAN008", f"UNT+{len(body) + 2}+{number}")
            written += file.write(end.join([first, *body, last]) + end)
        file.write(f"GE*{number}*1~IEA*1*000000001~" if x12 else f"UNZ+{number}+REF1'")


def bench_edi(root):
    """Decoding, plain and nested with every check, and encoding beside a loop that only takes segments apart and writes the plain JSON."""
    path = os.path.join(root, "edi")
    for kind in ("850", "810", "orders"):
        edi_file(path, kind, (1 if SMOKE else 50) * 1000000)
        done = subprocess.run([os.path.join(BUILD, "tests/bench/edi"), path, "edifact" if kind == "orders" else "x12", "1" if SMOKE else "5",
                               "edifact-d96a-orders.yaml" if kind == "orders" else f"x12-004010-{kind}.yaml"], check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, timeout=100)
        figures = json.loads(done.stdout)
        say(f"edi_{kind}", mb=round(figures["bytes"] / 1e6), plain_mb_s=rounded(figures["plain"]), decode_mb_s=rounded(figures["decode"]), decode_ratio=figures["decode_ratio"], decode_goal=0.6,
            nested_mb_s=rounded(figures["nested"]), nested_ratio=figures["nested_ratio"], nested_goal=0.35,
            encode_mb_s=rounded(figures["encode"]), encode_ratio=figures["encode_ratio"], encode_goal=0.5, decode_memory_kb=figures["memory_kb"],
            reached=figures["decode_ratio"] >= 0.6 and figures["nested_ratio"] >= 0.35 and figures["encode_ratio"] >= 0.5)
    os.unlink(path)


# ---- lines -----------------------------------------------------------------------------------------------------------

def csv_file(path, size):
    """A table as an ERP writes it: some fields in quotes, some with characters beyond ASCII."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        written, number = file.write("order,customer,date,sku,text,quantity,price,currency\r\n"), 0
        while written < size:
            number += 1
            text = DICE.choice(["HYDRAULIC PUMP 40 L/MIN", "HYDRAULIC HOSE 3/8 IN 2 WIRE", '"SEAL KIT, PUMP ""20"""', "MÜLLER & SÖHNE"])
            written += file.write(f"PO-{number},C{edi_number(6)},2026-03-02,HP-{edi_number(4)},{text},{edi_number(3)},{edi_number(4)}.{DICE.randint(10, 99)},EUR\r\n")


def fixed_file(path, size):
    """Orders of fixed positions: a header and its lines."""
    with open(path, "w", encoding="ascii") as file:
        written, number = 0, 0
        while written < size:
            number += 1
            written += file.write(f"HDPO-{number:07}C{edi_number(6):07}20260302EUR\n")
            for at in range(DICE.randint(2, 9)):
                written += file.write(f"LN{at + 1:04}HP-{edi_number(4):05}{DICE.choice(GOODS)[:30]:30}{edi_number(3):06}{edi_number(6):09}+EA{DICE.choice(['A', 'B'])}\n")


FIXED_LAYOUT = """type: {at: 1, length: 2}
records:
  header:
    when: HD
    fields: [{name: kind, length: 2}, {name: order, length: 10}, {name: customer, length: 8}, {name: date, length: 8, type: date, format: YYYYMMDD}, {name: currency, length: 3}]
  line:
    when: LN
    fields:
      [{name: kind, length: 2}, {name: position, length: 4, type: number}, {name: article, length: 8}, {name: text, length: 30}, {name: quantity, length: 6, type: number},
       {name: price, length: 10, type: number, decimals: 2, sign: trailing}, {name: unit, length: 2}, {name: class, length: 1}]
"""


def bench_lines(root):
    """Formats of lines beside memchr over the same bytes."""
    path, layout = os.path.join(root, "lines"), os.path.join(root, "layout.yaml")
    lab.write(layout, FIXED_LAYOUT)
    for name, make, words in (("csv", csv_file, ["csv"]), ("fixed_width", fixed_file, ["fixed-width", "layout=" + layout])):
        make(path, (1 if SMOKE else 50) * 1000000)
        done = subprocess.run([os.path.join(BUILD, "tests/bench/scan"), path, "1" if SMOKE else "5", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=100)
        figures = json.loads(done.stdout)
        say(name, mb=round(figures["bytes"] / 1e6), lines=figures["lines"], json_mb=round(figures["json"] / 1e6), memchr_mb_s=rounded(figures["memchr"]), decode_mb_s=rounded(figures["decode"]),
            decode_ratio=figures["ratio"], decode_memory_kb=figures["memory_kb"])
    os.unlink(path)


def xml_file(path, size):
    """Orders in one document."""
    with open(path, "w", encoding="utf-8") as file:
        written, number = file.write('<?xml version="1.0" encoding="UTF-8"?>\n<Orders xmlns="urn:example:order">\n'), 0
        while written < size:
            number += 1
            lines = "".join(f'<Line no="{at}"><Item>{DICE.choice(GOODS)}</Item><Quantity unit="EA">{edi_number(3)}</Quantity><Price>{edi_number(3)}.50</Price></Line>\n' for at in range(1, DICE.randint(14, 26)))
            written += file.write(f'<Order id="PO-{number}"><Date>2026-03-02</Date><Buyer><Name>ACME DISTRIBUTION INC</Name><Id scheme="92">{edi_number(6)}</Id></Buyer>\n{lines}</Order>\n')
        file.write("</Orders>\n")


def bench_xml(root):
    """Splitting XML by a path beside the reader of libxml2, which only goes from node to node."""
    path = os.path.join(root, "xml")
    xml_file(path, (1 if SMOKE else 50) * 1000000)
    done = subprocess.run([os.path.join(BUILD, "tests/bench/scan"), path, "1" if SMOKE else "5", "xml", "each=/Orders/Order"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=100)
    figures = json.loads(done.stdout)
    say("xml_split", mb=round(figures["bytes"] / 1e6), json_mb=round(figures["json"] / 1e6), reader_mb_s=rounded(figures["memchr"]), split_mb_s=rounded(figures["decode"]), split_ratio=figures["ratio"],
        split_memory_kb=figures["memory_kb"])
    os.unlink(path)


def bench_start(site):
    site.start()  # the first makes the database
    site.stop()
    took = []
    for _ in range(1 if SMOKE else 7):
        took.append(site.start() * 1000)
        site.stop()
    median = statistics.median(took)
    say("start_to_ready", starts=len(took), median_ms=round(median), worst_ms=round(max(took)), goal_ms=300, reached=median < 300)


def bench_memory(site):
    site.start()
    time.sleep(0.5 if SMOKE else 3)
    size, processes = site.memory()
    say("idle_memory", processes=processes, pss_mib=round(size, 1), goal_mib=60, reached=size < 60)


def bench_job(site, name, rounds, files, orders):
    """Running already. The first round warms up: it compiles expressions, grows windows."""
    rates, yardsticks = [], []
    site.job(site.files(1, 2), 2)
    for _ in range(rounds):
        paths = site.files(files, orders)
        steps = site.steps(paths)
        if steps["orders"] != files * orders or steps["dead"]:
            raise lab.Failure(f"the yardstick made {steps}")
        yardsticks.append(steps["orders"] / steps["seconds"])
        rates.append(files * orders / site.job(paths, files * orders))
    ratio = statistics.median(rate / yardstick for rate, yardstick in zip(rates, yardsticks))
    say(name, rounds=rounds, orders=files * orders, files=files, subscribers=3, orders_per_s=rounded(statistics.median(rates)),
        steps_alone_per_s=rounded(statistics.median(yardsticks)), ratio=round(ratio, 2))


def bench_one_machine(root):
    site = Site(root)
    try:
        bench_start(site)
        bench_memory(site)
        bench_job(site, "main_job_spool", *((1, 1, 3) if SMOKE else (3, 10, 50)))
        lab.wait_for(lambda: True, 1, "")
        size, processes = site.memory()
        say("memory_after_main_job", processes=processes, pss_mib=round(size, 1))
    finally:
        site.close()


ROUND_TRIP_MS = 20


def bench_sftp(root):
    """Against OpenSSH on this machine, beside OpenSSH's own client; then over a long line."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lab/sftp-openssh.sh")
    if os.geteuid() != 0 or not os.path.exists("/usr/sbin/sshd") or not shutil.which("sftp"):
        say("sftp", skipped="an SFTP server with accounts of its own needs root")
        return
    folder = os.path.join(root, "lab")
    with tempfile.TemporaryFile("w+") as out:
        subprocess.run([script, "up", folder, "--while", str(os.getpid())], check=True, stdin=subprocess.DEVNULL, stdout=out, timeout=60)
        out.seek(0)
        server = dict(line.strip().split("=", 1) for line in out)
    line = None
    try:
        shutil.copy(os.path.join(server["SFTP_KEYS"], "acme"), os.path.join(server["SFTP_KEYS"], "key"))

        def run(port, name, mode, *amounts):
            known = os.path.join(root, "known." + port)
            lab.write(known, lab.read(server["SFTP_KNOWN_HOSTS"]).replace(f":{server['SFTP_PORT']} ", f":{port} "))
            bench_program("sftp", server["SFTP_HOST"], port, "acme", server["SFTP_KEYS"], known, name, mode, "inbox", *amounts)

        here = server["SFTP_PORT"]
        run(here, "sftp", "large", *(("4", "1") if SMOKE else ("512", "3")))
        run(here, "sftp_small", "small", *(("20", "1") if SMOKE else ("2000", "3")))
        run(here, "sftp_memory", "memory", *(("1", "4") if SMOKE else ("1", "64", "512", "4096")))
        line = subprocess.Popen([os.path.join(BUILD, "tests/bench/delay"), here, str(1 if SMOKE else ROUND_TRIP_MS / 2)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        there = line.stdout.readline().strip()
        run(there, "sftp_20ms", "large", *(("4", "1") if SMOKE else ("512", "3")))
        run(there, "sftp_20ms_small", "small", *(("20", "1") if SMOKE else ("2000", "1", "300")))
    finally:
        if line:
            line.kill()
            line.wait()
        subprocess.run([script, "down", folder], check=False, stdin=subprocess.DEVNULL, timeout=60)


def bench_openpgp(root):
    """Encrypting beside gpg with the same key, neither of them compressing."""
    if not shutil.which("gpg"):
        say("openpgp_encrypt", skipped="there is no gpg")
        return
    keyring, path = os.path.join(root, "keys"), os.path.join(root, "file")
    os.mkdir(keyring, 0o700)
    try:
        subprocess.run(["gpg", "--homedir", keyring, "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "bench <bench@example.com>", "default", "default", "2y"],
                       check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        listed = subprocess.run(["gpg", "--homedir", keyring, "--batch", "--with-colons", "--list-keys"], check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stdout
        with open(path, "wb") as file:
            for _ in range(1 if SMOKE else 256):
                file.write(DICE.randbytes(MIB))
        bench_program("pgp", keyring, re.search(r"^fpr:+([0-9A-F]+):", listed, re.M).group(1), path, "1" if SMOKE else "3")
    finally:
        subprocess.run(["gpgconf", "--homedir", keyring, "--kill", "all"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)


def bench_several(root):
    """With RabbitMQ and PostgreSQL."""
    try:
        servers = lab.Servers()
    except lab.Skip as why:
        for name in ("amqp_hop", "main_job_amqp"):
            say(name, skipped=str(why))
        return
    site = None
    try:
        bench_program("hop_amqp", *(("200", "1") if SMOKE else ("6000", "5")), env={**os.environ, **servers.env})
        settings, secrets = servers.settings(f"bench{random.randrange(10**6)}")
        site = Site(root, settings, secrets)
        site.start(60)
        bench_job(site, "main_job_amqp", *((1, 1, 3) if SMOKE else (3, 10, 50)))
    finally:
        if site:
            site.close()
        servers.down()


PARTS = {"spool": lambda root: bench_program("hop_spool", *(("300", "1") if SMOKE else ("20000", "5"))), "schema": bench_schema, "edi": bench_edi,
         "lines": bench_lines, "xml": bench_xml, "sftp": bench_sftp, "openpgp": bench_openpgp,
         "one_machine": bench_one_machine, "several": bench_several}
ONLY = [word for word in sys.argv[2:] if word != "--smoke"]


def main():
    if wrong := [word for word in ONLY if word not in PARTS]:
        print(f"bench: there is no part {wrong[0]}, only {', '.join(PARTS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(lab.Failure(f"not done after {LIMIT_S} s")))
    signal.alarm(LIMIT_S)
    root = tempfile.mkdtemp(prefix="ferrule-bench-")
    try:
        bench_machine()
        for name, part in PARTS.items():
            if not ONLY or name in ONLY:
                os.mkdir(os.path.join(root, name))
                part(os.path.join(root, name))
    except (lab.Failure, subprocess.SubprocessError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        signal.alarm(0)
        shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
