import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { brokerProcess, type Ended, program, REPORTING, run, start } from './support/broker-process.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tinymq-install-'));
const app = join(folder, 'app');
let tarball: string;
let packed: string[];

beforeAll(async () => {
  program('broker');
  // The build has been made; packing must not make it again under the feet of other tests.
  const { stdout } = await npm(checkout, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  packed = (JSON.parse(stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!);
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }');
  await npm(app, 'install', '--prefer-offline', tarball);
  return () => rmSync(folder, { recursive: true });
}, 180_000);

describe('the package', () => {
  it('holds what was built, and no sources, tests or keys', () => {
    expect(packed).toEqual(expect.arrayContaining(['package.json', 'README.md', 'bin/broker']));
    expect(
      packed.filter((path) => /\.test\.|^(cmd|internal|pkg|test|certs|bench)\/|\.key$/.test(path)),
    ).toEqual([]);
  });

  it('has programs that work together', async () => {
    const bin = (name: string) => join(app, 'node_modules/.bin', name);
    await using broker = await brokerProcess(start(bin('broker'), ['-address', 'localhost:0', ...REPORTING]));
    const address = broker.url.replace('tcp://', '');
    const subscriber = start(bin('subscriber'), [
      ...['-address', address, '-topic', 'sensors/#', '-count', '1', '-timeout', '60s'],
    ]);
    await broker.logged({ msg: 'rates', subscriptions: 1 });
    const publisher = await run(bin('publisher'), [
      ...['-address', address, '-topic', 'sensors/temp', '-message', '22.5'],
    ]);
    expect(publisher).toMatchObject({ code: 0, stderr: '' });
    expect(await subscriber.ended).toMatchObject({ code: 0, stdout: 'Received on sensors/temp: 22.5\n' });
  });

  it('puts its programs on the PATH when it is installed for all', async () => {
    const prefix = join(folder, 'global');
    await npm(folder, 'install', '--global', '--prefer-offline', '--prefix', prefix, tarball);
    for (const name of ['broker', 'publisher', 'subscriber', 'tinymq', 'dashmq']) {
      const { code, stdout, stderr } = await run(join(prefix, 'bin', name), ['-version']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/\d+\.\d+\.\d+/);
    }
    // As the original it knows no -version.
    expect(await run(join(prefix, 'bin', 'smq'), ['--help'])).toMatchObject({ code: 0 });
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

describe('its types', () => {
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

await using broker = await startBroker({ listen: ['tcp://localhost:0'] });
const client = await connect(broker.url, { clientId: 'app' });
await client.subscribe('a', async (message) => {
  console.log(\`\${message.topic}: \${message.text()} from \${message.clientId}\`);
  await client.close();
});
await client.publish('a', 'hello');
await new Promise((resolve) => client.on('close', resolve));
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
