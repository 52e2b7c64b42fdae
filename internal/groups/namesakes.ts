import type { Member } from './member.ts';

/** Members whose clients have one name and one host. */
interface SameName {
  readonly members: Set<Member>;
  /** Whether two of them were seen at work beside each other. */
  isShared: boolean;
}

/**
 * The members of a group by the name and the host of their clients. A program that is started again joins under the name
 * that it had. But names say little: two programs on one host may have the same one, often the default of their library,
 * and so may those of many hosts behind one address. Where that was seen, nobody is taken for the one that it was.
 */
export class Namesakes {
  readonly #byName = new Map<string, SameName>();

  add(member: Member): void {
    const name = nameOf(member.clientId, member.clientHost);
    let same = this.#byName.get(name);
    if (same === undefined) {
      same = { members: new Set(), isShared: false };
      this.#byName.set(name, same);
    }
    same.members.add(member);
    compare(same);
  }

  remove(member: Member): void {
    const name = nameOf(member.clientId, member.clientHost);
    const same = this.#byName.get(name);
    same?.members.delete(member);
    if (same?.members.size === 0) this.#byName.delete(name);
  }

  /** A member that was cut off is heard again: it is not the one that came under its name meanwhile. */
  isBack(member: Member): void {
    const same = this.#byName.get(nameOf(member.clientId, member.clientHost));
    if (same !== undefined) compare(same);
  }

  /** The members that a newcomer of this name was before it was started again, as far as that can be told. */
  predecessors(clientId: string, clientHost: string): Member[] {
    const same = this.#byName.get(nameOf(clientId, clientHost));
    if (same === undefined || same.isShared) return [];
    return [...same.members].filter(({ isCutOff, isStatic }) => isCutOff && !isStatic);
  }
}

function compare(same: SameName): void {
  if (same.isShared) return;
  let present = 0;
  for (const { isCutOff } of same.members) if (!isCutOff) present++;
  same.isShared = present > 1;
}

function nameOf(clientId: string, clientHost: string): string {
  return `${clientHost}\0${clientId}`;
}
