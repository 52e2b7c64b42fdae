import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { tinymqSuite } from '../../cmd/tinymq/suite.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { runTinymq } from '../support/tinymq-program.ts';

/** Each row starts a process, and the machine may be busy. */
const PATIENCE_MS = 300_000;
const SECRET = Buffer.alloc(32, 7);
const folder = mkdtempSync(join(tmpdir(), 'tinymq-every-'));
const dataDir = join(folder, 'data');
const file = (name: string) => join(folder, name);
const env = { XDG_CONFIG_HOME: file('config') };
const secured = ['-token-file', file('token'), '-tls-ca', file('ca.crt')];
let broker: RunningBroker | undefined;
let load: NodeJS.Timeout;

/** A command, its arguments and what it prints; `%` is the way in which the broker is reached. */
type Row = readonly [command: string, args: string, prints: RegExp];

const ADMINISTER: readonly Row[] = [
  ['status', '', /^health +pass\n/m],
  ['check', '', /OK/],
  ['clients ls', '-search load', /^\d+ +load +tess +mqtt /m],
  ['clients show', 'load', /^client +load$/m],
  ['clients kick', 'kicked-%', /^Ended connection \d+/],
  ['sessions ls', '-search gone-%', /^gone-% +tess +no /m],
  ['sessions rm', 'gone-%', /^Ended the session of 'gone-%'/],
  ['subscriptions', '-search busy', /^busy\/# +load /m],
  ['retained export', `${folder}/%.retained -filter once/%`, /^Wrote 1 retained message into /],
  ['retained rm', 'once/%', /^Removed 1 retained message/],
  ['retained import', `${folder}/%.retained`, /1 retained message/],
  ['retained ls', 'once/%', /^once\/% +3 /m],
  ['retained get', 'once/%', /^one$/],
  ['logs ls', '', /^busy\.log +/m],
  ['logs show', 'busy.log', /busy/],
  ['logs export', `${folder}/%.logs busy.log`, /^Wrote [\d,]+ /],
  ['logs import', `${folder}/%.logs -offsets new`, /[\d,]+ records?/],
  ['groups reset', 'readers-% -to earliest -topic busy.log', /^busy\.log +0 +0/m],
  ['groups ls', '', /^readers-% /m],
  ['groups show', 'readers-%', /readers-%/],
  ['groups rm', 'readers-%', /readers-%/],
  ['top', '-count 1 -interval 1', /health pass/],
  ['why', 'kicked-%', /disconnect/],
  ['trace', 'busy/log -for 1', /busy\/log/],
  ['support', `${folder}/%.tar.gz`, /%\.tar\.gz/],
  ['config show', '', /^$/],
  ['users add', 'new-% -no-password', /new-%/],
  ['users groups', 'new-% -groups crew', /new-%/],
  ['users disable', 'new-%', /new-%/],
  ['users enable', 'new-%', /new-%/],
  ['users passwd', `new-% -password-file ${folder}/password`, /new-%/],
  ['users list', '', /^new-% /m],
  ['users remove', 'new-%', /new-%/],
  ['acl add', '-allow publish -users % -topics only/% -id r-%', /r-%/],
  ['acl list', '', /r-%/],
  ['acl test', 'tess publish any', /r?\w/],
  ['acl remove', 'r-%', /r-%/],
  ['limits add', 'messagesInPerSecond=1000 -user tess -id l-%', /l-%/],
  ['limits list', '', /l-%/],
  ['limits test', 'tess', /1,?000/],
  ['limits remove', 'l-%', /l-%/],
];

/** Commands by the protocol of Kafka, which has no socket of the owner. */
const KAFKA: readonly Row[] = [
  ['topics create', 'made -partitions 2', /^Created topic made\./],
  ['topics list', '', /^made$/m],
  ['topics describe', 'made', /made/],
  ['topics alter', 'made -partitions 3', /made/],
  ['produce', `made ${folder}/password`, /^$/],
  ['consume', 'made -exit -from beginning', /open-sesame/],
  ['consume', 'made -exit -group by-kafka', /open-sesame/],
  ['groups list', '', /^by-kafka/m],
  ['groups describe', 'by-kafka', /by-kafka/],
  ['groups reset-offsets', 'by-kafka -to-earliest -all-topics -execute', /by-kafka|made/],
  ['groups delete', 'by-kafka', /by-kafka/],
  ['topics delete', 'made', /^Deleted topic made\./],
];

/** Without a broker: on what one has left. */
const STOPPED: readonly Row[] = [
  ['users list', '-data-dir DATA', /^tess /m],
  ['users add', 'later -no-password -data-dir DATA', /later/],
  ['acl list', '-data-dir DATA', /./],
  ['acl test', 'tess publish any -data-dir DATA', /./],
  ['limits list', '-data-dir DATA', /./],
  ['logs export', `${folder}/stopped.logs busy.log -data-dir DATA`, /^Wrote [\d,]+ /],
  ['verify', '-data-dir DATA', /is whole: /],
  ['backup', `${folder}/stopped.db -data-dir DATA`, /^Copied the store/],
  ['verify', `${folder}/stopped.db`, /is whole: /],
  ['restore', `${folder}/stopped.db -data-dir ${folder}/restored`, /^Restored /],
  ['support', `${folder}/stopped.tar.gz -data-dir DATA`, /stopped\.tar\.gz/],
];

/** They need no broker, or have a test of their own with one. */
const ELSEWHERE =
  /^(bench|users hash|certs|smq .*|cluster .*|import .*|config (check|schema|migrate)|context .*|completion.*)$/;

beforeAll(async () => {
  const { ca, serverCert: certFile, serverKey: keyFile } = await makeCertificates(file('certs'));
  const tls = { certFile, keyFile };
  copyFileSync(ca, file('ca.crt'));
  writeFileSync(file('secret.jwk'), JSON.stringify({ kty: 'oct', k: SECRET.toString('base64url') }));
  const token = new SignJWT({ sub: 'tess', groups: ['admins'], exp: Math.floor(Date.now() / 1_000) + 3_600 });
  writeFileSync(file('token'), await token.setProtectedHeader({ alg: 'HS256' }).sign(SECRET));
  writeFileSync(file('password'), 'open-sesame-77\n');
  await done(['users', 'add', 'tess', '-admin', '-password-file', file('password'), '-data-dir', dataDir]);
  broker = await startBroker({
    ...{ listen: ['tls://127.0.0.1:0', 'tcp://127.0.0.1:0'], http: { listen: ['https://127.0.0.1:0'] } },
    ...{ kafka: { listen: ['tls://127.0.0.1:0'] }, tls, dataDir, adminSocket: true },
    ...{ keep: [{ filter: 'busy/log' }], sysIntervalMs: 1_000 },
    tokens: { keys: file('secret.jwk'), algorithms: ['HS256'] },
  });
  const far = ['context', 'add', 'far', '-url', urlOf('https:')];
  await done([...far, ...secured]);
  await fill();
});
afterAll(async () => {
  clearInterval(load);
  await broker?.close();
  rmSync(folder, { recursive: true });
});

function urlOf(scheme: string, door?: string): string {
  const found = broker!.listeners.find(({ url, door: of }) => url.startsWith(scheme) && of === (door ?? of));
  return found!.url.replace('127.0.0.1', 'localhost');
}

/** Several hundred messages a second, and something for each way to take away. */
async function fill(): Promise<void> {
  const login = { userName: 'tess', password: Buffer.from('open-sesame-77') };
  const url = urlOf('tcp:');
  const client = await connectMqtt(url, 5, { clientId: 'load', ...login });
  await client.subscribe('busy/#', 0);
  for (const way of ['near', 'far']) {
    await connectMqtt(url, 5, { clientId: `kicked-${way}`, ...login });
    const properties = { sessionExpiryIntervalS: 3_600 };
    const gone = await connectMqtt(url, 5, { clientId: `gone-${way}`, ...login, properties });
    await gone.subscribe('elsewhere', 1);
    gone.drop();
    await client.publishSafely(`once/${way}`, 'one', { retain: true });
  }
  load = setInterval(() => {
    for (let index = 0; index < 10; index++) client.publish(index < 5 ? 'busy/log' : 'busy/live', 'x');
  }, 20);
}

async function done(args: readonly string[]): Promise<string> {
  const { code, out, errors } = await runTinymq(args, '', env);
  expect([args.join(' '), code, code === 0 ? '' : errors]).toEqual([args.join(' '), 0, '']);
  return Buffer.from(out, 'latin1').toString();
}

/** Runs commands one after the other, and says of each that fails or prints something else what it did. */
async function expectAll(rows: readonly Row[], way: string, place: readonly string[]): Promise<void> {
  const problems: string[] = [];
  for (const [command, args, prints] of rows) {
    const own = args.replaceAll('%', way).replace('DATA', dataDir).split(' ').filter(Boolean);
    const { code, out, errors } = await runTinymq([...command.split(' '), ...own, ...place], '', env);
    const expected = new RegExp(prints.source.replaceAll('%', way), prints.flags);
    if (code === 0 && expected.test(out)) continue;
    problems.push(`tinymq ${command} ${own.join(' ')}: code ${code}, ${errors}, not ${expected}: ${out}`);
  }
  expect(problems.join('\n')).toBe('');
}

describe('a broker under load', () => {
  it.each([
    ['near', 'the socket of its owner', ['-data-dir', dataDir]],
    ['far', 'its HTTP door with a token over TLS, remembered as a context', ['-context', 'far']],
  ])(
    'is administered %s, by %s',
    async (way, _, place) => {
      await expectAll(ADMINISTER, way, place);
    },
    PATIENCE_MS,
  );

  it(
    'is used by Kafka with a token over TLS',
    async () => {
      const place = ['-address', urlOf('tls:', 'kafka'), ...secured];
      await expectAll(KAFKA, 'far', place);
    },
    PATIENCE_MS,
  );

  it('is backed up and verified while it runs', async () => {
    const rows: Row[] = [
      ['verify', '-data-dir DATA', /is whole/],
      ['backup', `${folder}/running.db -data-dir DATA`, /^Copied the store/],
    ];
    await expectAll(rows, 'near', []);
  });
});

describe('a broker that is stopped', () => {
  it(
    'is administered by its folder, and missed in one line where that makes no sense',
    async () => {
      clearInterval(load);
      await broker!.close();
      broker = undefined;
      await expectAll(STOPPED, 'stopped', []);
      const { code, errors } = await runTinymq(['status', '-data-dir', dataDir], '', env);
      expect([code, errors]).toEqual([1, expect.stringMatching(/^tinymq status: no broker runs with .*\n$/)]);
    },
    PATIENCE_MS,
  );
});

it('no command is left out', () => {
  const tried = new Set([...ADMINISTER, ...KAFKA, ...STOPPED].map(([command]) => command));
  const all = tinymqSuite.groups.flatMap(({ commands }) =>
    commands.map(({ program }) => program.name.replace('tinymq ', '')),
  );
  expect(all.filter((name) => !tried.has(name) && !ELSEWHERE.test(name))).toEqual([]);
});
