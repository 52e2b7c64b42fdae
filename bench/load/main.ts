/** The load generator's process. Its parent tells it what to do, and gets the figures of each round. */
import { cases } from '../cases.ts';
import { peerNamed } from '../peers/index.ts';
import type { Order, Reply } from './orders.ts';
import type { Scenario } from './scenario.ts';
import { scenarioOf } from './scenarios.ts';

let scenario: Scenario | undefined;

process.on('message', (order: Order) => {
  carryOut(order).then(reply, (error: Error) => reply({ error: error.message }));
});
// The parent is gone, or has what it wants.
process.on('disconnect', () => process.exit());

async function carryOut(order: Order): Promise<Reply> {
  if (order.kind === 'prepare') {
    const chosen = cases.find(({ name }) => name === order.caseName)!;
    scenario = await scenarioOf(chosen, { ...order, peer: peerNamed(order.peerName) });
    return { figures: {} };
  }
  return { figures: await scenario!.round(order.seconds) };
}

function reply(message: Reply): void {
  process.send!(message);
}
