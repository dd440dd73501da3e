#!/usr/bin/env python3
"""Keys, certificates and passwords that end: told once for each threshold, in the metrics, in `key list` and among the problems."""
import datetime
import json
import os
import subprocess
import urllib.request

from bed import Skip, check, equal, free_port, has_faults, main, read, test, wait

ALERTS = """
flow: alerts
owner: operations
subscribe: ferrule.key-expiring.v1
to: {file: 'alerts/$(.kind)-$(.before).json', create: yes, exists: number}
effect: rename
"""
SEALED = """
flow: sealed
owner: treasury
runbook: https://example.net/keys
from: {file: 'in/*.txt', after: delete, age: 0s, interval: 50ms}
steps:
  - encrypt: {to: FPR}
to: {file: 'out/x.pgp', create: yes, exists: number}
effect: rename
"""
SITE = """name: e2e
limits: {{disk-reserve: 1MiB}}
processes: {{transform: 1}}
listen: {{http: {{address: 127.0.0.1, port: {port}}}}}
expiry:
  warn: [30d, 7d, 1d]
  owner: operations
  runbook: runbooks/key-expiring.md
  certificates: [partner.pem]
  secrets: {{mail-password: {day}, api-token: 2099-12-31}}
"""


def gpg(site, *words):
    done = subprocess.run(["gpg", "--homedir", site.at("keys"), "--batch", "--yes", "--pinentry-mode", "loopback", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True)
    return done.stdout.decode()


def key(site, user, expires):
    gpg(site, "--passphrase", "", "--quick-generate-key", user, "future-default", "default", expires)
    return next(line.split(":")[9] for line in gpg(site, "--with-colons", "--list-keys", user).splitlines() if line.startswith("fpr:"))


def certificate(site, name, days):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj",
                    f"/CN={name}.example.org", "-out", site.at(f"{name}.pem"), "-keyout", os.path.join(site.work, "key.pem")], check=True, stderr=subprocess.DEVNULL)


def prepare(site):
    if subprocess.run(["gpg", "--version"], stdout=subprocess.DEVNULL).returncode:
        raise Skip("there is no gpg")
    os.makedirs(site.at("keys"), mode=0o700)
    site.write("keys/gpg-agent.conf", "default-cache-ttl 0\n", 0o600)
    fpr = key(site, "Acme EDI <edi@acme.example>", "20d")
    key(site, "Long <long@example.org>", "2y")
    subprocess.run(["gpgconf", "--homedir", site.at("keys"), "--kill", "all"], check=True)
    certificate(site, "partner", 5)
    certificate(site, "server", 300)
    port = free_port()
    day = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=12)
    site.write("site.yaml", SITE.format(port=port, day=(day.date() + datetime.timedelta(days=0 if day.hour >= 12 else 0)).isoformat()))
    site.flow(ALERTS)
    site.flow(SEALED.replace("FPR", fpr))
    site.system("erp", "https://127.0.0.1:9", more="ca: server.pem\n")
    site.flow("flow: calls\nowner: care\nsubscribe: thing.v1\nto: {operation: erp.put}\neffect: none\n")
    site.flow("flow: things\nowner: care\nfrom: {file: 'things/*.json', age: 0s}\nsteps: [{decode: json}]\npublish: thing.v1\n")
    return fpr, port


def alerts(site):
    return {name: json.loads(read(site.at("alerts", name))) for name in site.files("alerts")}


