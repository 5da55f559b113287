"""Whether a peer's result is Ratel's, to the last digit: whole numbers and text, no floats."""
import csv
import json
import os

MILLION = 10**6
PICO = 12  # decimals of amounts, and of quantities as they are shown


def half_even(dividend, divisor):
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2))


def decimal(number, scale=PICO):
    """Text of number x 10^-scale, trailing zeros cut."""
    sign, (whole, fraction) = "-" if number < 0 else "", divmod(abs(number), 10**scale)
    return f"{sign}{whole}" + (f".{fraction:0{scale}d}".rstrip("0") if fraction else "")


def read_spend(path):
    """(account, charge) -> (quantity, amount) as Ratel's text says; everything must have a price."""
    with open(path) as file:
        spend = json.load(file)
    lines = {}
    for account in spend["accounts"]:
        if account["unpriced"]:
            raise ValueError(f"Ratel has no price for {account['unpriced'][0]} of {account['account']}")
        for line in account["lines"]:
            lines[account["account"], line["charge"]] = line["quantity"], line["amount"]
    return lines


def read_divisors(card):
    """Charge -> quanta in its unit."""
    with open(os.path.join(card, "tiers.csv"), newline="") as file:
        return {row["charge"]: int(row["divisor"]) * MILLION for row in csv.DictReader(file)}


def read_result(path, card):
    """(account, charge) -> (quantity, amount) in Ratel's notation, from a peer's account,charge,quanta,amount."""
    divisors, lines = read_divisors(card), {}
    with open(path, newline="") as file:
        for account, charge, quanta, amount in csv.reader(file):
            if (account, charge) in lines:
                raise ValueError(f"{account} {charge} stands twice")
            lines[account, charge] = decimal(half_even(int(quanta) * 10**PICO, divisors[charge])), decimal(int(amount))
    return lines


def difference(ours, theirs):
    """None when they are equal, else the first difference in words."""
    if not ours:
        return "there are no lines to compare"
    for key in sorted(set(ours) | set(theirs)):
        if ours.get(key) != theirs.get(key):
            return f"account {key[0]}, charge {key[1]}: Ratel has {ours.get(key, 'nothing')}, the peer {theirs.get(key, 'nothing')}"
    return None
