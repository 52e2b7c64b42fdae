import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import { afterAll, describe, expect, it } from 'vitest';

interface Rule {
  name: string;
  from: { path?: string; pathNot?: string | string[] };
  to: { path?: string; pathNot?: string | string[] };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const { forbidden } = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as {
  forbidden: Rule[];
};

/** For each rule about paths, an import that it forbids. */
const WRONG: Record<string, [from: string, to: string]> = {
  'transport-knows-no-protocol': ['internal/transport/x.ts', 'internal/protocol/mqtt/y.ts'],
  'protocol-is-pure': ['internal/protocol/mqtt/x.ts', 'internal/broker/y.ts'],
  'batch-is-the-format-of-the-log': ['internal/batch/x.ts', 'internal/log/y.ts'],
  'observe-is-a-leaf': ['internal/observe/x.ts', 'internal/broker/y.ts'],
  'exports-know-their-wire-format': ['internal/observe/otlp/x.ts', 'internal/protocol/mqtt/y.ts'],
  'limits-are-a-leaf': ['internal/limits/x.ts', 'internal/errors.ts'],
  'errors-and-topics-are-leaves': ['internal/errors.ts', 'internal/limits/y.ts'],
  'lib-is-a-leaf': ['internal/lib/x.ts', 'internal/observe/y.ts'],
  'access-decides-only': ['internal/access/x.ts', 'internal/broker/y.ts'],
  'admin-is-a-table-of-operations': ['internal/admin/x.ts', 'internal/store/y.ts'],
  'the-broker-names-no-door-and-no-protocol': ['internal/broker/x.ts', 'internal/protocol/mqtt/y.ts'],
  'the-log-knows-its-store': ['internal/log/x.ts', 'internal/live/y.ts'],
  'groups-know-their-store': ['internal/groups/x.ts', 'internal/log/y.ts'],
  'the-cluster-is-a-store-of-logs': ['internal/cluster/x.ts', 'internal/broker/y.ts'],
  'the-store-stands-alone': ['internal/store/sqlite/x.ts', 'internal/log/y.ts'],
  'the-store-of-kafka-knows-its-format': [
    'internal/store/kafka-directory/x.ts',
    'internal/protocol/mqtt/y.ts',
  ],
  'live-joins-broker-and-log': ['internal/live/x.ts', 'internal/groups/y.ts'],
  'persistence-joins-broker-and-store': ['internal/persistence/x.ts', 'internal/log/y.ts'],
  'doors-do-not-know-each-other': ['internal/doors/mqtt/x.ts', 'internal/doors/kafka/y.ts'],
  'what-doors-share-knows-no-door': ['internal/doors/clients/x.ts', 'internal/doors/mqtt/y.ts'],
  'clients-speak-to-any-broker': ['internal/clients/kafka/x.ts', 'internal/broker/y.ts'],
  'the-server-is-built-from-the-top': ['internal/doors/mqtt/x.ts', 'internal/server/y.ts'],
  'the-public-face-knows-the-server-only': ['pkg/embed/x.ts', 'internal/log/y.ts'],
  'the-client-stands-alone': ['pkg/client/x.ts', 'internal/errors.ts'],
  'the-page-stands-alone': ['internal/page/x.ts', 'internal/errors.ts'],
  'only-the-cluster-speaks-nats': ['internal/store/x.ts', 'node_modules/@nats-io/nuid/y.ts'],
  'nobody-imports-the-page': ['internal/server/x.ts', 'internal/page/y.ts'],
  'nobody-imports-a-program': ['internal/server/x.ts', 'cmd/broker/y.ts'],
  'the-product-has-no-test-data': ['internal/broker/x.ts', 'test/golden/y.ts'],
};

const folder = mkdtempSync(join(tmpdir(), 'tinymq-imports-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The names of the rules that a house with one import in it breaks. */
async function brokenBy(from: string, to: string): Promise<string[]> {
  const house = mkdtempSync(join(folder, 'house-'));
  for (const [path, text] of [
    [to, 'export const y = 1;\n'],
    [
      from,
      `import { y } from '${relative(dirname(from), to).replace(/^(?!\.)/, './')}';\nexport const x = y;\n`,
    ],
  ] as const) {
    mkdirSync(join(house, dirname(path)), { recursive: true });
    writeFileSync(join(house, path), text);
  }
  const ruleSet = { forbidden } as unknown as NonNullable<Parameters<typeof cruise>[1]>['ruleSet'];
  const { output } = await cruise(['.'], { baseDir: house, validate: true, ruleSet });
  if (typeof output === 'string') throw new Error(output);
  return output.summary.violations.map(({ rule }) => rule.name);
}

describe('a wrong import', () => {
  it.each(Object.entries(WRONG))('breaks %s', async (name, [from, to]) => {
    expect(await brokenBy(from, to)).toContain(name);
  });

  it('is shown above for each rule about paths', () => {
    const names = forbidden.filter(({ to }) => to.path !== undefined || to.pathNot !== undefined);
    expect(names.map(({ name }) => name).sort()).toEqual(Object.keys(WRONG).sort());
  });

  it('is no right one', async () => {
    expect(await brokenBy('internal/doors/mqtt/x.ts', 'internal/broker/y.ts')).toEqual([]);
    expect(await brokenBy('internal/server/x.ts', 'internal/log/y.ts')).toEqual([]);
  });
});

/** Rooms within others. */
const INNER_ROOMS = ['internal/doors/clients', 'internal/store/kafka-directory', 'internal/observe/otlp'];

/** What everybody may use that is in no row of its own. */
const SHARED = ['errors.ts', 'limits', 'topic.ts', 'lib'];

describe('the table of rooms in internal/README.md', () => {
  const page = readFileSync(join(root, 'internal/README.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([^`]+)` +\| [^|]+\| ([^|]*)\|$/gm)].map(
    ([, room, cell]) => [room, namesIn(cell)] as const,
  );
  const rooms = [...rows.map(([room]) => room), ...SHARED.map((each) => `internal/${each}`)].filter(
    (room) => !INNER_ROOMS.includes(room!),
  );

  it('has a row for each room', () => {
    const top = new Set(forbidden.flatMap(({ from }) => roomsIn(from.path ?? '')));
    for (const room of top) expect(rooms, room).toContain(`internal/${room}`);
  });

  it.each(rows)('says of %s what the import rules say', (room, named) => {
    const allowed = named.flatMap((name) => (name === 'shared' ? SHARED : [name]));
    for (const name of allowed) if (name !== 'everything') expect(mayImport(room, pathOf(name))).toBe(true);
    for (const other of rooms) {
      const name = other.replace('internal/', '');
      if (other === room || room.startsWith(`${other}/`)) continue;
      const isAnybodys = other !== 'cmd' && other !== 'internal/page';
      const isNamed = allowed.includes(name) || (allowed.includes('everything') && isAnybodys);
      expect(mayImport(room, pathOf(name)), `${room} → ${other}`).toBe(isNamed);
    }
  });
});

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`|\b(everything|shared)\b/g)].map(([, code, word]) => code ?? word);
}

/** The rooms that a rule is about, as in `^internal/log(/|\.ts$)`. */
function roomsIn(pattern: string): string[] {
  return [...pattern.matchAll(/^\^internal\/(\w+)\(\//g)].map(([, room]) => room);
}

/** A file of a room: its own name where it is a file, one in the middle of it where it is a folder. */
function pathOf(name: string): string {
  const path = /^(cmd|pkg)\b/.test(name) ? name : `internal/${name}`;
  return path.endsWith('.ts') ? path : `${path}/some/file.ts`;
}

function mayImport(room: string, to: string): boolean {
  const from = pathOf(room.replace('internal/', ''));
  return forbidden.every((rule) => {
    if (rule.to.path === undefined) return true;
    const match = matches(from, rule.from.path ?? '');
    if (match === null || isAmong(from, rule.from.pathNot, match)) return true;
    return !isAmong(to, rule.to.path, match) || isAmong(to, rule.to.pathNot, match);
  });
}

function matches(path: string, pattern: string): RegExpExecArray | null {
  return new RegExp(pattern).exec(path);
}

function isAmong(path: string, patterns: string | string[] | undefined, from: RegExpExecArray): boolean {
  const all = [patterns ?? []].flat();
  return all.some((pattern) => new RegExp(pattern.replace('$1', from[1] ?? '$1')).test(path));
}
