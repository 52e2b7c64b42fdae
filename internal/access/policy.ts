import type { Identity } from './identity.ts';

/** Everything that a client of any door can do. */
export type Action =
  /** To be let in at all; on the broker. */
  | 'connect'
  /** To publish live to a topic; a will counts when it is sent. */
  | 'publish'
  /** To receive live what a filter matches. */
  | 'subscribe'
  /** To read a log by offset, or as a member of a group. */
  | 'read'
  /** To append to a log. */
  | 'write'
  | 'create'
  | 'delete'
  /** To change the number of partitions, users, rules and other things of the broker. */
  | 'alter'
  | 'alter-configs'
  /** To see that something is there. */
  | 'describe'
  | 'describe-configs'
  /** To administer the broker itself. */
  | 'admin';

/** What an action is about. A live topic and its log are one resource, named as the live topic. */
export type ResourceKind = 'topic' | 'group' | 'session' | 'transactional-id' | 'broker';

export interface Resource {
  readonly kind: ResourceKind;
  /** Of a topic: its live name; with `subscribe` a filter, which is not shared, and may be one for history. */
  readonly name: string;
}

/** How much of what a filter matches is allowed. */
export type Coverage = 'all' | 'partly' | 'none';

/** The broker as a resource: it has one name. */
export const THE_BROKER: Resource = { kind: 'broker', name: 'broker' };

/** Decides what somebody may do. */
export interface Policy {
  /** Another number whenever an answer may have changed; answers that were given under an older one are void. */
  readonly epoch: number;
  /** True where everybody may do everything for ever, so that nobody needs to ask. */
  readonly isOpen: boolean;
  /**
   * Whether a subscription that is allowed may be wider than what its client may have: {@link may} then has to be asked about
   * each topic that is delivered. Default: no.
   */
  readonly isPartial?: boolean;
  /** Undefined for yes, or the reason for no in words that the client may see. */
  may(identity: Identity, action: Action, resource: Resource): string | undefined;
  /** The rule by which {@link may} says no, for whoever looks after the broker. Default: none is known. */
  decidingRule?(identity: Identity, action: Action, resource: Resource): string | undefined;
  /**
   * How much of what a filter matches is allowed; with `read` or `write` too, of logs by the names of their topics. A policy
   * that cannot tell leaves it out: a filter is allowed as a whole then, or not at all.
   */
  coverage?(identity: Identity, action: Action, filter: string): Coverage;
  /** Calls `listener` after each change of {@link epoch}; returns what ends that. */
  onChange(listener: () => void): () => void;
}

/** The policy of a broker without rules. */
export const openPolicy: Policy = {
  epoch: 0,
  isOpen: true,
  may: () => undefined,
  onChange: () => () => {},
};

/** The policy of whoever was not let in. */
export const closedPolicy: Policy = {
  epoch: 0,
  isOpen: false,
  may: () => 'nobody was let in',
  onChange: () => () => {},
};
