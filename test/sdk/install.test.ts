import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { brokerProcess, type Ended, program, REPORTING, run, start } from '../support/broker-process.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tinymq-install-'));
const app = join(folder, 'app');
let tarball: string;
let packed: string[];
let installed: Ended;

beforeAll(async () => {
  program('broker');
  // The build has been made; packing must not make it again under the feet of other tests.
  const { stdout } = await npm(checkout, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  packed = (JSON.parse(stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!);
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }');
  installed = await npm(app, 'install', '--prefer-offline', tarball);
  return () => rmSync(folder, { recursive: true });
}, 180_000);

describe('the package', () => {
  it('holds what was built, and no sources, tests or keys', () => {
    expect(packed).toEqual(expect.arrayContaining(['package.json', 'README.md', 'bin/broker']));
    expect(
      packed.filter((path) => /\.test\.|^(cmd|internal|pkg|test|certs|bench)\/|\.key$/.test(path)),
    ).toEqual([]);
  });

  // Its prepare script made npm warn at each install, and built the package from sources that it does not have.
  it('has no script that runs at an install', async () => {
    const { scripts } = JSON.parse(readFileSync(join(app, 'node_modules/tinymq/package.json'), 'utf8'));
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(scripts).not.toHaveProperty(name);
    expect(installed.stderr).not.toContain('script');
  });

  it('has programs that work together', async () => {
    await expectFirstMessage(join(app, 'node_modules/.bin'));
  });

  it('puts its programs on the PATH when it is installed for all, as its README says', async () => {
    const readme = readFileSync(join(app, 'node_modules/tinymq/README.md'), 'utf8');
    expect(readme).toContain(`npm install --global ${basename(tarball)}`);
    const prefix = join(folder, 'global');
    await npm(folder, 'install', '--global', '--prefer-offline', '--prefix', prefix, tarball);
    for (const name of ['broker', 'publisher', 'subscriber', 'tinymq', 'dashmq']) {
      const { code, stdout, stderr } = await run(join(prefix, 'bin', name), ['-version']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/\d+\.\d+\.\d+/);
    }
    // As the original it knows no -version.
    expect(await run(join(prefix, 'bin', 'smq'), ['--help'])).toMatchObject({ code: 0 });
    await expectFirstMessage(join(prefix, 'bin'));
  });

  it('starts a broker and connects to it in an app', async () => {
    writeFileSync(join(app, 'app.js'), APP);
    expect(await run(process.execPath, ['app.js'], { cwd: app })).toMatchObject({
      code: 0,
      stdout: 'a: hello from app\n',
      stderr: '',
    });
  });
});

// What was promised for Node 20 failed there in pieces: one program with a stack trace, another in the middle of its work.
describe('a runtime', () => {
  const OLD = '20';
  const programs = ['broker', 'publisher', 'subscriber', 'tinymq', 'smq', 'dashmq'];

  it('that is too old is refused by npm where it checks, by every program and by what an app imports', async () => {
    const node = await runtime(OLD);
    const version = (await run(node, ['-p', 'process.versions.node'])).stdout.trim();
    const problem = `needs Node.js 22.23 or newer, and this is ${version}: https://nodejs.org`;
    const env = withRuntime(node);
    for (const program of programs) {
      expect(await run(join(app, 'node_modules/.bin', program), ['-help'], { env })).toMatchObject({
        code: 1,
        stdout: '',
        stderr: `${program}: ${problem}\n`,
      });
    }
    writeFileSync(join(app, 'required.cjs'), REQUIRED);
    for (const source of ["import 'tinymq'", "import 'tinymq/client'"]) {
      const file = join(app, 'imports.js');
      writeFileSync(file, source);
      const { code, stderr } = await run(node, [file], { cwd: app });
      expect(code).toBe(1);
      expect(stderr).toContain(`Error: tinymq ${problem}\n`);
    }
    expect((await run(node, ['required.cjs'], { cwd: app })).stderr).toContain(`Error: tinymq ${problem}\n`);
    const strict = await run('npm', ['install', '--engine-strict', '--prefer-offline', tarball], {
      cwd: app,
      env,
    });
    expect(strict.code).not.toBe(0);
    // Of ours, or of a package that ours needs: npm names one of them.
    expect(strict.stderr).toMatch(/Required: \{"node":">= ?22(\.23|\.x)?"\}/);
  }, 180_000);

  it.each(['22.23', '24'])(
    'of %s runs the programs, and what an app imports or requires',
    async (line) => {
      const node = await runtime(line);
      const env = withRuntime(node);
      for (const program of programs) {
        const { code, stderr } = await run(join(app, 'node_modules/.bin', program), ['-help'], { env });
        expect(code).toBe(0);
        // As the original, smq has its help on the standard error; no program has warnings there.
        expect(stderr).toMatch(program === 'smq' ? /^Usage of smq/ : /^$/);
        expect(stderr).not.toContain('Warning');
      }
      writeFileSync(join(app, 'app.js'), APP);
      writeFileSync(join(app, 'required.cjs'), REQUIRED);
      for (const file of ['app.js', 'required.cjs']) {
        expect(await run(node, [file], { cwd: app })).toMatchObject({
          code: 0,
          stdout: 'a: hello from app\n',
          stderr: '',
        });
      }
    },
    180_000,
  );
});

describe('its types', () => {
  it.each([
    ['require of today', 'nodenext', 'nodenext'],
    ['the old resolution', 'commonjs', 'node10'],
  ])('are there for an app that is CommonJS, by %s', async (_, module, moduleResolution) => {
    writeFileSync(join(app, 'old.cts'), OLD_APP);
    const problems = await compile('old.cts', {
      types: ['node'],
      lib: ['es2023', 'esnext.disposable'],
      module,
      moduleResolution,
      ignoreDeprecations: '6.0',
    });
    expect(problems.stdout).toMatch(/^old\.cts\(\d+,\d+\): error TS2345: .*\n$/);
  });

  it('have one file for each way to import it', () => {
    for (const kind of ['embed', 'client', 'client.browser']) {
      const files = ['js', 'cjs', 'd.ts', 'd.cts'].map((ending) => `dist/${kind}.${ending}`);
      expect(packed).toEqual(expect.arrayContaining(files));
    }
  });

  it('are there for an app in Node', async () => {
    writeFileSync(join(app, 'app.ts'), `${APP}${TYPE_MISTAKE}`);
    const problems = await compile('app.ts', { types: ['node'], lib: ['es2023', 'esnext.disposable'] });
    expect(problems.stdout).toMatch(/^app\.ts\(\d+,\d+\): error TS2345: .*\n$/);
  });

  it('are there for a page in a browser, without those of Node', async () => {
    writeFileSync(join(app, 'page.ts'), `${PAGE}${TYPE_MISTAKE}`);
    const problems = await compile('page.ts', {
      types: [],
      lib: ['es2023', 'esnext.disposable', 'dom'],
      module: 'esnext',
      moduleResolution: 'bundler',
      customConditions: ['browser'],
    });
    expect(problems.stdout).toMatch(/^page\.ts\(\d+,\d+\): error TS2345: .*\n$/);
  });
});

const APP = `
import { startBroker } from 'tinymq';
import { connect } from 'tinymq/client';

const broker = await startBroker({ listen: ['tcp://localhost:0'] });
const client = await connect(broker.url, { clientId: 'app' });
await client.subscribe('a', async (message) => {
  console.log(\`\${message.topic}: \${message.text()} from \${message.clientId}\`);
  await client.close();
});
await client.publish('a', 'hello');
await new Promise((resolve) => client.on('close', resolve));
await broker.close();
`;

/** Keeps something on the disk too, as the store has a thread with a file of its own. */
const REQUIRED = `
const { startBroker } = require('tinymq');
const { connect, RefusedError } = require('tinymq/client');
const { mkdtempSync, rmSync } = require('node:fs');

async function main() {
  const dataDir = mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'tinymq-required-'));
  const broker = await startBroker({ listen: ['tcp://localhost:0'], logs: [{ filter: '#' }], dataDir });
  const client = await connect(broker.url, { clientId: 'app' });
  client.publish('a', 'hello');
  await client.ping();
  await client.subscribe('a', async (message) => {
    console.log(message.topic + ': ' + message.text() + ' from ' + message.clientId);
    await client.close();
  }, { from: 'earliest' });
  await new Promise((resolve) => client.on('close', resolve));
  await broker.close();
  rmSync(dataDir, { recursive: true });
}

main();
`;

const OLD_APP = `
import { startBroker } from 'tinymq';
import { connect } from 'tinymq/client';

export async function main(): Promise<void> {
  const broker = await startBroker({ listen: ['tcp://localhost:0'] });
  const client = await connect(broker.url, { clientId: 'app' });
  await client.publish('a', 'hello');
  await client.publish(42, 'the topic is no string');
}
`;

const PAGE = `
import { connect } from 'tinymq/client';

const client = await connect('ws://localhost:8083', { clientId: 'page' });
await client.publish('a', 'hello');
`;

/** A mistake that the compiler can only find if it knows the types; the only one that it may find. */
const TYPE_MISTAKE = `
await client.publish(42, 'the topic is no string');
export {};
`;

/** Starts the broker of a folder of programs; its subscriber gets what its publisher sends first. */
async function expectFirstMessage(programs: string): Promise<void> {
  // Beside the programs there is what every machine has, and the runtime.
  const env = { PATH: `${programs}:${dirname(process.execPath)}:/usr/bin:/bin` };
  const cwd = mkdtempSync(join(folder, 'first-message-'));
  const broker = start('broker', ['-address', 'localhost:0', ...REPORTING], { env, cwd });
  await using running = await brokerProcess(broker);
  const address = running.url.replace('tcp://', '');
  const subscriber = start(
    'subscriber',
    ['-address', address, '-topic', 'sensors/#', '-count', '1', '-timeout', '60s'],
    { env },
  );
  await running.logged({ msg: 'rates', subscriptions: 1 });
  const message = ['-topic', 'sensors/temp', '-message', '22.5'];
  expect(await run('publisher', ['-address', address, ...message], { env })).toMatchObject({
    code: 0,
    stderr: '',
  });
  expect(await subscriber.ended).toMatchObject({ code: 0, stdout: 'Received on sensors/temp: 22.5\n' });
}

/** The newest runtime of a line, out of the package that npm has of it for this machine. */
async function runtime(line: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const place = join(folder, `runtime-${line}`);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), '{ "private": true }');
  await npm(place, 'install', '--prefer-offline', `${name}@${line}`);
  return join(place, 'node_modules', name, 'bin/node');
}

/** An environment in which this runtime is the machine's own. */
function withRuntime(node: string): Record<string, string> {
  return { PATH: `${dirname(node)}:${process.env.PATH}` };
}

/** Compiles one file of the app with our compiler, looking into the declarations of every package too. */
async function compile(file: string, options: object): Promise<Ended> {
  const config = {
    compilerOptions: {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      typeRoots: [join(checkout, 'node_modules/@types')],
      ...options,
    },
    files: [file],
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify(config));
  return run(process.execPath, [join(checkout, 'node_modules/typescript/bin/tsc'), '-p', app], { cwd: app });
}

/** Runs npm as a user would, not as a part of the npm that may have started the tests. */
async function npm(cwd: string, ...args: string[]): Promise<Ended> {
  const inherited = Object.keys(process.env).filter((name) =>
    /^npm_(package|lifecycle|command|config_(local|global)?_?prefix)|^INIT_CWD$/.test(name),
  );
  const env = Object.fromEntries(inherited.map((name) => [name, undefined]));
  const ended = await run('npm', [...args, '--no-audit', '--no-fund', '--no-update-notifier'], { cwd, env });
  if (ended.code !== 0) throw new Error(`npm ${args[0]} failed: ${ended.stderr}`);
  return ended;
}
