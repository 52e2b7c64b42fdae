/**
 * The rules of topic names and filters, in one place for the broker, every door and the SDK.
 *
 * A topic is UTF-8, 1 to 65,535 bytes, levels split by `/`, without NUL. A topic that is published to has no
 * `+` or `#`. Leading wildcards pass over a name that begins with `$`, and some of these are the broker's own. A filter
 * may have `+` as a whole level and `#` as the whole last level, and may be shared: `$share/GROUP/FILTER`.
 */

/** The frame's and MQTT's length field for a topic is two bytes. */
export const MAX_TOPIC_BYTES = 65_535;

/**
 * First levels of the broker's own names: what it tells about itself, what filters begin with that are more than a filter,
 * and what it may use one day.
 */
export const RESERVED_NAMES = ['$SYS', '$share', '$replay', '$stream', '$queue', '$delayed', '$dlq'] as const;

/** Below this bridges tell whether they are connected, as those of mosquitto do unless they are told otherwise. */
const BRIDGE_STATES = '$SYS/broker/connection/';

const utf8 = new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Says what is wrong with a topic that somebody wants to publish to, or undefined where nothing is. */
export function topicNameProblem(topic: string): string | undefined {
  const problem = levelsProblem(topic, 'topic');
  if (problem !== undefined) return problem;
  if (topic.includes('+') || topic.includes('#')) return '+ and # belong in filters, not in a topic';
  return undefined;
}

/** Says that a topic is the broker's own, which clients may read but not publish to; undefined for any other. */
export function reservedTopicProblem(topic: string): string | undefined {
  if (!isHidden(topic) || topic.startsWith(BRIDGE_STATES)) return undefined;
  const own = RESERVED_NAMES.find((name) => topic === name || topic.startsWith(`${name}/`));
  return own && `${own} and what is below it belong to the broker`;
}

/** Whether a topic is the broker's own. */
export function isReservedTopic(topic: string): boolean {
  return reservedTopicProblem(topic) !== undefined;
}

/** Whether wildcards in the first level of a filter pass over a topic (MQTT 5, section 4.7.2). */
function isHidden(topic: string): boolean {
  return topic.startsWith('$');
}

/** Says what is wrong with a subscription filter, or undefined where nothing is. */
export function filterProblem(filter: string): string | undefined {
  const problem = levelsProblem(filter, 'filter');
  if (problem !== undefined) return problem;
  if (isShared(filter)) {
    const shared = parseShared(filter);
    if (shared === undefined) return 'a shared filter is $share/GROUP/FILTER';
    if (/[+#]/.test(shared.group)) return 'the group of a shared filter has no + and no #';
    // It would lead to a name of the broker's own, and nothing would ever match.
    if (isShared(shared.filter)) return 'a shared filter is not shared again';
    return filterProblem(shared.filter);
  }
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index !== levels.length - 1)) {
      return '# must be the whole last level';
    }
    if (level.includes('+') && level !== '+') return '+ must be a whole level';
  }
  return undefined;
}

/** `$share/GROUP/FILTER` taken apart. */
export interface SharedFilter {
  group: string;
  filter: string;
}

/** Takes a shared filter apart; undefined for a filter that is not shared, or not well formed. */
export function parseShared(filter: string): SharedFilter | undefined {
  const parts = /^\$share\/([^/]+)\/(.+)$/su.exec(filter);
  return parts ? { group: parts[1], filter: parts[2] } : undefined;
}

/** The filter that asks for the history of another one: `$replay/START/FILTER` (docs/frames.md). */
export function replayFilter(start: string, filter: string): string {
  return `$replay/${start}/${filter}`;
}

/** The filter that decides which topics match, without what a shared or replayed one says beside it. */
export function innerFilter(filter: string): string {
  if (!filter.startsWith('$')) return filter;
  return parseShared(filter)?.filter ?? /^\$replay\/[^/]+\/(.+)$/su.exec(filter)?.[1] ?? filter;
}

/**
 * Whether a topic matches a filter, by the letter of the rules. The broker's trie answers the same for many
 * filters at once and is tested against this; the SDK uses it to find the handlers of a message.
 */
export function matchesFilter(filter: string, topic: string): boolean {
  const wanted = innerFilter(filter).split('/');
  const levels = topic.split('/');
  if (isHidden(topic) && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= levels.length) return false;
    if (level !== '+' && level !== levels[index]) return false;
    // `sensors/#` also matches its parent, `sensors` (MQTT 5, section 4.7.1.2).
    if (index === levels.length - 1 && wanted.length === levels.length + 1 && wanted.at(-1) === '#')
      return true;
  }
  return wanted.length === levels.length;
}

/** Whether every topic that one filter matches is matched by another one too; neither is shared or replayed. */
export function coversFilter(wider: string, filter: string): boolean {
  const levels = filter.split('/');
  const wanted = wider.split('/');
  if (isHidden(filter) && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (level === '+' ? levels[index] === undefined || levels[index] === '#' : level !== levels[index]) {
      return false;
    }
    if (index === levels.length - 1 && wanted.length === levels.length + 1 && wanted.at(-1) === '#')
      return true;
  }
  return wanted.length === levels.length;
}

function isShared(filter: string): boolean {
  return filter === '$share' || filter.startsWith('$share/');
}

function levelsProblem(name: string, what: string): string | undefined {
  if (name.length === 0) return `a ${what} has at least one byte`;
  if (name.includes('\0')) return `a ${what} has no NUL byte`;
  // It has no UTF-8, and would silently become another name on the way.
  if (LONE_SURROGATE.test(name)) return `a ${what} has no half of a surrogate pair`;
  // A string takes one to three bytes for each of its code units; most need no exact count.
  if (name.length * 3 > MAX_TOPIC_BYTES && utf8.encode(name).length > MAX_TOPIC_BYTES) {
    return `a ${what} has at most ${MAX_TOPIC_BYTES} bytes`;
  }
  return undefined;
}
