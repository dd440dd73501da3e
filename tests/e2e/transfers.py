#!/usr/bin/env python3
"""Transfers: a flow with a schedule. Runs when they are due, missed ones as configured, remembered over a restart."""
import json
import os
import subprocess
import time

from bed import Skip, check, equal, has_faults, main, read, test, wait

FILES = """
transfer: NAME
owner: treasury
from: {file: 'in/*.sta', after: delete, age: 0s, interval: 100ms}
to: {file: 'out/$($envelope.name)', exists: refuse, create: yes}
effect: rename
"""
OTHER = FILES.replace("in/", "in2/").replace("out/", "out2/")


def transfer(site, name, text, base=FILES):
    os.makedirs(site.at("in"), exist_ok=True)
    os.makedirs(site.at("in2"), exist_ok=True)
    site.write(f"transfers/{name}.yaml", base.lstrip("\n").replace("NAME", name) + text)


def state(site, name):
    entries = site.ask("table", "list", "ferrule-schedules")["entries"]
    return next((entry["value"] for entry in entries if entry["key"] == name), None)


def remember(site, name, **values):
    """What the store is to remember of a source, the site being down."""
    site.do("table", "put", "ferrule-schedules", name, json.dumps(values), "--site", site.path)


def now():
    return int(time.time() * 1000)


@test("a transfer with an interval takes what is there when it is due, and not before")
def interval(site):
    transfer(site, "nightly", "schedule: {every: 4s}\n")
    site.start()
    # right behind a run, so that there is time to see that nothing happens
    wait(lambda: state(site, "nightly") and state(site, "nightly").get("ended"), 10, "the first run")
    site.drop("in/1.sta", "first")
    time.sleep(1)
    equal(site.files("out"), [], "what was taken between two runs")
    site.wait_files("out", 1, 8)
    wait(lambda: state(site, "nightly")["result"] == "done", 5, "the run's end")
    seen = state(site, "nightly")
    equal((seen["name"], seen["taken"], seen["last"] % 4000), ("1.sta", 1, 0), "what is remembered")


@test("a run that fell into a standstill is made up for once, and with `missed: skip` not at all")
def missed(site):
    transfer(site, "once", "schedule: '0 3 * * *'\nzone: Europe/Berlin\n")
    transfer(site, "skip", "schedule: {cron: '0 3 * * *', missed: skip}\n", OTHER)
    remember(site, "once", last=now() - 3 * 86400000)
    remember(site, "skip", last=now() - 3 * 86400000)
    site.drop("in/1.sta", "one")
    site.drop("in2/2.sta", "two")
    site.start()
    site.wait_files("out", 1, 10)
    wait(lambda: state(site, "skip").get("missed"), 5, "the skipped runs")
    wait(lambda: state(site, "once").get("ended"), 5, "the run's end")
    time.sleep(0.5)
    equal((site.files("out"), site.files("out2")), (["1.sta"], []), "what was taken")
    check(state(site, "once")["missed"] in (1, 2, 3), "missed", state(site, "once"))
    check(now() - state(site, "skip")["last"] < 86400000, "skipped up to now", state(site, "skip"))


@test("a restart does not run again what has run")
def restart(site):
    transfer(site, "nightly", "schedule: '0 3 * * *'\n")
    remember(site, "nightly", last=now() - 3 * 86400000)
    site.start()
    wait(lambda: state(site, "nightly").get("ended"), 10, "the run")
    began = state(site, "nightly")["began"]
    site.stop()
    site.drop("in/1.sta", "later")
    site.start()
    time.sleep(1.5)
    equal((site.files("out"), state(site, "nightly")["began"]), ([], began), "after the restart")


