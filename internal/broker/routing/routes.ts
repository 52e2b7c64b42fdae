import { BrokerError } from '../../errors.ts';
import { parseShared } from '../../topic.ts';
import type { Publication } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import type { TurnTime } from '../delivery/turn-time.ts';
import { Interest } from './interest.ts';
import { checkPublishable } from './publishable-topic.ts';
import { type Member, ShareGroup, type Target, TargetInterner, type TargetSet } from './targets.ts';
import { type TopicEntry, TopicTable } from './topic-table.ts';
import { TopicTrie } from './topic-trie.ts';

const utf8 = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF, which is a character of a name like any other.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Where topics lead: the filters of all receivers, and the targets of the topics that are in use. */
export class Routes {
  /** The filters of subscribers. */
  readonly interest = new Interest();
  /** The same as they were subscribed to, `$share/GROUP/` included, for other nodes. */
  readonly subscribed = new Interest();
  readonly #turnTime: TurnTime;
  readonly #trie = new TopicTrie<Target>();
  readonly #groups = new Map<string, ShareGroup>();
  readonly #topics = new TopicTable(publishableTopic);
  readonly #interner = new TargetInterner();
  /** Holds a receipt until other nodes know what is subscribed to here, where there are any. */
  holdUntilKnown: ((receipt: Receipt) => void) | undefined;
  /** The second in which messages are counted now. */
  nowS = 0;
  #epoch = 0;
  /** Whether a filter may match more than its receiver may have. */
  #isPartial = false;
  #members = 0;

  constructor(turnTime: TurnTime) {
    this.#turnTime = turnTime;
  }

  /** Topics whose targets are remembered. */
  get topicsRemembered(): number {
    return this.#topics.size;
  }

  /** Topics that were published to, as far as they are remembered. */
  topics(): Iterable<TopicEntry> {
    return this.#topics.all();
  }

  /** Another second begins, for what is counted of topics. */
  beginSecond(nowS: number): void {
    this.nowS = nowS;
    this.#topics.nowS = nowS;
  }

  /** Where a message leads that came as values, which counts for its topic. @throws BrokerError as {@link topic}. */
  use(topic: string): TargetSet {
    const bytes = utf8.encode(topic);
    const entry = this.topic(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
    entry.count(1, this.nowS);
    return entry.targets;
  }

  /** How many times somebody is a member of a group. */
  get memberships(): number {
    return this.#members;
  }

  /**
   * Gives every message of a well-formed filter, which may be shared, to a receiver from now on; once, however many of its
   * filters match.
   */
  attach(filter: string, receiver: Member): void {
    const shared = parseShared(filter);
    const isNew =
      shared === undefined
        ? this.#trie.insert(filter, receiver)
        : this.#joinGroup(receiver, filter, shared.filter);
    this.changed();
    if (!isNew || receiver.isOfNode === true) return;
    this.interest.add(shared?.filter ?? filter);
    this.subscribed.add(filter);
  }

  /** Ends what {@link attach} began. */
  detach(filter: string, receiver: Member): void {
    const shared = parseShared(filter);
    const isGone =
      shared === undefined
        ? this.#trie.remove(filter, receiver)
        : this.#leaveGroup(receiver, filter, shared.filter);
    this.changed();
    if (!isGone || receiver.isOfNode === true) return;
    this.interest.remove(shared?.filter ?? filter);
    this.subscribed.remove(filter);
  }

  /** From now on receivers are asked about each topic before they become targets of it. */
  askReceivers(): void {
    this.#isPartial = true;
    this.changed();
  }

  /** The targets of topics are to be found anew. */
  changed(): void {
    this.#turnTime.look();
    this.#epoch++;
    this.#interner.clear();
  }

  /**
   * The entry of the topic that lies in these bytes, with its present targets.
   *
   * @throws BrokerError `invalid-topic`, `reserved-topic`.
   */
  topic(bytes: DataView, start: number, end: number): TopicEntry {
    const entry = this.#topics.find(bytes, start, end);
    if (entry.epoch !== this.#epoch) this.#resolve(entry);
    return entry;
  }

  /** Where an entry leads now, for one that was kept since it was found. */
  targetsOf(entry: TopicEntry): TargetSet {
    if (entry.epoch !== this.#epoch) this.#resolve(entry);
    return entry.targets;
  }

  /** Where a topic leads that has no entry, because it is used once or is the broker's own. */
  match(topic: string): TargetSet {
    const found = this.#trie.match(topic);
    if (this.#isPartial) {
      for (const target of found) {
        if (!(target instanceof ShareGroup) && target.mayGet?.(topic) === false) found.delete(target);
      }
    }
    return this.#interner.intern(found);
  }

  /** Whose turn it is in a group to get a single message; undefined where none of its members may have it. */
  pick(group: ShareGroup, publication: Publication): Member | undefined {
    return group.pick(publication, this.#isPartial ? publication.messages()[0]!.topic : undefined);
  }

  /** The group of a shared filter, while it has members. */
  groupOf(filter: string): ShareGroup | undefined {
    return this.#groups.get(filter);
  }

  #resolve(entry: TopicEntry): void {
    this.#turnTime.begin();
    entry.targets = this.match(entry.topic);
    entry.epoch = this.#epoch;
    this.#turnTime.look();
  }

  /** Whether it was no member before. */
  #joinGroup(member: Member, name: string, filter: string): boolean {
    this.#members++;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new ShareGroup();
      this.#groups.set(name, group);
      this.#trie.insert(filter, group);
    }
    return group.add(member);
  }

  /** Whether it was a member. */
  #leaveGroup(member: Member, name: string, filter: string): boolean {
    const group = this.#groups.get(name);
    if (group?.remove(member) !== true) return false;
    this.#members--;
    if (!group.isEmpty) return true;
    this.#groups.delete(name);
    this.#trie.remove(filter, group);
    return true;
  }
}

function publishableTopic(bytes: Uint8Array): string {
  let topic: string;
  try {
    topic = strictUtf8.decode(bytes);
  } catch {
    throw new BrokerError('invalid-topic', 'the topic is not UTF-8');
  }
  checkPublishable(topic);
  return topic;
}
