import type { Channel, Receiver } from '../delivery/channel.ts';
import type { Publication, Qos } from '../delivery/publication.ts';

/** Who may share a filter with others. */
export interface Member extends Receiver {
  /** Whether others should get its messages while they can: it does not take them, or is not there. */
  readonly isSlow?: boolean;
  /** Whether a message of this QoS would be lost with it now. Default: no. */
  wouldDrop?(qos: Qos): boolean;
  /**
   * The channel of a client that gets a message once, however many of its filters and groups it comes by; undefined where
   * each group brings a copy of its own.
   */
  readonly onceBy?: Channel | undefined;
}

/** The members of `$share/GROUP/FILTER`: each message goes to one of them, in turn. */
export class ShareGroup {
  readonly #members: Member[] = [];
  #next = 0;

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  /** Whether it was no member before. */
  add(member: Member): boolean {
    if (this.#members.includes(member)) return false;
    this.#members.push(member);
    return true;
  }

  remove(member: Member): boolean {
    const index = this.#members.indexOf(member);
    if (index < 0) return false;
    this.#members.splice(index, 1);
    return true;
  }

  /** Whether somebody other than this member takes messages now. */
  hasOther(member: Member): boolean {
    return this.#members.some((other) => other !== member && !other.isSlow);
  }

  /**
   * Whose turn it is to get a single message. A member that does not take it now is passed over while another one does;
   * and where nobody does, one that would drop it while another one can wait with it.
   *
   * @param topic where members are to be asked whether they may have it.
   * @returns undefined where nobody may.
   */
  pick(publication: Publication, topic?: string): Member | undefined {
    let members =
      topic === undefined
        ? this.#members
        : this.#members.filter((member) => member.mayGet?.(topic) !== false);
    // It was this node's turn.
    if (publication.isRouted) members = members.filter(({ isOfNode }) => isOfNode !== true);
    return this.#inTurn(members, takesNow) ?? this.#toWaitWith(members, publication);
  }

  #toWaitWith(members: readonly Member[], publication: Publication): Member | undefined {
    const qos = (publication.isPlain ? undefined : publication.messages()[0]?.qos) ?? 0;
    return (
      this.#inTurn(members, (member) => member.wouldDrop?.(qos) !== true) ?? this.#inTurn(members, () => true)
    );
  }

  #inTurn(members: readonly Member[], isFit: (member: Member) => boolean): Member | undefined {
    const count = members.length;
    for (let tried = 0; tried < count; tried++) {
      const member = members[this.#next++ % count]!;
      if (isFit(member)) return member;
    }
    return undefined;
  }
}

function takesNow(member: Member): boolean {
  return !member.isFull && member.isSlow !== true;
}

/** What is registered in the trie. */
export type Target = Receiver | ShareGroup;

/**
 * Where a topic leads. Interned: between two changes of any subscription, topics that lead to the same targets
 * share one object, so that a run is cut by comparing references.
 */
export interface TargetSet {
  /** Of receivers that take everything as it is: most of them, and the fastest. */
  readonly channels: readonly Channel[];
  /** All others. */
  readonly receivers: readonly Receiver[];
  /** A message for a group goes to one member; runs with groups are therefore cut into single messages. */
  readonly groups: readonly ShareGroup[];
}

export const NO_TARGETS: TargetSet = { channels: [], receivers: [], groups: [] };

/** A set that was interned, with what it was made from for comparing. */
interface InternedSet {
  members: ReadonlySet<Target>;
  set: TargetSet;
}

/**
 * Finds the one object for each set of targets. A set is known by a sum over its members, in any order, and then
 * compared, so that ten thousand subscribers of a topic are looked at once and never sorted.
 */
export class TargetInterner {
  readonly #marks = new WeakMap<Target, number>();
  readonly #sets = new Map<number, InternedSet[]>();
  #lastNumber = 0;

  intern(targets: ReadonlySet<Target>): TargetSet {
    if (targets.size === 0) return NO_TARGETS;
    let sum = targets.size;
    for (const target of targets) sum = (sum + this.#markOf(target)) | 0;
    const alike = this.#sets.get(sum);
    const known = alike?.find(({ members }) => hasSameMembers(members, targets));
    if (known !== undefined) return known.set;
    const set = targetSetOf(targets);
    const interned = { members: targets, set };
    if (alike === undefined) this.#sets.set(sum, [interned]);
    else alike.push(interned);
    return set;
  }

  /** Forgets every set; for when a subscription has changed. */
  clear(): void {
    this.#sets.clear();
  }

  /** A number of the target's own, spread over all bits so that few sums of different sets are alike. */
  #markOf(target: Target): number {
    let mark = this.#marks.get(target);
    if (mark === undefined) {
      mark = Math.imul(++this.#lastNumber, 0x9e37_79b1);
      mark = Math.imul(mark ^ (mark >>> 15), 0x85eb_ca6b);
      this.#marks.set(target, mark);
    }
    return mark;
  }
}

function hasSameMembers(one: ReadonlySet<Target>, other: ReadonlySet<Target>): boolean {
  if (one.size !== other.size) return false;
  for (const member of one) if (!other.has(member)) return false;
  return true;
}

function targetSetOf(targets: ReadonlySet<Target>): TargetSet {
  const channels: Channel[] = [];
  const receivers: Receiver[] = [];
  const groups: ShareGroup[] = [];
  for (const target of targets) {
    if (target instanceof ShareGroup) groups.push(target);
    else if (target.direct !== undefined) channels.push(target.direct);
    else receivers.push(target);
  }
  return { channels, receivers, groups };
}
