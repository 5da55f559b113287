// What the two peers in Node have in common: options, the clock, the answer.
import { createRequire } from 'node:module';
import { join } from 'node:path';

// --name value pairs; what is needed is checked by bench/peers/run, which starts the peers.
export function options() {
    const found = {};
    for (let i = 2; i < process.argv.length; i += 2)
        found[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
    return found;
}

// A package of the cache directory, which is outside the source tree.
export function load(modules, name) {
    return createRequire(join(modules, 'package.json'))(name);
}

export function now() {
    return Number(process.hrtime.bigint()) / 1e9;
}

// One line of JSON is the peer's answer.
export function answer(facts) {
    process.stdout.write(JSON.stringify(facts) + '\n');
}
