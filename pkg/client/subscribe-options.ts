import type { Extension } from '../../internal/protocol/frame/extensions.ts';
import type { FrameProperties } from '../../internal/protocol/frame/properties.ts';
import { filterProblem, replayFilter } from '../../internal/topic.ts';
import { InvalidTopicError, TinymqError } from './errors.ts';
import { checkNames, checkNumbers, type OptionNames } from './options.ts';

/** How a client subscribes. */
export interface SubscribeOptions {
  /** Aborts the request; afterwards ends the subscription. */
  signal?: AbortSignal;
  /** Messages that an iterator may be behind before the client stops reading. Default: 1,000. */
  queueSize?: number;
  /**
   * Begins with what the broker's logs have kept, then goes on live without a gap: from the `earliest` message, an
   * offset, a time ago such as `-1h`, a time, or `latest`. Only topics that the broker keeps are read (`broker -keep`).
   * After a lost connection it goes on behind the last message of each log. Its messages go to its own handlers, and
   * have an `offset`.
   */
  from?: ReplayFrom;
  /**
   * 1 or 2: what was published with a promise waits for this client's acknowledgement, and comes again where a connection breaks
   * off before; with a session, what was published meanwhile too. Both are the same: a message comes again only where it was not
   * acknowledged. Default: 0, or 1 with `ack: 'manual'`.
   */
  qos?: 0 | 1 | 2;
  /**
   * Who acknowledges: `auto`, when the handler is done (its promise is settled), or the loop asks for the next message; or the app,
   * by `message.ack()`, `retry()` or `reject()`. Default: `auto`.
   */
  ack?: 'auto' | 'manual';
  /** Not what this client published itself. */
  noLocal?: boolean;
  /** Retained messages: `send` them, only if the subscription is `new` to the session, or `none`. Default: `send`. */
  retained?: 'send' | 'new' | 'none';
}

/** Where a subscription begins to read what a broker has kept. */
export type ReplayFrom = 'earliest' | 'latest' | number | Date | `-${number}${'s' | 'm' | 'h' | 'd'}`;

const SUBSCRIBE_OPTIONS: OptionNames<SubscribeOptions> = {
  ...{ signal: true, queueSize: true, from: true },
  ...{ qos: true, ack: true, noLocal: true, retained: true },
};

const RETAIN_HANDLINGS = { send: undefined, new: 'if new', none: 'never' } as const;

/** What the frame of a subscription says beside its filter. */
export interface SubscriptionParts {
  /** Undefined where it says nothing. */
  properties: FrameProperties | undefined;
  needs: readonly Extension[];
}

/** @throws TinymqError `invalid-option`. */
export function subscriptionParts({
  qos,
  ack,
  noLocal,
  retained = 'send',
}: SubscribeOptions): SubscriptionParts {
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2) throw invalid(`qos is 0, 1 or 2, not ${qos}`);
  if (ack !== undefined && ack !== 'auto' && ack !== 'manual')
    throw invalid(`ack is auto or manual, not ${ack}`);
  if (ack === 'manual' && qos === 0) throw invalid('with qos 0 there is nothing to acknowledge');
  if (!Object.hasOwn(RETAIN_HANDLINGS, retained))
    throw invalid(`retained is send, new or none, not ${retained}`);
  const properties: FrameProperties = {};
  const needs: Extension[] = [];
  if (qos || ack === 'manual') {
    properties.acknowledged = true;
    needs.push('delivery');
  }
  const retainHandling = RETAIN_HANDLINGS[retained];
  if (noLocal || retainHandling !== undefined) {
    if (noLocal) properties.noLocal = true;
    if (retainHandling !== undefined) properties.retainHandling = retainHandling;
    needs.push('options');
  }
  return { properties: needs.length === 0 ? undefined : properties, needs };
}

function invalid(problem: string): TinymqError {
  return new TinymqError('invalid-option', problem);
}

/**
 * The filter that is sent for what a caller of `subscribe` wants; nothing is sent for what breaks the rules.
 *
 * @throws InvalidTopicError, TinymqError `invalid-option`, TypeError where the handler is no function.
 */
export function filterToSend(wanted: string, handler: unknown, options: SubscribeOptions): string {
  if (handler !== undefined && typeof handler !== 'function') {
    throw new TypeError('a handler is a function; options come third');
  }
  checkNames(options, SUBSCRIBE_OPTIONS, 'subscribe');
  checkNumbers(options, { queueSize: 1 });
  const problem = filterProblem(wanted);
  if (problem !== undefined) throw new InvalidTopicError('filter', wanted, problem);
  return options.from === undefined ? wanted : replayFilter(startOf(options.from), wanted);
}

function startOf(from: ReplayFrom): string {
  if (from instanceof Date) return from.toISOString();
  if (typeof from === 'number' && !(Number.isSafeInteger(from) && from >= 0)) {
    throw new TinymqError('invalid-option', `from: ${from} is not an offset`);
  }
  return String(from);
}
