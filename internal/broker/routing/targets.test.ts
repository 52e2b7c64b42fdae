import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../delivery/channel.ts';
import { type Message, Publication, type Qos } from '../delivery/publication.ts';
import { type Member, NO_TARGETS, ShareGroup, type Target, TargetInterner } from './targets.ts';

const values: Message = { topic: 'x', payload: new Uint8Array(0), clientId: '' };
const message = Publication.ofMessages([values]);

describe('TargetInterner', () => {
  it('has one object for each set of targets, in whatever order they are found', () => {
    const simple = Array.from({ length: 5 }, () => ({ ...member(), direct: {} as Channel }) as Target);
    const others = Array.from({ length: 3 }, () => member());
    const all: Target[] = [...simple, ...others, new ShareGroup(), new ShareGroup()];
    const anyTargets = fc.shuffledSubarray(all);
    const interner = new TargetInterner();
    const property = fc.property(anyTargets, anyTargets, (one, other) => {
      const isSame = one.length === other.length && one.every((target) => other.includes(target));
      const first = interner.intern(new Set(one));
      expect(first === interner.intern(new Set(other))).toBe(isSame);
      const told = one.map((target) => ('direct' in target && target.direct) || target);
      const { channels, receivers, groups } = first;
      expect(new Set([...channels, ...receivers, ...groups])).toEqual(new Set(told));
      expect(channels.length + receivers.length + groups.length).toBe(one.length);
      expect(first.groups.every((group) => group instanceof ShareGroup)).toBe(true);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('knows nobody as one object for ever', () => {
    const interner = new TargetInterner();
    expect(interner.intern(new Set())).toBe(NO_TARGETS);
    interner.clear();
    expect(interner.intern(new Set())).toBe(NO_TARGETS);
  });

  it('makes new objects after it was cleared', () => {
    const interner = new TargetInterner();
    const targets = new Set([member()]);
    const before = interner.intern(targets);
    interner.clear();
    expect(interner.intern(targets)).not.toBe(before);
    expect(interner.intern(targets)).toEqual(before);
  });
});

describe('ShareGroup', () => {
  it('gives everybody the same number of turns', () => {
    const members = [member(), member(), member()];
    const group = groupOf(members);
    const picked = Array.from({ length: 300 }, () => group.pick(message));
    for (const one of members) expect(picked.filter((other) => other === one)).toHaveLength(100);
  });

  it('takes somebody who joins twice once', () => {
    const one = member();
    const other = member();
    const group = groupOf([one, one, other]);
    expect([group.pick(message), group.pick(message), group.pick(message)]).toEqual([one, other, one]);
    expect(group.remove(one)).toBe(true);
    expect(group.remove(one)).toBe(false);
    expect(group.isEmpty).toBe(false);
    expect(group.remove(other)).toBe(true);
    expect(group.isEmpty).toBe(true);
  });

  it.each(['full', 'slow'] as const)('shares the turns of a %s member among the others evenly', (state) => {
    const stuck = member(state);
    const others = [member(), member(), member()];
    const group = groupOf([others[0], stuck, others[1], others[2]]);
    const picked = Array.from({ length: 300 }, () => group.pick(message));
    for (const one of others) expect(picked.filter((other) => other === one)).toHaveLength(100);
  });

  it('still gives a message to somebody when all are full, in turn', () => {
    const members = [member('full'), member('slow')];
    const group = groupOf(members);
    expect(new Set([group.pick(message), group.pick(message)])).toEqual(new Set(members));
  });

  // Where all were busy, a member whose queue had room took its turn like one that dropped the message.
  it('gives no message to a member that would drop it, while another one can wait with it', () => {
    const dropping = member('slow', () => true);
    const waiting = member('slow', () => false);
    const onlyQos1 = member('slow', (qos) => qos === 0);
    const group = groupOf([dropping, waiting, onlyQos1]);
    const pick = (qos: Qos) =>
      Array.from({ length: 30 }, () => group.pick(Publication.ofMessages([{ ...values, qos }])));
    expect(new Set(pick(0))).toEqual(new Set([waiting]));
    expect(new Set(pick(1))).toEqual(new Set([waiting, onlyQos1]));
    expect(group.pick(message, 'x')).toBe(waiting);
  });

  it('never picks somebody who has left, whoever comes and goes', () => {
    const everybody = Array.from({ length: 4 }, () => member());
    const step = fc.record({ kind: fc.constantFrom('join', 'leave', 'pick'), who: fc.nat(3) });
    const property = fc.property(fc.array(step), (steps) => {
      const group = new ShareGroup();
      const present = new Set<Member>();
      for (const { kind, who } of steps) {
        const one = everybody[who];
        if (kind === 'join') {
          group.add(one);
          present.add(one);
        } else if (kind === 'leave') {
          expect(group.remove(one)).toBe(present.delete(one));
        } else if (present.size > 0) {
          expect(present.has(group.pick(message)!)).toBe(true);
        }
        expect(group.isEmpty).toBe(present.size === 0);
      }
    });
    fc.assert(property);
  });
});

function groupOf(members: Member[]): ShareGroup {
  const group = new ShareGroup();
  for (const one of members) group.add(one);
  return group;
}

/** What a group looks at of a member. */
function member(state: 'flowing' | 'full' | 'slow' = 'flowing', wouldDrop?: (qos: Qos) => boolean): Member {
  return { isFull: state === 'full', isSlow: state === 'slow', wouldDrop } as Member;
}
