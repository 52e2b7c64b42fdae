import { listLogs, showLog } from '../../../internal/admin/operations/logs.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { printFacts } from './facts.ts';
import { logsLsProgram, logsShowProgram } from './flags.ts';
import { allPages } from './pages.ts';
import { countText, sizeText } from './words.ts';

export const ls = command(logsLsProgram, async (invocation) => {
  const { search, limit, json } = invocation.values;
  const logs = await withBroker(invocation, (broker) =>
    allPages(
      limit,
      (page) => broker.call(listLogs, { search, ...page }),
      (page) => page.logs,
    ),
  );
  if (json) {
    print(logs);
    return;
  }
  printTable(
    ['LOG', 'PARTITIONS', 'MESSAGES', 'SIZE', 'TOPIC'],
    logs.map(({ name, partitions, records, bytes, topic }) => [
      ...[name, countText(partitions), countText(records), sizeText(bytes), topic],
    ]),
  );
});

export const show = command(logsShowProgram, async (invocation) => {
  const name = invocation.operands[0]!;
  const log = await withBroker(invocation, (broker) => broker.call(showLog, { name }));
  if (invocation.values.json) {
    print(log);
    return;
  }
  const { topic, records, bytes, createdAt, settings, partitions, partitionCount } = log;
  const set = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  printFacts({
    ...{ log: name, topic, messages: countText(records), size: sizeText(bytes), created: createdAt },
    settings: set.length === 0 ? '-' : set,
  });
  process.stdout.write('\n');
  printTable(
    ['PARTITION', 'FIRST', 'NEXT', 'BYTES', 'LEADER'],
    // Older brokers do not tell the leader.
    partitions.map(({ partition, firstOffset, nextOffset, bytes: size, leader }) =>
      [partition, firstOffset, nextOffset, size, leader ?? '-'].map(String),
    ),
  );
  const more = partitionCount - partitions.length;
  if (more > 0) process.stdout.write(`… and ${countText(more)} more partitions\n`);
});