@test("a run killed in the middle is done again, and takes nothing twice")
def killed(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    transfer(site, "nightly", "schedule: '0 3 * * *'\n")
    remember(site, "nightly", last=now() - 3 * 86400000)
    for n in range(3):
        site.drop(f"in/{n}.sta", f"file {n}")
    site.start(env={"FERRULE_FAULTS": "turns.ended:1=kill", "FERRULE_FAULT_MARKS": site.work}, ready=False)
    wait(lambda: os.path.exists(os.path.join(site.work, "turns.ended.struck")), 15, "the fault")
    wait(lambda: state(site, "nightly").get("ended"), 10, "the run's end")
    site.idle()
    equal(site.files("out"), ["0.sta", "1.sta", "2.sta"], "what arrived")


@test("with `for` a run goes on looking until the file comes")
def looks_on(site):
    transfer(site, "nightly", "schedule: {cron: '0 3 * * *', for: 1h}\n")
    remember(site, "nightly", last=now() - 3 * 86400000)
    site.start()
    time.sleep(1)
    equal(state(site, "nightly").get("ended"), None, "the run's end")
    site.drop("in/late.sta", "late")
    site.wait_files("out", 1, 5)
    wait(lambda: state(site, "nightly").get("result") == "done", 5, "the run's end")


@test("outside of its window nothing is asked, though it goes by arrival")
def window(site):
    # a window in the zone where it is noon at most an hour from now is shut: 12 hours away
    hour = (time.gmtime().tm_hour + 12) % 24
    transfer(site, "shut", f"window: {{from: '{hour:02}:00', to: '{(hour + 1) % 24:02}:00'}}\n")
    transfer(site, "open", f"window: {{from: '{(hour + 2) % 24:02}:00', to: '{hour:02}:00'}}\n", OTHER)
    site.drop("in/1.sta", "one")
    site.drop("in2/2.sta", "two")
    site.start()
    site.wait_files("out2", 1, 10)
    time.sleep(0.5)
    equal((site.files("out"), site.files("out2")), ([], ["2.sta"]), "what was taken")
    check(site.status()["endpoints"]["shut"]["next"] > now(), "when it opens", site.status()["endpoints"]["shut"])


@test("a flow takes what a transfer receives, with the working day that it belongs to")
def taken(site):
    site.write("calendars/none.yaml", "calendar: none\ndays: [mon, tue, wed, thu, fri, sat, sun]\nholidays: [03-02]\n")
    transfer(site, "bank-in", "calendar: {use: none, cut-off: '16:00'}\nzone: Europe/Berlin\n",
             "transfer: NAME\nowner: treasury\nfrom: {file: 'in/*.sta', after: delete, age: 0s, interval: 100ms}\n")
    site.flow("flow: book\nowner: finance\nfrom: {transfer: bank-in}\n"
              "to: {file: 'out/$($envelope.headers.day)-$($envelope.name)', create: yes}\neffect: rename\n")
    for name, at in (("a", "2026-03-01T14:59:00Z"), ("b", "2026-03-01T15:00:00Z")):
        site.write(f"work/{name}.sta", name)
        stamp = time.mktime(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        os.utime(site.at(f"work/{name}.sta"), (stamp, stamp))
    for name in "ab":
        os.rename(site.at(f"work/{name}.sta"), site.at(f"in/{name}.sta"))
    site.start()
    site.wait_files("out", 2, 10)
    equal(site.files("out"), ["2026-03-01-a.sta", "2026-03-03-b.sta"], "the days")


@test("transfer list and show tell of runs, run runs now, and one that is held neither asks nor delivers")
def verbs(site):
    transfer(site, "nightly", "schedule: '30 2 * * *'\nzone: Europe/Berlin\n")
    site.start()
    one = site.ask("transfer", "list")["transfers"][0]
    equal((one["name"], one["state"], one["schedule"]["cron"]), ("nightly", "waiting", "30 2 * * *"), "the list")
    site.drop("in/1.sta", "one")
    site.do("transfer", "run", "nightly", "--site", site.path)
    site.wait_files("out", 1, 5)
    one = wait(lambda: [t for t in site.ask("transfer", "list")["transfers"] if t.get("result") == "done"], 5, "the run")[0]
    equal((one["file"], one["taken"]), ("1.sta", 1), "the run")
    check(one["next_ms"] > now(), "the next run", one)
    shown = site.ask("transfer", "show", "nightly", "--next", "3", "--from", "2026-03-27T12:00:00Z")["transfers"][0]["next"]
    equal(shown, ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"], "the next runs")
    said = site.do("transfer", "hold", "nightly", "--until", "1h", "--reason", "month end", "--site", site.path)
    check("ferrule transfer release nightly" in said, "how it ends", said)
    equal(site.ask("transfer", "list")["transfers"][0]["state"], "held", "the state")
    time.sleep(1.2)
    site.drop("in/2.sta", "two")
    said = site.do("transfer", "run", "nightly", "--site", site.path)
    check("month end" in said and "when that ends" in said and "ferrule transfer release nightly" in said, "run, while it is held", said)
    equal(site.ask("transfer", "run", "nightly")["hold"]["reason"], "month end", "run, as JSON")
    time.sleep(1.5)
    equal((site.files("in"), site.files("out")), (["2.sta"], ["1.sta"]), "while it is held")
    said = site.do("transfer", "show", "nightly", "--site", site.path)
    check("month end" in said and "asked     for a run, " in said and "when the hold ends" in said, "the reason and the wish are not shown", said)
    check(site.ask("transfer", "list")["transfers"][0]["asked_ms"] > 0, "the wish, as JSON")
    site.do("transfer", "release", "nightly", "--site", site.path)
    site.wait_files("out", 2, 5)
    wait(lambda: "asked_ms" not in site.ask("transfer", "list")["transfers"][0], 5, "the wish to be met")
    code, _, err = site.type("transfer", "show", "nighly", "--site", site.path)
    check(code == 2 and "nightly" in err, "a slip", code, err)
    code, _, err = site.type("transfer", "acount", "--site", site.path)
    check(code == 2 and "account" in err.split("usage:")[0], "a slip of the part", code, err)


@test("whoever waits for a run hears of what became a dead letter in it, and of none from before")
def waited(site):
    transfer(site, "nightly", "schedule: '30 2 * * *'\nzone: Europe/Berlin\n")
    site.start()
    site.drop("out/1.sta", "what is there already")
    for name in ("1.sta", "2.sta"):
        site.drop(f"in/{name}", name)
    code, out, err = site.type("transfer", "run", "nightly", "--wait", "--site", site.path)
    check(code == 1 and "nightly: done, 2 files" in out and "1 dead letter" in out and "ferrule dead list --flow nightly" in out,
          code, out, err)
    equal(site.files("out"), ["1.sta", "2.sta"], "what was delivered")
    site.drop("in/3.sta", "3.sta")
    code, out, err = site.type("transfer", "run", "nightly", "--wait", "--json", "--site", site.path)
    equal((code, json.loads(out)["taken"], json.loads(out)["dead"]), (0, 1, 0), "the next run")


@test("a source that cannot be asked is a problem with owner and runbook, is told once, and whoever waits for a run hears why")
def unreachable(site):
    transfer(site, "bank", "schedule: '30 2 * * *'\nzone: Europe/Berlin\nrunbook: https://example.net/bank\n",
             FILES.replace("in/*.sta", "mount/*.sta"))
    os.makedirs(site.at("mount"))
    site.flow("flow: alarm\nowner: tests\nsubscribe: [ferrule.endpoint-paused.v1, ferrule.endpoint-resumed.v1]\n"
              "to: {file: 'alarms/$($envelope.type)', create: yes, exists: number}\neffect: rename\n")
    site.start()
    check("+0" in site.ask("transfer", "list")["transfers"][0]["next_at"], "the next run is not in its zone")
    os.rename(site.at("mount"), site.at("elsewhere"))
    code, out, err = site.type("transfer", "run", "bank", "--wait", "--site", site.path)
    check(code == 1 and "cannot look into" in err and "ferrule transfer show bank" in err, code, out, err)
    problem = [p for p in site.status()["problems"] if "source bank" in p["what"]]
    check(problem and "cannot look into" in problem[0]["what"], site.status()["problems"])
    equal((problem[0]["owner"], problem[0]["runbook"]), ("treasury", "https://example.net/bank"), "whose it is")
    shown = site.do("transfer", "show", "bank", "--site", site.path)
    check("failing" in shown and "because   cannot look into" in shown and "(file.directory)" in shown, shown)
    wait(lambda: site.files("alarms"), 20, "the alert")
    event = json.loads(read(site.at("alarms/ferrule.endpoint-paused.v1")))
    equal((event["endpoint"], event["flow"], event["owner"], event["runbook"], event["code"]),
          ("bank", "bank", "treasury", "https://example.net/bank", "file.directory"), "the event")
    equal(event["what"], "source bank of flow bank cannot be asked", "what it is")
    os.rename(site.at("elsewhere"), site.at("mount"))
    wait(lambda: len(site.files("alarms")) == 2, 60, "its end to be told")
    event = json.loads(read(site.at("alarms/ferrule.endpoint-resumed.v1")))
    equal((event["endpoint"], event["owner"], event["what"]), ("bank", "treasury", "source bank of flow bank can be asked again"), "whose end")
    equal([p for p in site.status()["problems"] if "bank" in p["what"]], [], "problems")
    code, _, err = site.type("transfer", "skip", "bank", "--site", site.path)
    check(code == 1 and "checks no sequence" in err, "skip without a sequence", code, err)
    site.do("transfer", "hold", "bank", "--until", "1h", "--reason", "month end", "--site", site.path)
    code, _, err = site.type("transfer", "run", "bank", "--wait", "--site", site.path)
    check(code == 1 and "month end" in err and "ferrule transfer release bank" in err, "waiting for one that is held", code, err)


@test("files get numbers in sequence, which go on over a restart and a crash in the middle")
def numbers(site):
    transfer(site, "out", "sequence: {from: 8, to: 10, digits: 3}\n",
             FILES.replace("out/$($envelope.name)", "out/F$($envelope.headers.sequence).$($envelope.name)"))
    faults = {"FERRULE_FAULTS": "turns.numbered:1=kill", "FERRULE_FAULT_MARKS": site.work} if has_faults() else {}
    site.drop("in/a.sta", "a")
    site.start(env=faults, ready=False)
    site.wait_files("out", 1, 15)
    check(not faults or os.path.exists(os.path.join(site.work, "turns.numbered.struck")), "nothing was killed")
    for name in "bcd":
        site.drop(f"in/{name}.sta", name)
        site.wait_files("out", "abcd".index(name) + 1, 10)
        if name == "b":
            site.stop()
            site.start()
    equal(site.files("out"), ["F008.a.sta", "F008.d.sta", "F009.b.sta", "F010.c.sta"], "the names")


@test("a gap in a partner's sequence is an event and a problem until the number comes, or somebody says that it will not")
def gaps(site):
    transfer(site, "bank", "sequence: {check: '.name | capture(\"-(?<n>[0-9]+)\").n'}\n")
    site.flow("flow: alarm\nowner: tests\nsubscribe: ferrule.sequence-gap.v1\n"
              "to: {file: 'alarms/$(.missing)', create: yes, exists: number}\neffect: rename\n")
    site.start()
    for n in (5, 6):
        site.drop(f"in/s-{n:03}.sta", str(n))
        site.wait_files("out", n - 4, 5)
    site.drop("in/s-010.sta", "10")
    site.wait_files("alarms", 1, 10)
    equal(site.files("alarms"), ["7-9"], "the event")
    problem = [p for p in site.status()["problems"] if "bank" in p["what"]]
    equal((problem[0]["what"], problem[0]["next"]), ("the sequence of transfer bank lacks 7-9", "ferrule transfer skip bank"), "the problem")
    site.drop("in/s-008.sta", "8")
    wait(lambda: site.ask("transfer", "list")["transfers"][0]["lacks"] == "7, 9", 5, "the one that came late")
    ended = site.ask("transfer", "list")["transfers"][0].get("ended_ms", 0)
    site.do("transfer", "skip", "bank", "--site", site.path)
    site.do("transfer", "run", "bank", "--site", site.path)  # one wish does not take the other's place
    wait(lambda: not [p for p in site.status()["problems"] if "bank" in p["what"]], 5, "the problem to go")
    wait(lambda: site.ask("transfer", "list")["transfers"][0].get("ended_ms", 0) > ended, 10, "the run")
    trail = [json.loads(line) for line in site.do("audit", "show", "--json").splitlines()]
    wishes = [(record["what"], record["facts"], bool(record["by"])) for record in trail if record["what"].startswith(("transfer.", "table."))]
    equal(wishes, [("transfer.skip", {"transfer": "bank"}, True), ("transfer.run", {"transfer": "bank"}, True)], "the audit trail")
    site.drop("in/s-011.sta", "11")
    site.wait_files("out", 5, 5)
    check(not [p for p in site.status()["problems"] if "bank" in p["what"]], "a problem after the next number")
    seen = len(site.files("alarms"))
    for n, count in ((1, 6), (6, 7)):  # it begins anew
        site.drop(f"in/t-{n:03}.sta", f"anew {n}")
        site.wait_files("out", count, 5)
    site.wait_files("alarms", seen + 1, 10)
    site.do("transfer", "skip", "bank", "--site", site.path)
    wait(lambda: not [p for p in site.status()["problems"] if "bank" in p["what"]], 5, "the problem to go")
    site.drop("in/t-010.sta", "anew 10")
    site.wait_files("alarms", seen + 2, 10)
    equal(len([name for name in site.files("alarms") if name.startswith("7-9")]), 2, "the same gap of another day")


@test("account add prints what sets up a partner, which sshd takes as it is")
def account(site):
    key = os.path.join(site.work, "acme")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    said = site.ask("transfer", "account", "add", "acme", "--key", key + ".pub", "--root", "/srv/partners")
    equal(said["applied"], False, "applied")
    subprocess.run(["sh", "-n"], input=said["script"], text=True, check=True)
    block = said["script"].split("<<'END'\n")[1].split("\nEND\n")[0]
    config = os.path.join(site.work, "sshd_config")
    with open(config, "w") as file:
        file.write(f"HostKey {key}\n{block}\n")
    seen = subprocess.run(["/usr/sbin/sshd", "-T", "-f", config, "-C", "user=acme,host=h,addr=127.0.0.1"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout.lower()
    for line in ("chrootdirectory /srv/partners/acme", "forcecommand internal-sftp -d /in -u 0007", "allowtcpforwarding no",
                 "authenticationmethods publickey", "permittty no"):
        check(line in seen, line, "is not in", seen)
    for words in (["Acme"], ["acme", "--key", key], ["acme", "--root", "/srv/../etc"], ["acme", "--root", "/srv/$(id)"],
                  ["acme;id"], ["acme", "--apply"]):
        code, out, _ = site.type("transfer", "account", "add", *words)
        check(code != 0 and not out, "not refused", words, out)


main()
