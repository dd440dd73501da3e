#!/usr/bin/env python3
"""Are the shipped grammars of EDI documents (config/edi) whole in themselves? Prints TAP.

Every file parses and is named after what it says it is for; every segment, composite, element and list of codes that is
referred to exists; names are unique where they are keys of the nested form; loops begin with a segment that is M 1;
conditions and balances speak of elements that there are."""
import glob
import os
import re
import sys

import yaml

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,47}$")
TYPES = re.compile(r"^(AN|ID|DT|TM|R|N[0-9]|B|a|n|an)$")
WORDS = {"dictionary": {"dictionary", "source", "left-out", "segments", "composites", "elements", "codes"},
         "grammar": {"grammar", "title", "source", "left-out", "dictionary", "structure", "balance"}}
NEEDED = {"edifact-22": "contrl",
          "edifact-41": "contrl",
          "edifact-d01b": "aperak contrl desadv invoic ordchg orders ordrsp",
          "edifact-d3": "contrl",
          "edifact-d96a": "aperak contrl desadv invoic ordchg orders ordrsp",
          "x12-004010": "810 820 850 855 856 860 997",
          "x12-005010": "810 820 850 855 856 860 997 999"}


class NoDuplicates(yaml.SafeLoader):
    """A key that stands twice in a map would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, "key %r stands twice" % (key,), node.start_mark)
        return super().construct_mapping(node, deep)


def read(path):
    with open(path, encoding="utf-8") as text:
        return yaml.load(text, NoDuplicates)


def camel(name):
    """As the nested form calls it."""
    first, *others = name.split("-")
    return first + "".join(word.capitalize() for word in others)


def use_ok(words, letters):
    return (len(words) >= 1 and words[0] in letters
            and (len(words) < 2 or words[1] == ">1" or (words[1].isdigit() and int(words[1]) > 0)))


def check_list(where, items, dictionary, letters, bad):
    """The elements of a segment, or the components of a composite."""
    names = []
    for item in items:
        words = str(item).split()
        rest = words[2:]
        if len(words) < 2 or words[1] not in letters:
            bad.append("%s: `%s` is not ELEMENT USE [MAX] [NAME]" % (where, item))
            continue
        if rest and rest[0].isdigit():
            rest = rest[1:]
        if words[0] not in dictionary["elements"] and words[0] not in dictionary["composites"]:
            bad.append("%s: there is no element or composite %s" % (where, words[0]))
        name = rest[0] if rest else None
        if not name or not NAME.match(name):
            bad.append("%s: `%s` has no proper name" % (where, item))
        elif camel(name) in names:
            bad.append("%s: two are called %s" % (where, name))
        names.append(camel(name or ""))
    return len(names)


def check_dictionary(file, data):
    bad = []
    letters = "MO" if file.startswith("x12") else "MC"
    for name, data_element in data["elements"].items():
        low, dots, high = str(data_element.get("size", "")).partition("..")
        if set(data_element) - {"title", "type", "size", "codes", "open", "name"} or not data_element.get("title"):
            bad.append("element %s: keys" % name)
        if not TYPES.match(str(data_element.get("type"))):
            bad.append("element %s: type %s" % (name, data_element.get("type")))
        if not dots or not low.isdigit() or not high.isdigit() or not 0 <= int(low) <= int(high) or int(high) < 1:
            bad.append("element %s: size %s" % (name, data_element.get("size")))
        codes = data_element.get("codes")
        if isinstance(codes, str):
            if codes not in data["codes"]:
                bad.append("element %s: there is no list of codes %s" % (name, codes))
                continue
            codes = data["codes"][codes]
        for code in codes or ():
            if not isinstance(code, str):
                bad.append("element %s: code %r wants quotes" % (name, code))
            elif dots and not int(low) <= len(code) <= int(high):
                bad.append("element %s: code %s is not of size %s" % (name, code, data_element["size"]))
    for tag, composite in data["composites"].items():
        check_list(tag, composite["elements"], {"elements": data["elements"], "composites": {}}, letters, bad)
        if not NAME.match(composite["name"]) or not composite["title"]:
            bad.append("%s: name or title" % tag)
    for tag, segment in data["segments"].items():
        count = check_list(tag, segment["elements"], data, letters, bad)
        if not re.match(r"^[A-Z][A-Z0-9]{1,2}$", tag) or not NAME.match(segment["name"]) or not segment["title"]:
            bad.append("%s: tag, name or title" % tag)
        for rule in segment.get("rules", ()):
            if not re.match(r"^[PRECL](\d\d){2,}$", rule):
                bad.append("%s: `%s` is no condition" % (tag, rule))
            elif any(not 1 <= int(n) <= count for n in re.findall(r"\d\d", rule)):
                bad.append("%s: %s speaks of an element that there is not" % (tag, rule))
    used = {str(item).split()[0] for part in ("segments", "composites") for thing in data[part].values()
            for item in thing["elements"]}
    for name in set(data["elements"]) | set(data["composites"]):
        if name not in used:
            bad.append("%s is used nowhere" % name)
    for name in set(data["codes"]) - {str(e.get("codes")) for e in data["elements"].values()}:
        bad.append("the list of codes %s is used nowhere" % name)
    return bad


def check_structure(where, items, dictionary, letters, bad, first):
    keys = []
    for number, item in enumerate(items):
        if isinstance(item, dict):
            words = str(item.get("use", "")).split()
            key = item.get("loop")
            if set(item) - {"loop", "use", "structure", "title", "note"} or not use_ok(words, letters):
                bad.append("%s: loop %s" % (where, key))
            if first and number == 0:
                bad.append("%s begins with a loop" % where)
            check_structure("%s/%s" % (where, key), item["structure"], dictionary, letters, bad, True)
        else:
            words = str(item).split()
            if len(words) not in (3, 4) or not use_ok(words[1:3], letters):
                bad.append("%s: `%s` is not TAG USE MAX [NAME]" % (where, item))
                continue
            if words[0] not in dictionary["segments"]:
                bad.append("%s: there is no segment %s" % (where, words[0]))
                continue
            if first and number == 0 and words[1:3] != ["M", "1"]:
                bad.append("%s: begins with %s, not with M 1" % (where, item))
            key = words[3] if len(words) == 4 else dictionary["segments"][words[0]]["name"]
        if not key or not NAME.match(key):
            bad.append("%s: %s is no name" % (where, key))
        elif camel(key) in keys:
            bad.append("%s: two are called %s" % (where, key))
        keys.append(camel(key or ""))


def tags_of(items):
    for item in items:
        if isinstance(item, dict):
            yield from tags_of(item["structure"])
        else:
            yield str(item).split()[0]


def places(rule):
    """What a balance speaks of: tag, element, component; of `lines/IT102*IT104`, `-SAC05 when SAC01=A|B`."""
    for what in rule.values():
        terms = [what["of"], what["is"], what.get("only", []), what.get("maybe", [])]
        while any(isinstance(term, list) for term in terms):
            terms = [each for term in terms for each in (term if isinstance(term, list) else [term])]
        for term in terms:
            for part in re.split(r"[ *]", re.sub(r"=\S+", "", str(term))):
                match = re.match(r"^-?/?(?:[a-z0-9-]+/)*([A-Z][A-Z0-9]{1,2}?)(\d\d)?(?:-(\d+))?$", part)
                if match:
                    yield match.groups()
                elif part != "when":
                    yield part, None, None


def check_grammar(file, data, dictionary):
    bad = []
    letters = "MO" if file.startswith("x12") else "MC"
    check_structure("structure", data["structure"], dictionary, letters, bad, False)
    tags = set(tags_of(data["structure"]))
    for rule in data.get("balance", ()):
        for tag, element, component in places(rule):
            elements = dictionary["segments"][tag]["elements"] if tag in tags else []
            if tag not in tags or int(element or 1) > len(elements):
                bad.append("balance: there is no %s%s" % (tag, element or ""))
            elif component:
                composite = dictionary["composites"].get(str(elements[int(element) - 1]).split()[0])
                if not composite or int(component) > len(composite["elements"]):
                    bad.append("balance: there is no %s%s-%s" % (tag, element, component))
    return bad


def check_file(path):
    """What is wrong with a file, as a list of sentences."""
    file = os.path.basename(path)
    try:
        data = read(path)
    except yaml.YAMLError as error:
        return [str(error).replace("\n", " ")]
    kind = "dictionary" if "segments" in data else "grammar"
    bad = ["there is no key %s in such a file" % key for key in set(data) - WORDS[kind]]
    bad += ["key %s is missing" % key for key in WORDS[kind] - {"balance"} - set(data)]
    if bad:
        return bad
    words = data[kind].lower().split()  # "edifact D 96A ORDERS": edifact-d96a-orders.yaml
    last = [words.pop()] if kind == "grammar" else []
    named = "-".join([words[0], "".join(words[1:])] + last) + ".yaml"
    if named != file:
        bad.append("it says that it is for %s: then its name is %s" % (data[kind], named))
    if not str(data["source"]).strip() or not str(data["left-out"]).strip():
        bad.append("source and left-out say nothing")
    with open(path, encoding="utf-8") as text:
        bad += ["line %d is longer than 160" % n for n, line in enumerate(text, 1) if len(line.rstrip("\n")) > 160]
    if kind == "dictionary":
        return bad + check_dictionary(file, data)
    if not os.path.exists(os.path.join(os.path.dirname(path), data["dictionary"])):
        return bad + ["there is no dictionary %s" % data["dictionary"]]
    return bad + check_grammar(file, data, read(os.path.join(os.path.dirname(path), data["dictionary"])))


def main():
    paths = sorted(glob.glob(os.path.join(SOURCE, "config", "edi", "*.yaml")))
    there = {os.path.basename(path) for path in paths}
    number = 0
    failed = 0
    for path in paths:
        number += 1
        bad = check_file(path)
        failed += bool(bad)
        print("%s %d - %s is whole in itself" % ("not ok" if bad else "ok", number, os.path.basename(path)))
        for line in bad[:40]:
            print("# " + line)
    missing = ["%s-%s.yaml" % (of, kind) for of, kinds in NEEDED.items() for kind in kinds.split()
               if "%s-%s.yaml" % (of, kind) not in there]
    number += 1
    failed += bool(missing)
    print("%s %d - every document that was promised has a grammar" % ("not ok" if missing else "ok", number))
    for line in missing:
        print("# there is no " + line)
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
