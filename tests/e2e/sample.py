#!/usr/bin/env python3
"""The sample site from end to end: on the spool, and on a real RabbitMQ with a real PostgreSQL."""
import json
import os
import re
import shutil
import subprocess
import time

from bed import COUNTERPART, LAB, Target, check, equal, free_port, main, request, test, wait
from servers import Servers

SAMPLE = os.path.join(os.path.dirname(os.path.dirname(LAB)), "config", "sample", "order-to-cash")
INPUT = os.path.join(SAMPLE, "input")


def prepare(site, store="", **secrets):
    """The sample as `ferrule init` writes it, with this queue and store; the environment that it runs with."""
    shutil.rmtree(site.path)
    site.do("init", site.path, "--template", "order-to-cash", cwd=site.work)
    for name, value in secrets.items():
        site.secret(name, value)
    with open(site.at("site.yaml"), "a") as file:
        file.write(store)
    os.makedirs(site.at("drop/acme"), exist_ok=True)
    os.makedirs(site.at("drop/erp/in"), exist_ok=True)
    support = Target(site, "support", "--idempotent")
    site.spawn([COUNTERPART, "take", site.at("drop/erp/in"), os.path.join(site.work, "erp.jsonl")])
    os.environ.update(LISTEN_PORT=str(free_port()), ACME_AGE="200ms", SUPPORT_URL=support.url)
    site.do("check", site.path)
    return support


def feed(site, folder):
    for name in sorted(os.listdir(os.path.join(INPUT, folder))):
        if name.endswith(".edi"):
            shutil.copyfile(os.path.join(INPUT, folder, name), site.at("drop/acme", name))


def post_opportunities(site):
    files = [os.path.join(INPUT, "crm", name) for name in sorted(os.listdir(os.path.join(INPUT, "crm")))]
    done = subprocess.run([COUNTERPART, "post", f"http://127.0.0.1:{os.environ['LISTEN_PORT']}/crm/opportunities", *files, "--secret-file",
                           site.at("secrets/crm-webhook")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    check(done.returncode == 0 and done.stdout.count(b"202") == len(files), done.stdout.decode())


def judge(site, support):
    """56 good orders, 38 lines with service, one broken order, one file twice: as the sample's README says."""
    with open(os.path.join(site.work, "erp.jsonl")) as file:
        erp = [json.loads(line)["name"] for line in file]
    equal((len(erp), len(set(erp))), (56, 56), "orders that the ERP took away")
    finance = [name for root, _, names in os.walk(site.at("drop/finance")) for name in names if name.endswith(".csv")]
    equal((len(finance), len(set(finance))), (56, 56), "orders that finance has")
    keys = [effect["key"] for effect in support.effects()]
    equal((len(keys), len(set(keys))), (38, 38), "entitlements")
    letters = site.dead()
    equal(len(letters), 1, "dead letters")
    check("PO-4759" in json.dumps(letters) or "transaction" in letters[0]["position"], letters)
    equal(site.doubts(), [], "doubts")
    totals = site.do("status", "--totals", site.path)
    check(re.search(r"1  duplicates recognised +acme-orders", totals), totals)
    out = site.do("trace", "PO-4711", "--site", site.path)
    for word in ("20260302-acme-0001.edi", "orders-to-erp", "orders-to-finance", "orders-to-support"):
        check(word in out, word, "is not in", out)


def life(site, support):
    feed(site, "acme")
    site.start()
    post_opportunities(site)
    site.idle(60)
    feed(site, "acme/again")
    time.sleep(0.6)
    site.idle(60)
    time.sleep(0.3)  # the reader takes the last files away
    judge(site, support)


@test("the sample on the spool: every order once at the ERP, in finance and at support, the broken one told")
def on_spool(site):
    life(site, prepare(site))
    site.stop()


@test("the sample on RabbitMQ and PostgreSQL: the same, ready only while it consumes, through a restart of both servers")
def on_servers(site):
    servers = Servers()
    try:
        support = prepare(site, servers.yaml, **servers.secrets)
        life(site, support)
        port = int(os.environ["LISTEN_PORT"])
        equal(request(port, "GET", "/readyz")[0], 200, "ready")
        servers.run("rabbitmq.sh", "stop", servers.rabbit)
        wait(lambda: request(port, "GET", "/readyz")[0] == 503, 15, "it not to be ready without a broker")
        equal(request(port, "GET", "/livez")[0], 200, "live without a broker")
        servers.run("postgresql.sh", "stop", servers.postgres)
        servers.run("postgresql.sh", "start", servers.postgres)
        servers.run("rabbitmq.sh", "start", servers.rabbit)
        wait(lambda: request(port, "GET", "/readyz")[0] == 200, 40, "it to be ready again")
        site.do("send", "acme-orders", os.path.join(INPUT, "acme", "20260302-acme-0001.edi"), "--again", "--site", site.path)
        site.idle(60)
        out = site.do("status", "--totals", site.path)
        check(out, "totals")
        site.stop()
    finally:
        servers.down()


main()
