import { ERRORS, type ErrorCode, nameForLog } from '../errors.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import {
  fatesOfNobody,
  fatesPerName,
  fateTextCharacters,
  recentFates,
  recentFatesBytes,
} from '../limits/observe.ts';
import { matchesFilter } from '../topic.ts';
import type { Fate, Outcome } from './fate.ts';

/** What somebody who asks why is told. Nothing in it is secret, and payloads are never part of it. */
export interface RememberedFate {
  /** When it happened, for the last time where it happened again. */
  atMs: number;
  readonly firstAtMs: number;
  readonly outcome: Outcome;
  readonly code: ErrorCode;
  /** What was wrong, or the rule behind the code. */
  readonly message: string;
  /** What to do. */
  readonly remedy: string;
  /** What clients must not learn, such as whether there is a user of that name. */
  readonly cause: string | undefined;
  readonly client: string | undefined;
  readonly user: string | undefined;
  readonly remote: string | undefined;
  readonly door: string | undefined;
  /** A topic, or a filter where it was about a subscription. */
  readonly topic: string | undefined;
  /** The rule or limit that decided. */
  readonly rule: string | undefined;
  /** How many messages, or how often. */
  count: number;
  /** Bytes of those messages, where they were counted. */
  bytes: number;
}

/** What is asked about; each field that is there has to fit. */
export interface FateQuestion {
  readonly client?: string | undefined;
  /** A topic, or a filter that it has to match. */
  readonly topic?: string | undefined;
  readonly user?: string | undefined;
  readonly code?: string | undefined;
  /** A client, a topic or a user. */
  readonly name?: string | undefined;
}

/**
 * The last fates of each client and each topic, in memory and bounded: the oldest make room. What happens again to the same
 * client in the same way is one entry with a count, so that a loop of refusals does not push out the rest.
 */
