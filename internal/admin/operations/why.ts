import { THE_BROKER } from '../../access/policy.ts';
import { fatesShown, mostFatesShown } from '../../limits/observe.ts';
import type { Outcome } from '../../observe/fates.ts';
import type { FateQuestion, RememberedFate } from '../../observe/recent-fates.ts';
import { type BrokerParts, defineOperation, listOf, number, objectOf, text, time } from '../operation.ts';

/** What became of a message or a connection, as it is shown. */
export interface ShownFate {
  readonly at: string;
  /** When it happened first, where it happened again in the same way. */
  readonly since?: string;
  readonly outcome: Outcome;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly cause?: string;
  readonly client?: string;
  readonly user?: string;
  readonly remote?: string;
  readonly door?: string;
  readonly topic?: string;
  readonly rule?: string;
  readonly count: number;
  readonly bytes?: number;
}

export interface WhyQuery extends FateQuestion {
  readonly limit?: number;
}

export const FATE = objectOf(
  {
    ...{ at: time, since: time, outcome: text, code: text, message: text, remedy: text },
    cause: { ...text, description: 'What clients must not learn.' },
    ...{ client: text, user: text, remote: text, door: text, topic: text },
    rule: { ...text, description: 'The rule or limit that decided.' },
    ...{ count: number, bytes: number },
  },
  ['at', 'outcome', 'code', 'message', 'remedy', 'count'],
);

export const showFates = defineOperation({
  name: 'why',
  summary:
    'Shows what was refused, dropped, expired, throttled or disconnected lately, and why, the last one first.',
  ...{ method: 'GET', path: '/why', needs: { action: 'describe', resource: THE_BROKER } },
  query: objectOf(
    {
      client: { ...text, description: 'Of the client with this id.' },
      topic: { ...text, description: 'With this topic, or with one that this filter matches.' },
      user: { ...text, description: 'Of clients of this user.' },
      name: { ...text, description: 'With this as client, topic or user.' },
      code: { ...text, description: 'With this code of docs/errors.md.' },
      limit: { type: 'integer', minimum: 1, maximum: mostFatesShown, default: fatesShown },
    },
    [],
  ),
  answer: objectOf({ fates: listOf(FATE) }),
  async run({ broker }: BrokerParts, { limit = fatesShown, ...question }: WhyQuery) {
    return { fates: broker.fates.recent.find(question, limit).map(shownFate) };
  },
});

export function shownFate({ atMs, firstAtMs, bytes, ...fate }: RememberedFate): ShownFate {
  const { outcome, code, message, remedy, cause, client, user, remote, door, topic, rule, count } = fate;
  const known = { cause, client, user, remote, door, topic, rule };
  return {
    at: new Date(atMs).toISOString(),
    ...(firstAtMs < atMs && { since: new Date(firstAtMs).toISOString() }),
    ...{ outcome, code, message, remedy },
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
    count,
    ...(bytes > 0 && { bytes: Math.round(bytes) }),
  };
}
