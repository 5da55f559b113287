"""Recomputes by whole numbers what the engine should have counted and charged, and compares to the last digit.

Input is tab-separated text that the test's shell makes with jq, so that nothing but `sys` is needed (python3-minimal). No float anywhere:
a decimal is an int with a fixed scale, a quotient is rounded half to even by hand. See truth_test.sh for how each mode is called.
"""
import sys

QUANTA = 6      # decimals of a quantity
PICO = 12       # decimals of a price and of an exact amount
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "BHD": 3}
LEVEL = "bucket"  # the meter whose truth is level x seconds


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def parse(text, scale):
    """The decimal `text` in units of 10^-scale; it must fit exactly."""
    whole, _, fraction = text.partition(".")
    if len(fraction) > scale:
        assert set(fraction[scale:]) <= {"0"}, text
        fraction = fraction[:scale]
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * 10**scale + int(fraction.ljust(scale, "0") or "0"))


def show(number, scale, digits=None):
    """Decimal text: trailing zeros cut, or exactly `digits` decimals."""
    sign = "-" if number < 0 else ""
    whole, fraction = divmod(abs(number), 10**scale)
    text = str(fraction).rjust(scale, "0") if scale else ""
    text = text.rstrip("0") if digits is None else text[:digits]
    return sign + str(whole) + ("." + text if text else "")


def half_even(numerator, denominator):
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


class Comparison:
    def __init__(self, title):
        self.title, self.failures, self.checks = title, 0, 0

    def equal(self, what, got, expected):
        self.checks += 1
        if got != expected:
            self.failures += 1
            if self.failures <= 10:
                print(f"FAILED: {self.title}: {what}: got {got}, expected {expected}", file=sys.stderr)

    def end(self):
        if self.checks == 0:
            print(f"FAILED: {self.title}: nothing was compared", file=sys.stderr)
        sys.exit(1 if self.failures or self.checks == 0 else 0)


class Truth:
    """(payer, meter, how multiplied) -> quanta. Columns: payer, meter, quantity, byte_hours, cpu_hours, memory_mib_hours, level_seconds."""

    def __init__(self, path):
        self.quanta, self.records = {}, {}
        for payer, meter, records, *numbers in rows(path):
            self.records[payer, meter] = self.records.get((payer, meter), 0) + int(records)
            for kind, number in zip(("", "size", "cpunumber", "memory", "level"), numbers):
                if number != "null":
                    key = (payer, meter, kind)
                    self.quanta[key] = self.quanta.get(key, 0) + parse(number, QUANTA)

    def payers(self):
        return sorted({payer for payer, _, _ in self.quanta})

    def of(self, payer, meter, times):
        kind = "level" if meter == LEVEL else times
        return self.quanta.get((payer, meter, kind))


