import { innerFilter } from '../topic.ts';
import type { Identity } from './identity.ts';
import type { Action, Policy, Resource } from './policy.ts';

/**
 * The short form of a policy for an app that embeds a broker: three questions that cover every door. Each answer is
 * `undefined` for yes, or the reason for no in words that the client may see.
 */
export interface Guard {
  mayConnect(who: Identity): string | undefined;
  /** Also asked before a log is written to, created, altered or deleted. */
  mayPublish(who: Identity, topic: string): string | undefined;
  /**
   * The filter that decides which topics match: of a shared or replayed one, what stands behind group or start. Also asked
   * before a log is read or described.
   */
  maySubscribe(who: Identity, filter: string): string | undefined;
}

/** The guard that refuses nothing; to be spread into one that refuses something. */
export const allowAll: Guard = {
  mayConnect: () => undefined,
  mayPublish: () => undefined,
  maySubscribe: () => undefined,
};

/**
 * A guard as a policy. Topics are what a guard knows; everything else is allowed to whoever may connect, because a client
 * that reaches no topic can do nothing with a group or a session of its own.
 */
export function policyOfGuard(guard: Guard): Policy {
  return {
    epoch: 0,
    isOpen: false,
    may: (identity, action, resource) => {
      if (resource.kind !== 'topic') return guard.mayConnect(identity);
      return QUESTIONS[action](guard, identity, resource);
    },
    onChange: () => () => {},
  };
}

type Question = (guard: Guard, who: Identity, resource: Resource) => string | undefined;

const asPublisher: Question = (guard, who, { name }) => guard.mayPublish(who, name);
const asSubscriber: Question = (guard, who, { name }) => guard.maySubscribe(who, innerFilter(name));

const QUESTIONS: Record<Action, Question> = {
  connect: (guard, who) => guard.mayConnect(who),
  publish: asPublisher,
  write: asPublisher,
  create: asPublisher,
  delete: asPublisher,
  alter: asPublisher,
  'alter-configs': asPublisher,
  admin: asPublisher,
  subscribe: asSubscriber,
  read: asSubscriber,
  describe: asSubscriber,
  'describe-configs': asSubscriber,
};
