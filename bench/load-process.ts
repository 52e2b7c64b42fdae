import { join } from 'node:path';
import type { Order, Preparation, Reply } from './load/orders.ts';
import type { Figures } from './load/scenario.ts';
import { LOAD_CORE, type Started, start } from './processes.ts';

/** A load generator in a process of its own, on its core. */
export interface Load {
  /** Connects what a case needs. @throws Error */
  prepare(preparation: Preparation): Promise<void>;
  /** Measures for about so long. @throws Error */
  round(seconds: number): Promise<Figures>;
  end(): Promise<void>;
}

/** @param broker whose output explains what went wrong. */
export function startLoad(broker: { output(): string }): Load {
  const load = start(
    { program: process.execPath, args: [join(import.meta.dirname, 'load', 'main.ts')] },
    LOAD_CORE,
    { ipc: true },
  );
  return {
    async prepare(preparation) {
      await ask(load, broker, { kind: 'prepare', ...preparation });
    },
    round: (seconds) => ask(load, broker, { kind: 'round', seconds }),
    end: load.end,
  };
}

/** Gives the load generator an order and waits for its answer. */
function ask(load: Started, broker: { output(): string }, order: Order): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error(`the load generator ended: ${load.output()}`));
    if (load.hasEnded()) return gone();
    load.child.once('exit', gone);
    load.child.once('message', (reply: Reply) => {
      load.child.off('exit', gone);
      if ('figures' in reply) resolve(reply.figures);
      else reject(new Error([reply.error, broker.output()].filter(Boolean).join('; it says: ')));
    });
    load.child.send(order);
  });
}
