#!/usr/bin/env python3
"""docs/runbooks/key-expiring.md: a partner's OpenPGP key that has ended, our own, a server's certificate, and a password."""
import datetime
import os
import subprocess

import runbook
from bed import Skip, check, equal, free_port, main, test, wait

FLOW = """
flow: sealed
owner: treasury
from: {file: 'in/*.txt', after: archive, age: 0s, interval: 50ms}
steps:
  - encrypt: {to: FINGERPRINT}
to: {file: 'out/$($envelope.name).pgp', create: yes, exists: number}
effect: rename
"""
SITE = """name: e2e
limits: {{disk-reserve: 1MiB}}
processes: {{transform: 1}}
expiry: {{owner: operations, certificates: [server.pem], secrets: {{token: {day}}}}}
"""


def gpg(home, *words, at=None):
    time_of = ["--faked-system-time", at] if at else []
    return subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *time_of, *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout.decode()


def fingerprints(home):
    return [line.split(":")[9] for line in gpg(home, "--with-colons", "--list-keys").splitlines() if line.startswith("fpr:")]


def certificate(site, days):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj",
                    "/CN=erp.example.org", "-out", site.at("server.pem"), "-keyout", os.path.join(site.work, "key.pem")], check=True, stderr=subprocess.DEVNULL)


def serve(site):
    """Somebody who shows the certificate."""
    port = free_port()
    site.spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", site.at("server.pem"), "-key", os.path.join(site.work, "key.pem"), "-quiet"])
    wait(lambda: subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL).returncode == 0, 10, "the server")
    return port


def day(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).date().isoformat()


def rings(site):
    """Ours in the site, the partner's beside it, whose key has ended yesterday: (home of the partner, its key, ours)."""
    for path in (site.at("keys"), os.path.join(site.work, "acme")):
        os.makedirs(path, mode=0o700)
        with open(os.path.join(path, "gpg-agent.conf"), "w") as file:
            file.write("default-cache-ttl 0\n")
    partner = os.path.join(site.work, "acme")
    then = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=11)).strftime("%Y%m%dT%H%M%S")
    gpg(partner, "--quick-generate-key", "Acme EDI <edi@acme.example>", "future-default", "default", "10d", at=then)
    gpg(site.at("keys"), "--quick-generate-key", "Us <us@example.org>", "future-default", "default", "5d")
    theirs, ours = fingerprints(partner)[0], fingerprints(site.at("keys"))[0]
    gpg(partner, "--quick-generate-key", "Acme EDI <edi@acme.example>", "future-default", "default", "20d")
    with open(os.path.join(site.work, "acme.asc"), "w") as file:
        file.write(gpg(partner, "--armor", "--export"))
    site.do("key", "import", os.path.join(site.work, "acme.asc"))
    return partner, theirs, ours


@test("the page for what expires: a key that has ended is renewed and its dead letters go out, and so are certificate, own key and password")
def key_expiring(site):
    if subprocess.run(["gpg", "--version"], stdout=subprocess.DEVNULL).returncode:
        raise Skip("there is no gpg")
    partner, theirs, ours = rings(site)
    certificate(site, 3)
    site.write("site.yaml", SITE.format(day=day(0)))
    site.flow(FLOW.replace("FINGERPRINT", theirs))
    site.start()
    for n in (1, 2, 3):
        site.drop(f"in/{n}.txt", f"{n}")
    wait(lambda: len(site.dead()) == 3, 20, "the dead letters")
    equal({letter["cause"] for letter in site.dead()}, {"openpgp.key-expired"}, "their cause")
    code, problems, _ = site.type("status", "--problems")
    check(code == 1 and "Acme EDI" in problems and "token" in problems, problems)

    page = runbook.Page(site, "key-expiring", {"FINGERPRINT": ours, "HOST:443": f"127.0.0.1:{serve(site)}", "HOST": "localhost"})
    said = page.type("ferrule key list")
    check("Acme EDI <edi@acme.example>" in said and "expired" in said, said)

    gpg(partner, "--quick-set-expire", theirs, "2y")
    gpg(partner, "--quick-set-expire", theirs, "2y", "*")
    with open(site.at("acme-2027.asc"), "w") as file:
        file.write(gpg(partner, "--armor", "--export", theirs))
    check(theirs in page.type("ferrule key import"), "the fingerprint is not shown")
    check(theirs in page.type("ferrule key list"), "the list")
    page.type("ferrule check")

    page.type("gpg --homedir keys --quick-set-expire FINGERPRINT 2y")
    page.type("gpg --homedir keys --quick-set-expire FINGERPRINT 2y '*'")
    check("BEGIN PGP PUBLIC KEY" in page.type("gpg --homedir keys --armor --export"), "our public half")
    check(all(one["days"] > 700 for one in site.ask("key", "list") if one["fingerprint"] in (ours, theirs)), site.ask("key", "list"))

    old = page.type("openssl x509")
    check("notAfter" in page.type("openssl s_client"), "what a server shows")
    certificate(site, 300)
    check("CN = erp.example.org" in old and page.type("openssl x509", again=True) != old, old)
    site.write("site.yaml", SITE.format(day=day(400)))
    page.type("ferrule check")
    site.reload()

    check("3" in page.type("ferrule dead list --cause"), "the letters")
    page.type("ferrule dead replay --cause openpgp.key-expired --first 1")
    wait(lambda: len(site.files("out")) == 1, 20, "the first")
    page.type("ferrule dead replay --cause openpgp.key-expired")
    wait(lambda: len(site.files("out")) == 3, 20, "all of them")
    wait(lambda: not site.status()["problems"], 20, "it to be over")
    check("ended" not in page.type("ferrule key list"), "it is not over")
    page.type("ferrule status --problems")
    page.over()


main()
