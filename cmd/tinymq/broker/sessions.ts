import { endSession, listSessions, listSubscriptions } from '../../../internal/admin/operations/sessions.ts';
import { quoted } from '../../../internal/errors.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable, report } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { sessionsLsProgram, sessionsRmProgram, subscriptionsProgram } from './flags.ts';
import { allPages } from './pages.ts';
import { ageText, countText } from './words.ts';

export const ls = command(sessionsLsProgram, async (invocation) => {
  const { search, limit, json } = invocation.values;
  const sessions = await withBroker(invocation, (broker) =>
    allPages(
      limit,
      (page) => broker.call(listSessions, { search, ...page }),
      (page) => page.sessions,
    ),
  );
  if (json) {
    print(sessions);
    return;
  }
  printTable(
    ['CLIENT', 'USER', 'CONNECTED', 'LASTS', 'FILTERS', 'WAITING', 'IN FLIGHT'],
    sessions.map(({ clientId, user, isConnected, expiryMs, subscriptions, ...session }) => [
      ...[clientId, user ?? '-', isConnected ? 'yes' : 'no', lifeText(expiryMs), countText(subscriptions)],
      ...[countText(session.waitingMessages), countText(session.unacknowledgedMessages)],
    ]),
  );
});

/** How long a session outlasts its connection. */
function lifeText(expiryMs: number | null): string {
  if (expiryMs === null) return 'for ever';
  return expiryMs === 0 ? '-' : ageText(expiryMs);
}

export const rm = command(sessionsRmProgram, async (invocation) => {
  const client = invocation.operands[0]!;
  await withBroker(invocation, (broker) => broker.call(endSession, { client }));
  report(invocation.values, { ended: client }, `Ended the session of ${quoted(client)}.`);
});

export const subscriptions = command(subscriptionsProgram, async (invocation) => {
  const { search, limit, json } = invocation.values;
  const found = await withBroker(invocation, (broker) =>
    allPages(
      limit,
      (page) => broker.call(listSubscriptions, { search, ...page }),
      (page) => page.subscriptions,
    ),
  );
  if (json) {
    print(found);
    return;
  }
  printTable(
    ['FILTER', 'CLIENT', 'USER', 'DOOR', 'CONNECTED'],
    found.map(({ filter, clientId, user, door, isConnected }) => [
      ...[filter, clientId || '-', user ?? '-', door, isConnected ? 'yes' : 'no'],
    ]),
  );
});
