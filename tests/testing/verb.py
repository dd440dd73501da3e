#!/usr/bin/env python3
"""ferrule test: what it finds, how it tells it, and what it writes."""
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import FERRULE, check, equal, main, read, test  # noqa: E402

IN = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
  - filter: .n < 100
  - map: thing.jq
publish: thing.v1
"""
OUT = """
flow: out
owner: tests
subscribe: thing.v1
steps: [{encode: {format: csv, rows: '[.]', columns: [{n: .n}, {'the name': .name}]}}]
to: {file: '${DROP:drop}/$(.n).csv', exists: refuse, create: yes}
effect: rename
"""
CALL = """
flow: call
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: tool.put}
effect: {key: 'thing-$(.n)', remembers: 24h}
"""
MAPPING = '{n, name: (.name // error("no name")), at: (now | todate)}\n'


def site_of(site, tests=None):
    site.flow(IN)
    site.flow(OUT)
    site.flow(CALL)
    site.system("tool", "https://tool.example/api/v1",
                "  put: {method: PUT, path: '/things/$(.n)', headers: {X-Name: '$(.name)'}}",
                "auth: {bearer: {secret: tool-token}}\n")
    site.write("mappings/thing.jq", MAPPING)
    if tests:
        site.write("tests/all.yaml", tests)


def run(site, *words, code=0, **options):
    got, out, err = site.type("test", *words, **options)
    equal(got, code, f"ferrule test {' '.join(words)} ended\n{out[-3000:]}\n{err[-1000:]}")
    return out + err


@test("a test that agrees is ok, one that does not shows the difference and its line")
def difference(site):
    site_of(site, """test: agrees
flow: intake
now: 2026-02-03T04:05:06Z
input: {json: [{n: 1, name: One}]}
published: [{topic: thing.v1, body: {n: 1, name: One, at: '2026-02-03T04:05:06Z'}}]
---
test: does not
flow: intake
input: {json: [{n: 1, name: One}]}
published:
  - topic: thing.v1
    has: {name: Two}
""")
    said = run(site, code=1)
    check("ok      agrees\n" in said and "FAILED  does not\n" in said, said)
    check("tests/all.yaml:11: published, but otherwise" in said, said)
    check(re.search(r'-  "name": "Two"\n +\+  "name": "One"', said), said)
    check('"n"' not in said, "what the test does not name is not shown:", said)
    check("2 tests: 1 ok, 1 failed" in said, said)


@test("nothing may be published, die or be delivered that a test does not expect")
def unexpected(site):
    site_of(site, """flow: intake
cases:
  - {test: more, input: {json: [{n: 1, name: A}, {n: 2, name: B}]}, published: [{topic: thing.v1, has: {n: 2}}]}
  - {test: died, input: {json: [{n: 1}]}, dropped: none}
  - {test: fell, input: {json: [{n: 100}]}, dropped: none}
  - {test: fewer, input: {json: []}, published: 1}
""")
    told = json.loads(run(site, "--json", code=1))
    equal({c["name"]: c["result"] for c in told["cases"]},
          {"more": "failed", "died": "failed", "fell": "failed", "fewer": "failed"}, "results")
    texts = {c["name"]: c["text"] for c in told["cases"]}
    check("which nobody expected" in texts["more"] and '"n": 1' in texts["more"], texts["more"])
    check("dead, which nobody expected" in texts["died"] and "no name" in texts["died"], texts["died"])
    check("dropped, which nobody expected" in texts["fell"], texts["fell"])
    check("did not come" in texts["fewer"], texts["fewer"])


@test("dead letters are expected by code, step, reason and position, drops by their step")
def dead(site):
    site_of(site, """flow: intake
input: {json: [{n: 1}, {n: 100}, {n: 3, name: C}]}
published: 1
cases:
  - {test: right, dead: {code: jq.error, step: map, reason: no name}, dropped: {step: filter}}
  - {test: wrong code, dead: {code: jq.time}}
  - {test: wrong step, dead: {step: filter}}
  - {test: wrong reason, dead: {reason: another}}
