import type { Policy } from './policy.ts';

/**
 * A policy that also allows a subscription of which only a part is allowed. Whoever delivers asks about each topic then, so
 * that nobody gets more than the other policy allows.
 */
export function allowPartly(policy: Policy): Policy {
  return {
    get epoch() {
      return policy.epoch;
    },
    get isOpen() {
      return policy.isOpen;
    },
    isPartial: true,
    may(identity, action, resource) {
      const refusal = policy.may(identity, action, resource);
      if (refusal === undefined || action !== 'subscribe' || resource.kind !== 'topic') return refusal;
      return policy.coverage?.(identity, action, resource.name) === 'partly' ? undefined : refusal;
    },
    coverage: policy.coverage?.bind(policy),
    onChange: (listener) => policy.onChange(listener),
  };
}
