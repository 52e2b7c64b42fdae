import { filterProblem, reservedTopicProblem } from '../topic.ts';

/**
 * The names of live topics and logs: `sensors/temp` live is the log `sensors.temp`.
 *
 * Not every live topic makes a name of Kafka's, and not every log name leads back to the one topic it came from. A
 * record that was captured from such a topic says which it was (capture.ts).
 */

/** Kafka allows no longer name. */
const MAX_LOG_NAME_CHARACTERS = 249;

/** The log of a live topic. What Kafka does not allow in a name becomes `_`. */
export function logNameOf(topic: string): string {
  const name = topic
    .replaceAll('/', '.')
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, MAX_LOG_NAME_CHARACTERS);
  return name === '.' || name === '..' ? name.replaceAll('.', '_') : name;
}

/** The live topic of a log. */
export function liveTopicOf(logName: string): string {
  return logName.replaceAll('.', '/');
}

/** Says why the live topics of a filter cannot be kept, all in the log of a name where there is one. */
export function keepingProblem(filter: string, logName: string | undefined): string | undefined {
  return (
    filterProblem(filter) ??
    reservedTopicProblem(filter) ??
    (logName === undefined ? undefined : logNameProblem(logName)) ??
    internalTopicProblem(logName ?? logNameOf(filter))
  );
}

/** The topic with the commits of groups, in a directory of Kafka's logs. */
export const CONSUMER_OFFSETS = '__consumer_offsets';

/** Topics that Kafka itself writes; a directory of its logs has them. Whoever else writes there destroys what they are for. */
export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name);
}

/** Says why there can be no log of this name that clients write to, or undefined where there can. */
export function internalTopicProblem(name: string): string | undefined {
  if (!isInternalTopic(name) && name !== METADATA_TOPIC) return undefined;
  return `${name} is a topic of Kafka's own, to which nobody else writes`;
}

/** The log in which Kafka's controller keeps its topics; no client sees it. */
const METADATA_TOPIC = '__cluster_metadata';
const INTERNAL_TOPICS = new Set([CONSUMER_OFFSETS, '__transaction_state', '__share_group_state']);

/** Says what is wrong with the name of a log (a topic of Kafka), or undefined where nothing is. */
export function logNameProblem(name: string): string | undefined {
  if (name === '') return 'a log has a name';
  if (name === '.' || name === '..') return `a log is not called ${name}`;
  if (name.length > MAX_LOG_NAME_CHARACTERS)
    return `a log's name has at most ${MAX_LOG_NAME_CHARACTERS} characters`;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) return "a log's name has letters, digits, '.', '_' and '-'";
  return undefined;
}