""")
    told = json.loads(run(site, "--json", code=1))
    equal([c["result"] for c in told["cases"]], ["ok", "failed", "failed", "failed"], "results")
    check("-code: jq.time" in told["cases"][1]["text"], told["cases"][1]["text"])


@test("what is delivered is compared with its last byte, address, headers and key; what cannot be seen is shown")
def delivered(site):
    site_of(site, """flow: intake
follow: yes
input: {json: [{n: 7, name: Seven}]}
cases:
  - test: all of it
    with: {DROP: elsewhere}
    delivered:
      - {to: out, path: elsewhere/7.csv, text: "n,the name\\r\\n7,Seven\\r\\n"}
      - to: call
        method: PUT
        url: https://tool.example/api/v1/things/7
        path: /api/v1/things/7
        key: thing-7
        headers: {x-name: Seven, Idempotency-Key: '"thing-7"', authorization: 'Bearer {secret tool-token}'}
  - test: other line ends
    follow: [out]
    delivered: [{to: out, text: "n,the name\\n7,Seven\\n"}]
  - test: another header
    follow: [call]
    delivered: [{to: call, headers: {X-Name: Eight}}]
""")
    told = json.loads(run(site, "--json", code=1))
    equal([c["result"] for c in told["cases"]], ["ok", "failed", "failed"], json.dumps(told, indent=1))
    check("-7,Seven\n+n,the name␍\n+7,Seven␍" in told["cases"][1]["text"], told["cases"][1]["text"])
    check("-header X-Name: Eight\n+header X-Name: Seven" in told["cases"][2]["text"], told["cases"][2]["text"])


@test("an answer that is declared decides what becomes of a delivery, and nothing is called")
def answers(site):
    site_of(site, """flow: intake
follow: [call]
input: {json: [{n: 7, name: Seven}]}
cases:
  - {test: refused, answers: {call: 422}, delivered: {to: call, outcome: dead, code: http.status-422}, dead: {step: deliver}}
  - {test: busy, answers: {call: {status: 503, retry-after: 1m}}, delivered: {outcome: retry}}
  - {test: lost, answers: {call: {fails: timeout}}, delivered: {outcome: retry, code: http.timeout}}
  - {test: unreachable, answers: {call: {fails: connect}}, delivered: {outcome: retry, code: http.connect}}
  - test: the first is refused, the second taken
    input: {json: [{n: 1, name: A}, {n: 2, name: B}]}
    answers: {call: [{status: 400}, {status: 201}]}
    delivered: [{key: thing-1, outcome: dead}, {key: thing-2}]
  - {test: a full folder, follow: [out], answers: {out: {fails: full}}, delivered: {outcome: retry, code: file.full}}
  - {test: no such way to fail, follow: [out], answers: {out: {fails: timeout}}, delivered: 1}
""")
    told = json.loads(run(site, "--json", code=1))
    equal([c["result"] for c in told["cases"]], ["ok"] * 6 + ["broken"], json.dumps(told, indent=1)[-2000:])
    check("exists, full, denied, missing" in told["cases"][6]["text"], told["cases"][6]["text"])


@test("without a key that the target remembers, a lost answer is a doubt")
def doubt(site):
    site_of(site, """test: lost
flow: intake
follow: [call]
input: {json: [{n: 7, name: Seven}]}
answers: {call: {fails: broken}}
delivered: {outcome: doubt, code: http.broken}
""")
    site.flow(CALL.replace("effect: {key: 'thing-$(.n)', remembers: 24h}", "effect: none"))
    run(site)


@test("order and overlap of what is expected do not matter")
def matching(site):
    site_of(site, """test: the general one stands first
