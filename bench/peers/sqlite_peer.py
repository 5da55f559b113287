"""SQLite's side of the comparison, by Python's own module: see README.md. Its integers have 64 bits, so quantities are kept as whole numbers and
millionths, and the last step, tiers over a few sums, is whole-number Python."""
import csv
import json
import os
import sqlite3
import sys
import time

COLUMNS = ("accountid TEXT", "usagetype INTEGER", "zoneid TEXT", "offeringid TEXT", "usageid TEXT", "virtualmachineid TEXT", "described TEXT", "size INTEGER",
           "memory INTEGER", "rawusage TEXT", "startdate TEXT", "enddate TEXT")

# The JSON is read by SQLite itself; it keeps the last parsed text, so a record is parsed once.
FROM_JSON = """INSERT INTO staged SELECT json_extract(?1, '$.accountid'), json_extract(?1, '$.usagetype'), json_extract(?1, '$.zoneid'),
    coalesce(json_extract(?1, '$.offeringid'), ''), coalesce(json_extract(?1, '$.usageid'), ''), coalesce(json_extract(?1, '$.virtualmachineid'), ''),
    CASE WHEN coalesce(json_extract(?1, '$.usageid'), json_extract(?1, '$.virtualmachineid')) IS NULL THEN json_extract(?1, '$.description') ELSE '' END,
    json_extract(?1, '$.size'), json_extract(?1, '$.memory'), json_extract(?1, '$.rawusage'), json_extract(?1, '$.startdate'),
    json_extract(?1, '$.enddate')"""
FROM_COLUMNS = f"INSERT INTO staged VALUES ({', '.join('?' * len(COLUMNS))})"

MILLIONTHS = "CASE WHEN instr(rawusage, '.') THEN CAST(substr(substr(rawusage, instr(rawusage, '.') + 1) || '000000', 1, 6) AS INTEGER) ELSE 0 END"

RATED = """
    SELECT u.accountid, u.usagetype, u.zoneid, u.offeringid, u.usageid, u.virtualmachineid, u.described, u.size, u.memory, u.whole, u.millionths,
           u.startdate, u.enddate, p.version, p.row, p.times
    FROM {usage} u CROSS JOIN accounts a ON a.id = u.accountid
    CROSS JOIN prices p ON p.catalogue = a.catalogue AND p.usagetype = u.usagetype AND p.zone = u.zoneid
         AND p.offering = CASE WHEN u.usagetype IN (1, 2, 6, 13) THEN u.offeringid ELSE '' END
         AND u.startdate >= p.effective_from AND u.startdate < p.effective_to"""

USAGE = f"""(SELECT DISTINCT accountid, usagetype, zoneid, offeringid, usageid, virtualmachineid, described, size, memory,
           CAST(rawusage AS INTEGER) AS whole, {MILLIONTHS} AS millionths, startdate, enddate FROM staged)"""

SUMS = """
    SELECT accountid, row, version,
           CASE times WHEN 'size' THEN size WHEN 'memory' THEN memory
                WHEN 'seconds' THEN strftime('%s', substr(enddate, 1, 19)) - strftime('%s', substr(startdate, 1, 19)) + 1 ELSE 1 END AS factor,
           sum(whole) AS whole, sum(millionths) AS millionths
    FROM {source} GROUP BY accountid, row, version, factor"""


def numerator(tiers, quanta):
    total = 0
    for low, high, price, flat in tiers:
        if quanta > low:
            total += price * (min(quanta, high or quanta) - low) + flat
    return total


def half_even(dividend, divisor):
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2))


def totals(sums, tiers):
    """(account, charge) -> (quanta, amount). `sums` is account, row, version, factor, whole, millionths."""
    stretches = {}
    for account, row, version, factor, whole, millionths in sums:
        key = account, row, version
        stretches[key] = stretches.get(key, 0) + (whole * 10**6 + millionths) * factor
    result, reached = {}, {}
    for (account, row, version), quanta in sorted(stretches.items()):
        charge, divisor, steps = tiers[version, row]
        position = reached.get((account, row), 0)
        reached[account, row] = position + quanta
        amount = half_even(numerator(steps, position + quanta) - numerator(steps, position), divisor)
        before = result.get((account, charge), (0, 0))
        result[account, charge] = before[0] + quanta, before[1] + amount
    return result


def read_tiers(path):
    tiers = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            steps = tiers.setdefault((int(row["version"]), int(row["row"])), (row["charge"], int(row["divisor"]), []))[2]
            steps.append((int(row["low"]), int(row["high"]) if row["high"] else None, int(row["price"]), int(row["flat"])))
    return tiers


def load_tables(connection, card, accounts):
    connection.executescript("""DROP TABLE IF EXISTS accounts; DROP TABLE IF EXISTS prices;
        CREATE TABLE accounts (id TEXT PRIMARY KEY, catalogue TEXT) WITHOUT ROWID;
        CREATE TABLE prices (catalogue TEXT, usagetype INTEGER, zone TEXT, offering TEXT, effective_from TEXT, effective_to TEXT, version INTEGER,
                             row INTEGER, times TEXT, PRIMARY KEY (zone, offering, usagetype, catalogue, effective_from)) WITHOUT ROWID;""")
    with open(accounts, newline="") as file:
        connection.executemany("INSERT INTO accounts VALUES (:id, :catalogue)", csv.DictReader(file))
    with open(os.path.join(card, "prices.csv"), newline="") as file:
        for row in csv.DictReader(file):
            for bound in ("effective_from", "effective_to"):
                row[bound] = row[bound].replace(" ", "T") + "+0000"  # as CloudStack writes it, so that text compares
            connection.execute("INSERT INTO prices VALUES (:catalogue, :usagetype, :zone, :offering, :effective_from, :effective_to, :version, :row, :times)", row)
    connection.commit()


def run(job, database, source, card, accounts, result):
    """Seconds by step. json and columns make the database; rerate reads what they left."""
    connection = sqlite3.connect(database)
    # Durable at every commit: WAL with a sync.
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1000000; PRAGMA threads = 2;")
    load_tables(connection, card, accounts)
    tiers, seconds, begin = read_tiers(os.path.join(card, "tiers.csv")), {}, time.monotonic()
    if job != "rerate":
        connection.execute(f"CREATE TEMP TABLE staged ({', '.join(COLUMNS)})")
        with open(source, newline="", encoding="utf-8") as file:
            if job == "json":
                connection.executemany(FROM_JSON, ((line,) for line in file))
            else:
                connection.executemany(FROM_COLUMNS, csv.reader(file))
        connection.execute("CREATE TABLE rated AS " + RATED.format(usage=USAGE))
        connection.commit()
        seconds["rate"] = time.monotonic() - begin
    begin = time.monotonic()
    sums = connection.execute(SUMS.format(source="rated" if job != "rerate" else f"({RATED.format(usage='rated')})"))
    rows = [(account, charge, str(quanta), str(amount)) for (account, charge), (quanta, amount) in totals(sums, tiers).items()]
    connection.executescript("DROP TABLE IF EXISTS totals; CREATE TABLE totals (accountid TEXT, charge TEXT, quanta TEXT, amount TEXT);")
    connection.executemany("INSERT INTO totals VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    seconds["group"] = time.monotonic() - begin
    begin = time.monotonic()
    with open(result, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(connection.execute("SELECT * FROM totals"))
    seconds["print"] = time.monotonic() - begin
    connection.close()
    return {"version": sqlite3.sqlite_version, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(run(*sys.argv[1:])))