export class RecentFates {
  readonly #clock: Clock;
  /** The one that happened last is the last. */
  readonly #all = new Set<Entry>();
  readonly #byClient = new Map<string, Entry[]>();
  readonly #byTopic = new Map<string, Entry[]>();
  #bytes = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Remembers a fate; returns what stands for it. */
  note(fate: Fate): RememberedFate {
    const entry = entryOf(fate, this.#clock.now());
    const same = this.#listsOf(entry)[0]!.find((other) => isSame(other, entry));
    if (same !== undefined) {
      this.again(same, entry.count, entry.bytes);
      return same;
    }
    this.#add(entry);
    return entry;
  }

  /** It happened again; false where it was forgotten meanwhile. */
  again(entry: RememberedFate, count: number, bytes: number): boolean {
    if (!this.#all.delete(entry as Entry)) return false;
    this.#all.add(entry as Entry);
    entry.atMs = this.#clock.now();
    entry.count += count;
    entry.bytes += bytes;
    return true;
  }

  /** Those that a question is about, the last one first. */
  find(question: FateQuestion, most: number): RememberedFate[] {
    const found: Entry[] = [];
    for (const entry of this.#candidates(question)) if (fits(entry, question)) found.push(entry);
    return found.sort((a, b) => b.atMs - a.atMs || b.number - a.number).slice(0, most);
  }

  #candidates({ client, topic }: FateQuestion): Iterable<Entry> {
    if (client !== undefined) return this.#byClient.get(cut(client)!) ?? [];
    if (topic !== undefined && !/[+#]/.test(topic)) return this.#byTopic.get(cut(topic)!) ?? [];
    return this.#all;
  }

  #add(entry: Entry): void {
    this.#all.add(entry);
    this.#bytes += entry.weight;
    for (const [list, map, key] of this.#placesOf(entry)) {
      map.set(key, list);
      list.push(entry);
      const most = map === this.#byClient && key === NOBODY ? fatesOfNobody : fatesPerName;
      if (list.length > most) this.#leave(list, list[0]!);
    }
    while (this.#all.size > recentFates || this.#bytes > recentFatesBytes) this.#forget(first(this.#all));
  }

  /** A list has no room for an entry any more; it is forgotten where no other list has it. */
  #leave(list: Entry[], entry: Entry): void {
    list.splice(list.indexOf(entry), 1);
    if (!this.#listsOf(entry).some((other) => other.includes(entry))) this.#drop(entry);
  }

  #forget(entry: Entry): void {
    for (const [list, map, key] of this.#placesOf(entry)) {
      const at = list.indexOf(entry);
      if (at >= 0) list.splice(at, 1);
      if (list.length === 0) map.delete(key);
    }
    this.#drop(entry);
  }

  #drop(entry: Entry): void {
    if (this.#all.delete(entry)) this.#bytes -= entry.weight;
  }

  #listsOf(entry: Entry): Entry[][] {
    return this.#placesOf(entry).map(([list]) => list);
  }

  /** Where an entry stands: with its client, with its topic, or with nobody. */
  #placesOf({ client, topic }: Entry): [list: Entry[], map: Map<string, Entry[]>, key: string][] {
    const places: [Entry[], Map<string, Entry[]>, string][] = [];
    const place = (map: Map<string, Entry[]>, key: string) => places.push([map.get(key) ?? [], map, key]);
    if (client !== undefined) place(this.#byClient, client);
    if (topic !== undefined) place(this.#byTopic, topic);
    if (places.length === 0) place(this.#byClient, NOBODY);
    return places;
  }
}

interface Entry extends RememberedFate {
  /** In the order in which they came. */
  readonly number: number;
  /** About the bytes that it takes. */
  readonly weight: number;
}

/** No client is called so: ids are not empty. */
const NOBODY = '';
/** An object with its places, without its texts. */
const ENTRY_BYTES = 300;
let lastNumber = 0;

function entryOf(
  { outcome, code, count = 1, reason, who = {}, affected = {}, about = {} }: Fate,
  atMs: number,
): Entry {
  const { client, remote } = who as { client?: string; remote?: string };
  const { rule, remedy } = ERRORS[code];
  const texts = {
    message: cut(reason === undefined || reason === '' ? rule : withoutCode(reason, code))!,
    cause: cut(about.cause),
    client: cut(affected.clientId || client),
    user: cut(about.user ?? affected.user),
    remote: cut(affected.remote || remote),
    topic: cut(about.topic),
    rule: cut(about.rule),
  };
  const characters = Object.values(texts).reduce((sum, text) => sum + (text?.length ?? 0), 0);
  return {
    ...{ atMs, firstAtMs: atMs, outcome, code, remedy, ...texts, door: affected.door, count },
    bytes: about.bytes ?? 0,
    number: ++lastNumber,
    weight: ENTRY_BYTES + 2 * characters,
  };
}

/** Whether one happened again. Where a connection comes from may have another port each time. */
function isSame(one: Entry, other: Entry): boolean {
  return SAME.every((field) => one[field] === other[field]) && hostOf(one.remote) === hostOf(other.remote);
}

const SAME = ['outcome', 'code', 'client', 'user', 'topic', 'rule', 'cause', 'door'] as const;

/** Where a connection comes from, whatever its port. */
export function hostOf(remote = ''): string {
  return remote.replace(/:\d+$/, '');
}

function fits(entry: Entry, { client, topic, user, code, name }: FateQuestion): boolean {
  if (client !== undefined && entry.client !== cut(client)) return false;
  if (user !== undefined && entry.user !== cut(user)) return false;
  if (code !== undefined && entry.code !== code) return false;
  if (topic !== undefined && !isTopic(topic, entry)) return false;
  return name === undefined || [entry.client, entry.user].includes(cut(name)) || isTopic(name, entry);
}

function isTopic(asked: string, { topic }: Entry): boolean {
  if (topic === undefined) return false;
  return cut(asked) === topic || matchesFilter(asked, topic);
}

/** Names as they may be shown: control characters escaped, and not too long. */
function cut(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : nameForLog(text, fateTextCharacters);
}

/** The message of a refusal begins with its code, which stands there already. */
function withoutCode(reason: string, code: ErrorCode): string {
  return reason.startsWith(`${code}: `) ? reason.slice(code.length + 2) : reason;
}

function first<T>(all: Iterable<T>): T {
  for (const each of all) return each;
  throw new Error('there is none');
}