flow: intake
input: {json: [{n: 1, name: A}, {n: 2, name: B}, {n: 3, name: C}]}
published:
  - {topic: thing.v1, where: .n >= 1}
  - {topic: thing.v1, has: {n: 1}}
  - {topic: thing.v1, where: .n <= 2}
""")
    run(site)


@test("a flow that subscribes is tested alone, with a message; ids are the same each time")
def subscriber(site):
    site_of(site, """test: alone
flow: out
input: {json: {n: 4, name: Four}, keys: {.number: N-4}}
delivered: [{to: out, keys: {.number: N-4}, path: drop/4.csv}]
---
test: ids stand still
flow: intake
input: {json: [{n: 4, name: Four}], name: four.json}
published: [{has: {id: x}}]
""")
    site.write("mappings/thing.jq", "{n, id: $envelope.id, name: $envelope.name}\n")
    first, again = run(site, code=1), run(site, code=1)
    ids = re.findall(r'"id": "([0-9a-f]{64})"', first)
    check(ids and ids == re.findall(r'"id": "([0-9a-f]{64})"', again), first)


@test("mistakes in a test are findings with their line, and the nearest name")
def mistakes(site):
    site_of(site, """test: one
flow: intak
inptu: {json: []}
published: 1
---
test: two
flow: intake
input: {json: [], text: x}
now: yesterday
published: [{topik: thing.v1}, {topic: thing.v2}, {where: '.a |'}]
delivered: [{to: ou}]
---
test: three
flow: intake
input: {json: []}
with: {DRIP: x}
answers: {tool: 500}
---
test: four
flow: intake
input: {json: []}
delivered: 1
follow: [outt]
dead: {count: 0}
---
test: four
flow: intake
input: {file: ../secret}
published: soon
""")
    said = run(site, code=1)
    for finding in ("all.yaml:2:7: error: the site has no flow `intak`; did you mean `intake`?",
                    "all.yaml:3:1: error: unknown key `inptu`; did you mean `input`?",
                    "all.yaml:8:8: error: one of the file, the text and the data, not several",
                    "all.yaml:9:6: error: `now: yesterday` is no time",
                    "all.yaml:10:14: error: unknown key `topik`; did you mean `topic`?",
                    "all.yaml:10:32: error: the site has no flow that publishes to `thing.v2`; did you mean `thing.v1`?",
                    "all.yaml:10:64: error: syntax error",
                    "all.yaml:11:13: error: the site has no endpoint that it delivers to, `ou`; did you mean `out`?",
                    "all.yaml:13:1: error: it says nothing of what must come out",
                    "all.yaml:16:8: error: the site has no file that asks for the variable `DRIP`; did you mean `DROP`?",
                    "all.yaml:17:17: error: the site has no endpoint that it delivers to, `tool`",
                    "all.yaml:23:10: error: the site has no flow `outt`; did you mean `out`?",
                    "all.yaml:24:15: error: `count` must be in 1..1000000, not `0`",
                    "all.yaml:26:1: error: a test of this name stands in line 19 already",
                    "all.yaml:28:15: error: `../secret` is outside of the site",
                    "all.yaml:29:12: error: `published: soon`"):
        check(finding in said, "missing:", finding, "\n", said)


@test("a file that cannot be read as YAML fails the run")
def unreadable(site):
    site_of(site, "test: [\n")
    said = run(site, code=1)
    check("tests/all.yaml:2:1: error:" in said and "1 mistake in the tests" in said, said)
    site.write("tests/good.yaml", "test: good\nflow: intake\ninput: {json: []}\npublished: none\n")
    said = run(site, "--tap", "--junit", os.path.join(site.work, "out.xml"), code=1)
    check("ok 1 - good\nnot ok 2 - the site and its tests are without mistakes\n1..2" in said, said)
    suite = xml.etree.ElementTree.parse(os.path.join(site.work, "out.xml")).getroot()[0]
    equal((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("2", "0", "1"), "sums")
    check("tests/all.yaml:2:1" in suite[1][0].text, suite[1][0].text)


@test("variables come from environments/test.yaml where there is one, from --env, and from the test itself")
def variables(site):
    site_of(site, """flow: intake
