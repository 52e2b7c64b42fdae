import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { Faults, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { run } from '../support/broker-process.ts';
import { goTests, pythonPackage, pythonTests, type Toolchain } from './support/toolchains.ts';

const packages = fileURLToPath(new URL('../../pkg/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tinymq-frame-clients-'));
const faults = new Faults();
let broker: RunningBroker;
let ca: string;

/** The reference clients, each with tests of its own: the golden frames, and what it does with a broker. */
const CLIENTS: readonly {
  name: string;
  folder: string;

  ran: RegExp;
  toolchain: Toolchain<string[]>;
}[] = [
  {
    name: 'Python',
    folder: 'python',
    ran: /Ran \d\d+ tests/,
    toolchain: pythonTests(),
  },
  { name: 'Go', folder: 'go', ran: /--- PASS: TestAReplay/, toolchain: goTests() },
];

beforeAll(async () => {
  const certificates = await makeCertificates(folder);
  ca = certificates.ca;
  broker = await startBroker({
    listen: ['tcp://localhost:0', 'tls://localhost:0', `unix://${join(folder, 'broker.sock')}`],
    tls: { certFile: certificates.serverCert, keyFile: certificates.serverKey },
    memory: true,
    keep: [{ filter: 'kept/#' }],
    sysIntervalMs: 0,
    faults,
    guard: {
      mayConnect: () => undefined,
      mayPublish: (_, topic) => (topic === 'secret' ? 'it is secret' : undefined),
      maySubscribe: () => undefined,
    },
  });
});

afterAll(async () => {
  await broker?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(CLIENTS)('the client in $name', ({ folder: name, ran, toolchain }) => {
  if ('missing' in toolchain) {
    it(toolchain.missing, ({ skip }) => skip());
    return;
  }
  const [command, ...args] = toolchain.there;
  it('passes its tests', async () => {
    faults.loseAcknowledgements({ client: `cut-${name}` });
    const [tcp, tls, unix] = broker.listeners.map(({ url }) => url);
    const places = { TINYMQ_URL: tcp, TINYMQ_TLS_URL: tls, TINYMQ_UNIX_URL: unix, TINYMQ_CA: ca };
    const env = { ...places, PYTHONDONTWRITEBYTECODE: '1' };
    const said = await mustRun(command!, args, { cwd: join(packages, name), env });
    expect(said).toMatch(ran);
  });
});

it.each([
  { language: 'Python', sources: 'python/tinymq/*.py' },
  { language: 'Go', sources: 'go/*.go' },
])('the client in $language has less than 800 lines', ({ sources }) => {
  expect(linesOf(sources)).toBeLessThan(800);
});

/** What a program said; all of it is the error where it fails, as it is longer than what a comparison shows. */
async function mustRun(command: string, args: readonly string[], options: Parameters<typeof run>[2]) {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stdout}${stderr}`);
  return stdout + stderr;
}

/** Lines of the sources that are no tests. */
function linesOf(pattern: string): number {
  const sources = globSync(pattern, { cwd: packages }).filter((file) => !file.endsWith('_test.go'));
  expect(sources).not.toEqual([]);
  return sources.reduce(
    (sum, file) => sum + readFileSync(join(packages, file), 'utf8').split('\n').length,
    0,
  );
}

describe('the package for PyPI', async () => {
  const installed = await pythonPackage();
  if ('missing' in installed) {
    it(installed.missing, ({ skip }) => skip());
    return;
  }
  it('is installed with its types', async () => {
    await mustRun(installed.there, ['-m', 'mypy', '--strict', '-p', 'tinymq'], { cwd: folder });
  });
});
