import { showOverview } from '../../../internal/admin/operations/overview.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { printFacts } from './facts.ts';
import { statusProgram } from './flags.ts';
import { ageText, countText, sizeText } from './words.ts';

/** What a broker says of itself as a whole. */
export type Overview = Awaited<ReturnType<typeof showOverview.run>>;

export const status = command(statusProgram, async (invocation) => {
  const overview = await withBroker(invocation, (broker) => broker.call(showOverview, {}));
  if (invocation.values.json) {
    print(overview);
    return;
  }
  const { version, startedAt, health, listeners, sessions, subscriptions, retained, logs } = overview;
  printFacts({
    version: `tinymq ${version}, up ${ageText(Date.now() - Date.parse(startedAt))}`,
    health: healthLines(overview, health),
    store: storeText(overview),
    listens: listeners.map(({ url }) => url),
    sessions: countText(sessions),
    subscriptions: countText(subscriptions),
    retained: countText(retained),
    logs: countText(logs),
    dropped: droppedLines(overview),
  });
  process.stdout.write('\n');
  printTable(
    ['DOOR', 'CONNECTIONS', 'IN', 'OUT', 'BYTES IN', 'BYTES OUT'],
    overview.doors.map(({ name, connections, messagesIn, messagesOut, bytesIn, bytesOut }) => [
      ...[name, countText(connections), countText(messagesIn), countText(messagesOut)],
      ...[sizeText(bytesIn), sizeText(bytesOut)],
    ]),
  );
});

/** The broker's health in one word, and what is wrong. */
function healthLines({ checks }: Pick<Overview, 'checks'>, health: string): string[] {
  const wrong = Object.entries(checks).filter(([, { status: each }]) => each !== 'pass');
  return [health, ...wrong.map(([name, { status: each, problem = each }]) => `${name}: ${problem}`)];
}

/** What a store is called. */
const STORE_WORDS: Readonly<Record<string, string>> = {
  memory: 'memory',
  'data-folder': 'data folder',
  'kafka-directory': "Kafka's log directories",
  cluster: 'cluster on',
};

function storeText({ store }: Pick<Overview, 'store'>): string {
  const { kind, folders, format, servers = [], bytes, freeBytes } = store;
  const sizes = [
    ...(bytes === undefined ? [] : [sizeText(bytes)]),
    ...(freeBytes === undefined ? [] : [`${sizeText(freeBytes)} free`]),
  ];
  const isNode = servers.length > 0;
  const where = [STORE_WORDS[kind] ?? kind, ...(isNode ? servers : folders)].join(' ');
  const sessions = isNode && folders.length > 0 ? [`sessions in ${folders.join(' ')}`] : [];
  return [where, ...(format === undefined ? [] : [`format ${format}`]), ...sessions, ...sizes].join(', ');
}

function droppedLines({ droppedByCode }: Overview): string[] {
  const all = Object.entries(droppedByCode).map(([code, count]) => `${countText(count)} ${code}`);
  return all.length === 0 ? ['0'] : all;
}
