import type { ConnectOptions, SubscribeOptions } from '../../pkg/client/index.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import { startOf } from './filters.ts';
import type { subscriberProgram } from './flags.ts';

type SubscriberValues = Values<typeof subscriberProgram.options>;

/** Messages for each command that runs, so that one is there when it ends. */
const AHEAD = 4;

/** What the flags say of the session. @throws UsageError. */
export function sessionOf(values: SubscriberValues): Pick<ConnectOptions, 'session' | 'window'> {
  const { session, 'keep-session': keeps, id, exec, 'exec-parallel': parallel } = values;
  const window = exec === undefined ? undefined : parallel * AHEAD;
  if (session === undefined && !keeps) return { window };
  if (id === undefined) throw new UsageError('a session needs -id, by which it is found again');
  return { session: { expiresIn: session ?? Number.POSITIVE_INFINITY }, window };
}

/** How to subscribe. @throws UsageError where flags contradict each other. */
export function subscribeOptionsOf(values: SubscriberValues): SubscribeOptions {
  const { from, exec, json, raw, stats } = values;
  if (values['skip-retained'] && (values['retained-only'] || values['remove-retained'])) {
    throw new UsageError('-skip-retained does not go together with -retained-only and -remove-retained');
  }
  if (exec !== undefined && (json || raw || stats))
    throw new UsageError('-exec does not go together with -json, -raw and -stats');
  const options: SubscribeOptions = { from: startOf(from) };
  // A log is read again from where one likes; nothing live is lost that a command did not deal with.
  const { qos = exec !== undefined && from === undefined ? 1 : 0 } = values;
  if (qos > 0) options.qos = qos as 1 | 2;
  if (qos > 0 && exec !== undefined) options.ack = 'manual';
  return options;
}
