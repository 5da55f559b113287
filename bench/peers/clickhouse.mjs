// ClickHouse's side of the comparison, by its in-process build chdb: see README.md. Started by bench/peers/run.
//
//   node clickhouse.mjs --modules DIR --job json|columns|rerate --database DIR --input FILE --card DIR --accounts FILE --result FILE --threads N
import { answer, load, now, options } from './peer.mjs';

const given = options();
const { Session } = load(given.modules, 'chdb');

const text = (value = '') => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

// What is written is synced before a statement returns.
const SETTINGS = {
    max_threads: given.threads, max_insert_threads: given.threads, fsync_metadata: 1, input_format_skip_unknown_fields: 1,
    input_format_null_as_default: 1, query_plan_join_swap_table: "'false'",
};
const TABLE = 'ENGINE = MergeTree ORDER BY tuple() SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1';

// Missing ids are the nil UUID. Where CloudStack names no id, the description tells records of one kind apart.
const FROM_JSON = `
    SELECT accountid, usagetype, zoneid, offeringid, usageid, virtualmachineid,
           if(empty(usageid) AND empty(virtualmachineid), description, '') AS described, size, memory, rawusage,
           toDateTime(substring(startdate, 1, 19), 'UTC') AS startdate, toDateTime(substring(enddate, 1, 19), 'UTC') AS enddate
    FROM file(${text(given.input)}, 'JSONEachRow', 'accountid UUID, usagetype UInt8, zoneid UUID, offeringid LowCardinality(String),
         usageid UUID, virtualmachineid UUID, description String, size Int64, memory Int32, rawusage Decimal(20, 6), startdate String,
         enddate String')`;
const FROM_PARQUET = `
    SELECT accountid, usagetype, zoneid, ifNull(offeringid, '') AS offeringid, ifNull(usageid, toUUID('00000000-0000-0000-0000-000000000000')) AS usageid,
           ifNull(virtualmachineid, toUUID('00000000-0000-0000-0000-000000000000')) AS virtualmachineid, ifNull(described, '') AS described,
           ifNull(size, 0) AS size, ifNull(memory, 0) AS memory, rawusage, startdate, enddate
    FROM file(${text(given.input)}, 'Parquet', 'accountid UUID, usagetype UInt8, zoneid UUID, offeringid Nullable(String),
         usageid Nullable(UUID), virtualmachineid Nullable(UUID), described Nullable(String), size Nullable(Int64), memory Nullable(Int32),
         rawusage Decimal(20, 6), startdate DateTime(\\'UTC\\'), enddate DateTime(\\'UTC\\')')`;

// The price in force when the window begins, by catalogue, usage type, zone and, where the charge asks for it, offering.
const rated = (usage) => `
    SELECT u.*, p.version AS version, p.row AS row, p.times AS times
    FROM (${usage}) AS u
    INNER JOIN accounts AS a ON a.id = u.accountid
    ASOF INNER JOIN prices AS p ON p.catalogue = a.catalogue AND p.usagetype = u.usagetype AND p.zone = u.zoneid
         AND p.offering = if(u.usagetype IN (1, 2, 6, 13), u.offeringid, '') AND u.startdate >= p.effective_from`;

// Exact: quantities in 10^-6, amounts in 10^-12, integers of 256 bits. The tiers of a version begin where the one before it ended.
const totals = (source) => `
    WITH factors AS (
        SELECT accountid, row, version, sum(rawusage) AS usage,
               multiIf(times = 'size', size, times = 'memory', toInt64(memory), times = 'seconds', dateDiff('second', startdate, enddate) + 1, 1) AS factor
        FROM ${source} GROUP BY accountid, row, version, factor),
    sums AS (
        SELECT accountid, row, version, sum(toInt256(usage * 1000000) * factor) AS quanta
        FROM factors GROUP BY accountid, row, version),
    stretches AS (
        SELECT *, sum(quanta) OVER (PARTITION BY accountid, row ORDER BY version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS reached,
               reached - quanta AS position
        FROM sums),
    numerators AS (
        SELECT s.accountid AS accountid, s.row AS row, s.version AS version, t.charge AS charge, t.divisor AS divisor, any(s.quanta) AS quanta,
               sum(if(reached > low, price * (least(reached, ifNull(high, reached)) - low) + flat, 0)
                   - if(position > low, price * (least(position, ifNull(high, position)) - low) + flat, 0)) AS numerator,
               intDiv(numerator, divisor) AS whole, numerator - whole * divisor AS rest
        FROM stretches AS s INNER JOIN tiers AS t ON t.version = s.version AND t.row = s.row
        GROUP BY s.accountid, s.row, s.version, t.charge, t.divisor)
    SELECT accountid, charge, sum(quanta) AS quanta,
           sum(whole + if(2 * rest > divisor OR (2 * rest = divisor AND whole % 2 = 1), 1, 0)) AS amount
    FROM numerators GROUP BY accountid, charge`;

const session = new Session(given.database);
const settings = Object.entries(SETTINGS).map(([name, value]) => `${name} = ${value}`).join(', ');
session.query(`CREATE DATABASE IF NOT EXISTS peers ENGINE = Atomic`);
session.query('USE peers');
session.query(`SET ${settings}`);
const facts = { version: session.query('SELECT version()', 'TabSeparated').trim(), seconds: {} };

function timed(name, sql) {
    const begin = now();
    session.query(sql);
    facts.seconds[name] = now() - begin;
}

const table = (name, columns, file) => {
    session.query(`DROP TABLE IF EXISTS ${name}`);
    session.query(`CREATE TABLE ${name} ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM file(${text(file)}, 'CSVWithNames', ${text(columns)})`);
};
table('accounts', 'id UUID, catalogue LowCardinality(String)', given.accounts);
table('prices', "catalogue LowCardinality(String), effective_from DateTime('UTC'), effective_to String, version UInt8, usagetype UInt8, zone UUID, " +
    'offering LowCardinality(String), row UInt32, times LowCardinality(String)', given.card + '/prices.csv');
table('tiers', 'version UInt8, row UInt32, charge LowCardinality(String), low Int256, high Nullable(Int256), price Int256, flat Int256, divisor Int256',
    given.card + '/tiers.csv');
if (given.job !== 'rerate')
    timed('rate', `CREATE TABLE rated ${TABLE} AS ${rated('SELECT * FROM (' + (given.job === 'json' ? FROM_JSON : FROM_PARQUET) + ') GROUP BY ALL')}`);
const source = given.job === 'rerate' ? `(${rated('SELECT * EXCEPT (version, row, times) FROM rated')})` : 'rated';
session.query('DROP TABLE IF EXISTS totals');
timed('group', `CREATE TABLE totals ${TABLE} AS ${totals(source)}`);
timed('print', `INSERT INTO FUNCTION file(${text(given.result)}, 'CSV') SELECT * FROM totals SETTINGS engine_file_truncate_on_insert = 1`);
answer(facts);
