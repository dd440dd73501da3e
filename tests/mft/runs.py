#!/usr/bin/python3
"""A year of schedules, computed in another way: every minute of it is looked at on the clocks of Python's zoneinfo, and
what a wall shows decides. Two time zones' changes of the clock (and some odd ones), holidays, windows, intervals."""
import datetime
import os
import random
import subprocess
import sys
import zoneinfo

BUILD = os.environ.get("FERRULE_BUILDDIR", "build")
RUNS = os.path.join(BUILD, "tests/mft/runs")
UTC = datetime.timezone.utc
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]  # as Python's weekday()
MINUTE = datetime.timedelta(minutes=1)
failed = 0
number = 0


def result(name, right, *words):
    global failed, number
    number += 1
    failed += not right
    print("%s %d - %s" % ("ok" if right else "not ok", number, name))
    for word in [] if right else words:
        print("# %s" % word)
    sys.stdout.flush()


def easter(year):
    """By the paschal full moons themselves, as they stand in the tables for 1900 to 2199."""
    moons = ["4-14", "4-3", "3-23", "4-11", "3-31", "4-18", "4-8", "3-28", "4-16", "4-5", "3-25", "4-13", "4-2",
             "3-22", "4-10", "3-30", "4-17", "4-7", "3-27"]
    month, day = map(int, moons[year % 19].split("-"))
    full = datetime.date(year, month, day)
    return full + datetime.timedelta(days=(6 - full.weekday()) % 7 or 7)


class Field:
    def __init__(self, text, low, high, words=()):
        self.star = text.startswith("*")
        self.all = text == "*"
        self.values = set()
        for part in text.split(","):
            part, _, step = part.partition("/")
            first, _, last = part.partition("-")
            first, last = (low, high) if part == "*" else (self.value(first, words, low),
                                                           self.value(last or first, words, low))
            if step and "-" not in part:
                last = high
            self.values |= set(range(first, last + 1, int(step or 1)))

    @staticmethod
    def value(text, words, low):
        return words.index(text) + low if text in words else int(text)


class Case:
    def __init__(self, zone, cron="", every=0, days="mon,tue,wed,thu,fri,sat,sun", holidays="", working="", window=("", ""),
                 moved=0, year=2026):
        self.zone, self.cron, self.every, self.days, self.moved = zone, cron, every, days, moved
        self.holidays, self.working, self.window, self.year = holidays, working, window, year

    def line(self):
        start, end = (int(datetime.datetime(y, 1, 1, tzinfo=UTC).timestamp() * 1000) for y in (self.year, self.year + 1))
        return "|".join(map(str, [start, end, self.zone, self.cron, self.every * 1000, self.days, self.holidays,
                                  self.working, *self.window, self.moved, ""]))

    @staticmethod
    def is_in(date, texts):
        for text in filter(None, texts.split(",")):
            if text.startswith("easter"):
                if date == easter(date.year) + datetime.timedelta(days=int(text[6:] or 0)):
                    return True
            elif text in (date.isoformat(), date.isoformat()[5:]):
                return True
        return False

    def works(self, date):
        if self.is_in(date, self.working):
            return True
        return NAMES[date.weekday()] in self.days.split(",") and not self.is_in(date, self.holidays)

    def in_window(self, wall):
        low, high = self.window
        text = wall.strftime("%H:%M")
        if not low:
            return True
        return low <= text < high if low < high else text >= low or text < high

    def on_day(self, date):
        months = "jan feb mar apr may jun jul aug sep oct nov dec".split()
        _, _, day, month, weekday = self.cron.split()
        if date.month not in Field(month, 1, 12, months).values:
            return False
        day = Field(day, 1, 31) if day != "L" else None
        weekday = Field(weekday, 0, 7, ["sun"] + NAMES[:6])
        of_month = date.day in day.values if day else (date + datetime.timedelta(days=1)).day == 1
        of_week = (date.weekday() + 1) % 7 in {v % 7 for v in weekday.values}
        if (day and day.star) or weekday.star:
            return of_month and of_week
        return of_month or of_week

    def day(self, date):
        """Does it run on this date, what was moved here included?"""
        if not self.works(date):
            return False
        found = self.on_day(date)
        step = datetime.timedelta(days={1: -1, 2: 1}.get(self.moved, 0))
        other = date + step
        while step and not self.works(other):
            found = found or self.on_day(other)
            other += step
        return found

    def expected(self):
        zone = zoneinfo.ZoneInfo(self.zone)
        at = datetime.datetime(self.year, 1, 1, tzinfo=UTC) - datetime.timedelta(days=2)
        end = datetime.datetime(self.year + 1, 1, 1, tzinfo=UTC)
        if self.every:
            second = int(datetime.datetime(self.year, 1, 1, tzinfo=UTC).timestamp())
            second += -second % self.every
            walls = ((s, datetime.datetime.fromtimestamp(s, zone).replace(tzinfo=None))
                     for s in range(second, int(end.timestamp()), self.every))
            return [s for s, wall in walls if self.works(wall.date()) and self.in_window(wall)]
        minutes, hours = (Field(text, 0, high) for text, high in zip(self.cron.split(), (59, 23)))
        runs, shown, days, last = set(), set(), {}, None
        while at < end:
            wall = at.astimezone(zone).replace(tzinfo=None)
            walls = [wall]
            while not hours.all and last and walls[0] > last + MINUTE:  # the clock was put forward
                walls.insert(0, walls[0] - MINUTE)
            for one in walls:
                if one.minute not in minutes.values or one.hour not in hours.values or not self.in_window(one):
                    continue
                if one.date() not in days:
                    days[one.date()] = self.day(one.date())
                if days[one.date()] and (hours.all or one not in shown):
                    runs.add(int(at.timestamp()))
                    shown.add(one)
            last = wall
            at += MINUTE
        start = datetime.datetime(self.year, 1, 1, tzinfo=UTC).timestamp()
        return sorted(s for s in runs if s >= start)


