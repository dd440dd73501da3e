#!/usr/bin/env python3
"""Lines of syslog, to a real rsyslog: what arrives over each way, what data cannot do to it, and what happens while it is away."""
import re
import socket
import struct

from bed import Skip, check, equal, has_faults, main, test, wait
from daemons import Rsyslog, certificate

INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
publish: thing.v1
"""


def flow(site, name, to, effect="none"):
    site.flow(f"""
flow: {name}
owner: tests
subscribe: thing.v1
to: {{syslog: '$(.text)', {to}}}
effect: {effect}
retry: {{for: 1h, from: 100ms, to: 500ms}}
""")


def parameters(line):
    return {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in re.findall(r' ([^ =]+)="((?:[^"\\]|\\.)*)"', line["data"])}


@test("a line arrives over TLS, TCP, UDP and the local socket, with severity, facility, names and the ids by which trace finds it")
def arrives(site):
    server = Rsyslog(site)
    site.write("systems/logs.yaml", f"system: logs\nowner: tests\nsyslog: {{host: 127.0.0.1, port: {server.tls_port}, ca: {server.certificate}}}\n")
    site.flow(INTAKE)
    flow(site, "by-tls", "system: logs, app-name: by-tls, severity: '$(.severity)', facility: local3, data: {n: '$(.n)', odd: 'a \"b\" ]c\\d'}")
    flow(site, "by-tcp", f"host: localhost, port: {server.port}, transport: tcp, app-name: by-tcp, hostname: erp.example.org")
    flow(site, "by-udp", f"host: 127.0.0.1, port: {server.port}, transport: udp, app-name: by-udp, bom: true")
    flow(site, "by-local", f"transport: local, socket: {server.socket}, app-name: by-local, severity: error")
    flow(site, "old", f"host: 127.0.0.1, port: {server.port}, transport: tcp, app-name: old, format: bsd, hostname: erp")
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start()
    site.drop("in/a.json", [{"n": 1, "text": "Auftrag für Müller\nand [more]", "severity": "warning"}])
    names = ("by-tls", "by-tcp", "by-udp", "by-local", "old")
    wait(lambda: all(server.lines(app) for app in names), 20, "five lines")
    site.idle()
    by = {app: server.lines(app) for app in names}
    equal({app: len(found) for app, found in by.items()}, dict.fromkeys(names, 1), "lines")
    by = {app: found[0] for app, found in by.items()}
    for app in ("by-tls", "by-tcp", "by-local", "old"):
        equal(by[app]["text"].strip(), "Auftrag für Müller and [more]", app)
    check("Auftrag für Müller and [more]" in by["by-udp"]["text"] and "\ufeff" in by["by-udp"]["raw"], by["by-udp"])
    equal([(by[app]["severity"], by[app]["facility"]) for app in names],
          [("warning", "local3"), ("notice", "daemon"), ("notice", "daemon"), ("err", "daemon"), ("notice", "daemon")], "severities")
    equal([by["by-tcp"]["host"], by["old"]["host"]], ["erp.example.org", "erp"], "hosts")
    equal([by[app]["msgid"] for app in names[:3]], list(names[:3]), "msgid")
    said = parameters(by["by-tls"])
    check(by["by-tls"]["data"].startswith("[ferrule@32473 "), by["by-tls"]["data"])
    equal((said["flow"], said["n"], said["odd"]), ("by-tls", "1", 'a "b" ]c\\d'), "data")
    check("by-tls" in site.do("trace", said["id"][:12]), "trace does not find it")
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+00:00)", by["by-tls"]["time"]), by["by-tls"]["time"])
    equal((site.doubts(), site.dead()), ([], []), "doubts and dead letters")


@test("what is too long is cut with a mark, or refused where the flow says so; data forge no line; a severity that is none is a dead letter")
def hostile(site):
    server = Rsyslog(site)
    site.flow(INTAKE)
    flow(site, "cuts", f"host: 127.0.0.1, port: {server.port}, transport: tcp, app-name: cuts, max-size: 480, data: {{fill: '$(.text)'}}")
    flow(site, "keeps", f"host: 127.0.0.1, port: {server.port}, transport: tcp, app-name: keeps, max-size: 8KiB, longer: reject, severity: '$(.severity)'")
    site.start()
    long, forged = "é" * 6000, "one\r\n<13>1 2026-01-01T00:00:00Z evil forged - - - two\0 \x1b[31m"
    site.drop("in/a.json", [{"n": 1, "text": long, "severity": "6"}, {"n": 2, "text": forged.replace("\0", "\x01"), "severity": "Info"},
                            {"n": 3, "text": "x", "severity": "bad"}, {"n": 4, "text": "fits", "severity": "debug"}])
    wait(lambda: len(server.lines("cuts")) == 4 and len(server.lines("keeps")) == 2, 20, "six lines")
    site.idle()
    cut = next(line for line in server.lines("cuts") if "é" in line["text"])
    check(cut["text"].endswith("... [cut]") and len(cut["raw"].encode()) <= 480 and "\ufffd" not in cut["text"], len(cut["raw"].encode()), cut["text"])
    check(len(cut["raw"].encode()) > 470, "more was cut than needed:", len(cut["raw"].encode()))
    equal([line["severity"] for line in server.lines("keeps")], ["info", "debug"], "severities")
    for line in server.lines("cuts") + server.lines("keeps"):
        check(not any(ord(c) < 32 for c in line["raw"]), "control characters in", line["raw"])
        check(not re.search(r"#0[0-9]{2}", line["raw"]), "control characters in", line["raw"])
    equal(server.lines("forged"), [], "forged lines")
    equal(sorted((letter["flow"], letter["cause"]) for letter in site.dead()), [("keeps", "syslog.severity"), ("keeps", "syslog.size")], "dead letters")


@test("while the receiver is away the endpoint is paused and lines wait in order; when it is back each comes once; UDP hears of it where it can")
def away(site):
    server = Rsyslog(site)
    ports = server.port, server.tls_port
    site.flow(INTAKE)
    common = "host: 127.0.0.1, connect-timeout: 1s, timeout: 1s"
    flow(site, "tcp", f"{common}, port: {ports[0]}, transport: tcp, app-name: tcp")
    flow(site, "tls", f"{common}, port: {ports[1]}, ca: {server.certificate}, app-name: tls")
    flow(site, "udp", f"{common}, port: {ports[0]}, transport: udp, app-name: udp")
    flow(site, "local", f"transport: local, socket: {server.socket}, app-name: local")
    names = ("tcp", "tls", "udp", "local")
    site.start()
    site.drop("in/a.json", [{"n": n, "text": f"first {n}"} for n in range(20)])
    wait(lambda: all(len(server.lines(app)) == 20 for app in names), 20, "lines by all ways")
    site.idle()
    server.stop()
    site.drop("in/b.json", [{"n": n, "text": f"second {n}"} for n in range(100, 120)])

    def paused():
        states = site.status()["endpoints"]
        return all(states.get(name, {}).get("state") == "paused" for name in names) and states
    states = wait(paused, 20, "four endpoints to be paused")
    equal({states[name]["code"] for name in names}, {"syslog.connect"}, "codes")
    server.start()
    wait(lambda: all(len(server.lines(app)) >= 40 for app in names), 60, "the rest")
    site.idle()
    for app in names:
        equal(sorted(line["text"].strip() for line in server.lines(app)), sorted([f"first {n}" for n in range(20)] + [f"second {n}" for n in range(100, 120)]), app)
    equal((site.doubts(), site.dead()), ([], []), "doubts and dead letters")


@test("a certificate that nobody trusts, and a receiver without TLS, get nothing; one that asks for a certificate is shown one")
def encrypted(site):
    server = Rsyslog(site, client_certificate=True)
    cert, key = certificate(site)
    with open(key) as file:
        site.secret("log-key", file.read())
    site.flow(INTAKE)
    shows = f"certificate: {cert}, key: {{secret: log-key}}"
    flow(site, "good", f"host: 127.0.0.1, port: {server.tls_port}, ca: {cert}, {shows}, app-name: good")
    flow(site, "untrusted", f"host: 127.0.0.1, port: {server.tls_port}, {shows}, app-name: untrusted")
    flow(site, "stripped", f"host: 127.0.0.1, port: {server.port}, ca: {cert}, app-name: stripped, connect-timeout: 1s")
    site.start()
    site.drop("in/a.json", [{"n": 1, "text": "secret"}])
    wait(lambda: server.lines("good"), 20, "the line")
    states = wait(lambda: all(site.status()["endpoints"].get(n, {}).get("state") == "paused" for n in ("untrusted", "stripped"))
                  and site.status()["endpoints"], 20, "two endpoints to be paused")
    equal(states["untrusted"]["code"], "syslog.tls", "code")
    check(states["stripped"]["code"] in ("syslog.tls", "syslog.timeout", "syslog.broken"), states["stripped"])
    equal((server.lines("untrusted"), server.lines("stripped")), ([], []), "lines")
    check(not site.said("PRIVATE KEY"), "the key stands in the log")


class Mute:
    """Accepts one connection after the other and reads nothing of them until it resets them."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]

    def reset_one(self):
        peer, _ = self.listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


