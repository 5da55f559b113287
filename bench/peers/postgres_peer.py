"""PostgreSQL's side of the comparison: a cluster of its own in a temporary directory, run by a user that is not root; see README.md."""
import glob
import os
import pwd
import shutil
import subprocess
import time

# Room and parallelism for two cores; durable commits. With wal_level minimal a table that is made and filled in one transaction is written
# once, and synced at the commit.
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{directory}'
shared_buffers = 2GB
work_mem = 1GB
maintenance_work_mem = 1GB
effective_cache_size = 8GB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 32GB
checkpoint_timeout = 1h
max_worker_processes = 4
max_parallel_workers = {threads}
max_parallel_workers_per_gather = {workers}
parallel_setup_cost = 0
parallel_tuple_cost = 0
min_parallel_table_scan_size = 0
jit = off
autovacuum = off
"""

TABLES = """
DROP TABLE IF EXISTS accounts, prices, tiers;
CREATE TABLE accounts (id uuid PRIMARY KEY, catalogue text);
CREATE TABLE prices (catalogue text, effective_from timestamptz, effective_to timestamptz, version smallint, usagetype smallint, zone uuid, offering text,
                     row_number integer, times text);
CREATE TABLE tiers (version smallint, row_number integer, charge text, low numeric, high numeric, price numeric, flat numeric, divisor numeric);
\\copy accounts FROM '{accounts}' WITH (FORMAT csv, HEADER)
\\copy prices FROM '{card}/prices.csv' WITH (FORMAT csv, HEADER, FORCE_NOT_NULL (offering))
\\copy tiers FROM '{card}/tiers.csv' WITH (FORMAT csv, HEADER)
ANALYZE accounts, prices, tiers;
CHECKPOINT;
"""

STAGE_JSON = """
CREATE UNLOGGED TABLE staged (line json);
\\copy staged FROM '{source}' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
ANALYZE staged;
"""
STAGE_COLUMNS = """
CREATE UNLOGGED TABLE staged (accountid uuid, usagetype smallint, zoneid uuid, offeringid text, usageid uuid, virtualmachineid uuid, described text,
                              size bigint, memory integer, rawusage numeric, startdate timestamptz, enddate timestamptz);
\\copy staged FROM '{source}' WITH (FORMAT csv)
ANALYZE staged;
"""

FROM_JSON = """
    SELECT r.accountid, r.usagetype, r.zoneid, r.offeringid, r.usageid, r.virtualmachineid,
           CASE WHEN r.usageid IS NULL AND r.virtualmachineid IS NULL THEN r.description END AS described, r.size, r.memory, r.rawusage,
           r.startdate, r.enddate
    FROM staged, json_to_record(line) AS r (accountid uuid, usagetype smallint, zoneid uuid, offeringid text, usageid uuid, virtualmachineid uuid,
         description text, size bigint, memory integer, rawusage numeric, startdate timestamptz, enddate timestamptz)"""

RATED = """
    SELECT u.*, p.version, p.row_number, p.times
    FROM ({usage}) u
    JOIN accounts a ON a.id = u.accountid
    JOIN prices p ON p.catalogue = a.catalogue AND p.usagetype = u.usagetype AND p.zone = u.zoneid
         AND p.offering = CASE WHEN u.usagetype IN (1, 2, 6, 13) THEN coalesce(u.offeringid, '') ELSE '' END
         AND u.startdate >= p.effective_from AND u.startdate < p.effective_to"""

# `numeric` is exact. The tiers of a version begin where the one before it ended.
TOTALS = """
    WITH factors AS (
        SELECT accountid, row_number, version, sum(rawusage) AS usage,
               CASE times WHEN 'size' THEN size WHEN 'memory' THEN memory WHEN 'seconds' THEN extract(epoch FROM enddate - startdate)::bigint + 1
                    ELSE 1 END AS factor
        FROM {source} GROUP BY accountid, row_number, version, factor),
    sums AS (
        SELECT accountid, row_number, version, trunc(sum(usage * 1000000 * factor)) AS quanta
        FROM factors GROUP BY accountid, row_number, version),
    stretches AS (
        SELECT *, sum(quanta) OVER (PARTITION BY accountid, row_number ORDER BY version) AS reached FROM sums),
    numerators AS (
        SELECT s.accountid, s.row_number, s.version, t.charge, t.divisor, s.quanta,
               sum(CASE WHEN reached > low THEN price * (least(reached, coalesce(high, reached)) - low) + flat ELSE 0 END
                   - CASE WHEN reached - quanta > low THEN price * (least(reached - quanta, coalesce(high, reached - quanta)) - low) + flat ELSE 0 END)
                   AS numerator
        FROM stretches s JOIN tiers t ON t.version = s.version AND t.row_number = s.row_number
        GROUP BY s.accountid, s.row_number, s.version, t.charge, t.divisor, s.quanta, s.reached)
    SELECT accountid, charge, sum(quanta) AS quanta,
           sum(div(numerator, divisor) + CASE WHEN 2 * mod(numerator, divisor) > divisor
                   OR (2 * mod(numerator, divisor) = divisor AND mod(div(numerator, divisor), 2) = 1) THEN 1 ELSE 0 END) AS amount
    FROM numerators GROUP BY accountid, charge"""


def programs():
    """Directory of initdb and pg_ctl, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), reverse=True) + [shutil.which("initdb") or ""]
    return os.path.dirname(found[0]) or None


