import { Access } from '../../internal/access/access.ts';
import { anonymous, type Identity, type Peer } from '../../internal/access/identity.ts';
import { type Action, openPolicy, type Policy, type Resource } from '../../internal/access/policy.ts';

/** An anonymous client that nobody looks at closely. */
export function identityOfTest(clientId: string): Identity {
  return anonymous(peerOfTest(clientId));
}

/** The same client, before anybody asked who it is. */
export function peerOfTest(clientId: string): Peer {
  return { clientId, door: 'test', listener: 'test', remote: 'test', certificateName: undefined };
}

/** What such a client may do; everything, where no policy is named. */
export function accessOfTest(clientId: string, policy: Policy = openPolicy): Access {
  return new Access(identityOfTest(clientId), policy);
}

/** A policy whose answers a test may change; its `change` tells the broker. */
export function changeablePolicy(
  answer: (action: Action, resource: Resource, who: Identity) => string | undefined,
) {
  const listeners = new Set<() => void>();
  const policy = {
    epoch: 0,
    isOpen: false,
    may: (who: Identity, action: Action, resource: Resource) => answer(action, resource, who),
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    change() {
      policy.epoch++;
      for (const listener of listeners) listener();
    },
  };
  return policy satisfies Policy;
}
