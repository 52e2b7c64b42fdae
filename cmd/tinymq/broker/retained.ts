import { getRetained, listRetained, removeRetained } from '../../../internal/admin/operations/retained.ts';
import { printable } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable, report } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { retainedGetProgram, retainedLsProgram, retainedRmProgram } from './flags.ts';
import { allPages } from './pages.ts';
import { countText } from './words.ts';

export const ls = command(retainedLsProgram, async (invocation) => {
  const { limit, json } = invocation.values;
  const [filter] = invocation.operands;
  const retained = await withBroker(invocation, (broker) =>
    allPages(
      limit,
      (page) => broker.call(listRetained, { filter, ...page }),
      (page) => page.retained,
    ),
  );
  if (json) {
    print(retained);
    return;
  }
  printTable(
    ['TOPIC', 'BYTES', 'QOS', 'FROM', 'TYPE', 'EXPIRES'],
    retained.map(({ topic, payloadBytes, qos, clientId, contentType, expiresAt }) => [
      ...[topic, countText(payloadBytes), String(qos), clientId || '-'],
      ...[contentType ?? '-', expiresAt ?? 'never'],
    ]),
  );
});

export const rm = command(retainedRmProgram, async (invocation) => {
  const topics = invocation.operands;
  await withBroker(invocation, async (broker) => {
    for (const topic of topics) await broker.call(removeRetained, { topic });
  });
  report(invocation.values, { removed: topics }, `Removed ${counted(topics.length, 'retained message')}.`);
});

export const get = command(retainedGetProgram, async (invocation) => {
  const topic = invocation.operands[0]!;
  const message = await withBroker(invocation, (broker) => broker.call(getRetained, { topic }));
  if (invocation.values.json) {
    print(message);
    return;
  }
  const payload = Buffer.from(message.payload, message.encoding ?? 'utf8');
  // A pipe gets the bytes as they are; a terminal is not to obey them.
  process.stdout.write(process.stdout.isTTY ? `${printable(payload)}\n` : payload);
});
