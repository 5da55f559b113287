// DuckDB's side of the comparison: see README.md. Started by bench/peers/run.
//
//   node duckdb.mjs --modules DIR --job json|columns|rerate|parquet --database FILE --input FILE --card DIR --accounts FILE --result FILE --threads N
//
// json and columns make the database; rerate reads what json left in it. parquet only writes --result, untimed input for `columns`.
import { answer, load, now, options } from './peer.mjs';

const given = options();
const { DuckDBInstance } = load(given.modules, '@duckdb/node-api');

const text = (value = '') => `'${value.replaceAll("'", "''")}'`;

// The members that the job needs; read_json skips the others. Where CloudStack names no id, the description tells records of one kind apart.
// What costs more than it looks: text straight to DECIMAL(20,6) takes 5 us a value, so whole numbers take the way over BIGINT; ids as text
// take longer to compare and to store than as UUID.
const FROM_JSON = `
    SELECT accountid::UUID AS accountid, usagetype, zoneid::UUID AS zoneid, offeringid, usageid::UUID AS usageid,
           virtualmachineid::UUID AS virtualmachineid,
           CASE WHEN usageid IS NULL AND virtualmachineid IS NULL THEN description END AS described, size, memory,
           CASE WHEN contains(rawusage, '.') THEN rawusage::DECIMAL(20,6) ELSE rawusage::BIGINT::DECIMAL(20,6) END AS rawusage,
           startdate, enddate
    FROM read_json(${text(given.input)}, format = 'newline_delimited', columns = {
         accountid: 'VARCHAR', usagetype: 'TINYINT', zoneid: 'VARCHAR', offeringid: 'VARCHAR', usageid: 'VARCHAR', description: 'VARCHAR',
         virtualmachineid: 'VARCHAR', size: 'BIGINT', memory: 'INTEGER', rawusage: 'VARCHAR', startdate: 'TIMESTAMP',
         enddate: 'TIMESTAMP'})`;
const FROM_PARQUET = `SELECT * FROM read_parquet(${text(given.input)})`;

// The price in force when the window begins, by catalogue, usage type, zone and, where the charge asks for it, offering. A hash join with
// the range as a condition takes half the time of an ASOF join here; tables stand in the order in which they are best joined, because
// nothing is known of the file's size when the optimiser guesses.
const rated = (usage) => `
    SELECT u.*, p.version, p.row, p.times
    FROM (${usage}) u
    JOIN accounts a ON a.id = u.accountid
    JOIN prices p ON p.catalogue = a.catalogue AND p.usagetype = u.usagetype AND p.zone = u.zoneid
         AND p.offering = CASE WHEN u.usagetype IN (1, 2, 6, 13) THEN coalesce(u.offeringid, '') ELSE '' END
         AND u.startdate >= p.effective_from AND u.startdate < p.effective_to`;

// Exact: quantities in 10^-6, amounts in 10^-12, integers of 128 bits. The tiers of a version begin where the one before it ended.
const totals = (source) => `
    WITH factors AS (
        SELECT accountid, row, version, sum(rawusage) AS usage,
               CASE times WHEN 'size' THEN size WHEN 'memory' THEN memory WHEN 'seconds' THEN date_diff('second', startdate, enddate) + 1
                    ELSE 1 END AS factor
        FROM ${source} GROUP BY accountid, row, version, factor),
    sums AS (
        SELECT accountid, row, version, sum((usage * 1000000)::HUGEINT * factor)::HUGEINT AS quanta
        FROM factors GROUP BY accountid, row, version),
    stretches AS (
        SELECT *, coalesce(sum(quanta) OVER (PARTITION BY accountid, row ORDER BY version
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::HUGEINT AS position
        FROM sums),
    numerators AS (
        SELECT s.accountid, s.row, s.version, t.charge, t.divisor, any_value(s.quanta) AS quanta,
               sum(CASE WHEN position + quanta > low THEN price * (least(position + quanta, coalesce(high, position + quanta)) - low) + flat ELSE 0 END
                   - CASE WHEN position > low THEN price * (least(position, coalesce(high, position)) - low) + flat ELSE 0 END)::HUGEINT AS numerator
        FROM stretches s JOIN tiers t ON t.version = s.version AND t.row = s.row
        GROUP BY s.accountid, s.row, s.version, t.charge, t.divisor)
    SELECT accountid, charge, sum(quanta)::HUGEINT AS quanta,
           sum(numerator // divisor + CASE WHEN 2 * (numerator % divisor) > divisor
                   OR (2 * (numerator % divisor) = divisor AND (numerator // divisor) % 2 = 1) THEN 1 ELSE 0 END)::HUGEINT AS amount
    FROM numerators GROUP BY accountid, charge`;

async function loadTables(connection) {
    await connection.run('DROP TABLE IF EXISTS prices; DROP TABLE IF EXISTS tiers; DROP TABLE IF EXISTS accounts;');
    await connection.run(`
        CREATE TABLE accounts AS SELECT * FROM read_csv(${text(given.accounts)}, header = true, columns = {id: 'UUID', catalogue: 'VARCHAR'});
        CREATE TABLE prices AS SELECT * REPLACE (coalesce(offering, '') AS offering)
            FROM read_csv(${text(given.card + '/prices.csv')}, header = true, columns = {catalogue: 'VARCHAR', effective_from: 'TIMESTAMP',
            effective_to: 'TIMESTAMP', version: 'TINYINT', usagetype: 'TINYINT', zone: 'UUID', offering: 'VARCHAR', row: 'INTEGER', times: 'VARCHAR'});
        CREATE TABLE tiers AS SELECT * FROM read_csv(${text(given.card + '/tiers.csv')}, header = true, columns = {version: 'TINYINT',
            row: 'INTEGER', charge: 'VARCHAR', low: 'HUGEINT', high: 'HUGEINT', price: 'HUGEINT', flat: 'HUGEINT', divisor: 'HUGEINT'});
        CHECKPOINT;`);
}

const instance = await DuckDBInstance.create(given.job === 'parquet' ? ':memory:' : given.database);
const connection = await instance.connect();
await connection.run(`SET threads = ${given.threads}; SET preserve_insertion_order = false;
    SET disabled_optimizers = 'join_order,build_side_probe_side';`);
const facts = { version: (await connection.runAndReadAll('SELECT version()')).getRows()[0][0], seconds: {} };

async function timed(name, sql) {
    const begin = now();
    await connection.run(sql);
    facts.seconds[name] = now() - begin;
}

if (given.job === 'parquet') {
    await connection.run(`COPY (${FROM_JSON}) TO ${text(given.result)} (FORMAT parquet, COMPRESSION snappy)`);
} else {
    await loadTables(connection);
    // A transaction that has committed is on the disk: DuckDB syncs its log, or the blocks of a large table, before it says so.
    if (given.job !== 'rerate')
        await timed('rate', `CREATE TABLE rated AS ${rated('SELECT DISTINCT * FROM (' + (given.job === 'json' ? FROM_JSON : FROM_PARQUET) + ')')}`);
    const source = given.job === 'rerate' ? `(${rated('SELECT * EXCLUDE (version, row, times) FROM rated')})` : 'rated';
    await timed('group', `CREATE OR REPLACE TABLE totals AS ${totals(source)}`);
    await timed('print', `COPY totals TO ${text(given.result)} (FORMAT csv, HEADER false)`);
}
connection.closeSync();
answer(facts);
