import { endClient, listClients, showClient } from '../../../internal/admin/operations/clients.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable, report } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { printFacts } from './facts.ts';
import { clientsKickProgram, clientsLsProgram, clientsShowProgram } from './flags.ts';
import { allPages } from './pages.ts';
import { ageText, countText, sizeText } from './words.ts';

export const ls = command(clientsLsProgram, async (invocation) => {
  const { search, door, sort, limit, json } = invocation.values;
  const clients = await withBroker(invocation, (broker) =>
    allPages(
      limit,
      (page) => broker.call(listClients, { search, door, sort, ...page }),
      (page) => page.clients,
    ),
  );
  if (json) {
    print(clients);
    return;
  }
  const now = Date.now();
  printTable(
    ['ID', 'CLIENT', 'USER', 'DOOR', 'AGE', 'IN', 'OUT', 'WAITING', 'REMOTE'],
    clients.map(({ id, clientId, user, door: of, sinceMs, received, sent, waiting, remote }) => [
      ...[String(id), clientId || '-', user ?? '-', of, ageText(now - sinceMs)],
      ...[countText(received), countText(sent), countText(waiting), remote],
    ]),
  );
});

export const show = command(clientsShowProgram, async (invocation) => {
  const id = invocation.operands[0]!;
  const client = await withBroker(invocation, (broker) => broker.call(showClient, { id }));
  if (invocation.values.json) {
    print(client);
    return;
  }
  const { session, filters, filterCount } = client;
  printFacts({
    id: client.id,
    client: client.clientId || '-',
    user: client.user ?? '-',
    groups: client.groups.join(', ') || '-',
    certificate: client.certificateName,
    'login ends': client.credentialsExpireAt,
    door: client.door,
    listener: client.listener,
    remote: client.remote,
    since: `${new Date(client.sinceMs).toISOString()} (${ageText(Date.now() - client.sinceMs)})`,
    in: `${countText(client.received)}, ${sizeText(client.receivedBytes)}`,
    out: `${countText(client.sent)}, ${sizeText(client.sentBytes)}`,
    requests: client.requests === 0 ? '-' : countText(client.requests),
    waiting: countText(client.waiting),
    ...(session === undefined ? {} : sessionFacts(session)),
    filters: filterCount === 0 ? '-' : filters,
  });
  if (filterCount > filters.length)
    process.stdout.write(`… and ${filterCount - filters.length} more filters\n`);
});

interface ShownSession {
  waitingMessages: number;
  waitingBytes: number;
  unacknowledgedMessages: number;
  expiryMs: number | null;
}

function sessionFacts({ waitingMessages, waitingBytes, unacknowledgedMessages, expiryMs }: ShownSession) {
  return {
    'session lasts': expiryMs === null ? 'for ever' : expiryMs === 0 ? 'as long as it' : ageText(expiryMs),
    'session waiting': `${countText(waitingMessages)}, ${sizeText(waitingBytes)}`,
    unacknowledged: countText(unacknowledgedMessages),
  };
}

export const kick = command(clientsKickProgram, async (invocation) => {
  const name = invocation.operands[0]!;
  const { id } = await withBroker(invocation, (broker) => broker.call(endClient, { id: name }));
  report(invocation.values, { ended: id }, `Ended connection ${id}.`);
});