class Charge:
    """One row of charges.tsv: code, meter, times, unit, quanta in a unit, model, its terms, limits."""

    def __init__(self, row):
        self.code, self.meter, self.times, self.unit, unit_quanta, self.model, terms, limits = row
        self.unit_quanta = int(unit_quanta)
        self.limits = dict(limit.split("=") for limit in limits.split()) if limits != "-" else {}
        self.tiers, self.size = [], None
        if self.model == "package":
            size, price = terms.split(":")
            self.size = int(size)
            self.tiers = [(None, parse(price, PICO), 0)]
        else:
            for tier in terms.split():
                bound, price, flat = tier.split(":")
                self.tiers.append((None if bound == "open" else int(bound) * self.unit_quanta, parse(price, PICO), parse(flat, PICO)))
        if self.times == "-":
            self.times = ""

    def numerator(self, quanta):
        """Amount in pico times the quanta of a unit, for a total quantity."""
        unit = self.unit_quanta
        if quanta == 0:
            return 0
        if self.model == "package":
            package = self.size * unit
            return -(-quanta // package) * self.tiers[0][1] * unit
        if self.model == "graduated":
            total, low = 0, 0
            for bound, price, flat in self.tiers:
                if quanta > low:
                    total += price * (min(quanta, bound or quanta) - low) + flat * unit
                low = bound
                if bound is None or quanta <= bound:
                    break
            return total
        bound, price, flat = next(tier for tier in self.tiers if tier[0] is None or quanta <= tier[0])
        return (0 if self.model == "stairstep" else price * quanta) + flat * unit

    def amount(self, quanta):
        billed = max(0, quanta - int(self.limits.get("included", 0)) * self.unit_quanta)
        amount = half_even(self.numerator(billed), self.unit_quanta)
        if quanta > 0 and "minimum" in self.limits:
            amount = max(amount, parse(self.limits["minimum"], PICO))
        if "maximum" in self.limits:
            amount = min(amount, parse(self.limits["maximum"], PICO))
        return amount

    def yaml(self):
        text = f"  - code: {self.code}\n    meter: {self.meter}\n    unit: {self.unit}\n    model: {self.model}\n"
        if self.times:
            text += f"    times: {self.times}\n"
        for name, value in self.limits.items():
            text += f"    {name}: {value}\n" if name == "included" else f'    {name}: "{value}"\n'
        if self.model in ("per_unit", "package"):
            text += f"    size: {self.size}\n" if self.size else ""
            return text + f'    price: "{show(self.tiers[0][1], PICO)}"\n'
        text += "    tiers:\n"
        for bound, price, flat in self.tiers:
            parts = [f"up_to: {bound // self.unit_quanta}"] if bound else []
            parts += [f'price: "{show(price, PICO)}"'] if self.model != "stairstep" else []
            parts += [f'flat: "{show(flat, PICO)}"'] if flat or self.model == "stairstep" else []
            text += "      - {" + ", ".join(parts) + "}\n"
        return text


def charges(path):
    return [Charge(row) for row in rows(path)]


class Spend:
    """Rows: total account currency total | line account currency code quantity unit amount rounded | unpriced account meter quantity."""

    def __init__(self, paths):
        self.totals, self.lines, self.unpriced = {}, {}, {}
        for path in paths:
            for kind, account, *rest in rows(path):
                if kind == "total":
                    self.totals[account] = rest
                elif kind == "line":
                    assert (account, rest[1]) not in self.lines
                    self.lines[account, rest[1]] = [rest[0], *rest[2:]]
                else:
                    quanta = parse(rest[1], QUANTA)
                    self.unpriced[account, rest[0]] = self.unpriced.get((account, rest[0]), 0) + quanta


def check_unpriced(title, truth_path, *spend_paths):
    """Without a card: every meter of every payer waits unpriced, with its whole quantity. Several spend files are periods that add up."""
    comparison, truth, spend = Comparison(title), Truth(truth_path), Spend(spend_paths)
    expected = {}
    for (payer, meter, kind), quanta in truth.quanta.items():
        if kind == ("level" if meter == LEVEL else ""):
            expected[payer, meter] = half_even(quanta, 3600) if meter == LEVEL else quanta
    comparison.equal("lines without a card", len(spend.lines), 0)
    for key in sorted(set(expected) | set(spend.unpriced)):
        # Each period's byte-hours are rounded for show, so periods may differ by one digit in sum; hours and bytes may not.
        if key[1] == LEVEL and len(spend_paths) > 1:
            comparison.equal(f"{key} about", abs(spend.unpriced.get(key, 0) - expected.get(key, 0)) <= len(spend_paths), True)
        else:
            comparison.equal(key, show(spend.unpriced.get(key, 0), QUANTA), show(expected.get(key, 0), QUANTA))
    comparison.end()


def check_priced(title, truth_path, spend_path, charges_path, rates_path):
    """With the card: every line's quantity, exact amount and rounded amount, and every total, from the truth alone."""
    comparison, truth, spend = Comparison(title), Truth(truth_path), Spend([spend_path])
    rates = {currency: parse(rate, PICO) for currency, rate in rows(rates_path)}
    comparison.equal("unpriced", sorted(spend.unpriced), [])
    seen = set()
    for payer in truth.payers():
        currency = spend.totals[payer][0]
        total = 0
        for charge in charges(charges_path):
            quanta = truth.of(payer, charge.meter, charge.times)
            line = spend.lines.get((payer, charge.code))
            seen.add((payer, charge.code))
            if not quanta:
                comparison.equal((payer, charge.code), line and line[1], line and "0")
                continue
            amount = half_even(charge.amount(quanta) * rates[currency], 10**PICO)
            rounded = half_even(amount, 10 ** (PICO - DIGITS[currency]))
            total += rounded
            shown = show(half_even(quanta * 10**PICO, charge.unit_quanta), PICO)
            expected = [currency, shown, charge.unit, show(amount, PICO), show(rounded, DIGITS[currency], DIGITS[currency])]
            comparison.equal((payer, charge.code), line, expected)
        comparison.equal((payer, "total"), spend.totals[payer][1], show(total, DIGITS[currency], DIGITS[currency]))
    comparison.equal("lines that the truth does not know", sorted(set(spend.lines) - seen), [])
    comparison.equal("accounts", sorted(spend.totals), truth.payers())
    comparison.end()


def check_parts(title, spend_path, parts_path, charges_path):
    """A breakdown: rows account, code, value, quantity, amount, rounded. They add up to the lines, to the last digit."""
    comparison, spend, sums, values = Comparison(title), Spend([spend_path]), {}, set()
    exact = {charge.code for charge in charges(charges_path) if 10**12 * 10**QUANTA % charge.unit_quanta == 0}
    for account, code, value, *numbers in rows(parts_path):
        comparison.equal(("twice", account, code, value), (account, code, value) in values, False)
        values.add((account, code, value))
        sums[account, code] = [a + parse(b, PICO) for a, b in zip(sums.get((account, code), [0, 0, 0]), numbers)]
    for key, line in spend.lines.items():
        got = [show(number, PICO) for number in sums.get(key, [0, 0, 0])]
        expected = [show(parse(line[i], PICO), PICO) for i in (1, 3, 4)]
        if key[1] not in exact:  # cells show quantities rounded to 12 decimals where the unit does not divide them
            got[0] = expected[0]
        comparison.equal(key, got, expected)
    comparison.equal("charges", sorted(set(sums) - set(spend.lines)), [])
    comparison.end()


def check_explained(title, explained_path, spend_path, truth_path, charges_path):
    """Explanations: windows add up to their series, series to their part, steps to the part's amount, parts to the line, the line is the
    spend's, and there are as many windows as the truth has records. Rows begin with the explanation's number."""
    comparison, spend, truth = Comparison(title), Spend([spend_path]), Truth(truth_path)
    by_code = {charge.code: charge for charge in charges(charges_path)}
    windows, series, steps, parts, lines = {}, {}, {}, {}, {}
    for kind, *row in rows(explained_path):
        if kind == "window":  # account, code, part, series, raw, counted, seconds
            windows.setdefault(tuple(row[:4]), []).append(row[4:])
        elif kind == "series":  # account, code, part, series, counted, times, quantity
            series.setdefault(tuple(row[:3]), []).append(row[3:])
        elif kind == "step":  # account, code, part, amount
            steps.setdefault(tuple(row[:3]), []).append(row[3])
        elif kind == "part":  # account, code, part, quantity_base, amount
            parts.setdefault(tuple(row[:2]), []).append(row[2:])
        else:  # line: account, code, before_limits, amount, rounded
            lines[row[0], row[1]] = row[2:]
    comparison.equal("lines", sorted(lines), sorted(spend.lines))
    for key, (before_limits, amount, rounded) in lines.items():
        comparison.equal((key, "the spend's"), [amount, rounded], spend.lines[key][3:5])
        comparison.equal((key, "parts"), sum(parse(part[2], PICO) for part in parts[key]), parse(before_limits, PICO))
        count = 0
        for number, quantity, part_amount in parts[key]:
            place = (*key, number)
            comparison.equal((place, "steps"), sum(parse(step, PICO) for step in steps.get(place, [])), parse(part_amount, PICO))
            comparison.equal((place, "series"), sum(parse(one[3], QUANTA) for one in series.get(place, [])), parse(quantity, QUANTA))
            for name, counted, times, product in series.get(place, []):
                own = windows[(*place, name)]
                count += len(own)
                comparison.equal((place, name, "windows"), sum(parse(window[1], QUANTA) for window in own), parse(counted, QUANTA))
                comparison.equal((place, name, "times"), parse(counted, QUANTA) * int(times), parse(product, QUANTA))
                for raw, piece, seconds in own:
                    level = int(seconds) if by_code[key[1]].meter == LEVEL else 1
                    comparison.equal((place, name, "window"), parse(piece, QUANTA), parse(raw, QUANTA) * level)
        if not by_code[key[1]].times:  # rows without the attribute are not in a charge that multiplies by it
            comparison.equal((key, "windows"), count, truth.records[key[0], by_code[key[1]].meter])
    comparison.end()


def write_card(charges_path):
    print("\n".join(["kind: ratecard", "name: truth", "currency: EUR", "effective_from: 2026-08-01T00:00:00Z", "month: 730", "charges:"]))
    for charge in charges(charges_path):
        sys.stdout.write(charge.yaml())


MODES = {"unpriced": check_unpriced, "priced": check_priced, "parts": check_parts, "explained": check_explained, "card": write_card}
MODES[sys.argv[1]](*sys.argv[2:])