class Cluster:
    def __init__(self, directory, threads, limit):
        self.directory, self.bin, self.limit = directory, programs(), limit
        if not self.bin or not shutil.which("psql"):
            raise RuntimeError("PostgreSQL is not installed (Debian: postgresql-15)")
        self.prefix = []
        if os.geteuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                raise RuntimeError("started as root, and there is no user postgres to run the server") from None
            self.prefix = ["setpriv", "--reuid=postgres", f"--regid={user.pw_gid}", "--clear-groups"]
        os.mkdir(directory, 0o755)
        if self.prefix:
            os.chown(directory, user.pw_uid, user.pw_gid)
        self.data = os.path.join(directory, "data")
        self.command("initdb", "-A", "trust", "-U", "peers", "-E", "UTF8", "--locale=C", "-D", self.data)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write(SETTINGS.format(directory=directory, threads=threads, workers=threads - 1))
        self.command("pg_ctl", "-w", "-D", self.data, "-l", os.path.join(directory, "log"), "start")
        self.version = self.sql("SHOW server_version").strip()

    def command(self, name, *arguments):
        done = subprocess.run([*self.prefix, os.path.join(self.bin, name), *arguments], cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1:]}")

    def sql(self, text):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", "peers", "-d", "postgres"],
                              input=f"SET statement_timeout = '{self.limit}s';\n{text}", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr.strip()}")
        return done.stdout

    def stop(self):
        self.command("pg_ctl", "-w", "-m", "immediate", "-D", self.data, "stop")

    def run(self, job, source, card, accounts, result):
        """Seconds by step. json and columns make the tables; rerate reads what they left."""
        seconds = {}

        def timed(name, text):
            begin = time.monotonic()
            self.sql(text)
            seconds[name] = time.monotonic() - begin

        if job != "rerate":
            self.sql("DROP TABLE IF EXISTS rated, totals, staged")
        self.sql(TABLES.format(accounts=accounts, card=card))
        if job != "rerate":
            usage = "SELECT DISTINCT * FROM (" + (FROM_JSON if job == "json" else "TABLE staged") + ") AS all_records"
            stage = (STAGE_JSON if job == "json" else STAGE_COLUMNS).format(source=source)
            timed("rate", stage + f"CREATE TABLE rated AS {RATED.format(usage=usage)};")
            self.sql("DROP TABLE staged; ANALYZE rated;")
        again = RATED.format(usage="SELECT accountid, usagetype, zoneid, offeringid, size, memory, rawusage, startdate, enddate FROM rated")
        timed("group", "DROP TABLE IF EXISTS totals; CREATE TABLE totals AS " + TOTALS.format(source="rated" if job != "rerate" else f"({again}) AS again"))
        timed("print", f"\\copy totals TO '{result}' WITH (FORMAT csv)")
        return {"version": self.version, "seconds": seconds}
