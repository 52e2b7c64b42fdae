import type { User } from '../users/user.ts';

/** What can be bounded for one user, one group or one client. Rates are a second's. */
export type LimitName =
  | 'connections'
  | 'connectionsPerSecond'
  | 'messagesInPerSecond'
  | 'messagesOutPerSecond'
  | 'bytesInPerSecond'
  | 'bytesOutPerSecond'
  | 'subscriptions'
  | 'sessions'
  | 'queuedBytes'
  | 'retainedBytes'
  | 'inflight';

/** Bounds for whoever it names; without a name for everybody, each on their own. */
export interface Limit {
  readonly id: string;
  readonly user?: string;
  readonly group?: string;
  readonly client?: string;
  readonly values: Readonly<Partial<Record<LimitName, number>>>;
  readonly origin: User['origin'];
}
