import type { Broker, Logger } from '../../internal/broker/broker.ts';
import type { Client } from '../../internal/broker/client.ts';
import type { Channel } from '../../internal/broker/delivery/channel.ts';
import type { Outlet } from '../../internal/broker/sessions/outlet.ts';
import type { Session } from '../../internal/broker/sessions/session.ts';
import { Sessions } from '../../internal/broker/sessions/sessions.ts';
import type { Metrics } from '../../internal/observe/metrics.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** The sessions of a broker that keeps nothing. */
export function sessionsOf(broker: Broker, metrics: Metrics, logger: Logger = silent): Sessions {
  const limits = { queueMessages: 1_000, queueBytes: 1e6 };
  return new Sessions({ broker, metrics, logger, limits, slowConsumerWaitMs: 10 });
}

/** The session of a client that takes everything as it is. */
export function sessionOf(sessions: Sessions, { identity, channel }: Client): Session {
  return sessions.passing(identity, { ...anyOutlet(channel), takesRuns: true, takesOneCopy: true });
}

/** An outlet whose client takes everything, a few messages at once. */
export function anyOutlet(channel = { waitingBytes: 0, isFull: false, isSlow: false } as Channel): Outlet {
  return {
    channel,
    takesRuns: false,
    takesOneCopy: false,
    window: 10,
    send: () => undefined,
    confirm() {},
  };
}
