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
}

/** Where a subscription begins to read what a broker has kept. */
export type ReplayFrom = 'earliest' | 'latest' | number | Date | `-${number}${'s' | 'm' | 'h' | 'd'}`;

const SUBSCRIBE_OPTIONS: OptionNames<SubscribeOptions> = { signal: true, queueSize: true, from: true };

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