follow: [out]
input: {json: [{n: 1, name: A}]}
cases:
  - {test: environment, delivered: [{path: tested/1.csv}]}
  - {test: own, with: {DROP: mine}, delivered: [{path: mine/1.csv}]}
""")
    equal([c["result"] for c in json.loads(run(site, "--json", code=1))["cases"]], ["failed", "ok"], "without an environment")
    site.write("environments/test.yaml", "DROP: tested\n")
    site.write("environments/prod.yaml", "DROP: live\n")
    equal([c["result"] for c in json.loads(run(site, "--json"))["cases"]], ["ok", "ok"], "with it")
    equal([c["result"] for c in json.loads(run(site, "--json", "--env", "prod", code=1))["cases"]], ["failed", "ok"], "another")


@test("names narrow, a name that fits nothing is told")
def names(site):
    site_of(site, """flow: intake
input: {json: []}
published: none
cases: [{test: the first}, {test: the second}]
""")
    equal(len(json.loads(run(site, "--json", "SECOND"))["cases"]), 1, "tests of that name")
    equal(len(json.loads(run(site, "--json", "tests/all.yaml"))["cases"]), 2, "tests of that file")
    check("no test is called so" in run(site, "third", code=2), "unknown name")


@test("what goes where credentials stand is neither shown nor written, unless the test gives it itself")
def credentials(site):
    site.flow(IN)
    site.write("mappings/thing.jq", MAPPING)
    site.flow(CALL)
    site.system("tool", "https://tool.example/api/v1",
                "  put: {method: PUT, path: '/things/$(.n)?api_key=${KEY}&region=${REGION}', timeout: '${TOKEN_TIME}',"
                " headers: {X-Auth-Token: '${PASS}'}}")
    text = """flow: intake
input: {json: [{n: 1, name: One}]}
follow: yes
cases:
  - test: from outside
    delivered: {url: no, headers: {X-Auth-Token: no}}
  - test: of its own
    with: {KEY: from-the-test}
    delivered: {url: 'https://tool.example/api/v1/things/1?api_key=from-the-test&region=eu', headers: {X-Auth-Token: hidden-PASS}}
"""
    site.write("tests/all.yaml", text)
    outside = {**os.environ, "KEY": "s3cr3t-one", "PASS": "s3cr3t-two", "REGION": "eu", "TOKEN_TIME": "20s"}
    for words, code in (([], 1), (["--json"], 1), (["--update"], 0)):
        done = subprocess.run([FERRULE, "test", site.at("."), *words], capture_output=True, text=True, env=outside, timeout=60)
        equal(done.returncode, code, done.stdout + done.stderr)
        check("s3cr3t" not in done.stdout + done.stderr, done.stdout, done.stderr)
        check("api_key=hidden-KEY&region=eu" in done.stdout and "X-Auth-Token: hidden-PASS" in done.stdout, done.stdout)
    written = read(site.at("tests/all.yaml")).decode()
    check("api_key=hidden-KEY&region=eu" in written and "s3cr3t" not in written, written)
    done = subprocess.run([FERRULE, "test", site.at(".")], capture_output=True, text=True, env=outside, timeout=60)
    check("2 tests: 2 ok" in done.stdout, done.stdout)


@test("a site that check refuses does not pass: its mistakes are told, its tests run, and nothing is written")
def mistaken_site(site):
    site_of(site, """test: one