@test("another address at a reload gets what is delivered from then on, by each transport; nothing is lost and nothing comes twice")
def moved(site):
    old, new = Rsyslog(site, "old"), Rsyslog(site, "new")
    names = ("tcp", "tls", "udp")

    def aim(server):
        for name, to in zip(names, (f"port: {server.port}, transport: tcp", f"port: {server.tls_port}, ca: {server.certificate}", f"port: {server.port}, transport: udp")):
            flow(site, name, f"host: 127.0.0.1, {to}, app-name: {name}")

    def texts(server, name):
        return [line["text"].strip() for line in server.lines(name)]
    site.flow(INTAKE)
    aim(old)
    site.start()
    site.drop("in/a.json", [{"n": n, "text": f"line {n}"} for n in range(20)])
    wait(lambda: all(len(old.lines(name)) == 20 for name in names), 30, "the first lines, at the old one")
    site.idle()
    aim(new)
    site.drop("in/b.json", [{"n": n, "text": f"line {n}"} for n in range(20, 220)])  # on its way while the address changes
    check("reloaded" in site.reload(), site.said("reload"))
    wait(lambda: all(len(old.lines(name)) + len(new.lines(name)) >= 220 for name in names), 60, "the lines on their way")
    site.idle()
    before = {name: len(old.lines(name)) for name in names}
    site.drop("in/c.json", [{"n": n, "text": f"line {n}"} for n in range(220, 240)])
    wait(lambda: all(set(texts(new, name)) >= {f"line {n}" for n in range(220, 240)} for name in names), 30, "the last lines, at the new one")
    site.idle()
    for name in names:
        equal(len(old.lines(name)), before[name], f"{name}: lines at the old one after the change")
        equal(sorted(texts(old, name) + texts(new, name)), sorted(f"line {n}" for n in range(240)), name)
    equal((site.doubts(), site.dead()), ([], []), "doubts and dead letters")