@test("a key of the ring, a certificate and a stated password are told once each, with owner, runbook and days, and not again after a restart")
def once(site):
    fpr, port = prepare(site)
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start()
    wait(lambda: len(alerts(site)) >= 3, 30, "three alerts")
    site.idle()
    told = alerts(site)
    kinds = {one["kind"]: one for one in told.values()}
    equal(sorted(one["kind"] for one in told.values()), ["certificate", "openpgp", "password"], "alerts")
    pgp, pem, password = kinds["openpgp"], kinds["certificate"], kinds["password"]
    equal((pgp["id"], pgp["before"], pgp["owner"], pgp["runbook"], pgp["used"]), (fpr, "30d", "treasury", "https://example.net/keys", "flow sealed"), "the key")
    check(pgp["days"] in (19, 20) and "Acme EDI" in pgp["what"], pgp)
    equal((pem["before"], pem["owner"], pem["runbook"]), ("7d", "operations", "runbooks/key-expiring.md"), "the certificate")
    check("CN=partner.example.org" in pem["what"] and pem["days"] in (4, 5), pem)
    check(password["name"] == "mail-password" and password["before"] in ("0", "1d"), password)
    site.stop()
    site.start()
    wait(lambda: site.status()["expiring"], 10, "the list")
    site.idle()
    equal(len(alerts(site)), 3, "alerts after a restart")

    metrics = wait(lambda: (lambda text: "key_expiry" in text and text)(
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()), 10, "the metric")
    check(f'ferrule_key_expiry_timestamp_seconds{{kind="openpgp",id="{fpr}"' in metrics, metrics)
    check('name="CN=server.example.org' in metrics, "a certificate that a system names is not watched")
    problems = site.status()["problems"]
    equal([p["id"] for p in problems if p.get("kind") in ("openpgp", "certificate", "password")], ["mail-password"], "problems")
    listed = {one["user"]: one for one in site.ask("key", "list")}
    check(listed["Acme EDI <edi@acme.example>"]["days"] in (19, 20), listed)
    check(any("CN=server" in name and one["days"] in (299, 300) for name, one in listed.items()), listed)
    shown = site.do("key", "list")
    check("left" in shown and " days" in shown and "mail-password" in shown, shown)


OVER = """
flow: over
owner: operations
subscribe: ferrule.key-renewed.v1
to: {file: 'over/$(.kind).json', create: yes, exists: number}
effect: rename
"""


@test("one that is renewed is told no more, one that goes is forgotten, and both without a restart of anything but the steward's look")
def renewed(site):
    fpr = prepare(site)[0]
    site.flow(OVER)
    site.start()
    wait(lambda: len(alerts(site)) >= 3, 30, "three alerts")
    equal(site.files("over"), [], "what is over before it is renewed")
    certificate(site, "partner", 400)
    gpg(site, "--passphrase", "", "--quick-set-expire", fpr, "2y")
    subprocess.run(["gpgconf", "--homedir", site.at("keys"), "--kill", "all"], check=True)
    site.write("site.yaml", read(site.at("site.yaml")).decode().replace(", api-token: 2099-12-31", "").replace("30d, 7d", "60d, 7d"))
    site.reload()

    def seen():
        return {one["name"]: one for one in site.status()["expiring"]}
    wait(lambda: "api-token" not in seen(), 20, "the token to be forgotten")
    check(not any("told_ms" in one for one in seen().values() if "partner" in one["name"]), seen())
    site.idle()
    equal(len([one for one in alerts(site).values() if one["kind"] == "certificate"]), 1, "alerts of the certificate")
    site.wait_files("over", 2)
    over = {one["kind"]: one for one in (json.loads(read(site.at("over", name))) for name in site.files("over"))}
    equal(sorted(over), ["certificate", "openpgp"], "what is over")
    equal((over["openpgp"]["id"], over["openpgp"]["gone"], over["openpgp"]["owner"]), (fpr, False, "treasury"), "the key")
    check(over["certificate"]["gone"] and "partner" in over["certificate"]["what"], over)


@test("killed between the event and its word, an alert comes once")
def killed(site):
    if not has_faults():
        raise Skip("built without fault points")
    prepare(site)
    site.start(env={"FERRULE_FAULTS": "steward.expired:2=kill,steward.expiring:4=kill"}, ready=False)
    wait(lambda: len(alerts(site)) >= 3, 60, "three alerts")
    site.idle()
    equal(len(alerts(site)), 3, "alerts")


main()