flow: intake
input: {json: [{n: 1, name: One}]}
published: 1
""")
    run(site)
    site.write("mappings/other.jq", "{n: .n, by: nothing}\n")
    site.flow(OUT.replace("flow: out", "flow: other").replace("steps: [{", "steps: [{map: other.jq}, {").replace("drop}", "other}"))
    said = run(site, code=1)
    check("mappings/other.jq:1:13: error: nothing/0 is not defined" in said and "ok      one\n" in said, said)
    check("1 test: 1 ok, 0 failed, 1 mistake in the site, " in said, said)
    told = json.loads(run(site, "--json", code=1))
    equal([(f["code"], f["file"]) for f in told["findings"]], [("jq.compile", "mappings/other.jq")])
    check("not ok 2 - the site and its tests are without mistakes\n1..2" in run(site, "--tap", code=1))
    before = read(site.at("tests/all.yaml"))
    site.write("tests/all.yaml", before.decode().replace("published: 1", "published: 2"))
    said = run(site, "--update", code=1)
    check("nothing was written" in said and "mappings/other.jq:1:13" in said, said)
    check(b"published: 2" in read(site.at("tests/all.yaml")), "it was updated")


@test("--json and --tap do not go together")
def two_forms(site):
    site_of(site)
    check("--json and --tap" in run(site, "--json", "--tap", code=2))


@test("TAP and JUnit XML say the same")
def formats(site):
    site_of(site, """flow: intake
input: {json: [{n: 1, name: '<&"'}]}
cases:
  - {test: right, published: 1}
  - {test: 'wrong <&', published: [{has: {name: other}}]}
""")
    said = run(site, "--tap", "--junit", os.path.join(site.work, "out.xml"), code=1)
    check("ok 1 - right\nnot ok 2 - wrong <&\n#" in said and said.rstrip().endswith("1..2"), said)
    suite = xml.etree.ElementTree.parse(os.path.join(site.work, "out.xml")).getroot()[0]
    equal((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("2", "1", "0"), "sums")
    equal([c.get("name") for c in suite], ["right", "wrong <&"], "names")
    check('-  "name": "other"' in suite[1][0].text and suite[0].find("failure") is None, suite[1][0].text)


@test("--update writes what came, keeps what a test looks at and everything around, and then all is ok")
def update(site):
    before = """# the head
test: one
flow: intake
input: {json: [{n: 1, name: One}]}      # the input
published:
  - topic: thing.v1
    has: {name: Uno}
    where: [.n == 1, .n == 2]
# about the deliveries
delivered: none
follow: [out]
---
test: two
flow: intake
input: {json: [{n: 1, name: One}, {n: 2}]}
---
flow: intake
follow: [out]
input: {json: [{n: 1, name: One}]}
cases:
- test: three
  delivered:
  - {to: out, file: tests/files/three.csv}    # stays
- test: four
  published: 7
