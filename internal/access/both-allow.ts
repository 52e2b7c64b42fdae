import type { Policy } from './policy.ts';

/** The policy that allows what both of two allow. The second says how much of a filter that is. */
export function bothAllow(one: Policy, other: Policy & Required<Pick<Policy, 'coverage'>>): Policy {
  return {
    get epoch() {
      return one.epoch + other.epoch;
    },
    get isOpen() {
      return one.isOpen && other.isOpen;
    },
    may: (...question) => one.may(...question) ?? other.may(...question),
    decidingRule: (...question) =>
      one.may(...question) === undefined
        ? other.decidingRule?.(...question)
        : one.decidingRule?.(...question),
    coverage(identity, action, filter) {
      const refusal = one.may(identity, action, { kind: 'topic', name: filter });
      return refusal === undefined ? other.coverage(identity, action, filter) : 'none';
    },
    onChange(listener) {
      const ends = [one.onChange(listener), other.onChange(listener)];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}
