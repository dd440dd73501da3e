#!/usr/bin/env python3
"""Are good documents taken by the shipped grammars, and is what is broken in one found, and where? Prints TAP.

For each document of tests/formats/documents, in each version that it is of: the document as it is, then each way of
cases.yaml to break it. All of them go as transactions of one interchange, and only what is broken may be found. A code
`a|b` is either. With a folder of other people's documents beside the project
(shared/data), those of the same kinds, too; what is found in them stands in KNOWN."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
HERE = os.path.join(SOURCE, "tests", "formats", "documents")
SHARED = os.environ.get("FERRULE_SHARED") or os.path.join(SOURCE, "..", "shared")
ENVIRONMENT = dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config"))
PLACE = re.compile(r"(?:transaction|message) (\d+) .*?segment \d+(?: \((\w+)\))?(?:, element (\d+))?")


def decode(kind, path, check):
    """What is found: (number of the transaction or None, code without the format's name, segment, element, text)."""
    run = subprocess.run([os.path.join(BUILD, "ferrule"), "decode", kind, "--json", "--set", "form=nested",
                          "--set", "check=[%s]" % check, path],
                         env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    found = []
    for line in run.stderr.splitlines():
        if not line.startswith("{"):
            found.append((None, "crash", None, None, line))
            continue
        told = json.loads(line)
        place = PLACE.search(told.get("position", ""))
        number, tag, element = place.groups() if place else (None, None, None)
        found.append((int(number) if number else None, told["code"].split(".", 1)[-1], tag, element,
                      "%s: %s: %s" % (told["code"], told.get("position", ""), told["text"])))
    if run.returncode not in (0, 1):
        found.append((None, "crash", None, None, "exit code %d" % run.returncode))
    return found, run.stdout


class Document:
    """An interchange with one transaction: what is in front of it, itself, what is behind it."""

    def __init__(self, file, version):
        with open(os.path.join(HERE, file), encoding="utf-8") as text:
            text = text.read()
        self.kind = file.split("-")[0]
        head, tail = ("ST*", "GE*") if self.kind == "x12" else ("UNH+", "UNZ+")
        self.of = version or "as it is"
        if version and self.kind == "x12":
            text = text.replace("*X*004010~", "*X*%s~" % version)
            text = text.replace("*U*00401*", "*^*00501*") if version == "005010" else text
        elif version:
            text = re.sub(r"(UNH\+1\+[A-Z]+:)\w+:\w+:", r"\g<1>%s:" % version, text)
        start, end = text.index("\n" + head) + 1, text.index("\n" + tail) + 1
        self.head, self.text, self.tail = text[:start], text[start:end], text[end:]

    def broken(self, case):
        """The transaction, broken as the case says."""
        old, new = case[1], case[2]
        if old.startswith("/"):
            text, times = re.subn(old[1:-1], new, self.text, flags=re.M)
        else:
            text, times = self.text.replace(old, new), self.text.count(old)
        if times < 1:
            raise ValueError("%s: `%s` is not in the document" % (case[0], old))
        return text

    def interchange(self, texts):
        """All of them in one, with control numbers and counts that are right."""
        body = ""
        for number, text in enumerate(texts, 1):
            count = sum(1 for line in text.splitlines() if line)
            if self.kind == "x12":
                text = re.sub(r"^(ST\*\d+\*)\d+", r"\g<1>%04d" % number, text)
                text = re.sub(r"^SE\*\d+\*\d+", "SE*%d*%04d" % (count, number), text, flags=re.M)
            else:
                text = re.sub(r"^UNH\+\d+", "UNH+%d" % number, text)
                text = re.sub(r"^UNT\+\d+\+\d+", "UNT+%d+%d" % (count, number), text, flags=re.M)
            body += text
        tail = re.sub(r"^(GE\*|UNZ\+)\d+", r"\g<1>%d" % len(texts), self.tail)
        return self.head + body + tail


class Report:
    """TAP."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def say(self, right, what, *lines):
        self.number += 1
        self.failed += not right
        print("%s %d - %s" % ("ok" if right else "not ok", self.number, what))
        for line in () if right else lines:
            print("# " + line)


def judge(report, file, version, cases, folder):
    document = Document(file, version)
    what = "%s (%s)" % (file, document.of)
    try:
        texts = [document.text] + [document.broken(case) for case in cases]
    except ValueError as error:
        report.say(False, what, str(error))
        return
    path = os.path.join(folder, "interchange.edi")
    with open(path, "w", encoding="utf-8") as out:
        out.write(document.interchange(texts))
    found, lines = decode(document.kind, path, "structure, codes, balance")
    outside = [f[4] for f in found if f[0] is None]
    report.say(not outside and lines.startswith("{"), what + ": the interchange is read", *outside)
    mine = [f[4] for f in found if f[0] == 1]
    report.say(not mine, what + ": a good document is taken", *mine)
    for number, case in enumerate(cases, 2):
        mine = [f for f in found if f[0] == number]
        if case[3] == "none":
            report.say(not mine, "%s: %s" % (what, case[0]), *["found: " + f[4] for f in mine])
            continue
        codes, (tag, _, element) = case[3].split("|"), str(case[4]).partition(" ")
        right = [f for f in mine
                 if f[1] in codes and re.search(r"\b%s\b" % tag, f[4]) and (not element or f[3] == element)]
        report.say(bool(right), "%s: %s" % (what, case[0]), "expected: %s at %s" % (case[3], case[4]),
                   *["found: " + f[4] for f in mine] or ["nothing was found"])


PYT = "PYT came into the directory after D.01B, and PAI stands behind it"
MADE = "made to be invalid"
# What is found in documents of others, counts and control numbers apart, and why it is true of them.
KNOWN = {
    "invoic_d93a_una.edi": ("element-date", "a date has the month 97"),
    "invoic_d97b_bad.edi": ("element-long", MADE),
    "x12.810.mandatory-conditions.edi": ("segment-undefined", "an 850 of segments that are not of 850"),
    "x12.850.issue135.edi": ("count", "a terminator is missing: DTM and PO1 run together"),
    "x12.850a.edi": ("element-long", "N402 is a word for a state, not its code"),
    "x12.Issue101.edi": ("segment-unknown", "segments of nobody's"),
    "x12.Issue172.edi": ("segment-unknown", "segments of nobody's"),
    "x12.Issue91.edi": ("segment-unknown", "segments of nobody's"),
    "empty997.edi": ("segment-missing", "a 997 of nothing"),
    "extraDelimiter997.edi": ("element-type", "repetitions and components where none are"),
    "invalid997.edi": ("element-long", MADE),
    "invalid997_min.edi": ("control", MADE),
    "invalid999.edi": ("segment-order", MADE),
}
KNOWN.update(("EDIFACT_EXAMPLE%s.TXT" % n, ("segment-unknown", PYT)) for n in ("0", "0a", *"123456789"))
# Directories that ship no grammar, and the nearest that does.
NEAR = {"D:93A": "D:96A", "D:96B": "D:96A", "D:97B": "D:96A", "D:14B": "D:01B"}


def mended(text, kind):
    """Counts and control numbers made right: they are not what is judged here."""
    if kind == "x12":
        fields = text[text.find("ISA"):].split(text[text.find("ISA") + 3:][:1] or "*", 16)
        if len(fields) < 17 or len(fields[16]) < 2:
            return text
        at, cut = re.escape(text[text.find("ISA") + 3]), "(%s)" % re.escape(fields[16][1])
        starts, opens, closes, ends = "ISA", "ST", "SE", "IEA"
    else:
        if text.startswith("UNA") and not re.match(r"UNA:\+.\?.'", text):
            return text
        at, cut = r"\+", r"((?<!\?)')"
        starts, opens, closes, ends = "UNB", "UNH", "UNT", "UNZ"
    segments, count, control = re.split(cut, text), 0, ""
    packages = sum(1 for segment in segments if re.match(r"\s*UNO\+", segment)) if kind == "edifact" else 0
    for i in range(0, len(segments), 2):
        count += 1
        tag = segments[i].strip().lstrip("\ufeff\xef\xbb\xbf")[:3].rstrip("*+|^")
        fields = re.split(at, segments[i])
        if tag == starts and len(fields) > 5:
            control = fields[13] if kind == "x12" and len(fields) > 13 else fields[5]
        elif tag == opens:
            count = 1
        elif tag == closes:
            segments[i] = re.sub(r"^(\s*%s%s)\d+" % (closes, at), lambda m, n=count: m[1] + str(n), segments[i])
        elif tag == ends and len(fields) > 2:
            segments[i] = segments[i][:-len(fields[2])] + control if fields[2] else segments[i]
            if packages:
                segments[i] = segments[i].replace("UNZ+1+", "UNZ+%d+" % (1 + packages))
    return "".join(segments)


def others(report, folder):
    """Documents of others, as far as there is a grammar for them, or for a neighbour of their version."""
    paths = sorted(glob.glob(os.path.join(SHARED, "data", "x12", "*", "*"))
                   + glob.glob(os.path.join(SHARED, "data", "edifact", "*", "*")))
    if not paths:
        report.say(True, "documents of others # SKIP there are none in %s/data" % SHARED)
        return
    judged = 0
    for path in paths:
        kind = path.split(os.sep)[-3]
        with open(path, encoding="latin-1", newline="") as text:
            data = mended(text.read(), kind)
        for of, near in NEAR.items():
            data = re.sub(r"(UNH\+[^+]*\+[A-Z]+:)%s:" % of, r"\g<1>%s:" % near, data)
        copy = os.path.join(folder, "other.edi")
        with open(copy, "w", encoding="latin-1", newline="") as out:
            out.write(data)
        found, lines = decode(kind, copy, "structure, codes")
        if not lines and all(f[1] in ("grammar", "isa", "separator") for f in found):
            continue  # of another kind, or no interchange
        judged += 1
        name = os.path.basename(path)
        codes, reason = KNOWN.get(name, ("", ""))
        mine = sorted({f[1] for f in found if f[1] != "grammar"})
        report.say(mine == codes.split(), "%s%s" % (name, reason and ": " + reason), "expected: %s" % codes,
                   *[f[4] for f in found if f[1] != "grammar"][:12])
    report.say(judged > 20, "more than twenty of them were judged", "%d were" % judged)


def generated(report, folder):
    """What the generator of the measurements makes."""
    generator = os.path.join(SHARED, "bench", "edi_gen.py")
    for kind in ("850", "810", "orders"):
        if not os.path.exists(generator):
            report.say(True, "generated %s # SKIP there is no %s" % (kind, generator))
            continue
        path = os.path.join(folder, kind)
        subprocess.run([sys.executable, generator, kind, "0.3", path], check=True, stdout=subprocess.DEVNULL)
        found, lines = decode("edifact" if kind == "orders" else "x12", path, "structure, codes")
        report.say(not found and lines, "generated %s is taken" % kind, *[f[4] for f in found][:12])


def main():
    report = Report()
    with open(os.path.join(HERE, "cases.yaml"), encoding="utf-8") as text:
        documents = yaml.safe_load(text)
    there = {os.path.basename(path) for path in glob.glob(os.path.join(HERE, "*.edi"))}
    report.say(there == set(documents), "every document has its cases", *sorted(there ^ set(documents)))
    with tempfile.TemporaryDirectory(prefix="ferrule-documents.") as folder:
        for file, what in documents.items():
            for version in [None] + what.get("also", []):
                cases = [case for case in what["cases"] if not version or "first" not in case[5:]]
                judge(report, file, version, cases, folder)
        generated(report, folder)
        others(report, folder)
    print("1..%d" % report.number)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