"""
    site_of(site, before)
    os.makedirs(site.at("tests", "files"))
    said = run(site, "--update")
    check('-  "name": "Uno"' in said and "4 rewritten" in said, said)
    after = read(site.at("tests", "all.yaml")).decode()
    for kept in ("# the head\n", "# the input\n", "# about the deliveries\n", "# stays\n", "    has: {name: One}\n",
                 "    where: .n == 1\n", "  published: 1\n", "code: jq.error"):
        check(kept in after, "missing:", kept, "\n", after)
    equal(read(site.at("tests", "files", "three.csv")), b"n,the name\r\n1,One\r\n", "the file")
    check("4 ok, 0 failed" in run(site), after)
    check("rewritten" not in run(site, "--update"), "a second time")
    equal(read(site.at("tests", "all.yaml")).decode(), after, "the file after a second time")


@test("--update writes what comes of a test that only says what goes in, also when nothing dies; and leaves alone what has no lines of its own")
def update_new(site):
    site_of(site, "test: new\nflow: intake\ninput: {json: [{n: 1, name: One}]}\n")
    said = run(site, "--update")
    check("1 rewritten" in said, said)
    check("published:" in read(site.at("tests", "all.yaml")).decode() and "1 ok, 0 failed" in run(site), said)
    before = "flow: intake\ninput: {json: [{n: 1, name: One}]}\ncases:\n- {test: narrow}\n"
    site_of(site, before)
    code, out, err = site.type("test", "--update")
    check(code == 1 and "all.yaml:4: write each key on a line of its own" in out + err, code, out + err)
    equal(read(site.at("tests", "all.yaml")).decode(), before, "the file")


@test("--update rewrites brackets over several lines, comments in texts and lines that end as Windows has them, or says that it cannot")
def update_shapes(site):
    site_of(site)
    shapes = {
        "brackets": "published: [\n  {topic: thing.v1, has: {n: 2}}\n]\ndead: none\n",
        "braces": "published: {topic: thing.v1,\n  has: {n: 2}\n}\ndead: none\n",
        "text": "follow: [out]\ndelivered:\n  to: out\n  text: |\n    a\n\n    # b\n# mine\ndead: none\n",
        "windows": "follow: [out]\r\ndelivered:\r\n  to: out\r\n  text: |\r\n    a\r\n\r\n    b\r\n# mine\r\ndead: none\r\n",
        "where": "follow: [call]\ndelivered:\n  to: call\n  where: ['$envelope.headers | length > 0', '$envelope.method == \"GET\"']\n",
    }
    for name, text in shapes.items():
        head = f"test: {name}\nflow: intake\ninput: {{json: [{{n: 1, name: One}}]}}\n"
        site.write(f"tests/{name}.yaml", head.replace("\n", "\r\n" if name == "windows" else "\n") + text)
        run(site, f"tests/{name}.yaml", code=1)
        run(site, f"tests/{name}.yaml", "--update")
        check("1 ok" in run(site, f"tests/{name}.yaml"), name)
        after = read(site.at(f"tests/{name}.yaml")).decode()
        check("# b" not in after and ("# mine" in after) == ("# mine" in text) and ("dead: none" in after) == ("dead" in text), after)
    check("headers" in read(site.at("tests/where.yaml")).decode(), "a condition that holds is kept")
    odd = "test: odd\nflow: intake\ninput: {json: [{n: 1, name: One}]}\npublished: {topic: thing.v1,\nhas: {n: 2}}\n"
    site.write("tests/odd.yaml", odd)
    check("cannot be rewritten" in run(site, "tests/odd.yaml", "--update", code=1), "said")
    equal(read(site.at("tests/odd.yaml")).decode(), odd, "the file")


@test("business keys are told apart by their case, headers are not; a file may be named from elsewhere; a name is no order to a harness")
def small(site):
    site_of(site, "flow: intake\ninput: {json: [{n: 1, name: A}]}\ntest: 'one # SKIP me'\npublished: [{topic: thing.v1, keys: {.N: '1'}}]\n")
    site.flow(IN.replace("publish:", "  - validate: {contract: thing/v1, keys: [.n]}\npublish:"))
    site.write("canonical/thing/v1.schema.json", '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "T", "type": "object"}')
    check("not ok 1 - one \\# SKIP me" in run(site, "--tap", code=1), "TAP")
    check("-key .N: 1" in run(site, code=1), "keys")
    site.write("tests/all.yaml", read(site.at("tests/all.yaml")).decode().replace(".N", ".n"))
    name = os.path.basename(site.path)
    for word in (f"../{name}/tests/all.yaml", "./tests/all.yaml", site.at("tests/all.yaml")):
        check("1 test: 1 ok" in run(site, word), word)


@test("the sample's tests pass, and a changed mapping fails them")
def sample(site):
    shutil.rmtree(site.path)
    equal(site.type("init", site.path, "--template", "order-to-cash", cwd=site.root)[0], 0, "init")
    check("12 ok, 0 failed" in run(site), "the sample")
    mapping = site.at("mappings", "order-to-erp.jq")
    text = read(mapping).decode()
    with open(mapping, "w") as file:
        file.write(text.replace("product: .product.id", "product: .id"))
    said = run(site, code=1)
    check("-    <product>HP-2040</product>\n" in said and "+    <product/>\n" in said or "+    <product>1</product>\n" in said, said)


@test("tables of the store hold what a test gives, and what flows learned since")
def stores(site):
    site_of(site, """flow: meet