TARGET = "01-01,easter-2,easter+1,05-01,12-25,12-26"
WEEK = "mon,tue,wed,thu,fri"
CASES = [
    ("every night in Berlin at 02:30, which is skipped in March and comes twice in October",
     Case("Europe/Berlin", "30 2 * * *")),
    ("the same in New York, whose clocks change on other days", Case("America/New_York", "30 2 * * *")),
    ("at 01:30 in New York, which comes twice in November", Case("America/New_York", "30 1 * * *")),
    ("every quarter of an hour in Berlin, in the hour that comes twice, too", Case("Europe/Berlin", "*/15 * * * *")),
    ("every two hours in Berlin by the wall", Case("Europe/Berlin", "0 */2 * * *")),
    ("working days of TARGET in Berlin at 07:30", Case("Europe/Berlin", "30 7 * * *", days=WEEK, holidays=TARGET)),
    ("the first of the month, or the next working day", Case("Europe/Berlin", "0 6 1 * *", days=WEEK, holidays=TARGET, moved=1)),
    ("the last of the month, or the working day before", Case("America/New_York", "0 18 L * *", days=WEEK,
                                                              holidays="01-01,07-04,12-25,2026-11-26", moved=2)),
    ("the 13th or a Friday, as cron has it", Case("America/New_York", "0 12 13 * fri")),
    ("a Saturday that is worked on", Case("Europe/Berlin", "0 9 * * *", days=WEEK, holidays="2026-05-15",
                                          working="2026-05-09")),
    ("every 25 minutes between 22:00 and 06:00", Case("Europe/Berlin", every=1500, window=("22:00", "06:00"), days=WEEK,
                                                      holidays=TARGET)),
    ("every hour within office hours in New York", Case("America/New_York", "10 * * * mon-fri", window=("08:00", "18:00"))),
    ("half an hour of summer time on Lord Howe", Case("Australia/Lord_Howe", "*/10 1-2 * * *")),
    ("summer time that ends at midnight, in Havana", Case("America/Havana", "15,45 0,23 * * *")),
    ("a day that never was, in Apia", Case("Pacific/Apia", "0 12 30 dec *", year=2011)),
    ("an odd zone without summer time", Case("Asia/Kathmandu", "59 23 * * sun")),
    ("29 February", Case("Europe/Berlin", "0 0 29 feb *", year=2028)),
    ("a year behind the end of the lists, by the zone's rule", Case("Europe/Berlin", "30 2 * * sun", year=2049)),
    ("the same south of the equator", Case("Pacific/Auckland", "30 2 * * *", year=2051)),
]


def some(rng):
    """A case of a seed's choice."""
    zone = rng.choice(["Europe/Berlin", "America/New_York", "Europe/London", "Africa/Casablanca", "America/Santiago",
                       "Asia/Tehran", "Australia/Lord_Howe", "Europe/Dublin"])
    hour = rng.choice(["*", "0-4", "1,2,3", "*/3", "2"])
    minute = rng.choice(["0", "30", "*/20", "5-50/15"])
    day = rng.choice(["*", "*", "1", "L", "28-31", "*/2"])
    month = rng.choice(["*", "*", "mar,apr,oct,nov", "2-12/2"])
    weekday = rng.choice(["*", "*", "sun", "mon-fri", "6,7"])
    return Case(zone, " ".join([minute, hour, day, month, weekday]), days=rng.choice([WEEK, ",".join(NAMES)]),
                holidays=rng.choice(["", TARGET]), moved=rng.choice([0, 0, 1, 2]), year=rng.randrange(1996, 2060),
                window=rng.choice([("", ""), ("", ""), ("01:00", "03:00"), ("22:00", "02:15")]))


def main():
    rng = random.Random(os.environ.get("SEED", "5"))
    cases = CASES + [("case %d of the seed" % i, some(rng)) for i in range(int(os.environ.get("ROUNDS", "6")))]
    print("1..%d" % len(cases))
    answers = subprocess.run([RUNS], input="".join(case.line() + "\n" for _, case in cases), text=True,
                             stdout=subprocess.PIPE, check=True).stdout.splitlines()
    for (name, case), answer in zip(cases, answers):
        expected = case.expected()
        if answer.startswith("!"):
            result(name, not expected, answer, case.line())
            continue
        given = [int(word) for word in answer.split()]
        extra, lost = sorted(set(given) - set(expected)), sorted(set(expected) - set(given))
        result("%s: %d runs" % (name, len(expected)), given == expected, case.line(), "too many %s" % extra[:5],
               "missing %s" % lost[:5])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
