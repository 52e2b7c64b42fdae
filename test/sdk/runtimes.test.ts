import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { startBroker } from '../../pkg/embed/index.ts';
import { run } from '../support/broker-process.ts';
import { installedOnce, mustRun } from '../support/installed-once.ts';

const checkout = fileURLToPath(new URL('../../', import.meta.url));

/** Packages that hold nothing but the program, for the machine that most tests run on. */
const RUNTIMES = [
  { name: 'Bun', pack: '@oven/bun-linux-x64@1.3', program: '@oven/bun-linux-x64/bin/bun', args: [] },
  {
    name: 'Deno',
    pack: '@deno/linux-x64-glibc@2',
    program: '@deno/linux-x64-glibc/deno',
    args: ['run', '-A'],
  },
];

const APP = `
import { connect } from 'tinymq/client';
const url = (globalThis.Deno?.args ?? process.argv.slice(2))[0];
const options = { clientId: 'app', queue: { file: 'queue' } };
const client = await connect(url, options);
const another = await connect(url, options).catch((error) => error.code);
const came = new Promise((resolve) => client.subscribe('a', resolve, { qos: 1 }));
await client.ping();
await client.publish('a', 'hello', { qos: 2, headers: { unit: 'C' } });
const message = await came;
console.log(message.topic, message.text(), message.headers.unit, message.clientId, another, client.unacknowledged);
await client.close();
`;

const canRun = process.platform === 'linux' && process.arch === 'x64';

it.skipIf(!canRun).each(RUNTIMES)(
  'the client works in $name, over tcp and WebSocket, with a queue in a file',
  async ({ pack, program, args }) => {
    const folder = await installedOnce('runtime', pack, async (into) => {
      writeFileSync(join(into, 'package.json'), '{ "private": true, "type": "module" }');
      await mustRun('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', pack], into);
    });
    // Apart from our own packages: a runtime looks for them from where the app is.
    const app = mkdtempSync(join(tmpdir(), 'tinymq-runtime-'));
    onTestFinished(() => rmSync(app, { recursive: true }));
    mkdirSync(join(app, 'node_modules'));
    symlinkSync(checkout, join(app, 'node_modules/tinymq'));
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }');
    writeFileSync(join(app, 'app.js'), APP);
    await using broker = await startBroker({ listen: ['tcp://localhost:0', 'ws://localhost:0'] });
    for (const { url } of broker.listeners) {
      const ended = await run(join(folder, 'node_modules', program), [...args, 'app.js', url], {
        cwd: app,
      });
      expect({ ...ended, url }).toMatchObject({ code: 0, stdout: 'a hello C app queue-in-use 0\n', url });
    }
  },
);
