#!/usr/bin/env python3
"""Mails, sent to a real server: what arrives, how it is refused, and that nobody knows what happened only where nobody can."""
import time

from bed import check, equal, main, test, wait
from daemons import MailServer as Server, certificate


INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
publish: thing.v1
"""


def post(site, port, more="tls: none", name="post"):
    site.write(f"systems/{name}.yaml", f"system: {name}\nowner: tests\nmail: {{host: 127.0.0.1, port: {port}, {more}}}\n")


def flow(site, name, to, effect="none", steps="[{encode: json}]"):
    site.flow(f"""
flow: {name}
owner: tests
subscribe: thing.v1
steps: {steps}
to: {{from: 'Ferrule <ferrule@example.org>', system: post, {to}}}
effect: {effect}
retry: {{for: 1h, from: 100ms, to: 500ms}}
""")


@test("a mail has the message as its text, or attached under a name, for several recipients")
def arrives(site):
    server = Server(site, "smtp")
    post(site, server.port, "tls: none, helo: erp.example.org")
    site.flow(INTAKE)
    flow(site, "shown", "mail: 'ops@example.org, $(.who)', subject: 'Auftrag $(.n) für $(.name)'")
    flow(site, "attached", "mail: partner@example.org, subject: file, text: 'Please find\n\n$(.n).', attachment: '$(.name)-$(.n).json'")
    flow(site, "alert", "mail: ops@example.org, reply-to: help@example.org, subject: alert, text: 'Look at $(.n)'")
    site.start()
    body = {"n": 1, "who": "second@example.org", "name": "Müller", "long": "é" * 30000}
    site.drop("in/a.json", [body])
    mails = wait(lambda: len(server.mails()) == 3 and server.mails(), 20, "three mails")
    by = {mail["headers"]["Subject"]: mail for mail in mails}
    shown, attached, alert = by["Auftrag 1 für Müller"], by["file"], by["alert"]
    equal(shown["to"], ["ops@example.org", "second@example.org"], "recipients")
    equal(shown["headers"]["To"], "ops@example.org, second@example.org", "To")
    equal(shown["from"], "ferrule@example.org", "envelope sender")
    equal(shown["headers"]["From"], "Ferrule <ferrule@example.org>", "From")
    equal(shown["helo"], "erp.example.org", "greeting")
    equal(shown["headers"]["Auto-Submitted"], "auto-generated", "Auto-Submitted")
    check("Date" in shown["headers"], "no Date")
    check(shown["longest"] <= 100, f"a line of {shown['longest']} bytes")
    import json
    equal(json.loads(shown["parts"][0]["text"].encode("latin-1")), body, "the message as text")
    equal([part["type"] for part in attached["parts"]], ["text/plain", "application/json"], "parts")
    equal(attached["parts"][1]["name"], "Müller-1.json", "name of the attachment")
    equal(json.loads(attached["parts"][1]["text"].encode("latin-1")), body, "the attachment")
    equal(attached["parts"][0]["text"].split(), ["Please", "find", "1."], "the text beside it")
    equal([part["text"] for part in alert["parts"]], ["Look at 1"], "a text of its own alone")
    equal(alert["headers"]["Reply-To"], "help@example.org", "Reply-To")
    check(len({mail["headers"]["Message-ID"] for mail in mails}) == 3, "Message-IDs of three mails are not three")
    check(all(mail["headers"]["Message-ID"].endswith("@example.org>") for mail in mails), "Message-IDs are not the sender's")
    equal(site.doubts(), [], "doubts")


@test("STARTTLS and implicit TLS with a password; a wrong password, an unknown certificate and a server without TLS pause the endpoint")
def encrypted(site):
    cert, key = certificate(site)
    site.secret("mail", "s3cret-word\n")
    site.secret("wrong", "another\n")
    site.flow(INTAKE)
    plain = Server(site, "plain")
    starttls = Server(site, "starttls", "--certificate", cert, "--key", key, "--auth", "erp:s3cret-word")
    implicit = Server(site, "implicit", "--certificate", cert, "--key", key, "--auth", "erp:s3cret-word", "--implicit")
    login = f"user: erp, password: {{secret: mail}}, ca: {cert}"
    for name, port, more in (("good", starttls.port, login), ("inner", implicit.port, login + ", tls: implicit"),
                             ("denied", starttls.port, login.replace("mail", "wrong")), ("untrusted", starttls.port, login.split(", ca")[0]),
                             ("stripped", plain.port, login)):
        post(site, port, more, name)
        flow(site, f"to-{name}", f"mail: ops@example.org, subject: {name}")
        site.write(f"flows/to-{name}.yaml", open(site.at(f"flows/to-{name}.yaml")).read().replace("system: post", f"system: {name}"))
    site.start()
    site.drop("in/a.json", [{"n": 1}])
    wait(lambda: starttls.mails() and implicit.mails(), 20, "two mails")
    equal([(m["headers"]["Subject"], m["tls"], m["user"]) for m in starttls.mails() + implicit.mails()],
          [("good", True, "erp"), ("inner", implicit.mails()[0]["tls"], "erp")], "what came")

    def states():
        found = site.status()["endpoints"]
        return all(found.get(f"to-{name}", {}).get("state") == "paused" for name in ("denied", "untrusted", "stripped")) and found
    found = wait(states, 20, "three endpoints to be paused")
    equal({name: found[f"to-{name}"]["code"] for name in ("denied", "untrusted", "stripped")},
          {"denied": "mail.reply-535", "untrusted": "mail.tls", "stripped": "mail.tls"}, "why")
    equal(plain.mails(), [], "mails to the server without TLS")
    check(not site.said("s3cret-word") and not site.said("czNjcmV0"), "the password stands in the log")
    equal(site.dead(), [], "dead letters")


@test("a refused recipient or mail is a dead letter and nobody gets it; what is refused for now is tried again")
def refused(site):
    server = Server(site, "smtp")
    post(site, server.port)
    site.flow(INTAKE)
    flow(site, "out", "mail: 'ops@example.org, $(.who)', subject: '$(.n)', max-size: 2KiB")
    site.start()
    things = [{"n": "one", "who": "nobody@example.org"}, {"n": "two", "who": "grey@example.org"}, {"n": "refused", "who": "a@example.org"},
              {"n": "big", "who": "a@example.org", "fill": "x" * 2000},
              {"n": "three\r\nBcc: all@example.org", "who": "a@example.org"}, {"n": "four", "who": "a@example.org, b@example.org"},
              {"n": "five", "who": "a@example.org>\r\nRCPT TO:<b@example.org"}, {"n": "six", "who": ""}]
    site.drop("in/a.json", things)
    dead = wait(lambda: len(site.dead()) == 7 and site.dead(), 30, "seven dead letters")
    equal(sorted(letter["cause"] for letter in dead),
          sorted(["mail.reply-550", "mail.reply-554", "mail.size", "mail.header", "mail.address", "mail.address", "mail.address"]), "codes")
    wait(lambda: server.mails(), 20, "the mail that was refused for a while")
    equal([mail["headers"]["Subject"] for mail in server.mails()], ["two"], "what came")
    site.idle()
    said = next(letter for letter in dead if letter["cause"] == "mail.reply-550")
    check("nobody@example.org" in str(said) and "nobody of that name" in str(said), f"the reason does not say whom: {said}")


@test("a reply that never comes puts a mail in doubt; where a copy is recognised it is sent again under the same Message-ID")
def unclear(site):
    server, silent = Server(site, "smtp"), Server(site, "silent", "--silent")
    early = Server(site, "early", "--early")
    post(site, server.port, "tls: none, timeout: 2s")
    post(site, silent.port, "tls: none, timeout: 1s", "silent")
    post(site, early.port, "tls: none, timeout: 5s", "early")
    site.flow(INTAKE)
    flow(site, "cut", "mail: ops@example.org, subject: cut")
    flow(site, "mute", "mail: ops@example.org, subject: mute")
    flow(site, "again", "mail: again@example.org, subject: cut", "{key: 'thing-$(.n)', remembers: forever}")
    for name in ("silent", "early"):
        flow(site, f"to-{name}", f"mail: ops@example.org, subject: {name}, attachment: a.json")
        site.write(f"flows/to-{name}.yaml", open(site.at(f"flows/to-{name}.yaml")).read().replace("system: post", f"system: {name}"))
    site.start()
    site.drop("in/a.json", [{"n": 1, "fill": "x" * 200000}])
    doubts = wait(lambda: len(site.doubts()) == 2 and site.doubts(), 20, "two doubts")
    equal({doubt["endpoint"] for doubt in doubts}, {"cut", "mute"}, "in doubt")

    def copies():
        return [mail["headers"]["Message-ID"] for mail in server.mails() if mail["to"] == ["again@example.org"]]
    wait(lambda: len(copies()) >= 2, 20, "a second copy")
    equal(len(set(copies())), 1, "Message-IDs of copies")
    wait(lambda: all(site.status()["endpoints"].get(name, {}).get("state") == "paused" for name in ("to-silent", "to-early")), 20, "two endpoints to be paused")
    equal({name: site.status()["endpoints"][name]["code"] for name in ("to-silent", "to-early")}, {"to-silent": "mail.timeout", "to-early": "mail.broken"}, "why")
    for name in ("cut", "mute"):
        equal(sum(mail["headers"]["Subject"] == name and mail["to"] == ["ops@example.org"] for mail in server.mails()), 1, f"copies of {name}")
    # nothing was delivered there, so it is, once the server is well
    silent.stop()
    well = Server(site, "silent", port=silent.port)
    wait(lambda: well.mails(), 20, "the mail to the server that was silent")
    time.sleep(0.5)
    equal(len(well.mails()), 1, "copies")


@test("a text that is longer than a mail's may be is cut between two characters, with a mark, and is no dead letter")
def cut(site):
    server = Server(site, "smtp")
    post(site, server.port)
    site.flow(INTAKE)
    flow(site, "out", "mail: ops@example.org, subject: long, text: 'x$(.text)'")
    site.start()
    site.drop("in/a.json", [{"n": 1, "text": "é" * 9000}])
    text = wait(lambda: server.mails(), 20, "the mail")[0]["parts"][0]["text"].encode("latin-1").decode().replace("\r\n", "\n")
    check(text.startswith("xéé") and text.endswith("[cut: the text is longer than a mail's may be]\n"), text[-80:])
    check(7900 < len(text.encode()) <= 8000, len(text.encode()))
    equal(site.dead(), [], "dead letters")


main()