@test("killed between sending and knowing, a line is a doubt, or written again where the flow says that this does no harm")
def interrupted(site):
    if not has_faults():
        raise Skip("built without fault points")
    server = Rsyslog(site)
    site.flow(INTAKE)
    for name, effect in (("asks", "none"), ("again", "{key: '$(.n)', remembers: forever}")):
        flow(site, name, f"host: 127.0.0.1, port: {server.port}, transport: tcp, app-name: {name}", effect)
    site.start(env={"FERRULE_FAULTS": "syslog.confirmed:1=kill"})
    site.drop("in/a.json", [{"n": 1, "text": "one"}])
    wait(lambda: len(server.lines("again")) >= 2 and site.doubts(), 30, "a doubt and a second line")
    equal([doubt["endpoint"] for doubt in site.doubts()], ["asks"], "doubts")
    equal(len(server.lines("asks")), 1, "lines of the one in doubt")
    raws = {line["raw"] for line in server.lines("again")}
    equal(len(raws), 1, "the line again is not the same line")


@test("a receiver that takes nothing any more holds its own endpoint, and nothing else")
def mute(site):
    mute, server = Mute(), Rsyslog(site)
    site.flow(INTAKE)
    flow(site, "mute", f"host: 127.0.0.1, port: {mute.port}, transport: tcp, timeout: 1s, max-size: 8KiB")
    flow(site, "good", f"host: 127.0.0.1, port: {server.port}, transport: tcp, app-name: good")
    site.start()
    site.drop("in/a.json", [{"n": n, "text": "x" * 7000} for n in range(400)])
    wait(lambda: len(server.lines("good")) == 400, 40, "lines at the other receiver")
    wait(lambda: site.doubts() or site.status()["endpoints"].get("mute", {}).get("state") == "paused", 20, "the mute one's trouble")
    equal(site.dead(), [], "dead letters")
    equal({doubt["endpoint"] for doubt in site.doubts()} - {"mute"}, set(), "doubts")


main()
