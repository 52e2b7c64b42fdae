import { type Identity, identityOf } from '../../access/identity.ts';

/** The owner of a session whose client has not come back since the start of the broker. */
export function absentOwner({ clientId, user, groups }: AbsentOwner): Identity {
  const peer = { clientId, door: '', listener: '', remote: '', certificateName: undefined };
  return identityOf(peer, { user, groups });
}

/** What is stored of an owner. */
export interface AbsentOwner {
  clientId: string;
  /** Undefined: an anonymous client's. */
  user?: string | undefined;
  /** Those that the client showed, beside what is known of the user. */
  groups?: readonly string[] | undefined;
}