cases:
  - test: known from before
    stores: {names: {'1': Before}}
    input: {json: {n: 1}}
    published: [{has: {known: Before}}]
  - test: learned
    input: [{json: {n: 1, name: First}}, {json: {n: 1}}]
    published: [{where: .known == null}, {has: {known: First}}]
""")
    site.flow("""
flow: meet
owner: tests
from: {file: 'meet/*.json', after: archive}
steps:
  - decode: json
  - enrich: {store: names, key: .n | tostring, as: .known, missing: pass}
  - remember: {store: names, key: .n | tostring, value: .name, when: .name}
publish: met.v1
""")
    run(site)


@test("messages wait in durable steps as they would, and what waits for time goes on behind the last input")
def durable(site):
    site_of(site, """cases:
  - test: a group is complete
    flow: gather
    input: {json: {id: A, lines: [{n: 1}, {n: 2}, {n: 3}]}}
    published: [{topic: gathered.v1, body: [{n: 1}, {n: 2}, {n: 3}], where: 'length == 3'}]
  - test: a group of which one is dead is refused
    flow: gather
    input: {json: {id: A, lines: [{n: 1}, {n: bad}, {n: 3}]}}
    published: none
    dead: [{code: jq.error}, {code: collect.partial, step: collect, reason: 'a group of 3 has 2: 0 missing, 1 dead'}]
  - test: so many, and the rest by time
    flow: batch
    input: [{json: {n: 1}, name: a}, {json: {n: 2}, name: b}, {json: {n: 3}, name: c}]
    published: [{body: [{n: 1}, {n: 2}], where: '.[0].n == 1'}, {body: [{n: 3}]}]
  - test: numbers come into their order, a gap ends with time
    flow: sort
    input: [{json: {n: 3}, name: a}, {json: {n: 1}, name: b}, {json: {n: 2}, name: c}, {json: {n: 5}, name: d}, {json: {n: 1, x: 1}, name: e}]
    published: [{has: {n: 1}}, {has: {n: 2}}, {has: {n: 3}}, {has: {n: 5}}]
    dead: {code: resequence.conflict}
  - test: the first of its key only
    flow: first
    input: [{json: {n: 1, t: x}, name: a}, {json: {n: 1, t: x}, name: b}, {json: {n: 1, t: y}, name: c}]
    published: [{has: {t: x}}]
    dropped: [dedupe]
    dead: [dedupe.conflict]
""")
    head = "flow: %s\nowner: tests\nfrom: {file: '%s/*', after: archive}\nsteps:\n  - decode: json\n"
    for name, steps in (("gather", "  - split: {by: '.lines[]', id: [.n]}\n  - map: {jq: 'if .n == \"bad\" then error(\"bad\") else . end'}\n"
                                   "  - collect: {by: group, within: 1h}\n"),
                        ("batch", "  - collect: {by: '\"all\"', count: 2, within: 1h}\n"),
                        ("sort", "  - resequence: {number: .n, within: 1h, gap: pass}\n"),
                        ("first", "  - dedupe: {by: .n}\n")):
        site.write(f"flows/{name}.yaml", head % (name, name) + steps + f"publish: {name}ed.v1\n")
    run(site)


@test("a site with mistakes is not tested, and tests are no part of its revision")
def revision(site):
    site_of(site, "test: t\nflow: intake\ninput: {json: []}\npublished: none\n")
    before = json.loads(site.type("check", "--json")[1])
    site.write("tests/more.yaml", "test: u\nflow: intake\ninput: {json: []}\npublished: none\n")
    equal(json.loads(site.type("check", "--json")[1]), before, "check")
    equal(len(json.loads(run(site, "--json"))["cases"]), 2, "tests")
    site.flow(OUT.replace("owner", "ownr"))
    check("did you mean `owner`" in run(site, code=1), "the finding")


main()
